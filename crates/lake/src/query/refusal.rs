//! Errors of a query in words that name the cure.

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use crate::error::QueryError;
use crate::promote;
use crate::query::QueryLimits;

/// Farthest that a name may be from the one meant, in edits.
const NEAR_EDITS: usize = 3;

/// Characters told of what stands where the parser stopped.
const NEAR_CHARS: usize = 24;

const READS_ONLY: &str = "a query only reads: write one SELECT, EXPLAIN, SHOW or DESCRIBE";

/// Tells what the asker can cure from what they cannot.
///
/// `tables` are those that there are.
pub(crate) fn explain(
    error: DataFusionError,
    sql: &str,
    limits: QueryLimits,
    tables: &[String],
) -> QueryError {
    let refused = |message: String| QueryError::Refused { message };
    if is_write(sql) {
        return refused(READS_ONLY.to_owned());
    }
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => refused(explain_schema(schema, sql)),
        DataFusionError::SQL(parser, _) => refused(format!(
            "this is not SQL that can be read: {}",
            with_place(&tidy(&parser.to_string()), sql)
        )),
        DataFusionError::ResourcesExhausted(_) => QueryError::Memory {
            limit_mib: limits.memory_bytes >> 20,
        },
        DataFusionError::Plan(message) => refused(explain_plan(message, sql, tables)),
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
    let quoted = format!("\"{}\"", field.name);
    let exact = known().find(|column| column.eq_ignore_ascii_case(name) && *column != field.name);
    let cure = if let Some(exact) = exact {
        format!("a name with capitals is written in double quotes: \"{exact}\"")
    } else if sql.contains(&quoted) {
        format!("if it is a text, write it in single quotes: '{name}'")
    } else if let Some(near) = nearest(name, known()) {
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
    format!(
        "there is no column \"{name}\"{}; {cure}",
        place_of(name, sql)
    )
}

/// Where a name stands first, as ` (line 1, column 8)`; nothing where that is not certain.
fn place_of(name: &str, sql: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |at: usize| {
        let before = sql[..at].chars().next_back();
        let after = sql[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    let found = (0..sql.len()).find(|at| {
        let text = sql.get(*at..at + name.len());
        text.is_some_and(|text| text.eq_ignore_ascii_case(name)) && is_whole(*at)
    });
    match found {
        Some(at) if !name.is_empty() => {
            let before = &sql[..at];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            format!(" (line {line}, column {column})")
        }
        _ => String::new(),
    }
}

/// The parser's message with the place in the words that all others have, and what stands there.
fn with_place(message: &str, sql: &str) -> String {
    let Some((message, place)) = message.split_once(" at Line: ") else {
        return message.to_owned();
    };
    let Some((line, column)) = place.split_once(", Column: ") else {
        return message.to_owned();
    };
    let rest = (|| {
        let text = sql
            .lines()
            .nth(line.parse::<usize>().ok()?.checked_sub(1)?)?;
        let skipped = column.parse::<usize>().ok()?.checked_sub(1)?;
        let rest: String = text.chars().skip(skipped).take(NEAR_CHARS).collect();
        (!rest.is_empty()).then_some(rest)
    })();
    match rest {
        Some(rest) => format!("{message} (line {line}, column {column}, at \"{rest}\")"),
        None => format!("{message} (line {line}, column {column})"),
    }
}

/// The name in the case in which the query has it.
fn as_written<'a>(name: &'a str, sql: &'a str) -> &'a str {
    let same = |at: usize| {
        sql.get(at..at + name.len())
            .filter(|text| text.eq_ignore_ascii_case(name))
    };
    (0..sql.len()).find_map(same).unwrap_or(name)
}

fn explain_plan(message: &str, sql: &str, tables: &[String]) -> String {
    if let Some(table) = message
        .strip_prefix("table '")
        .and_then(|rest| rest.strip_suffix("' not found"))
    {
        return no_table(table.rsplit('.').next().unwrap_or(table), sql, tables);
    }
    let said = called_wrongly(message)
        .or_else(|| no_signature(message))
        .or_else(|| no_function(message, sql));
    if let Some(said) = said {
        return said;
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

/// What a function says of values that it does not take, without what the engine says around it.
fn called_wrongly(message: &str) -> Option<String> {
    let (function, rest) = message.split_once("' user-defined coercion failed with: ")?;
    let (_, function) = function.split_once('\'')?;
    let said = rest.split(" No function matches").next()?;
    Some(format!("{function}: {}", tidy(said.trim_end_matches('.'))))
}

/// The same of a function of the engine's.
fn no_signature(message: &str) -> Option<String> {
    let (_, call) =
        message.split_once("No function matches the given name and argument types '")?;
    let (call, _) = call.split_once('\'')?;
    Some(format!(
        "no function takes these values: {call}; cast them to what it takes, as in cast(value as double)"
    ))
}

fn no_function(message: &str, sql: &str) -> Option<String> {
    let rest = message.strip_prefix("Invalid function '")?;
    let (name, cure) = rest.split_once("'.")?;
    let name = as_written(name, sql);
    let near = cure.trim().strip_prefix("Did you mean '");
    let cure = match near.and_then(|near| near.split('\'').next()) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => String::new(),
    };
    Some(format!(
        "there is no function \"{name}\"{}{cure}",
        place_of(name, sql)
    ))
}

fn no_table(table: &str, sql: &str, tables: &[String]) -> String {
    let name = as_written(table, sql);
    let cure = match nearest(name, tables.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are {}", tables.join(", ")),
    };
    format!(
        "there is no table \"{name}\"{}; {cure}",
        place_of(name, sql)
    )
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
