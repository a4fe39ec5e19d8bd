use super::*;

fn hostile() -> Table {
    let mut table = Table::new([
        Column::Left("computer"),
        Column::Right("events"),
        Column::Left("note"),
    ]);
    table.push(["DC01.corp.example".into(), 12u64.into(), "C:\\new".into()]);
    table.push(["a\u{1b}[2Jb\nc".into(), 1_234u64.into(), Cell::None]);
    table.push([
        "\u{202e}exe.txt".into(),
        Cell::Float(0.5),
        "say \"hi\", twice".into(),
    ]);
    table
}

fn written(format: Format) -> String {
    written_to(format, &PIPE)
}

fn written_to(format: Format, terminal: &Terminal) -> String {
    let mut out = Vec::new();
    hostile().write(&mut out, format, terminal).unwrap();
    String::from_utf8(out).unwrap()
}

const PIPE: Terminal = Terminal {
    stdout_is_terminal: false,
    stdout_can_redraw: false,
    stderr_is_terminal: false,
    color: false,
    stderr_color: false,
    unicode: true,
    width: 80,
};

#[test]
fn a_table_shows_hostile_text_harmlessly() {
    insta::assert_snapshot!(written(Format::Table), @r#"
    computer           events  note
    DC01.corp.example      12  C:\new
    a\u{1b}[2Jb\nc       1234
    \u{202e}exe.txt      0.50  say "hi", twice
    "#);
}

#[test]
fn json_and_ndjson_hold_the_same_values() {
    insta::assert_snapshot!(written(Format::Ndjson), @r#"
    {"computer":"DC01.corp.example","events":12,"note":"C:\\new"}
    {"computer":"a\u001b[2Jb\nc","events":1234,"note":null}
    {"computer":"\u202eexe.txt","events":0.5,"note":"say \"hi\", twice"}
    "#);
    let array: serde_json::Value = serde_json::from_str(&written(Format::Json)).unwrap();
    let lines: Vec<serde_json::Value> = written(Format::Ndjson)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(array, serde_json::Value::Array(lines));
}

#[test]
fn csv_quotes_what_rfc_4180_says() {
    insta::assert_snapshot!(written(Format::Csv).escape_debug().to_string().replace("\\r\\n", "\n"), @r#"
    computer,events,note
    DC01.corp.example,12,C:\\new
    \"a\u{1b}[2Jb\nc\",1234,
    \u{202e}exe.txt,0.5,\"say \"\"hi\"\", twice\"
    "#);
    let terminal = Terminal {
        stdout_is_terminal: true,
        ..PIPE
    };
    let seen = written_to(Format::Csv, &terminal);
    assert!(
        seen.contains("\r\na\\u{1b}[2Jb\\nc,1234,\r\n\\u{202e}exe.txt,"),
        "{seen}"
    );
}

#[test]
fn thousands_are_set_apart() {
    assert_eq!(thousands(0), "0");
    assert_eq!(thousands(999), "999");
    assert_eq!(thousands(1_000), "1 000");
    assert_eq!(thousands(12_345_678), "12 345 678");
}

#[test]
fn sizes_have_two_digits_at_least() {
    let shown = [0, 999, 1_000, 6_595_000, 35_400_000, u64::MAX].map(about);
    assert_eq!(
        shown,
        ["0 B", "999 B", "1.0 kB", "6.5 MB", "35 MB", "18 EB"]
    );
}

#[test]
fn times_in_columns_have_one_width() {
    let at = "2026-11-21T08:00:00.5Z".parse().unwrap();
    assert_eq!(
        time_ms(at, &jiff::tz::TimeZone::UTC),
        "2026-11-21T08:00:00.500Z"
    );
    let berlin = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    assert_eq!(time_ms(at, &berlin), "2026-11-21T09:00:00.500+01:00");
    assert_eq!(time(at, &berlin), "2026-11-21T09:00:00.5+01:00");
}

#[test]
fn spans_are_read_at_a_glance() {
    let shown: Vec<String> = [0, 59, 60, 61, 3_600, 3_660, 90_000, 86_400, 1_000_000]
        .into_iter()
        .map(ago)
        .collect();
    assert_eq!(
        shown,
        [
            "0s", "59s", "1m", "1m 1s", "1h", "1h 1m", "1d 1h", "1d", "11d 13h"
        ]
    );
}
