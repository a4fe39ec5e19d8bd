//! `--list`: what there is to ask, and by what.

use windrow_lake::{Files, functions, views};

use crate::output::{Cell, Column, Table};

/// Tables, views and functions with a sentence each.
pub(super) fn table(files: Option<&Files>) -> Table {
    let mut table = Table::new([
        Column::Left("kind"),
        Column::Left("name"),
        Column::Left("what"),
    ]);
    let mut push = |kind: &str, name: &str, what: &str| {
        table.push([Cell::from(kind), Cell::from(name), Cell::from(what)]);
    };
    let mut has_events = files.is_none();
    match files {
        None => push("table", "events", "every event, a row each"),
        Some(files) => {
            for (name, kind, count) in files.tables() {
                has_events |= name == "events";
                let what = match count {
                    0 => kind.to_string(),
                    1 => format!("{kind}, 1 file"),
                    count => format!("{kind}, {count} files"),
                };
                push("table", name, &what);
            }
        }
    }
    for view in views().iter().filter(|_| has_events) {
        push("view", view.name, view.sentence);
    }
    for function in functions() {
        push("function", function.call, function.sentence);
    }
    table
}
