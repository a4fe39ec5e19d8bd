use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::promote::PROMOTIONS;

/// The tables of docs/lake-schema.md below the heading of a table of the lake: what the first cell of each row names, and
/// the cells after it.
fn documented(table: &str) -> BTreeMap<String, Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lake-schema.md");
    let page = fs::read_to_string(page).unwrap();
    let heading = format!("## `{table}`");
    let lines = page.lines().skip_while(|line| *line != heading).skip(1);
    let mut rows = BTreeMap::new();
    for line in lines
        .take_while(|line| !line.starts_with("## `"))
        .filter(|line| line.starts_with("| `") && !line.contains("` … `"))
    {
        let mut cells = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned());
        let names = cells.next().unwrap();
        let cells: Vec<_> = cells.collect();
        for name in names.split(", ") {
            rows.insert(name.trim_matches('`').to_owned(), cells.clone());
        }
    }
    rows
}

#[test]
fn the_page_has_every_column_with_its_type() {
    for table in TABLES {
        let documented = documented(table.name);
        for column in table.columns {
            let cells = documented
                .get(column.name)
                .unwrap_or_else(|| panic!("{}.{} is not on the page", table.name, column.name));
            let expected = match column.kind {
                Kind::Text => "string",
                Kind::Int => "integer",
                Kind::Long => "long",
                Kind::Double => "double",
                Kind::Time => "timestamp",
                Kind::Bytes => "binary",
                Kind::Map => "map of string to string",
            };
            assert_eq!(cells[0], expected, "{}", column.name);
            let always = cells.last().unwrap().starts_with("always.");
            assert_eq!(
                always,
                column.presence == Presence::Always,
                "{}",
                column.name
            );
        }
        assert_eq!(
            documented.len(),
            table.columns.len(),
            "the page has a column that {} has not",
            table.name
        );
    }
}

#[test]
fn the_page_has_every_promoted_name() {
    let documented = documented(EVENTS.name);
    for promotion in &PROMOTIONS {
        let names: Vec<_> = promotion
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        assert_eq!(
            documented[promotion.column][1],
            names.join(", "),
            "{}",
            promotion.column
        );
    }
}

#[test]
fn columns_of_a_later_version_come_last_and_may_be_missing() {
    for table in TABLES {
        let versions: Vec<i64> = table.columns.iter().map(|column| column.since).collect();
        assert!(versions.is_sorted(), "{}", table.name);
        assert!(
            versions.iter().all(|since| *since <= table.version),
            "{}",
            table.name
        );
        let later = table.columns.iter().filter(|column| column.since > 1);
        for column in later {
            assert_eq!(
                column.presence,
                Presence::Maybe,
                "{}.{}",
                table.name,
                column.name
            );
        }
    }
}
