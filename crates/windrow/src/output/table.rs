//! Rows and columns, small enough to hold in memory, in the four forms of `--output`.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::{Map, Value};

use windrow_formats::text::{CSV_END, push_csv};

use super::{Format, Paint, Terminal, escape, escape_json};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not known; empty in tables and CSV, `null` in JSON.
    None,
    /// Text, possibly hostile.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A number with a fraction; two digits in tables.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Cell {
        Cell::Number(number)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Cell {
        Cell::Number(u64::from(number))
    }
}

impl From<bool> for Cell {
    fn from(is: bool) -> Cell {
        Cell::Bool(is)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::None, Into::into)
    }
}

impl Cell {
    /// As a table shows it: one line, nothing that moves the cursor.
    fn shown(&self) -> Cow<'_, str> {
        match self {
            Cell::None => Cow::Borrowed(""),
            Cell::Text(text) => escape(text),
            Cell::Number(number) => Cow::Owned(number.to_string()),
            Cell::Float(number) => Cow::Owned(format!("{number:.2}")),
            Cell::Bool(is) => Cow::Borrowed(if *is { "yes" } else { "no" }),
        }
    }

    fn push_csv(&self, line: &mut String, terminal: &Terminal) {
        match self {
            Cell::None => {}
            Cell::Text(text) if terminal.stdout_is_terminal => push_csv(line, &escape(text)),
            Cell::Text(text) => push_csv(line, text),
            // A probability may have hundreds of zeros.
            Cell::Float(number) if *number != 0.0 && number.abs() < 1e-6 => {
                line.push_str(&format!("{number:e}"));
            }
            Cell::Float(number) => line.push_str(&number.to_string()),
            Cell::Bool(is) => line.push_str(if *is { "true" } else { "false" }),
            Cell::Number(_) => line.push_str(&self.shown()),
        }
    }

    fn json(&self) -> Value {
        match self {
            Cell::None => Value::Null,
            Cell::Text(text) => Value::from(text.as_str()),
            Cell::Number(number) => Value::from(*number),
            Cell::Float(number) => Value::from(*number),
            Cell::Bool(is) => Value::from(*is),
        }
    }
}

/// A column's name, the same in every form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Text, aligned left.
    Left(&'static str),
    /// Numbers, aligned right.
    Right(&'static str),
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Column::Left(name) | Column::Right(name) => name,
        }
    }
}

/// Rows under columns.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: impl Into<Vec<Column>>) -> Table {
        Table {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; values beyond the last column are dropped, missing ones are empty.
    pub fn push(&mut self, row: impl Into<Vec<Cell>>) {
        let mut row = row.into();
        row.resize(self.columns.len(), Cell::None);
        self.rows.push(row);
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes everything.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(
        &self,
        out: &mut dyn Write,
        format: Format,
        terminal: &Terminal,
    ) -> io::Result<()> {
        match format {
            Format::Table => self.write_table(out, terminal.paint()),
            Format::Json => self.write_json(out),
            Format::Ndjson => self.write_ndjson(out),
            Format::Csv => self.write_csv(out, terminal),
        }
    }

    fn write_table(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .map(|column| column.name().chars().count())
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.shown().chars().count());
            }
        }
        let header: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| column.name().into())
            .collect();
        writeln!(out, "{}", paint.bold(&self.line(&header, &widths)))?;
        for row in &self.rows {
            writeln!(out, "{}", self.line(row, &widths))?;
        }
        Ok(())
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let text = cell.shown();
            let padding = " ".repeat(width - text.chars().count());
            match column {
                Column::Left(_) => line.extend([text.as_ref(), &padding]),
                Column::Right(_) => line.extend([&padding, text.as_ref()]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }

    fn object(&self, row: &[Cell]) -> Value {
        let pairs = self.columns.iter().zip(row);
        Value::Object(
            pairs
                .map(|(column, cell)| (column.name().to_owned(), cell.json()))
                .collect::<Map<_, _>>(),
        )
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows: Vec<Value> = self.rows.iter().map(|row| self.object(row)).collect();
        let json = serde_json::to_string_pretty(&rows)?;
        writeln!(out, "{}", escape_json(&json))
    }

    fn write_ndjson(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.rows {
            let json = serde_json::to_string(&self.object(row))?;
            writeln!(out, "{}", escape_json(&json))?;
        }
        Ok(())
    }

    /// RFC 4180, as `windrow query` writes it.
    fn write_csv(&self, out: &mut dyn Write, terminal: &Terminal) -> io::Result<()> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name()).collect();
        let mut line = names.join(",");
        line.push_str(CSV_END);
        out.write_all(line.as_bytes())?;
        for row in &self.rows {
            line.clear();
            for (at, cell) in row.iter().enumerate() {
                if at > 0 {
                    line.push(',');
                }
                cell.push_csv(&mut line, terminal);
            }
            line.push_str(CSV_END);
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }
}
