//! What the words of the set-up mean: names, realms, baselines.

use std::net::IpAddr;

use windrow_formats::wef::audience::Pattern;
use windrow_formats::wef::baseline::{BASELINES, Baseline};

use crate::setup::configuration::Wanted;

/// A name that goes into certificates, tickets and addresses.
pub(super) fn collector_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed)
    };
    if text.len() <= 64 && text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no name that is put into a certificate: letters, digits, hyphens and dots, 64 at most"
    ))
}

/// Whether a name is an address.
pub(super) fn is_address(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
}

pub(super) fn realm(text: &str) -> Result<String, String> {
    match collector_name(text) {
        Ok(realm) if !is_address(&realm) => Ok(realm.to_uppercase()),
        _ => Err(format!("{text:?} is no realm, such as CORP.EXAMPLE")),
    }
}

/// A baseline, and whom it is for: `NAME` or `NAME=PATTERN,…`.
pub(super) fn wanted(text: &str) -> Result<Wanted, String> {
    let (name, patterns) = match text.split_once('=') {
        Some((name, patterns)) => (name, Some(patterns)),
        None => (text, None),
    };
    if Baseline::named(name).is_none() {
        let names: Vec<_> = BASELINES.iter().map(|baseline| baseline.name).collect();
        return Err(format!("{name:?} is none of {}", names.join(", ")));
    }
    let patterns = patterns
        .into_iter()
        .flat_map(|patterns| patterns.split(','));
    let machines: Result<Vec<_>, _> = patterns
        .map(|pattern| machine(text, pattern.trim()))
        .collect();
    Ok(Wanted {
        baseline: name.to_owned(),
        machines: machines?,
    })
}

fn machine(text: &str, pattern: &str) -> Result<String, String> {
    if pattern.is_empty() {
        return Err(format!(
            "{text:?} names no machine after = or a comma: leave the = away for all that no other one names"
        ));
    }
    if pattern.contains(char::is_whitespace) {
        return Err(format!(
            "{pattern:?} has a blank in it, and no machine's name has: a comma goes between two, as in server=srv*,db*"
        ));
    }
    let compiled = Pattern::compile(pattern).map_err(|error| format!("{pattern:?}: {error}"))?;
    Ok(compiled.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_for_those_that_are_named() {
        let machines = |text| wanted(text).map(|wanted| wanted.machines);
        assert_eq!(machines("server"), Ok(Vec::new()));
        assert_eq!(
            machines("server=srv*, db?").unwrap(),
            ["srv*".to_owned(), "db?".to_owned()]
        );
        for (text, said) in [
            ("servers", "is none of essential"),
            ("server=", "names no machine"),
            ("server=srv*,", "names no machine"),
            ("server=a b", "has a blank in it"),
            ("server=a\u{1}", "a\\u{1}"),
        ] {
            let wrong = wanted(text).unwrap_err();
            assert!(wrong.contains(said), "{text}: {wrong}");
        }
    }

    #[test]
    fn names_are_no_addresses_and_realms_never_are() {
        assert!(is_address("10.0.0.5") && !is_address("wec.corp.example"));
        assert_eq!(realm("corp.example").as_deref(), Ok("CORP.EXAMPLE"));
        assert!(realm("10.0.0.5").is_err() && realm("a b").is_err());
        assert!(collector_name("::1").is_err() && collector_name("a..b").is_err());
    }
}
