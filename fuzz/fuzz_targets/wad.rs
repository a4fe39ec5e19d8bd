//! Any bytes as a configuration of Azure Diagnostics: what is read prints in each form and is read again as the same, and
//! merging it into itself changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_formats::wad::{Configuration, Form, Prefer, Secrets, merge, print, read};

fuzz_target!(|data: &[u8]| {
    let Some(said) = read(data).configuration else {
        return;
    };
    if said == Configuration::default() {
        // JSON of nothing is no configuration.
        return;
    }
    for form in [Form::XmlFull, Form::Json, Form::Base64] {
        let printed = print(&said, form, Secrets::Reveal);
        let again = read(printed.as_bytes()).configuration;
        assert_eq!(again.as_ref(), Some(&said), "{printed}");
    }
    let merged = merge(&said, &said, Prefer::New);
    assert_eq!(merged.configuration, said);
    assert!(merged.changes.is_empty() && merged.conflicts.is_empty());
});
