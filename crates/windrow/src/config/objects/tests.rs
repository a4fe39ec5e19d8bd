use super::super::{Environment, Loader, Need, Overrides};
use super::*;

const SIEM: &str = "server_name = \"siem.example.com\"\nport = 6514\n";

/// A data folder, and what is loaded with a windrow.toml of this text beside it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("data/conf.d")).unwrap();
        Place { folder }
    }

    fn store(&self) -> Store {
        Store::new(&self.folder.path().join("data"))
    }

    fn put(&self, name: &str, text: &str) {
        fs_err::write(self.folder.path().join("data/conf.d").join(name), text).unwrap();
    }

    fn load(&self, text: &str) -> Result<checked::Config, ConfigError> {
        let file = self.folder.path().join("windrow.toml");
        fs_err::write(&file, text).unwrap();
        let overrides = Overrides {
            config: Some(file),
            data_dir: Some(self.folder.path().join("data")),
            log: None,
        };
        Loader::new(Environment::default(), overrides).load(Need::File)
    }

    fn refused(&self, text: &str) -> String {
        let error = self.load(text).unwrap_err();
        let said = format!("{error}\nhint: {}", error.hint().unwrap_or("none"));
        said.replace(self.folder.path().to_str().unwrap(), "DIR")
    }
}

fn siem() -> Object {
    Object::SyslogSink("siem".to_owned())
}

#[test]
fn what_is_written_is_loaded_with_its_generation() {
    let place = Place::new();
    assert_eq!(place.load("").unwrap().settings_generation, 0);
    assert_eq!(
        place.store().write(&siem(), Some(SIEM)).unwrap().generation,
        1
    );
    let relative = "server_name = \"10.0.0.1\"\nenabled = false\nca_file = \"pki/ca.pem\"\n";
    let other = Object::SyslogSink("other".to_owned());
    assert_eq!(
        place
            .store()
            .write(&other, Some(relative))
            .unwrap()
            .generation,
        2
    );
    let config = place
        .load("[sink.syslog.third]\nserver_name = \"x\"\n")
        .unwrap();
    assert_eq!(config.settings_generation, 2);
    let names: Vec<&String> = config.sink.syslog.keys().collect();
    assert_eq!(names, ["other", "siem", "third"]);
    assert!(config.sink.syslog["siem"].enabled && !config.sink.syslog["other"].enabled);
    let ca = config.sink.syslog["other"].ca_file.clone().unwrap();
    assert_eq!(ca, place.folder.path().join("data/pki/ca.pem"));
    assert!(matches!(
        config.sink.homes["third"],
        Home::File { line: 1, .. }
    ));
    assert!(matches!(config.sink.homes["siem"], Home::Object { .. }));
    assert_eq!(place.store().write(&siem(), None).unwrap().generation, 3);
    let config = place.load("").unwrap();
    assert!(!config.sink.syslog.contains_key("siem"));
}

#[test]
fn only_the_owner_reads_what_is_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let _ = place.store().write(&siem(), Some(SIEM)).unwrap();
    for name in ["sink.syslog.siem.toml", GENERATION] {
        let path = place.folder.path().join("data/conf.d").join(name);
        let mode = fs_err::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_damaged_object_is_named_with_its_place() {
    let place = Place::new();
    place.put(
        "sink.syslog.siem.toml",
        "server_name = \"siem\"\nprot = 6514\n",
    );
    insta::assert_snapshot!(place.refused(""), @r"
    unknown key `prot`
     --> DIR/data/conf.d/sink.syslog.siem.toml:2:1
      |
    2 | prot = 6514
      | ^^^^
      = expected one of enabled, server_name, port, transport, ca_file, client_certificate, client_key, skip_name_check, skip_certificate_check, fingerprint, framing, prefix, profile, product, cef_version, max_message_bytes, confirmation, output_severity, filter
    hint: did you mean `port`?
    ");
    place.put(
        "sink.syslog.siem.toml",
        "server_name = \"siem\"\nport = 0\n",
    );
    insta::assert_snapshot!(place.refused(""), @r"
    0 is out of range
     --> DIR/data/conf.d/sink.syslog.siem.toml:2:8
      |
    2 | port = 0
      |        ^
      = expected from 1 to 65535
    hint: this file is written by `windrow syslog`; correct it, or move it away and set it anew
    ");
    place.put("sink.syslog.siem.toml", "");
    insta::assert_snapshot!(place.refused(""), @r"
    the key `server_name` is missing
     --> DIR/data/conf.d/sink.syslog.siem.toml:1:1
      |
    1 | 
      | ^
    hint: this file is written by `windrow syslog`; correct it, or move it away and set it anew
    ");
    place.put("sink.syslog.siem.toml", "server_name = \"si");
    insta::assert_snapshot!(place.refused(""), @r#"
    invalid basic string
     --> DIR/data/conf.d/sink.syslog.siem.toml:1:18
      |
    1 | server_name = "si
      |                  ^
      = expected `"`
    hint: this file is written by `windrow syslog`; correct it, or move it away and set it anew
    "#);
    place.put("sink.syslog.siem.toml", SIEM);
    place.put("sink.syslog.SIEM.toml", SIEM);
    insta::assert_snapshot!(place.refused(""), @r#"
    `SIEM` cannot be a name
     --> DIR/data/conf.d/sink.syslog.SIEM.toml:1:1
      |
    1 | server_name = "siem.example.com"
      | ^
      = expected 1 to 48 of the characters a-z, 0-9, - and _
    hint: this file is written by `windrow syslog`; correct it, or move it away and set it anew
    "#);
}

#[test]
fn a_name_in_both_homes_is_an_error_that_names_both() {
    let place = Place::new();
    place.put("sink.syslog.siem.toml", SIEM);
    let text = "[log]\n\n[sink.syslog.siem]\nserver_name = \"x\"\n";
    insta::assert_snapshot!(place.refused(text), @r"
    sink.syslog.siem is set twice: in DIR/windrow.toml, line 3, and by command in DIR/data/conf.d/sink.syslog.siem.toml
    hint: a setting has one home: take the table out of the one, or the other file away
    ");
}

#[test]
fn files_of_others_are_left_alone_and_unknown_objects_are_not() {
    let place = Place::new();
    place.put("sink.syslog.siem.toml~", "nonsense");
    place.put("sink.syslog.siem.toml.new", "half a fi");
    assert!(place.load("").unwrap().sink.syslog.is_empty());
    place.put("sink.azure_table.wad.toml", "");
    insta::assert_snapshot!(place.refused(""), @r"
    DIR/data/conf.d/sink.azure_table.wad.toml is not a setting that this windrow knows
    hint: move it away, or use the windrow that wrote it
    ");
}

#[test]
fn limits_hold() {
    let place = Place::new();
    let long = "#".repeat(usize::try_from(limits::MAX_OBJECT_BYTES).unwrap() + 1);
    place.put("sink.syslog.siem.toml", &long);
    insta::assert_snapshot!(place.refused(""), @r"
    DIR/data/conf.d/sink.syslog.siem.toml is over 524288 bytes
    hint: this file is written by `windrow syslog`; correct it, or move it away and set it anew
    ");
    place.put("sink.syslog.siem.toml", SIEM);
    place.put(GENERATION, "many");
    insta::assert_snapshot!(place.refused(""), @r"
    DIR/data/conf.d/GENERATION holds no number
    hint: write the number that `windrow status` showed last into it, or 1
    ");
}

#[test]
fn a_write_that_fails_changes_nothing() {
    let place = Place::new();
    let _ = place.store().write(&siem(), Some(SIEM)).unwrap();
    // A folder in the way of the temporary file.
    let folder = place.folder.path().join("data/conf.d");
    fs_err::create_dir(folder.join("sink.syslog.siem.toml.new")).unwrap();
    assert!(place.store().write(&siem(), Some("enabled = 1")).is_err());
    assert_eq!(place.store().generation().unwrap(), 1);
    assert_eq!(place.store().text(&siem()).unwrap().unwrap(), SIEM);
}

#[test]
fn text_and_keys_are_each_other() {
    let keys_of = keys(SIEM).unwrap();
    let text = text(&siem(), &keys_of).unwrap();
    assert!(text.starts_with("# Written by windrow"), "{text}");
    assert_eq!(keys(&text).unwrap(), keys_of);
}

#[test]
fn the_client_certificate_is_shown_where_none_is_named() {
    let place = Place::new();
    place.put("sink.syslog.siem.toml", SIEM);
    place.put(
        "syslog-client.toml",
        "certificate = \"pki/syslog-client/001.pem\"\nkey = \"pki/syslog-client/001.key\"\n\
         set_at = \"2026-11-22T06:00:00Z\"\n",
    );
    let text = "[sink.syslog.own]\nserver_name = \"x\"\nclient_certificate = \"a\"\nclient_key = \"b\"\n\
                [sink.syslog.clear]\nserver_name = \"x\"\ntransport = \"tcp\"\n";
    let config = place.load(text).unwrap();
    let shown = |name: &str| {
        let sink = config.syslog_sink(name).unwrap();
        sink.client.map(|client| client.certificate)
    };
    let ours = place.folder.path().join("data/pki/syslog-client/001.pem");
    assert_eq!(shown("siem"), Some(ours));
    assert_eq!(shown("own"), Some(place.folder.path().join("a")));
    assert_eq!(shown("clear"), None);
    place.put("syslog-client.toml", "certificate = \"a\"\n");
    assert!(place.refused(text).contains("the key `key` is missing"));
}
