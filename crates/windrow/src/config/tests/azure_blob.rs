use super::*;

#[test]
fn a_blob_sink_says_which_folders_go_where() {
    let sink = |lines: &str| {
        format!(
            "[source.directory.iis]\npath = \"/srv/logs\"\ncontent = \"iis-log\"\n\
             [sink.azure_blob.wad]\naccount = \"acmelogs\"\nkey_file = \"wad.key\"\n{lines}"
        )
    };
    let usual = sink("containers = { iis = \"wad-iis-logfiles\" }\n");
    let spelled_out = format!(
        "{usual}enabled = true\nrole = \"IaaS\"\ntransfer_period = \"30s\"\ndirectories_table = true\n"
    );
    let config = check(&usual).unwrap();
    assert!(check(&spelled_out).is_err(), "less than a minute");
    assert_eq!(config, check(&spelled_out.replace("30s", "1m")).unwrap());
    let shown = toml::to_string_pretty(&config).unwrap();
    assert_eq!(check(&shown).unwrap().sink, config.sink, "{shown}");
    for (wrong, word) in [
        (sink(""), "containers"),
        (sink("containers = {}\n"), "no folder has a container"),
        (
            sink("containers = { dumps = \"wad-crashdumps\" }\n"),
            "there is no [source.directory.dumps]",
        ),
        (
            sink("containers = { iis = \"WAD\" }\n"),
            "no container is called so",
        ),
        (
            format!("{usual}endpoint = \"http://acmelogs.blob.core.windows.net\"\n"),
            "plain HTTP",
        ),
    ] {
        assert!(refused(&wrong).contains(word), "{}", refused(&wrong));
    }
}
