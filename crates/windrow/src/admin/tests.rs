use super::*;

fn set(change: impl FnOnce(&mut ServerSet)) -> ServerSet {
    let mut set = ServerSet {
        server_name: "siem.example.com".to_owned(),
        ..ServerSet::default()
    };
    change(&mut set);
    set
}

fn keys(change: impl FnOnce(&mut ServerSet)) -> String {
    match set(change).keys() {
        Ok(keys) => keys.to_string().replace('\n', "; "),
        Err(refusal) => format!(
            "refused: {refusal} -> {}",
            refusal.hint.as_deref().unwrap_or("")
        ),
    }
}

#[test]
fn the_options_of_the_document_have_its_defaults() {
    insta::assert_snapshot!(keys(|_| {}), @r#"port = 6514; server_name = "siem.example.com"; transport = "tls";"#);
    insta::assert_snapshot!(keys(|set| set.no_encryption = true), @r#"port = 6514; server_name = "siem.example.com"; transport = "tcp";"#);
    insta::assert_snapshot!(keys(|set| set.use_udp = true), @r#"port = 514; server_name = "siem.example.com"; transport = "udp";"#);
    insta::assert_snapshot!(keys(|set| (set.use_udp, set.no_encryption) = (true, true)), @r#"port = 514; server_name = "siem.example.com"; transport = "udp";"#);
    insta::assert_snapshot!(keys(|set| (set.use_udp, set.server_port) = (true, Some(5514))), @r#"port = 5514; server_name = "siem.example.com"; transport = "udp";"#);
}

#[test]
fn what_is_about_tls_is_refused_by_its_name_without_it() {
    let ca = || Some("/ca.pem".into());
    let pin = || Some("AB:CD".to_owned());
    insta::assert_snapshot!(keys(|set| (set.use_udp, set.fingerprint) = (true, pin())), @"refused: --fingerprint is about TLS, and --use-udp sends in the clear -> leave out --fingerprint, or --use-udp");
    insta::assert_snapshot!(keys(|set| (set.no_encryption, set.skip_name_check) = (true, true)), @"refused: --skip-cn-check is about TLS, and --no-encryption sends in the clear -> leave out --skip-cn-check, or --no-encryption");
    insta::assert_snapshot!(keys(|set| (set.skip_certificate_check, set.fingerprint) = (true, pin())), @"refused: --skip-certificate-check looks at no certificate, and --fingerprint asks for a certain one -> leave out --skip-certificate-check: the fingerprint alone is safe, also with a self-signed certificate");
    insta::assert_snapshot!(keys(|set| (set.use_udp, set.ca_file) = (true, ca())), @"refused: --ca-file is about TLS, and --use-udp sends in the clear -> leave out --ca-file, or --use-udp");
    insta::assert_snapshot!(keys(|set| (set.no_encryption, set.ca_file) = (true, ca())), @"refused: --ca-file is about TLS, and --no-encryption sends in the clear -> leave out --ca-file, or --no-encryption");
}

/// One of each about configurations of Azure Diagnostics.
fn of_diagnostics() -> [Request; 5] {
    [
        Request::DiagnosticsSet(Box::new(DiagnosticsSet {
            name: "shop".to_owned(),
            configuration: Hidden::new("<PublicConfig/>".to_owned()),
            how: How::MergePreferNew,
            machines: None,
            machine_groups: Some(vec!["web".to_owned()]),
            storage_account: Some("shoplogs".to_owned()),
            table_endpoint: None,
            blob_endpoint: None,
            files: None,
            ca_file: None,
            key: Some(Key::AccountKey(Hidden::new("AAAA".to_owned()))),
            deployment_id: None,
            role: Some("web".to_owned()),
            mode: Mode::Tell,
            seen: Some(3),
        })),
        Request::DiagnosticsGet(DiagnosticsGet::default()),
        Request::DiagnosticsRemove(DiagnosticsRemove::default()),
        Request::DiagnosticsRollback(Box::new(DiagnosticsRollback {
            name: "shop".to_owned(),
            to: Some(2),
            key: Some(Key::Sas(Hidden::new("sig".to_owned()))),
            mode: Mode::Do,
            seen: None,
        })),
        Request::DiagnosticsTest(Named::default()),
    ]
}

#[test]
fn a_request_survives_its_json() {
    let name = ServerName {
        name: Some("second".to_owned()),
    };
    let requests = [
        Request::ServerSet(Box::new(set(|set| set.use_udp = true))),
        Request::ServerGet(ServerGet::default()),
        Request::ServerRemove(name.clone()),
        Request::ServerEnable(name.clone()),
        Request::ServerDisable(name.clone()),
        Request::ClientSet(ClientSet::new(b"bytes", "password".into())),
        Request::ClientGet,
        Request::ClientRemove,
        Request::Test(name),
        Request::SubscriptionAdd(Box::new(SubscriptionAdd {
            name: "logons".to_owned(),
            keys: SubscriptionKeys {
                channels: Some(vec!["Security".to_owned()]),
                heartbeat: "1h".parse().ok(),
                ..SubscriptionKeys::default()
            },
            existing: Existing::Replace,
        })),
        Request::SubscriptionSet(Box::new(SubscriptionSet {
            reset: vec!["locale".to_owned()],
            ..SubscriptionSet::default()
        })),
        Request::SubscriptionGet(SubscriptionGet::default()),
        Request::SubscriptionRemove(Named::default()),
        Request::SubscriptionEnable(Named::default()),
        Request::SubscriptionDisable(Named::default()),
        Request::GroupSet(GroupSet::default()),
        Request::GroupRemove(Named::default()),
        Request::SourceForget(Named::default()),
    ];
    let requests: Vec<Request> = requests.into_iter().chain(of_diagnostics()).collect();
    assert_eq!(requests.len(), Verb::ALL.len());
    for request in requests {
        let verb = request.verb();
        assert_eq!(Verb::of_path(verb.path()), Some(verb));
        let json = request.to_json().unwrap();
        let read = Request::from_json(verb, &json).unwrap();
        assert_eq!(format!("{read:?}"), format!("{request:?}"));
    }
    for no_object in ["", " ", "[]", "[\"siem\"]", "\"siem\"", "null", "7"] {
        for verb in Verb::ALL {
            let said = Request::from_json(verb, no_object.as_bytes()).unwrap_err();
            assert!(
                said.to_string().contains("a JSON object"),
                "{no_object}: {said}"
            );
        }
    }
    let list = br#"{"name": "x", "keys": [true]}"#;
    assert!(Request::from_json(Verb::SubscriptionSet, list).is_err());
    let list = br#"{"server_name": "x", "filter": [["Security"]]}"#;
    assert!(Request::from_json(Verb::ServerSet, list).is_err());
    let unknown = Request::from_json(Verb::ServerSet, br#"{"sever_name": "x"}"#).unwrap_err();
    assert!(unknown.to_string().contains("sever_name"), "{unknown}");
}

#[test]
fn a_user_is_named_with_the_id() {
    assert_eq!(
        Actor::local(0, "here", "windrow syslog").who,
        "root (uid 0)"
    );
    assert_eq!(
        Actor::local(4_123_456_789, "here", "windrow syslog").who,
        "uid 4123456789"
    );
}

#[test]
fn a_request_shows_no_secret() {
    let set = Request::ClientSet(ClientSet::new(b"bytes", "password".into()));
    assert_eq!(format!("{set:?}"), "ClientSet(ClientSet(..))");
}

#[test]
fn the_only_destination_is_meant_where_none_is_named() {
    let sink = || {
        let store = crate::config::objects::Store::new(std::path::Path::new("/data"));
        store
            .check_syslog_sink("a", "server_name = \"siem\"")
            .unwrap()
    };
    let meant = |named: Option<&str>, names: &[&str]| {
        let name = ServerName {
            name: named.map(str::to_owned),
        };
        let sinks = names.iter().map(|name| ((*name).to_owned(), sink()));
        let sinks = sinks.collect();
        let meant = name.among(&sinks);
        (meant.name.to_owned(), meant.note.is_some())
    };
    assert_eq!(meant(None, &["siem"]), ("siem".to_owned(), true));
    assert_eq!(meant(None, &["default"]), ("default".to_owned(), false));
    for names in [&[][..], &["one", "two"], &["default", "two"]] {
        assert_eq!(
            meant(None, names),
            ("default".to_owned(), false),
            "{names:?}"
        );
    }
    // Whoever names one means that.
    assert_eq!(
        meant(Some("default"), &["siem"]),
        ("default".to_owned(), false)
    );
}

#[test]
fn a_refusal_quotes_no_more_than_a_part() {
    let long = "x".repeat(400_000);
    let refusal = Refusal::invalid(format!("there is no destination {long}"));
    assert!(refusal.message.len() < 1_100 && refusal.message.ends_with("(400024 bytes)"));
    let store = crate::config::objects::Store::new(std::path::Path::new("/data"));
    let query = format!("Security!*[System[EventID={long}]]");
    let text = format!("server_name = \"siem\"\n[filter]\nquery = '{query}'\n");
    let error = store.check_syslog_sink("a", &text).unwrap_err();
    let refusal = Refusal::of_setting(&error);
    assert!(refusal.message.len() < 1_100, "{}", refusal.message);
    // What is wrong is not what is cut off.
    assert!(!refusal.message.contains("bytes)"), "{}", refusal.message);
}
