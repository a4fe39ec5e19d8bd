//! Errors of a query in words that name the cure.

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use crate::error::QueryError;
use crate::promote;
use crate::query::QueryLimits;
use crate::schema;

/// Farthest that a name may be from the one meant, in edits.
const NEAR_EDITS: usize = 3;

const READS_ONLY: &str = "a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE";

/// Tells what the asker can cure from what they cannot.
pub(crate) fn explain(error: DataFusionError, sql: &str, limits: QueryLimits) -> QueryError {
    let refused = |message: String| QueryError::Refused { message };
    if is_write(sql) {
        return refused(READS_ONLY.to_owned());
    }
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => refused(explain_schema(schema, sql)),
        DataFusionError::SQL(parser, _) => refused(format!(
            "this is not SQL that can be read: {}",
            tidy(&parser.to_string())
        )),
        DataFusionError::ResourcesExhausted(_) => QueryError::Memory {
            limit_mib: limits.memory_bytes >> 20,
        },
        DataFusionError::Plan(message) => refused(explain_plan(message)),
        DataFusionError::NotImplemented(message) => {
            refused(format!("this is not supported: {}", tidy(message)))
        }
        DataFusionError::Diagnostic(..) | DataFusionError::Collection(_) => {
            refused(tidy(&error.strip_backtrace()))
        }
        // A value that cannot be what the query asks of it: a cast, a division by zero, an overflow.
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => QueryError::Value {
            message: tidy(&error.strip_backtrace()),
        },
        _ => QueryError::Run(Box::new(error)),
    }
}

/// Whether the statement begins with a word of those that write: the engine looks at their values first.
fn is_write(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default();
    ["insert", "update", "delete", "merge"]
        .iter()
        .any(|write| word.eq_ignore_ascii_case(write))
}

fn explain_schema(error: &SchemaError, sql: &str) -> String {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => no_column(field, valid_fields, sql),
        SchemaError::AmbiguousReference { field } => {
            format!(
                "\"{}\" may be more than one column; write the table before it",
                field.name
            )
        }
        other => tidy(&other.to_string()),
    }
}

fn no_column(field: &Column, valid_fields: &[Column], sql: &str) -> String {
    // The engine folds names to lower case, but keys of the map are as the event has them.
    let name = as_written(&field.name, sql);
    let known = || valid_fields.iter().map(|column| column.name.as_str());
    let cure = if let Some(near) = nearest(name, known()) {
        format!("did you mean \"{near}\"?")
    } else if !known().any(|column| column == "event_data") {
        format!("there are {}", known().collect::<Vec<_>>().join(", "))
    } else if let Some(column) = promote::column_of(name) {
        format!("events have it in \"{column}\"")
    } else {
        format!(
            "if it is a value of EventData write event_data['{name}']; DESCRIBE events lists the columns"
        )
    };
    format!("there is no column \"{name}\"; {cure}")
}

/// The name in the case in which the query has it.
fn as_written<'a>(name: &'a str, sql: &'a str) -> &'a str {
    let same = |at: usize| {
        sql.get(at..at + name.len())
            .filter(|text| text.eq_ignore_ascii_case(name))
    };
    (0..sql.len()).find_map(same).unwrap_or(name)
}

fn explain_plan(message: &str) -> String {
    if let Some(table) = message
        .strip_prefix("table '")
        .and_then(|rest| rest.strip_suffix("' not found"))
    {
        let table = table.rsplit('.').next().unwrap_or(table);
        return format!(
            "there is no table \"{table}\"; the only one is {}",
            schema::EVENTS
        );
    }
    let writes = [
        "DDL not supported",
        "DML not supported",
        "Statement not supported",
    ];
    if writes.iter().any(|refusal| message.starts_with(refusal)) {
        return READS_ONLY.to_owned();
    }
    tidy(message)
}

/// The known name that this one most likely stands for.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    known
        .map(|candidate| {
            let same = plain(candidate) == plain(&name);
            (if same { 0 } else { edits(&name, candidate) }, candidate)
        })
        .filter(|(edits, candidate)| *edits <= NEAR_EDITS && *edits * 2 < candidate.len().max(2))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, in characters. Names are short: SQL text is bounded.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

/// The message on one line, without the engine's names of its own parts and its invitation to report a bug.
fn tidy(message: &str) -> String {
    let message = message
        .split("This was likely caused by a bug")
        .next()
        .unwrap_or(message);
    let mut text = message.trim();
    if let (true, Some((_, cause))) = (
        text.starts_with("Optimizer rule "),
        text.split_once(" failed\ncaused by\n"),
    ) {
        text = cause;
    }
    while let Some(rest) = ENGINE_PREFIXES
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
    {
        text = rest;
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const ENGINE_PREFIXES: [&str; 6] = [
    "Error during planning: ",
    "Execution error: ",
    "Arrow error: ",
    "Parser error: ",
    "sql parser error: ",
    "SQL error: ",
];
