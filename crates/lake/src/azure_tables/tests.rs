use std::sync::Mutex;

use windrow_formats::azure::Value;

use super::*;
use crate::files::{EventFiles, Files, Given};
use crate::output::{Format, Layout};
use crate::query::QueryLimits;

/// No files of events.
#[derive(Debug)]
struct NoEvents;

impl EventFiles for NoEvents {
    fn read(&self, _: &std::path::Path, _: &mut Given<'_, '_>) -> std::io::Result<()> {
        Ok(())
    }
}

/// A table in memory that remembers what was asked of it.
#[derive(Debug, Default)]
struct Fake {
    asked: Mutex<Vec<String>>,
}

fn row(minute: &str, number: i32) -> Entity<'static> {
    let at: Timestamp = minute.parse().unwrap();
    let key = windrow_formats::wad::rows::key_of(0, at);
    Entity {
        partition_key: key.into(),
        row_key: format!("r{number}").into(),
        properties: vec![
            ("EventId".into(), Value::Int(number)),
            ("TIMESTAMP".into(), Value::Time(at)),
            ("Message".into(), Value::Text(format!("m{number}").into())),
        ],
    }
}

fn rows() -> Vec<Entity<'static>> {
    let mut rows = vec![
        row("2026-11-23T10:00:00Z", 1),
        row("2026-11-23T10:01:00Z", 2),
        row("2026-11-23T11:00:00Z", 3),
    ];
    // Of another type than in the rows before.
    rows[2].properties[0].1 = Value::Text("three".into());
    rows[2].properties.push(("Late".into(), Value::Truth(true)));
    rows
}

#[async_trait]
impl AzureTables for Fake {
    async fn first(&self, table: &str, _: Minutes) -> Result<Option<Vec<Entity<'static>>>, String> {
        match table {
            "wadlogstable" => Ok(Some(rows()[..2].to_vec())),
            "broken" => Err("it is away".to_owned()),
            _ => Ok(None),
        }
    }

    async fn all(
        &self,
        _: &str,
        minutes: Minutes,
        properties: Option<Vec<String>>,
        pages: Pages,
    ) -> Result<(), String> {
        let properties = properties.map_or_else(|| "all".to_owned(), |it| it.join(","));
        let filter = minutes.filters(0, None).remove(0);
        let asked = format!(
            "{} of {}",
            properties,
            filter.as_deref().unwrap_or("everything")
        );
        self.asked.lock().unwrap().push(asked);
        for row in rows() {
            if pages.send(vec![row]).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

async fn ask(sql: &str) -> (String, Vec<String>) {
    let fake = Arc::new(Fake::default());
    let files = Files::find(&[], Arc::new(NoEvents)).unwrap();
    let tables: Arc<dyn AzureTables> = fake.clone();
    let files = files.and_azure(tables);
    let answer = match files.query(sql, QueryLimits::default()).await {
        Ok(rows) => {
            let mut text = Vec::new();
            let written = rows
                .write(Format::Ndjson, &Layout::default(), &mut text)
                .await;
            match written {
                Ok(_) => String::from_utf8(text).unwrap(),
                Err(error) => error.to_string(),
            }
        }
        Err(error) => error.to_string(),
    };
    let asked = fake.asked.lock().unwrap().clone();
    (answer, asked)
}

#[tokio::test]
async fn a_table_is_asked_for_the_minutes_that_are_meant() {
    let (rows, asked) = ask(
        "select EventId, Message, more from azure.WADLogsTable where TIMESTAMP >= '2026-11-23T10:01:00Z' order by RowKey",
    )
    .await;
    insta::assert_snapshot!(rows, @r#"
    {"eventid":2,"message":"m2","more":null}
    {"eventid":null,"message":"m3","more":"{\"EventId\":\"three\",\"Late\":true}"}
    "#);
    insta::assert_snapshot!(asked.join("\n"), @"all of PartitionKey ge '0639310248600000000' and PartitionKey lt '1'");
    let (rows, asked) = ask(
        "select count(*) as n, count(EventId) as ids from azure.wadlogstable where minute < '2026-11-23T11:00:00Z' and minute > '2026-11-23T10:00:30Z'",
    )
    .await;
    insta::assert_snapshot!(rows, @r#"{"n":1,"ids":1}"#);
    insta::assert_snapshot!(asked.join("\n"), @"EventId of PartitionKey ge '0639310248000000000' and PartitionKey lt '0639310284600000000'");
    let (rows, asked) = ask("select count(*) as n from azure.wadlogstable").await;
    insta::assert_snapshot!(rows, @r#"{"n":3}"#);
    insta::assert_snapshot!(asked.join("\n"), @"PartitionKey of everything");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    insta::assert_snapshot!(ask("select 1 from azure.WADNothing").await.0, @"there is no table azure.wadnothing in the storage accounts");
    insta::assert_snapshot!(ask("select 1 from azure.broken").await.0, @"it is away");
    insta::assert_snapshot!(ask("select nothing from azure.wadlogstable").await.0, @r#"there is no column "nothing" (line 1, column 8); there are partitionkey, rowkey, minute, eventid, timestamp, message, more"#);
}

#[test]
fn a_statement_about_azure_is_known() {
    for (sql, is) in [
        ("select * from azure.WADLogsTable", true),
        ("select * from \"azure\".\"x\"", true),
        ("select * from AZURE . x", true),
        ("select 'azure' from events", false),
        ("select * from my_azure.x", false),
        ("select azure from events", false),
    ] {
        assert_eq!(names_azure(sql), is, "{sql}");
    }
}
