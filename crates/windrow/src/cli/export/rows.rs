//! Rows as text.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;
use windrow_formats::azure::{Entity, Value};
use windrow_formats::text::{CSV_END, push_csv};

use super::Form;

/// The column of CSV that has what a row has beside the others, as JSON.
const MORE: &str = "more";

/// Writes rows in a form.
pub(super) struct Writer {
    form: Form,
    /// Of CSV; none before the first page.
    columns: Option<Vec<String>>,
    /// Whether the columns are those that somebody asked for.
    asked: bool,
}

impl Writer {
    pub(super) fn new(form: Form, columns: Option<Vec<String>>) -> Writer {
        Writer {
            form,
            asked: columns.is_some(),
            columns,
        }
    }

    /// The columns of CSV, as soon as they are known.
    pub(super) fn columns(&self) -> Option<&[String]> {
        match self.form {
            Form::Csv => self.columns.as_deref(),
            Form::Ndjson => None,
        }
    }

    /// A page of rows, with what comes before all rows where it begins the file.
    pub(super) fn page(&mut self, rows: &[Entity<'_>], start: Start) -> String {
        let mut text = String::new();
        if self.form == Form::Csv {
            let columns = self.columns.get_or_insert_with(|| columns_of(rows));
            if start == Start::OfFile {
                let more = (!self.asked).then_some(MORE);
                line(&mut text, columns.iter().map(String::as_str).chain(more));
            }
        }
        for row in rows {
            match self.form {
                Form::Ndjson => {
                    push_object(&mut text, &self.kept(row));
                    text.push('\n');
                }
                Form::Csv => self.csv(&mut text, row),
            }
        }
        text
    }

    /// What of a row is written.
    fn kept(&self, row: &Entity<'_>) -> Vec<(String, Json)> {
        let mut all = values(row);
        match &self.columns {
            None => all,
            Some(columns) => {
                let kept = columns.iter();
                kept.filter_map(|name| taken(&mut all, name)).collect()
            }
        }
    }

    fn csv(&self, text: &mut String, row: &Entity<'_>) {
        let mut all = values(row);
        let columns = self.columns.as_deref().unwrap_or_default();
        for (place, name) in columns.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            match taken(&mut all, name) {
                None => {}
                Some((_, Json::String(field))) => push_csv(text, &field),
                Some((_, other)) => push_csv(text, &other.to_string()),
            }
        }
        if !self.asked {
            text.push(',');
            if !all.is_empty() {
                let mut more = String::new();
                push_object(&mut more, &all);
                push_csv(text, &more);
            }
        }
        text.push_str(CSV_END);
    }
}

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It begins the file.
    OfFile,
    /// Others come before it.
    Later,
}

fn line<'a>(text: &mut String, fields: impl Iterator<Item = &'a str>) {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            text.push(',');
        }
        push_csv(text, field);
    }
    text.push_str(CSV_END);
}

/// The columns of some rows, in the order in which they appear.
fn columns_of(rows: &[Entity<'_>]) -> Vec<String> {
    let mut columns: Vec<String> = ["PartitionKey", "RowKey"].map(str::to_owned).into();
    for row in rows {
        for (name, _) in &row.properties {
            if !columns.iter().any(|known| known == name) {
                columns.push(name.clone().into_owned());
            }
        }
    }
    columns
}

/// The values of a row, in its order.
fn values(row: &Entity<'_>) -> Vec<(String, Json)> {
    let keys = [
        ("PartitionKey", &row.partition_key),
        ("RowKey", &row.row_key),
    ];
    let keys = keys.map(|(name, key)| (name.to_owned(), Json::String(key.clone().into_owned())));
    let others = row.properties.iter();
    let others = others.map(|(name, value)| (name.clone().into_owned(), json(value)));
    keys.into_iter().chain(others).collect()
}

/// Takes one value out.
fn taken(values: &mut Vec<(String, Json)>, name: &str) -> Option<(String, Json)> {
    let place = values.iter().position(|(known, _)| known == name)?;
    Some(values.remove(place))
}

/// Values as a JSON object, in this order.
fn push_object(text: &mut String, values: &[(String, Json)]) {
    text.push('{');
    for (place, (name, value)) in values.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        // Writing to a String does not fail.
        let _ = write!(text, "{}:{value}", Json::from(name.as_str()));
    }
    text.push('}');
}

fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Text(text) | Value::Guid(text) => Json::String(text.clone().into_owned()),
        Value::Int(number) => Json::from(*number),
        Value::Long(number) => Json::from(*number),
        // JSON knows neither infinity nor what is no number.
        Value::Double(number) => serde_json::Number::from_f64(*number)
            .map_or_else(|| number.to_string().into(), Json::Number),
        Value::Truth(truth) => Json::Bool(*truth),
        Value::Time(at) => Json::String(format!("{at:.7}")),
        Value::Bytes(bytes) => Json::String(BASE64.encode(bytes)),
    }
}
