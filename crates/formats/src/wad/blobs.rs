//! What files are called in the containers that Azure Diagnostics filled.
//!
//! Readers know the logs of IIS by `<deployment>/<role>/<instance>/Web/W3SVC1/u_ex26112010.log`. Names of files come from the
//! machines that wrote them: what no name of a blob should have is replaced, and a name that is not what the file is called has
//! a hash of that, so that two files never meet in one blob.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::rows::Origin;
use crate::batch::file::{FileClass, FileId, FileReference};
use crate::limits::AZURE_BLOB_NAME_UNITS_MAX;
use crate::text::utf16_prefix;

/// Which blob of a file, where one is not enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variant {
    /// Set where the name is taken by another file: one that this replaced on its machine.
    pub anew: Option<FileId>,
    /// Of a file that is in several blobs, from 0 on.
    pub part: u32,
}

/// The name of the blob for a file of a machine.
#[must_use]
pub fn blob_name(
    origin: &Origin<'_>,
    machine: &str,
    file: &FileReference,
    variant: Variant,
) -> String {
    let path = below_machine(&file.path, machine);
    let mut name = String::new();
    for part in [origin.deployment_id, origin.role, origin.role_instance] {
        name.push_str(&segment(part));
        name.push('/');
    }
    if matches!(file.class, FileClass::IisLog | FileClass::FailedRequest) {
        name.push_str("Web/");
    }
    let path = match &file.site {
        Some(site) => from_site(path, site),
        None => path,
    };
    let plain: Vec<String> = path.split('/').map(segment).collect();
    let plain = plain.join("/");
    let mark = mark(&plain, path, variant);
    let fits = AZURE_BLOB_NAME_UNITS_MAX.saturating_sub(utf16(&name) + utf16(&mark));
    let (stem, extension) = extension(&plain);
    match utf16(&plain) <= fits {
        true => name + stem + &mark + extension,
        // The mark has a hash of all of it then.
        false => {
            let mark = mark_of(path, variant);
            let fits = AZURE_BLOB_NAME_UNITS_MAX.saturating_sub(utf16(&name) + utf16(&mark));
            name + utf16_prefix(&plain, fits) + &mark
        }
    }
}

/// A path without the folder that only says of which machine it is.
fn below_machine<'a>(path: &'a str, machine: &str) -> &'a str {
    match path.split_once('/') {
        Some((first, rest)) if first.eq_ignore_ascii_case(machine) => rest,
        _ => path,
    }
}

fn from_site<'a>(path: &'a str, site: &str) -> &'a str {
    let mut rest = path;
    while let Some((folder, after)) = rest.split_once('/') {
        if folder == site {
            return rest;
        }
        rest = after;
    }
    path
}

/// A part of a path as part of a blob's name.
fn segment(part: &str) -> String {
    let plain = |c: char| match c {
        '\\' => '_',
        control if control.is_control() => '_',
        other => other,
    };
    let mut text: String = part.chars().map(plain).collect();
    if text.is_empty() || text.ends_with('.') {
        text.push('_');
    }
    text
}

/// What stands before a name's extension.
fn mark(plain: &str, path: &str, variant: Variant) -> String {
    match plain == path {
        true => mark_of_variant(variant),
        false => mark_of(path, variant),
    }
}

fn mark_of(path: &str, variant: Variant) -> String {
    let digest = Sha256::digest(path.as_bytes());
    format!("~{}{}", hex8(&digest), mark_of_variant(variant))
}

fn mark_of_variant(variant: Variant) -> String {
    let mut mark = String::new();
    if let Some(file) = variant.anew {
        mark = format!("~{}", hex8(&file.0));
    }
    if variant.part > 0 {
        // Writing to a text cannot fail.
        let _ = write!(mark, "~part{}", variant.part + 1);
    }
    mark
}

fn hex8(bytes: &[u8]) -> String {
    crate::text::hex(&bytes[..bytes.len().min(4)])
}

fn extension(path: &str) -> (&str, &str) {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].rfind('.') {
        Some(dot) if dot > 0 => path.split_at(name + dot),
        _ => (path, ""),
    }
}

fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::azure::blob_name_is_allowed;
    use crate::batch::file::Content;

    fn file(class: FileClass, site: Option<&str>, path: &str) -> FileReference {
        FileReference {
            class,
            site: site.map(str::to_owned),
            path: path.to_owned(),
            file: FileId([7; 16]),
            offset: 0,
            content: Content::Dropped { bytes: 0 },
            lines: None,
            whole: None,
            modified_at: None,
        }
    }

    fn named(file: &FileReference, variant: Variant) -> String {
        let origin = Origin {
            deployment_id: "cloud-1",
            role: "IaaS",
            role_instance: "_web01",
        };
        blob_name(&origin, "web01", file, variant)
    }

    #[test]
    fn files_have_the_names_that_readers_know() {
        let log = |site, path| named(&file(FileClass::IisLog, site, path), Variant::default());
        let site = Some("W3SVC1");
        let expected = "cloud-1/IaaS/_web01/Web/W3SVC1/u_ex26112010.log";
        assert_eq!(log(site, "WEB01/W3SVC1/u_ex26112010.log"), expected);
        assert_eq!(log(site, "W3SVC1/u_ex26112010.log"), expected);
        assert_eq!(log(site, "logs/Web/W3SVC1/u_ex26112010.log"), expected);
        let dump = file(FileClass::CrashDump, None, "web01/app/w3wp.exe.42.dmp");
        assert_eq!(
            named(&dump, Variant::default()),
            "cloud-1/IaaS/_web01/app/w3wp.exe.42.dmp"
        );
        let anew = Variant {
            anew: Some(FileId([0xab; 16])),
            part: 1,
        };
        assert_eq!(
            named(&dump, anew),
            "cloud-1/IaaS/_web01/app/w3wp.exe.42~abababab~part2.dmp"
        );
    }

    #[test]
    fn what_is_replaced_is_marked() {
        let of = |path: &str| named(&file(FileClass::Other, None, path), Variant::default());
        insta::assert_snapshot!(of("a\\b.txt"), @"cloud-1/IaaS/_web01/a_b~c9474d3b.txt");
        assert_ne!(of("a\\b.txt"), of("a_b.txt"));
        assert_ne!(of("a\tb.txt"), of("a\\b.txt"));
        let long = format!("{}.txt", "x".repeat(2_000));
        assert!(blob_name_is_allowed(&of(&long)));
        assert_ne!(of(&long), of(&format!("{}y.txt", "x".repeat(1_999))));
    }

    proptest! {
        #[test]
        fn whatever_a_file_is_called_the_service_takes_its_name(
            path in "[^/\0]{1,300}(/[^/\0]{1,300}){0,5}",
            other in "[^/\0]{1,300}(/[^/\0]{1,300}){0,5}",
        ) {
            let of = |path: &str| named(&file(FileClass::Other, None, path), Variant::default());
            prop_assert!(blob_name_is_allowed(&of(&path)), "{}", of(&path));
            if path != other && below_machine(&path, "web01") != below_machine(&other, "web01") {
                prop_assert_ne!(of(&path), of(&other));
            }
        }
    }
}
