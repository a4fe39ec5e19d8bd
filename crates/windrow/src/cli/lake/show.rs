//! What `windrow lake show` shows: a line for each thing that is kept for a time of its own.

use jiff::civil::Date;
use windrow_lake::{Overview, Retention, Rule, What};

use crate::config::units::Age;
use crate::output::{Cell, Column, Table};

pub(super) fn table(tables: &[Overview], retention: &Retention, today: Date) -> Table {
    let mut shown = Table::new([
        Column::Left("table"),
        Column::Left("what"),
        Column::Right("rows"),
        Column::Right("bytes"),
        Column::Right("files"),
        Column::Left("first"),
        Column::Left("last"),
        Column::Left("keeps"),
        Column::Left("over_before"),
        Column::Left("next_goes"),
        Column::Left("held_by"),
    ]);
    for table in tables {
        for rule in retention.rules(table.name, table.first, today) {
            shown.push(line(table, &rule, &retention.held(table.name)));
        }
    }
    shown
}

fn line(table: &Overview, rule: &Rule, held: &[&str]) -> [Cell; 11] {
    let is_whole = rule.what == What::Rows;
    let of_whole = |number: u64| match is_whole {
        true => Cell::Number(number),
        false => Cell::None,
    };
    let date = |date: Option<Date>| Cell::from(date.map(|date| date.to_string()));
    [
        table.name.into(),
        match &rule.what {
            What::Rows => "rows".into(),
            What::Text => "event_xml".into(),
            What::Channel(name) => format!("channel {name}").into(),
        },
        of_whole(table.extent.rows),
        of_whole(table.extent.bytes),
        of_whole(table.extent.files),
        date(table.first.filter(|_| is_whole)),
        date(table.last.filter(|_| is_whole)),
        Age(rule.days).to_string().into(),
        date(rule.over_before),
        // Of a channel nobody knows here when its first event was.
        date(rule.first_goes.filter(|_| is_whole)),
        Cell::from(Some(held.join(", ")).filter(|held| is_whole && !held.is_empty())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Terminal};

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
    fn each_rule_has_a_line() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let overview = |name, first: &str| Overview {
            name,
            folder: "lake".into(),
            schema_version: 1,
            extent: windrow_lake::Extent {
                version: 7,
                files: 3,
                bytes: 4_096,
                rows: 100,
            },
            first: Some(day(first)),
            last: Some(day("2026-11-21")),
            dates: 2,
        };
        let retention = Retention {
            tables: [("events".to_owned(), 30)].into(),
            channels: [
                ("Security".to_owned(), Some(400)),
                ("System".to_owned(), None),
            ]
            .into(),
            text: Some(10),
            holds: vec![windrow_lake::Hold {
                name: "case-7".to_owned(),
                channels: vec!["Security".to_owned()],
                ..Default::default()
            }],
        };
        let tables = [
            overview("event_counts", "2026-01-01"),
            overview("events", "2026-11-01"),
        ];
        let mut out = Vec::new();
        table(&tables, &retention, day("2026-11-22"))
            .write(&mut out, Format::Csv, &PIPE)
            .unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        table,what,rows,bytes,files,first,last,keeps,over_before,next_goes,held_by
        event_counts,rows,100,4096,3,2026-01-01,2026-11-21,forever,,,
        events,rows,100,4096,3,2026-11-01,2026-11-21,30d,2026-10-23,2026-12-02,case-7
        events,event_xml,,,,,,10d,2026-11-12,,
        events,channel Security,,,,,,400d,2025-10-18,,
        events,channel System,,,,,,forever,,,
        ");
    }
}
