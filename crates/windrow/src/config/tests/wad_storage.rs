use super::*;

#[test]
fn a_source_of_tables_says_whose_they_are_and_from_when_on() {
    let source = |lines: &str| {
        format!("[source.wad_storage.old]\naccount = \"acmelogs\"\nkey_file = \"wad.key\"\n{lines}")
    };
    let usual = source("");
    let spelled_out = source(
        "enabled = true\nlate = \"1h\"\ninterval = \"1m\"\n\
         tables = [\"WADWindowsEventLogsTable\", \"WADETWEventTable\", \
         \"WADDiagnosticInfrastructureLogsTable\", \"WADLogsTable\"]\n",
    );
    let config = check(&usual).unwrap();
    assert_eq!(config, check(&spelled_out).unwrap());
    let whole = check(&source("from = \"2026-11-01\"\n")).unwrap();
    let shown = toml::to_string_pretty(&whole).unwrap();
    assert_eq!(check(&shown).unwrap().source, whole.source, "{shown}");
    let from = whole.source.wad_storage["old"].from.unwrap();
    assert_eq!(from.to_string(), "2026-11-01T00:00:00Z");
    for (wrong, word) in [
        (source("from = \"yesterday\"\n"), "no moment"),
        (source("tables = []\n"), "no table would be read"),
        (source("tables = [\"a/b\"]\n"), "no table is called so"),
        (
            source("tables = [\"WADLogsTable\", \"wadlogstable\"]\n"),
            "named twice",
        ),
        (source("late = \"2d\"\n"), "out of range"),
    ] {
        assert!(refused(&wrong).contains(word), "{}", refused(&wrong));
    }
}
