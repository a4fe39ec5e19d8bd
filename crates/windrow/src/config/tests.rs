use std::path::Path;

use super::checked::Config;
use super::*;

mod azure_blob;
mod azure_table;
mod directory;
mod source;
mod subscription;
mod syslog;
mod wad_storage;

fn check(text: &str) -> Result<Config, ConfigError> {
    check_text(Path::new("/etc/windrow/windrow.toml"), text)
}

/// The error as a person sees it, hint included.
fn refused(text: &str) -> String {
    let error = check(text).unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}

const SOURCE: &str = r#"
[source.wef.main]
hostname = "collector.example.com"
tls = { certificate = "a.pem", key = "a.key", client_ca = "/ca.pem" }
[subscription.base]
channels = ["Security"]
"#;

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = check("").unwrap();
    insta::assert_snapshot!(toml::to_string_pretty(&config).unwrap(), @r#"
    data_dir = "/var/lib/windrow"

    [source.wef]

    [subscription]

    [sink.syslog]

    [sink.azure_table]

    [journal]
    quota = "10 GB"
    segment_size = "128 MiB"
    when_full = "block"
    seal_interval = "1h"

    [spool]
    quota = "4 GB"

    [lake]
    enabled = true
    flush_interval = "1m"
    flush_rows = 100000
    upkeep_after = "10m"
    expire = true

    [lake.retention]
    events = "forever"
    event_text = "forever"
    event_counts = "forever"
    iis = "forever"
    failed_requests = "forever"
    counters = "forever"
    sign_ins = "forever"
    operations = "forever"

    [tls]

    [web]
    listen = "127.0.0.1:9186"

    [admin]
    enabled = false
    listen = "127.0.0.1:9443"

    [log]
    level = "info"
    format = "auto"
    "#);
}

#[test]
fn the_example_holds_and_its_comments_tell_the_defaults() {
    let config = check(EXAMPLE).unwrap();
    assert_eq!(
        config.source.wef["main"].listen,
        "0.0.0.0:5986".parse().unwrap()
    );
    let choices = [
        "# query",
        "# baseline",
        "# description",
        "# machine",
        "# except_",
        "# delivery",
        "# crl",
        "# refresh",
        "# channels",
        "# event_ids",
        "# providers",
        "# computers",
        "# ca_file",
        "# account",
        "# endpoint",
        "# deployment_id",
        "# role",
        "# event_volume",
        "# partition_by",
        "# transfer_period",
        "# infra",
        "# subscription",
        "# client_",
        "# fingerprint",
        "# deployment_root",
        "# max_batch",
        "# locale",
        "# data_locale",
        "# settled",
        "# late",
        "# keep",
        "# manifests",
        "# traces",
        "# containers",
        "# table_endpoint",
        "# directories",
        "# counters = [",
        "# certificate",
        "# key",
        "# url",
        "# \"ada",
        "# Security",
        "# \"Microsoft",
        "# tables",
        "# from",
        "# to ",
        "# reason",
    ];
    let spelled_out: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.contains(" = ")
                    && !choices.iter().any(|choice| line.starts_with(choice)) =>
            {
                rest
            }
            _ => line,
        })
        .collect();
    let spelled_out = check(&spelled_out.join("\n")).unwrap();
    assert_eq!(spelled_out, config);
}

#[test]
fn what_is_shown_reads_back_the_same() {
    let mut config = check(EXAMPLE).unwrap();
    let shown = toml::to_string_pretty(&config).unwrap();
    // What is shown has the same tables on other lines.
    let again = check(&shown).unwrap();
    config.sink.homes.clone_from(&again.sink.homes);
    config.homes.clone_from(&again.homes);
    assert_eq!(again, config, "{shown}");
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = check(SOURCE).unwrap();
    let checked::WefAuthentication::Tls(tls) = &config.source.wef["main"].authentication else {
        panic!("{config:?}");
    };
    assert_eq!(tls.certificate, Path::new("/etc/windrow/a.pem"));
    assert_eq!(tls.client_ca, Path::new("/ca.pem"));
}

#[test]
fn the_command_line_counts_more_than_the_environment_and_that_more_than_the_file() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("windrow.toml");
    std::fs::write(&file, "data_dir = \"data\"\n[log]\nlevel = \"debug\"\n").unwrap();
    let load = |environment: Environment, data_dir: Option<&str>| {
        let overrides = Overrides {
            config: Some(file.clone()),
            data_dir: data_dir.map(Into::into),
            log: None,
        };
        Loader::new(environment, overrides)
            .load(Need::File)
            .unwrap()
    };
    assert_eq!(
        load(Environment::default(), None).data_dir,
        temp.path().join("data")
    );
    let environment = Environment {
        data_dir: Some("/env".into()),
        log: Some("trace".into()),
        ..Environment::default()
    };
    let config = load(environment.clone(), None);
    assert_eq!(
        (config.data_dir.to_str(), config.log.level.as_str()),
        (Some("/env"), "trace")
    );
    assert_eq!(
        load(environment, Some("/line")).data_dir,
        Path::new("/line")
    );
}

#[test]
fn a_file_that_was_named_has_to_exist() {
    let overrides = Overrides {
        config: Some("/nonexistent/windrow.toml".into()),
        ..Overrides::default()
    };
    let error = Loader::new(Environment::default(), overrides)
        .load(Need::Defaults)
        .unwrap_err();
    assert!(
        error.message().contains("/nonexistent/windrow.toml"),
        "{error}"
    );
    let error = Loader::new(Environment::default(), Overrides::default())
        .load(Need::File)
        .unwrap_err();
    assert_eq!(error.message(), "there is no configuration file");
}

#[test]
fn a_wrong_key() {
    insta::assert_snapshot!(refused("data_dir = \"/d\"\n\n[journal]\nqouta = \"10 GB\"\n"), @r#"
    unknown key `qouta`
     --> /etc/windrow/windrow.toml:4:1
      |
    4 | qouta = "10 GB"
      | ^^^^^
      = expected one of quota, segment_size, when_full, seal_interval
    hint: did you mean `quota`?
    "#);
    insta::assert_snapshot!(refused("[web]\ncolour = 1\n"), @r"
    unknown key `colour`
     --> /etc/windrow/windrow.toml:2:1
      |
    2 | colour = 1
      | ^^^^^^
      = expected listen
    ");
}

#[test]
fn an_unknown_table() {
    insta::assert_snapshot!(refused("[sink.sislog.siem]\nserver_name = \"siem\"\n"), @r"
    unknown key `sislog`
     --> /etc/windrow/windrow.toml:1:7
      |
    1 | [sink.sislog.siem]
      |       ^^^^^^
      = expected one of syslog, azure_table, azure_blob
    hint: did you mean `syslog`?
    ");
    insta::assert_snapshot!(refused("[subscriptions.base]\n"), @r"
    unknown key `subscriptions`
     --> /etc/windrow/windrow.toml:1:2
      |
    1 | [subscriptions.base]
      |  ^^^^^^^^^^^^^
      = expected one of data_dir, source, subscription, machine_group, fleet, sink, journal, spool, lake, tls, web, admin, log
    hint: did you mean `subscription`?
    ");
}

#[test]
fn a_table_without_its_name() {
    insta::assert_snapshot!(refused("[sink.syslog]\nserver_name = \"siem\"\n"), @r#"
    wrong type: string "siem"
     --> /etc/windrow/windrow.toml:2:15
      |
    2 | server_name = "siem"
      |               ^^^^^^
      = expected a table with a name, such as [sink.syslog.siem]
    "#);
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(refused("[sink.syslog.siem]\nserver_name = \"siem\"\nport = \"514\"\n"), @r#"
    wrong type: string "514"
     --> /etc/windrow/windrow.toml:3:8
      |
    3 | port = "514"
      |        ^^^^^
      = expected a whole number from 0 to 65535
    "#);
    insta::assert_snapshot!(refused("[sink.syslog.siem]\nserver_name = \"siem\"\nport = 70000\n"), @r"
    invalid value: integer `70000`
     --> /etc/windrow/windrow.toml:3:8
      |
    3 | port = 70000
      |        ^^^^^
      = expected a whole number from 0 to 65535
    ");
    insta::assert_snapshot!(refused("[lake]\nenabled = \"yes\"\n"), @r#"
    wrong type: string "yes"
     --> /etc/windrow/windrow.toml:2:11
      |
    2 | enabled = "yes"
      |           ^^^^^
      = expected true or false
    "#);
    insta::assert_snapshot!(refused("[journal]\nquota = 10\n"), @r#"
    wrong type: integer `10`
     --> /etc/windrow/windrow.toml:2:9
      |
    2 | quota = 10
      |         ^^
      = expected a size such as "10 GB" or "512 MiB"
    "#);
    insta::assert_snapshot!(refused("[web]\nlisten = \"localhost:9186\"\n"), @r#"
    this is not an address and port
     --> /etc/windrow/windrow.toml:2:10
      |
    2 | listen = "localhost:9186"
      |          ^^^^^^^^^^^^^^^^
      = expected one such as "127.0.0.1:5986" or "[::1]:5986"
    "#);
    insta::assert_snapshot!(refused("[source.wef.main]\nhostname = \"a\"\ntls = \"no\"\n"), @r#"
    wrong type: string "no"
     --> /etc/windrow/windrow.toml:3:7
      |
    3 | tls = "no"
      |       ^^^^
      = expected a table such as [source.wef.main.tls]
    "#);
}

#[test]
fn a_wrong_size_or_duration() {
    insta::assert_snapshot!(refused("[journal]\nquota = \"10 Gigs\"\n"), @r#"
    unknown unit `Gigs` (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)
     --> /etc/windrow/windrow.toml:2:9
      |
    2 | quota = "10 Gigs"
      |         ^^^^^^^^^
      = expected a size such as "10 GB" or "512 MiB"
    "#);
    insta::assert_snapshot!(refused("[journal]\nquota = \"10\"\n"), @r#"
    `10` has no unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)
     --> /etc/windrow/windrow.toml:2:9
      |
    2 | quota = "10"
      |         ^^^^
      = expected a size such as "10 GB" or "512 MiB"
    "#);
    insta::assert_snapshot!(refused("[lake]\nflush_interval = \"60 minutes\"\n"), @r#"
    unknown unit `minutes` (ms, s, m, h, d)
     --> /etc/windrow/windrow.toml:2:18
      |
    2 | flush_interval = "60 minutes"
      |                  ^^^^^^^^^^^^
      = expected a duration such as "60s", "15m" or "1h 30m"
    "#);
    insta::assert_snapshot!(refused("[lake]\nflush_interval = \"0s\"\n"), @r#"
    0s is out of range
     --> /etc/windrow/windrow.toml:2:18
      |
    2 | flush_interval = "0s"
      |                  ^^^^
      = expected from 1s to 1h
    "#);
    insta::assert_snapshot!(refused("[journal]\nquota = \"1 GB\"\nsegment_size = \"512 MiB\"\n"), @r#"
    the quota of 1 GB holds fewer than eight segments of 512 MiB
     --> /etc/windrow/windrow.toml:3:16
      |
    3 | segment_size = "512 MiB"
      |                ^^^^^^^^^
    hint: raise `quota` or lower `segment_size`
    "#);
}

#[test]
fn a_wrong_word() {
    insta::assert_snapshot!(refused("[journal]\nwhen_full = \"drop_oldest\"\n"), @r#"
    unknown word `drop_oldest`
     --> /etc/windrow/windrow.toml:2:13
      |
    2 | when_full = "drop_oldest"
      |             ^^^^^^^^^^^^^
      = expected one of block, drop-oldest
    hint: did you mean `drop-oldest`?
    "#);
    insta::assert_snapshot!(refused("[sink.syslog.siem]\nserver_name = \"siem\"\ncef_version = \"2\"\n"), @r#"
    unknown word `2`
     --> /etc/windrow/windrow.toml:3:15
      |
    3 | cef_version = "2"
      |               ^^^
      = expected one of 0, 0.0, 1
    "#);
    insta::assert_snapshot!(refused("[log]\nlevel = \"info,windrow=loud\"\n"), @r#"
    `info,windrow=loud` is not a log level
     --> /etc/windrow/windrow.toml:2:9
      |
    2 | level = "info,windrow=loud"
      |         ^^^^^^^^^^^^^^^^^^^
      = expected error, warn, info, debug, trace, or levels by target: "info,windrow_pipeline=debug"
    "#);
}

#[test]
fn a_missing_key() {
    insta::assert_snapshot!(refused("[sink.syslog.siem]\nport = 514\n"), @r"
    the key `server_name` is missing
     --> /etc/windrow/windrow.toml:1:1
      |
    1 | [sink.syslog.siem]
      | ^^^^^^^^^^^^^^^^^^
    ");
    insta::assert_snapshot!(refused("[source.wef.main]\n"), @r"
    the key `hostname` is missing
     --> /etc/windrow/windrow.toml:1:1
      |
    1 | [source.wef.main]
      | ^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn no_toml_at_all() {
    insta::assert_snapshot!(refused("[journal\nquota = 10\n"), @r"
    unclosed table
     --> /etc/windrow/windrow.toml:1:9
      |
    1 | [journal
      |         ^
      = expected `]`
    ");
    insta::assert_snapshot!(refused("data_dir = /var/lib\n"), @r"
    string values must be quoted
     --> /etc/windrow/windrow.toml:1:12
      |
    1 | data_dir = /var/lib
      |            ^^^^^^^^
      = expected literal string
    ");
    insta::assert_snapshot!(refused("a = 1\na = 2\n"), @r"
    duplicate key
     --> /etc/windrow/windrow.toml:2:1
      |
    2 | a = 2
      | ^
    ");
}

#[test]
fn what_does_not_go_together() {
    let sink = |lines: &str| {
        refused(&format!(
            "[sink.syslog.siem]\nserver_name = \"siem\"\n{lines}\n"
        ))
    };
    insta::assert_snapshot!(sink("transport = \"tcp\"\nca_file = \"ca.pem\""), @r#"
    certificates are for transport = "tls" only
     --> /etc/windrow/windrow.toml:4:11
      |
    4 | ca_file = "ca.pem"
      |           ^^^^^^^^
    hint: set transport = "tls", or leave the certificates out
    "#);
    insta::assert_snapshot!(sink("client_certificate = \"c.pem\""), @r#"
    `client_key` is missing beside it
     --> /etc/windrow/windrow.toml:3:22
      |
    3 | client_certificate = "c.pem"
      |                      ^^^^^^^
    "#);
    insta::assert_snapshot!(sink("transport = \"udp\"\nframing = \"lf\""), @r#"
    a datagram holds one message: it has no framing
     --> /etc/windrow/windrow.toml:4:11
      |
    4 | framing = "lf"
      |           ^^^^
    hint: leave `framing` out
    "#);
    insta::assert_snapshot!(sink("transport = \"udp\"\nconfirmation = \"tcp-acked\""), @r#"
    over udp nobody confirms anything
     --> /etc/windrow/windrow.toml:4:16
      |
    4 | confirmation = "tcp-acked"
      |                ^^^^^^^^^^^
    hint: leave `confirmation` out, or use tcp or tls
    "#);
    insta::assert_snapshot!(refused("[web]\nlisten = \"0.0.0.0:9186\"\n"), @r#"
    this address can be reached from other machines
     --> /etc/windrow/windrow.toml:2:10
      |
    2 | listen = "0.0.0.0:9186"
      |          ^^^^^^^^^^^^^^
      = expected a loopback address such as "127.0.0.1:9186"
    hint: nobody is asked who they are here: put a proxy that asks in front of it
    "#);
    insta::assert_snapshot!(refused("[subscription.base]\n"), @r"
    the subscription asks for nothing
     --> /etc/windrow/windrow.toml:1:15
      |
    1 | [subscription.base]
      |               ^^^^
      = expected one of `baseline`, `channels`, `query`, `query_file`
    ");
    insta::assert_snapshot!(refused("[subscription.base]\nchannels = [\"Security\"]\nquery = \"<x/>\"\n"), @r"
    the subscription says in more than one way what it asks for
     --> /etc/windrow/windrow.toml:1:15
      |
    1 | [subscription.base]
      |               ^^^^
      = expected only one of `baseline`, `channels`, `query`, `query_file`
    ");
    insta::assert_snapshot!(refused("[subscription.\"Base 1\"]\nchannels = [\"Security\"]\n"), @r#"
    `Base 1` cannot be a name
     --> /etc/windrow/windrow.toml:1:15
      |
    1 | [subscription."Base 1"]
      |               ^^^^^^^^
      = expected 1 to 48 of the characters a-z, 0-9, - and _
    "#);
}

#[test]
fn a_source_offers_subscriptions_that_exist() {
    let config = check(SOURCE).unwrap();
    let main = &config.source.wef["main"];
    assert!(main.subscriptions.is_none() && main.offers("base"));
    let offered: Vec<_> = config.offered_at(main).map(|(name, _)| name).collect();
    assert_eq!(offered, ["base"]);
    let wrong = SOURCE.replace("hostname", "subscriptions = [\"bsae\"]\nhostname");
    insta::assert_snapshot!(refused(&wrong), @r#"
    there is no [subscription.bsae]
     --> /etc/windrow/windrow.toml:3:18
      |
    3 | subscriptions = ["bsae"]
      |                  ^^^^^^
    hint: did you mean `base`?
    "#);
    // They may be made by command later.
    let none = check(SOURCE.split("[subscription").next().unwrap()).unwrap();
    assert!(none.subscription.is_empty());
    let none = SOURCE.replace("hostname", "subscriptions = []\nhostname");
    insta::assert_snapshot!(refused(&none), @r#"
    there is no subscription to offer: machines would send nothing
     --> /etc/windrow/windrow.toml:2:13
      |
    2 | [source.wef.main]
      |             ^^^^
    hint: leave `subscriptions` out to offer all of them
    "#);
    let url = SOURCE.replace("collector.example.com", "https://collector.example.com");
    insta::assert_snapshot!(refused(&url), @r#"
    this is not a host name
     --> /etc/windrow/windrow.toml:3:12
      |
    3 | hostname = "https://collector.example.com"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = expected the name machines reach this collector by, without https:// and port
    "#);
    let twice = format!(
        "{SOURCE}{}",
        SOURCE
            .split("[subscription")
            .next()
            .unwrap()
            .replace("main", "other")
    );
    insta::assert_snapshot!(refused(&twice), @"[source.wef.other] listens at 127.0.0.1:5986, as another source does");
}

#[test]
fn a_query_is_checked_where_it_stands() {
    insta::assert_snapshot!(refused("[subscription.base]\nquery = '''\n<QueryList>\n<Select/>\n</QueryList>'''\n"), @r#"
    <Select> where <Query> has to be
     --> /etc/windrow/windrow.toml:4:1
      |
    4 | <Select/>
      | ^^^^^^^^^
      = expected <QueryList><Query Id="0"><Select Path="Security">*</Select></Query></QueryList>
    "#);
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(
        temp.path().join("q.xml"),
        "\u{feff}<QueryList>\n  <Query Id='0'>\n    <Selct Path='System'>*</Selct>",
    )
    .unwrap();
    let text = "[subscription.base]\nquery_file = \"q.xml\"\n";
    let error = check_text(&temp.path().join("windrow.toml"), text).unwrap_err();
    let error = error
        .to_string()
        .replace(temp.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(error, @r#"
    <Selct> where <Select> or <Suppress> has to be
     --> DIR/q.xml:3:5
      |
    3 |     <Selct Path='System'>*</Selct>
      |     ^^^^^^^^^^^^^^^^^^^^^
      = expected <QueryList><Query Id="0"><Select Path="Security">*</Select></Query></QueryList>
    "#);
}

#[test]
fn control_characters_in_the_file_do_not_reach_the_terminal() {
    let error = refused("[web]\n\u{202e}listen = 1\n");
    assert!(!error.contains('\u{202e}'), "{error}");
}

#[test]
fn a_message_has_room_for_what_cannot_be_cut() {
    let sink = |bytes: u32| {
        format!("[sink.syslog.siem]\nserver_name = \"siem\"\nmax_message_bytes = {bytes}\n")
    };
    assert!(check(&sink(1_024)).is_ok());
    insta::assert_snapshot!(refused(&sink(1_023)), @r"
    1023 is out of range
     --> /etc/windrow/windrow.toml:3:21
      |
    3 | max_message_bytes = 1023
      |                     ^^^^
      = expected from 1024 to 1048576
    ");
}

#[test]
fn the_checks_of_a_receiver_go_together_or_are_refused() {
    let sink = |keys: &str| format!("[sink.syslog.a]\nserver_name = \"a\"\n{keys}");
    let hex = "AB:".repeat(31) + "AB";
    let config = check(&sink(&format!("fingerprint = \"{hex}\"\n"))).unwrap();
    let fingerprint = config.sink.syslog["a"].fingerprint.clone();
    assert_eq!(
        fingerprint,
        Some(format!("sha256:{}", "ab".repeat(32))),
        "one form"
    );
    let both = sink("skip_certificate_check = true\nskip_name_check = true\n");
    assert!(check(&both).unwrap().sink.syslog["a"].skip_certificate_check);
    let cases = [
        (
            format!("skip_certificate_check = true\nfingerprint = \"{hex}\"\n"),
            "has no fingerprint to be held to",
        ),
        ("fingerprint = \"ab\"\n".to_owned(), "64 hexadecimal digits"),
        (
            "transport = \"tcp\"\nskip_name_check = true\n".to_owned(),
            "only transport = \"tls\" checks",
        ),
        (
            format!("transport = \"udp\"\nfingerprint = \"{hex}\"\n"),
            "only transport = \"tls\" checks",
        ),
    ];
    for (keys, expected) in cases {
        let said = refused(&sink(&keys));
        assert!(said.contains(expected), "{keys}: {said}");
    }
}

#[test]
fn an_endpoint_has_a_certificate_and_knows_whom_it_lets_in() {
    let with = |more: &str| format!("[admin]\nenabled = true\n{more}");
    let identity = "certificate = \"a.pem\"\nkey = \"a.key\"\n";
    let ca = "client_ca = \"ca.pem\"\n";
    let named = "[admin.certificates]\n\"ada\" = \"admin\"\n";
    let other = named.replace("admin\"\n", "root\"\n");
    for (more, expected) in [
        ("listen = \"0.0.0.0:9443\"\n", "speaks TLS only"),
        ("certificate = \"a.pem\"\n", "`key` is missing"),
        (
            &format!("{identity}{ca}"),
            "no name of a certificate is let in",
        ),
        (&format!("{identity}{named}"), "`client_ca` is missing"),
        (&format!("{identity}{ca}{other}"), "unknown word `root`"),
    ] {
        let said = refused(&with(more));
        assert!(said.contains(expected), "{more}: {said}");
    }
    let config = check(&with(&format!("{identity}{ca}{named}"))).unwrap();
    assert_eq!(config.admin.certificates["ada"], crate::access::Role::Admin);
}

#[test]
fn of_a_long_line_the_part_is_shown_that_is_meant() {
    let begin = "[sink.syslog.siem]\nserver_name = ";
    let text = format!("{begin}{}5 # {}", " ".repeat(200), "and so on ".repeat(20));
    let shown = "… ".to_owned() + &" ".repeat(60) + "5 # and so on and so on";
    let refusal = refused(&text);
    assert!(
        refusal.contains(":2:215") && refusal.contains(&shown),
        "{refusal}"
    );
    // However long: a reload must not end the service.
    let text = format!("{begin}{}5", " ".repeat(100_000));
    assert!(refused(&text).contains(":2:100015"));
    let text = format!("{begin}{}", "5".repeat(100_000));
    assert!(refused(&text).len() < 1_000);
}

#[test]
fn a_receiver_is_a_name_or_an_address_without_a_port() {
    let of = |name: &str| check(&format!("[sink.syslog.a]\nserver_name = \"{name}\"\n"));
    let long_name = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    for (name, taken) in [
        ("siem", "siem"),
        ("siem.example.com", "siem.example.com"),
        ("siem.example.com.", "siem.example.com."),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("7up.example", "7up.example"),
        (&*long_name, &*long_name),
    ] {
        let config = of(name).unwrap();
        assert_eq!(config.sink.syslog["a"].server_name, taken, "{name}");
    }
    for name in [
        "siem.example.com:6514",
        "192.0.2.7:6514",
        "[2001:db8::7]:6514",
        "siem:0",
    ] {
        let error = of(name).unwrap_err();
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("--server-port"), "{name}: {error}");
    }
    let (long_label, longer) = ("a".repeat(64), format!("{long_name}b"));
    for name in [
        "",
        ".",
        "..",
        "siem..example",
        ".siem",
        "siem..",
        "si em",
        " siem",
        "siem/",
        "siem:syslog",
        "-siem",
        "siem-.example",
        "192.0.2.256",
        "10.1",
        "[siem]",
        "[192.0.2.7]",
        "[::1",
        "1:2:3",
        "siem_1",
        &long_label,
        &longer,
    ] {
        assert!(of(name).is_err(), "{name:?} is taken");
    }
}
