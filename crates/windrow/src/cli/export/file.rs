//! Where rows go: stdout, or a file that is a part until it is whole.
//!
//! ```text
//! january.ndjson.part     the rows so far
//! january.ndjson.resume   what was asked for, and up to which row and byte that is on disk
//! ```

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::plan::{Keys, Plan};
use super::{Args, Form};
use crate::cli::Out;
use crate::datadir::WholeFiles;
use crate::exit::UsageError;
use crate::output::escape;

/// How far an export has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The part that rows are of; see [`Plan::filters`].
    pub(super) part: u64,
    /// The last row of it that is written.
    pub(super) after: Option<Keys>,
    /// Rows that are written.
    pub(super) rows: u64,
    /// Bytes that they are.
    pub(super) bytes: u64,
    /// Columns of CSV.
    pub(super) columns: Option<Vec<String>>,
}

impl Place {
    /// The beginning.
    pub(super) fn new() -> Place {
        Place::default()
    }
}

/// What is noted beside a part.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    plan: Plan,
    form: String,
    asked_columns: Vec<String>,
    place: Place,
}

/// Where rows go.
pub(super) enum Sink<'a, 'b> {
    Out(&'a mut Out<'b>),
    Part(Box<Part>),
}

impl Sink<'_, '_> {
    /// Writes a page, and notes how far that is.
    pub(super) fn write(&mut self, text: &str, place: &mut Place) -> anyhow::Result<()> {
        match self {
            Sink::Out(out) => {
                out.write_all(text.as_bytes())?;
                Ok(out.flush()?)
            }
            Sink::Part(part) => part.write(text, place),
        }
    }

    /// Gives a file its name.
    pub(super) fn end(self) -> anyhow::Result<()> {
        match self {
            Sink::Out(out) => Ok(out.flush()?),
            Sink::Part(part) => part.end(),
        }
    }
}

/// A file that is not whole yet.
pub(super) struct Part {
    path: PathBuf,
    part: PathBuf,
    note: PathBuf,
    file: File,
    said: Note,
}

impl Part {
    /// What the part that is to be gone on with is of, and how far it has come. A span that was said as so long ago is that of
    /// then.
    ///
    /// # Errors
    /// There is none, or it is of another export.
    pub(super) fn read(path: &Path, plan: &Plan, args: &Args) -> anyhow::Result<(Plan, Place)> {
        let note = beside(path, "resume");
        let shown = escape(&note.display().to_string()).into_owned();
        let text = match fs_err::read(&note) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let message = format!("there is nothing to go on with: {shown} is not there");
                return Err(UsageError(message).into());
            }
            text => text?,
        };
        let said: Note = serde_json::from_slice(&text)
            .with_context(|| format!("{shown} cannot be read: delete it, and begin anew"))?;
        let is_same = said.plan.account == plan.account
            && said.plan.table == plan.table
            && said.plan.from.is_some() == plan.from.is_some()
            && said.plan.to.is_some() == plan.to.is_some();
        if !is_same || said.form != form(args.output) || said.asked_columns != args.columns {
            let message = format!("{shown} is of another export: ask as then, or without --resume");
            return Err(UsageError(message).into());
        }
        Ok((said.plan, said.place))
    }

    /// Opens it at a place; what comes behind that was not noted and is written again.
    pub(super) fn open(
        path: &Path,
        plan: &Plan,
        args: &Args,
        place: &Place,
    ) -> anyhow::Result<Part> {
        let (part, note) = (beside(path, "part"), beside(path, "resume"));
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let path = escape(&path.display().to_string()).into_owned();
            let message = format!(
                "{path} is there and is no file: leave --output-file out and send stdout there"
            );
            return Err(UsageError(message).into());
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false);
        let mut file = private(options).open(&part);
        if let Ok(file) = &mut file {
            file.set_len(place.bytes)?;
            file.seek(SeekFrom::Start(place.bytes))?;
        }
        let shown = || format!("cannot write {}", part.display());
        let file = file.with_context(shown)?;
        let said = Note {
            plan: plan.clone(),
            form: form(args.output).to_owned(),
            asked_columns: args.columns.clone(),
            place: place.clone(),
        };
        Ok(Part {
            path: path.to_owned(),
            part,
            note,
            file,
            said,
        })
    }

    fn write(&mut self, text: &str, place: &mut Place) -> anyhow::Result<()> {
        let shown = || format!("cannot write {}", self.part.display());
        self.file.write_all(text.as_bytes()).with_context(shown)?;
        self.file.sync_data().with_context(shown)?;
        place.bytes += text.len() as u64;
        self.said.place = place.clone();
        let note = serde_json::to_vec(&self.said)?;
        let (folder, name) = split(&self.note);
        // One that is lost is one page less.
        let written = WholeFiles::in_folder(folder).replace(&name, &note);
        written
            .map(drop)
            .with_context(|| format!("cannot write {}", self.note.display()))?;
        Ok(())
    }

    fn end(self) -> anyhow::Result<()> {
        let shown = || format!("cannot write {}", self.path.display());
        self.file.sync_all().with_context(shown)?;
        fs_err::rename(&self.part, &self.path)?;
        match fs_err::remove_file(&self.note) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Audit records: whoever may read them is for their owner to say.
    options.mode(0o600)
}

#[cfg(not(unix))]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Ndjson => "ndjson",
        Form::Csv => "csv",
    }
}

pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

fn split(path: &Path) -> (PathBuf, String) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    (folder, name.unwrap_or_default())
}
