//! What a `set` takes back without naming it. It sets all of a destination, as `Set-SyslogServer` does, so what it does not
//! name has its default again; whoever changes a port has to see that the profile went with it.

use serde::Serialize;

use super::server::ServerSet;
use super::shortened;
use crate::config::checked::{SyslogSink, Transport};

/// Says which keys that `old` had are back at their defaults in `new`, and from what value; nothing where none is.
///
/// `old` are the keys of the destination's file, `keys` those of the new one.
pub(super) fn warning(
    old: &toml::Table,
    set: &ServerSet,
    keys: &toml::Table,
    new: &SyslogSink,
) -> Option<String> {
    let mut fallen = Vec::new();
    for (key, before) in old {
        if let (toml::Value::Table(before), "filter") = (before, key.as_str()) {
            let named = keys.get(key).and_then(toml::Value::as_table);
            let gone = before
                .iter()
                .filter(|(of, _)| named.is_none_or(|named| !named.contains_key(*of)));
            fallen.extend(gone.map(|(of, before)| line(&format!("filter.{of}"), before, "none")));
            continue;
        }
        let is_named = match key.as_str() {
            "transport" => set.no_encryption || set.use_udp,
            "port" => set.server_port.is_some() || is_usual_port(old, before),
            "enabled" | "server_name" => true,
            _ => keys.contains_key(key),
        };
        let now = word_of(key, new);
        if !is_named && now != bare(before) {
            fallen.push(line(key, before, &now));
        }
    }
    if fallen.is_empty() {
        return None;
    }
    Some(format!(
        "`set` sets all of a destination, and what it did not name is back at its default: {}",
        fallen.join("; ")
    ))
}

fn line(key: &str, before: &toml::Value, now: &str) -> String {
    format!("{key} {} -> {now}", shortened(bare(before)))
}

/// Whether the file's port is that of its transport, which nobody may have named.
fn is_usual_port(old: &toml::Table, port: &toml::Value) -> bool {
    let is_udp = old.get("transport").and_then(toml::Value::as_str) == Some("udp");
    let transport = if is_udp {
        Transport::Udp
    } else {
        Transport::Tls
    };
    port.as_integer() == Some(ServerSet::usual_port(transport).into())
}

/// A key's value in a destination, as its file has it.
fn word_of(key: &str, sink: &SyslogSink) -> String {
    match key {
        "port" => sink.port.to_string(),
        "transport" => word(&sink.transport),
        "ca_file" if sink.transport != Transport::Tls => "none, in the clear".to_owned(),
        "ca_file" => sink.ca_file.as_ref().map_or_else(
            || "the system's authorities".to_owned(),
            |file| file.display().to_string(),
        ),
        "skip_name_check" => sink.skip_name_check.to_string(),
        "skip_certificate_check" => sink.skip_certificate_check.to_string(),
        "framing" => sink.framing.as_ref().map_or_else(none, word),
        "prefix" => word(&sink.prefix),
        "profile" => word(&sink.profile),
        "product" => sink.product.as_ref().map_or_else(none, word),
        "cef_version" => word(&sink.cef_version),
        "max_message_bytes" => sink.max_message_bytes.to_string(),
        "confirmation" => word(&sink.confirmation),
        "output_severity" => word(&sink.output_severity),
        _ => none(),
    }
}

fn none() -> String {
    "none".to_owned()
}

/// The word that a file has for a setting.
fn word(setting: &impl Serialize) -> String {
    let value = toml::Value::try_from(setting);
    value.map_or_else(|_| none(), |value| bare(&value))
}

fn bare(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::checked::{OutputSeverity, Profile};
    use crate::config::objects::Store;

    fn said(old: &str, change: impl FnOnce(&mut ServerSet)) -> String {
        let mut set = ServerSet {
            server_name: "siem".to_owned(),
            ..ServerSet::default()
        };
        change(&mut set);
        let keys = set.keys().unwrap();
        let store = Store::new(std::path::Path::new("/data"));
        let new = store.check_syslog_sink("a", &keys.to_string()).unwrap();
        let old = toml::from_str(old).unwrap();
        warning(&old, &set, &keys, &new).unwrap_or_default()
    }

    #[test]
    fn each_key_that_is_not_named_again_is_named_with_both_values() {
        let old = "server_name = \"other\"\nport = 10514\ntransport = \"tcp\"\nprofile = \"standard\"\n\
                   output_severity = \"default\"\nenabled = false\n[filter]\nexclude_channels = [\"*/Debug\"]\n";
        let all = said(old, |_| {});
        let fallen = [
            "output_severity default -> verbose",
            "port 10514 -> 6514",
            "profile standard -> azure-stack",
            "transport tcp -> tls",
            "filter.exclude_channels [\"*/Debug\"] -> none",
        ];
        for fallen in fallen {
            assert!(all.contains(fallen), "{fallen}: {all}");
        }
        assert_eq!(all.matches(" -> ").count(), fallen.len(), "{all}");
        let again = said(old, |set| {
            (set.server_port, set.no_encryption) = (Some(10514), true);
            (set.profile, set.output_severity) =
                (Some(Profile::Standard), Some(OutputSeverity::Default));
            set.filter.exclude_channels = vec!["Security".to_owned()];
        });
        assert_eq!(again, "");
        let old = "server_name = \"siem\"\nport = 6514\ntransport = \"tls\"\nca_file = \"/ca.pem\"\nfingerprint = \"sha256:ab\"\n\
                   skip_name_check = true\nmax_message_bytes = 8096\n";
        let checks = said(old, |set| set.server_port = Some(1));
        for fallen in [
            "ca_file /ca.pem -> the system's authorities",
            "fingerprint sha256:ab -> none",
            "skip_name_check true -> false",
        ] {
            assert!(checks.contains(fallen), "{fallen}: {checks}");
        }
        assert_eq!(checks.matches(" -> ").count(), 3, "{checks}");
        for clear in [
            said(old, |set| set.use_udp = true),
            said(old, |set| set.no_encryption = true),
        ] {
            assert!(
                clear.contains("ca_file /ca.pem -> none, in the clear"),
                "{clear}"
            );
        }
        // The port of a transport goes with it.
        let usual = "server_name = \"siem\"\nport = 514\ntransport = \"udp\"\n";
        assert!(said(usual, |_| {}).ends_with(": transport udp -> tls"));
        let tls = "server_name = \"siem\"\nport = 6514\ntransport = \"tls\"\n";
        assert_eq!(said(tls, |set| set.use_udp = true), "");
    }
}
