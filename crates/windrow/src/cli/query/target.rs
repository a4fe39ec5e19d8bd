//! Where an answer goes, and in which form.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;
use windrow_lake::{Layout, QueryOutput, Written};

use super::usage;
use crate::asker::explain;
use crate::output::{Format, Terminal, escape};

/// `--output` of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// Aligned columns for people; the default on a terminal
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line; the default elsewhere
    Ndjson,
    /// RFC 4180, with a header line
    Csv,
    /// Apache Parquet, into the file of --output-file
    Parquet,
}

impl Form {
    /// What was asked for, or what fits where the answer goes.
    pub(super) fn of(
        asked: Option<Form>,
        file: Option<&Path>,
        terminal: &Terminal,
    ) -> anyhow::Result<Form> {
        match (asked, file) {
            (Some(Form::Parquet), None) => Err(usage(
                "--output parquet is for a file: name it with --output-file",
            )),
            (Some(form), _) => Ok(form),
            (None, None) if terminal.stdout_is_terminal => Ok(Form::Table),
            (None, Some(file)) if file.extension().is_some_and(|it| it == "parquet") => {
                Ok(Form::Parquet)
            }
            (None, _) => Ok(Form::Ndjson),
        }
    }

    /// The same of rows that a person or a program reads as text.
    pub(super) fn of_rows(self) -> anyhow::Result<Format> {
        Ok(match self {
            Form::Table => Format::Table,
            Form::Json => Format::Json,
            Form::Ndjson => Format::Ndjson,
            Form::Csv => Format::Csv,
            Form::Parquet => return Err(usage("this is not written as Parquet")),
        })
    }
}

/// A file that gets its name when all of an answer is in it.
pub(super) struct Pending {
    path: PathBuf,
    file: NamedTempFile,
}

impl Pending {
    /// Makes it in the folder where it will be: before the question, so that none is answered in vain. A device or a pipe of
    /// that name would be no more afterwards, and is refused.
    pub(super) fn make(path: &Path) -> anyhow::Result<Pending> {
        // What a link points to is what is meant.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let path = escape(&path.display().to_string()).into_owned();
            return Err(usage(format!(
                "{path} is there and is no file: leave --output-file out and send stdout there"
            )));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = NamedTempFile::new_in(folder);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Pending { path, file })
    }

    /// Writes the answer, and gives the file its name.
    pub(super) async fn write(
        mut self,
        rows: QueryOutput,
        form: Form,
        layout: &Layout,
    ) -> anyhow::Result<Written> {
        let named = || format!("cannot write {}", self.path.display());
        let mut out = BufWriter::new(self.file.as_file_mut());
        let layout = Layout {
            width: None,
            ..layout.clone()
        };
        let written = match form {
            Form::Parquet => rows.write_parquet(&mut out).await?,
            other => {
                let form = other.of_rows()?.into();
                rows.write(form, &layout, &mut out).await?
            }
        };
        out.flush().with_context(named)?;
        drop(out);
        self.file.as_file().sync_all().with_context(named)?;
        self.file.persist(&self.path).with_context(named)?;
        Ok(written)
    }
}

/// Writes a plan for people: its steps, one a line.
pub(super) async fn plan(rows: QueryOutput, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    let layout = Layout::default();
    let written = rows
        .write(windrow_lake::Format::Ndjson, &layout, &mut lines)
        .await;
    written.map_err(|error| explain(error.into()))?;
    for row in serde_json::Deserializer::from_slice(&lines).into_iter::<serde_json::Value>() {
        let row = row?;
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        writeln!(out, "{}", escape(&text("plan_type")))?;
        for line in text("plan").lines() {
            writeln!(out, "  {}", escape(line))?;
        }
    }
    Ok(())
}
