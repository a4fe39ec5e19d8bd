use super::*;

#[test]
fn a_table_sink_says_whose_tables_and_what_opens_them() {
    let sink = |lines: &str| format!("[sink.azure_table.wad]\naccount = \"acmelogs\"\n{lines}");
    let usual = sink("key_file = \"wad.key\"\n");
    let spelled_out = format!(
        "{usual}enabled = true\nrole = \"IaaS\"\nevent_volume = \"small\"\npartition_by = \"arrival\"\n\
         transfer_period = \"1m\"\noutput_severity = \"verbose\"\n"
    );
    let config = check(&usual).unwrap();
    assert_eq!(config, check(&spelled_out).unwrap());
    let shown = toml::to_string_pretty(&config).unwrap();
    assert_eq!(check(&shown).unwrap().sink, config.sink, "{shown}");

    let period = |text: &str| {
        let text = format!("{usual}transfer_period = \"{text}\"\n");
        check(&text).map(|config| config.sink.azure_table["wad"].transfer_period.to_string())
    };
    assert_eq!(period("0s").unwrap(), "0s");
    assert_eq!(period("30s").unwrap(), "1m", "rounded up");
    assert_eq!(period("61s").unwrap(), "2m");
    assert!(period("25h").is_err());
    for (wrong, word) in [
        (sink(""), "what opens the account"),
        (
            sink("key_file = \"a\"\nsas_file = \"b\"\n"),
            "two credentials",
        ),
        (
            usual.replace("acmelogs", "Acme"),
            "no name of a storage account",
        ),
        (
            format!("{usual}endpoint = \"http://acmelogs.table.core.windows.net\"\n"),
            "plain HTTP",
        ),
        (format!("{usual}role = \"a/b\"\n"), "row's key"),
        (
            format!("{usual}directories = [\"perf\"]\n"),
            "no [source.directory.perf]",
        ),
        (format!("{usual}directories = []\n"), "no folder is named"),
        (
            format!("{usual}counters = ['% Processor Time']\n"),
            "no path of a performance counter",
        ),
    ] {
        assert!(refused(&wrong).contains(word), "{}", refused(&wrong));
    }
}
