//! Which rows are asked for, and how they are written.

use windrow_formats::azure::{Entity, Value};

use super::file::{Part, Place, Sink};
use super::plan::{Keys, Plan};
use super::rows::{Start, Writer};
use super::*;

fn plan(from: Option<&str>, to: Option<&str>) -> Plan {
    let moment = |text: Option<&str>| text.map(|text| text.parse().unwrap());
    Plan {
        account: "acmelogs".to_owned(),
        table: "WADLogsTable".to_owned(),
        from: moment(from),
        to: moment(to),
    }
}

fn filters(plan: &Plan, part: u64, after: Option<&Keys>) -> String {
    let filters = plan.filters(part, after).into_iter();
    let filters = filters.map(|filter| filter.unwrap_or_else(|| "everything".to_owned()));
    filters.collect::<Vec<_>>().join("\n")
}

#[test]
fn minutes_are_asked_for_whole_and_shards_apart() {
    let all = plan(None, None);
    assert_eq!(filters(&all, 0, None), "everything");
    let span = plan(Some("2026-11-23T10:00:30Z"), Some("2026-11-23T11:00:30Z"));
    insta::assert_snapshot!(filters(&span, 0, None), @"PartitionKey ge '0639310248000000000' and PartitionKey lt '0639310284600000000'");
    insta::assert_snapshot!(filters(&span, 8, None), @"PartitionKey ge '0000000000000000007___0639310248000000000' and PartitionKey lt '0000000000000000007___0639310284600000000'");
    let since = plan(Some("2026-11-23T10:00:00Z"), None);
    insta::assert_snapshot!(filters(&since, 0, None), @"PartitionKey ge '0639310248000000000' and PartitionKey lt '1'");
    let until = plan(None, Some("2026-11-23T10:00:00Z"));
    insta::assert_snapshot!(filters(&until, 0, None), @"PartitionKey ge '01' and PartitionKey lt '0639310248000000000'");
}

#[test]
fn what_is_gone_on_with_begins_behind_its_last_row() {
    let after = Keys {
        partition: "it's".to_owned(),
        row: "a___1".to_owned(),
    };
    insta::assert_snapshot!(filters(&plan(None, None), 0, Some(&after)), @"
    PartitionKey eq 'it''s' and RowKey gt 'a___1'
    PartitionKey gt 'it''s'
    ");
    let until = plan(None, Some("2026-11-23T10:00:00Z"));
    insta::assert_snapshot!(filters(&until, 0, Some(&after)), @"
    PartitionKey eq 'it''s' and RowKey gt 'a___1'
    PartitionKey gt 'it''s' and PartitionKey lt '0639310248000000000'
    ");
}

fn rows() -> Vec<Entity<'static>> {
    let at = "2026-11-23T10:00:00.1234567Z".parse().unwrap();
    let row = |key: &'static str, properties: Vec<(&'static str, Value<'static>)>| Entity {
        partition_key: "0639".into(),
        row_key: key.into(),
        properties: properties
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    };
    vec![
        row(
            "a",
            vec![
                ("Level", Value::Int(4)),
                ("EventTickCount", Value::Long(639_000_000_000_000_001)),
                ("PreciseTimeStamp", Value::Time(at)),
                ("Message", Value::Text("said \"so\", twice".into())),
            ],
        ),
        row(
            "b",
            vec![
                ("Level", Value::Int(2)),
                ("Ratio", Value::Double(f64::NAN)),
                ("Whole", Value::Truth(true)),
                ("Raw", Value::Bytes(vec![0, 255].into())),
            ],
        ),
    ]
}

#[test]
fn a_row_is_a_line_with_all_its_values() {
    let mut writer = Writer::new(Form::Ndjson, None);
    insta::assert_snapshot!(writer.page(&rows(), Start::OfFile), @r#"
    {"PartitionKey":"0639","RowKey":"a","Level":4,"EventTickCount":639000000000000001,"PreciseTimeStamp":"2026-11-23T10:00:00.1234567Z","Message":"said \"so\", twice"}
    {"PartitionKey":"0639","RowKey":"b","Level":2,"Ratio":"NaN","Whole":true,"Raw":"AP8="}
    "#);
    let columns = Some(vec!["RowKey".to_owned(), "Level".to_owned()]);
    let mut writer = Writer::new(Form::Ndjson, columns);
    insta::assert_snapshot!(writer.page(&rows(), Start::Later), @r#"
    {"RowKey":"a","Level":4}
    {"RowKey":"b","Level":2}
    "#);
}

#[test]
fn columns_are_those_of_the_first_page_and_no_value_is_lost() {
    let mut writer = Writer::new(Form::Csv, None);
    let (first, second) = (&rows()[..1], &rows()[1..]);
    let text = writer.page(first, Start::OfFile) + &writer.page(second, Start::Later);
    insta::assert_snapshot!(text.replace('\r', ""), @r#"
    PartitionKey,RowKey,Level,EventTickCount,PreciseTimeStamp,Message,more
    0639,a,4,639000000000000001,2026-11-23T10:00:00.1234567Z,"said ""so"", twice",
    0639,b,2,,,,"{""Ratio"":""NaN"",""Whole"":true,""Raw"":""AP8=""}"
    "#);
    let columns = Some(vec!["Level".to_owned(), "Nothing".to_owned()]);
    let mut writer = Writer::new(Form::Csv, columns);
    let text = writer.page(&rows(), Start::OfFile);
    insta::assert_snapshot!(text.replace('\r', ""), @"
    Level,Nothing
    4,
    2,
    ");
}

#[test]
fn a_part_goes_on_where_it_was_noted() {
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.ndjson");
    let args = |form: &str| {
        let line = [
            "export",
            "WADLogsTable",
            "--storage-account",
            "a",
            "--output",
            form,
        ];
        Line::parse_from(line).args
    };
    let (ndjson, csv) = (args("ndjson"), args("csv"));
    let since = plan(Some("2026-11-23T10:00:00Z"), None);
    assert!(Part::read(&path, &since, &ndjson).is_err(), "there is none");
    let mut place = Place::new();
    let opened = Part::open(&path, &since, &ndjson, &place).unwrap();
    let mut sink = Sink::Part(Box::new(opened));
    place.rows = 1;
    sink.write("first\n", &mut place).unwrap();
    drop(sink);
    let part = dir.path().join("all.ndjson.part");
    fs_err::write(&part, "first\nand half of").unwrap();
    assert!(Part::read(&path, &since, &csv).is_err(), "another form");
    assert!(Part::read(&path, &plan(None, None), &ndjson).is_err());
    let later = plan(Some("2026-11-23T11:00:00Z"), None);
    let (then, mut place) = Part::read(&path, &later, &ndjson).unwrap();
    assert_eq!((&then, place.rows, place.bytes), (&since, 1, 6));
    let opened = Part::open(&path, &then, &ndjson, &place).unwrap();
    let mut sink = Sink::Part(Box::new(opened));
    assert!(!path.exists());
    sink.write("second\n", &mut place).unwrap();
    sink.end().unwrap();
    assert_eq!(fs_err::read_to_string(&path).unwrap(), "first\nsecond\n");
    assert_eq!(
        fs_err::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing beside it"
    );
}
