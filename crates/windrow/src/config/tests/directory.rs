use super::*;

#[test]
fn a_watched_folder_says_what_is_in_it_and_whose_it_is() {
    let source = |lines: &str| format!("[source.directory.iis]\npath = \"/srv/logs\"\n{lines}");
    let usual = source("content = \"iis-log\"\n");
    let spelled_out = format!(
        "{usual}enabled = true\nfiles = [\"*.log\"]\nsubfolders = true\ninterval = \"1s\"\n"
    );
    let config = check(&usual).unwrap();
    assert_eq!(config, check(&spelled_out).unwrap());
    let shown = toml::to_string_pretty(&config).unwrap();
    assert_eq!(check(&shown).unwrap().source, config.source, "{shown}");

    let dumps = check(&source("content = \"crash-dump\"\n")).unwrap();
    let dumps = &dumps.source.directory["iis"];
    assert_eq!(dumps.settled.unwrap().to_string(), "30s");
    assert_eq!(dumps.files, ["*.dmp", "*.mdmp", "*.hdmp"]);
    for (wrong, word) in [
        (source(""), "content"),
        (source("content = \"logs\"\n"), "iis-log"),
        (format!("{usual}settled = \"1m\"\n"), "as they grow"),
        (format!("{usual}files = []\n"), "no file would be taken"),
        (format!("{usual}files = [\"a/b\"]\n"), "has no '/'"),
        (format!("{usual}machine = \"a b\"\n"), "no machine"),
        (
            format!("{usual}machine = \"a\"\nmachine_from = \"folder\"\n"),
            "says it already",
        ),
        (
            format!("data_dir = \"/srv/logs/own\"\n{usual}"),
            "windrow's own data folder",
        ),
        (
            format!("data_dir = \"/srv\"\n{usual}"),
            "windrow's own data folder",
        ),
        ("[spool]\nquota = \"1 MB\"\n".to_owned(), "out of range"),
    ] {
        assert!(refused(&wrong).contains(word), "{}", refused(&wrong));
    }
}
