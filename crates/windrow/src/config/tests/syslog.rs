use super::*;

#[test]
fn the_message_is_a_matter_of_profile_product_and_prefix() {
    let sink = |lines: &str| {
        let text = format!("[sink.syslog.a]\nserver_name = \"a\"\n{lines}");
        let config = check(&text)?;
        let shown = toml::to_string_pretty(&config).unwrap();
        assert_eq!(
            check(&shown).unwrap().sink.syslog,
            config.sink.syslog,
            "{shown}"
        );
        let sink = &config.sink.syslog["a"];
        Ok::<_, ConfigError>((sink.profile, sink.product, sink.prefix, sink.cef_version))
    };
    use checked::{CefVersion, Prefix, Product, Profile};
    assert_eq!(
        sink("product = \"Microsoft Azure Local\"").unwrap(),
        (
            Profile::AzureStack,
            Some(Product::Local),
            Prefix::Rfc3164,
            CefVersion::V0
        )
    );
    assert_eq!(
        sink("profile = \"standard\"\nprefix = \"legacy-azure-stack\"").unwrap(),
        (
            Profile::Standard,
            None,
            Prefix::LegacyAzureStack,
            CefVersion::V0Dot0
        )
    );
    assert!(sink("prefix = \"legacy-azure-stack\"\ncef_version = \"0\"").is_err());
    assert!(sink("profile = \"standard\"\nproduct = \"Microsoft Azure Stack\"").is_err());
    assert!(sink("product = \"Azure\"").is_err());
}

#[test]
fn what_is_shown_of_every_transport_reads_back_the_same() {
    for transport in ["udp", "tcp", "tls"] {
        let sink = format!("[sink.syslog.a]\nserver_name = \"a\"\ntransport = \"{transport}\"\n");
        let mut config = check(&sink).unwrap();
        let shown = toml::to_string_pretty(&config).unwrap();
        let again = check(&shown).unwrap();
        config.sink.homes.clone_from(&again.sink.homes);
        config.homes.clone_from(&again.homes);
        assert_eq!(again, config, "{shown}");
    }
}
