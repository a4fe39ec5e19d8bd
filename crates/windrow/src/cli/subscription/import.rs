//! `windrow subscription import`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::super::verbs::Verbs;
use super::super::{Invocation, Out, runtime};
use super::files::{self, Note, WHOM_FAULT, WHOM_HINT};
use super::keys::{How, Whom};
use super::windows::{self, Whom as Told};
use super::{get, show};
use crate::admin::{
    self, Answer, Existing, Request, SubscriptionAdd, SubscriptionKeys, Subscriptions, Verb,
};
use crate::config::limits::MAX_TABLES_A_KIND;
use crate::exit::{self, Code, UsageError};
use crate::output::{SummaryFormat, SummaryOutput};

/// Take subscriptions from files as Windows has them: wecutil's XML, or a QueryList
///
/// A folder means every .xml file in it and below. Each file becomes a subscription, named after what it calls itself, a
/// QueryList after its file. What cannot be taken is told with its line, and so is everything in a file that means
/// something else here, or nothing; the other files are taken. What is said on the command line counts for all of them.
///
/// Exit code 3 where some were not taken, 1 where none was.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription import windows-event-forwarding/wef-subscriptions --dry-run
  windrow subscription import windows-event-forwarding/wef-subscriptions \\
      --machines 'ws*'
  windrow subscription import Authentication.xml --name logons --replace
  windrow subscription import NSA/ --names file --delivery minimize-latency

Then: windrow subscription list")]
pub(super) struct Args {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Look at everything, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Set anew those that are there under the same name; machines keep their places
    #[arg(long)]
    replace: bool,

    /// Take nothing unless all of it can be taken
    #[arg(long)]
    all_or_nothing: bool,

    /// What they are called after
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "id",
        conflicts_with = "name"
    )]
    names: Names,

    /// The name, where there is one file
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    whom: Whom,

    #[command(flatten)]
    how: How,

    #[command(flatten)]
    output: SummaryOutput,
}

/// What subscriptions are called after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Names {
    /// SubscriptionId; the file where it has none
    Id,
    /// The file's name
    File,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// It is a subscription now; in a dry run, it would be.
    Taken,
    /// There was one of the name, which is this now.
    Replaced,
    /// There is one that is the same already.
    Unchanged,
    /// It cannot be taken.
    Refused,
    /// It could be, and another file of `--all-or-nothing` cannot.
    LeftOut,
}

/// A file and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    pub(super) file: PathBuf,
    pub(super) name: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
    pub(super) reason: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) notes: Vec<Note>,
    #[serde(skip)]
    keys: Option<SubscriptionKeys>,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) dry_run: bool,
    pub(super) running: bool,
    pub(super) taken: usize,
    pub(super) unchanged: usize,
    pub(super) refused: usize,
    pub(super) files: Vec<Done>,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let paths = files::find(&args.paths)?;
    if args.name.is_some() && paths.len() > 1 {
        let message = format!("--name is for one file, and there are {}", paths.len());
        return Err(UsageError(message).into());
    }
    let mut files: Vec<Done> = paths.iter().map(|path| look(path, args)).collect();
    refuse_clashes(&mut files);
    let (report, failed) = runtime()?.block_on(take(args, files, invocation))?;
    match args.output.output {
        SummaryFormat::Json => show::write_json(&report, out)?,
        SummaryFormat::Table => show::import(&report, invocation.terminal.paint(), out)?,
    }
    if let Some(error) = failed {
        return Err(error);
    }
    Ok(match (report.taken + report.unchanged, report.refused) {
        (_, 0) => Code::Ok,
        (0, _) => Code::Negative,
        _ => Code::Partial,
    })
}

impl Done {
    fn refuse(&mut self, reason: String, hint: Option<String>) {
        self.outcome = Outcome::Refused;
        (self.reason, self.hint) = (Some(reason), hint);
        self.keys = None;
    }
}

/// Reads a file and writes over it what the command line says.
fn look(path: &Path, args: &Args) -> Done {
    let mut done = Done {
        file: path.to_owned(),
        name: None,
        outcome: Outcome::Taken,
        line: None,
        column: None,
        reason: None,
        hint: None,
        notes: Vec::new(),
        keys: None,
    };
    let read = match files::read(path) {
        Ok(read) => read,
        Err(fault) => {
            (done.line, done.column) = (
                fault.at.map(|place| place.line),
                fault.at.map(|place| place.column),
            );
            done.refuse(fault.reason, None);
            return done;
        }
    };
    done.notes = read.notes;
    if args.whom.says_who() {
        done.notes.retain(|note| !note.is_of_whom);
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy());
    let stem = stem.as_deref().unwrap_or_default();
    let called = match (&args.name, &read.name, args.names) {
        (Some(name), _, _) => Some(windows::Name {
            name: name.clone(),
            note: None,
        }),
        (None, Some(id), Names::Id) => windows::name(id),
        (None, _, _) => windows::name(stem),
    };
    let Some(called) = called else {
        let hint = "name it with --name".to_owned();
        done.refuse(
            "nothing in its name can be in a name here".to_owned(),
            Some(hint),
        );
        return done;
    };
    done.notes.extend(called.note.map(Note::of_us));
    done.name = Some(called.name);
    if read.whom == Told::OnlyTheDirectoryKnows && !args.whom.says_who() {
        done.refuse(format!("it {WHOM_FAULT}"), Some(WHOM_HINT.to_owned()));
        return done;
    }
    let mut keys = read.keys;
    args.whom.add_to(&mut keys);
    args.how.add_to(&mut keys);
    done.keys = Some(keys);
    done
}

/// Refuses files that would have the name of one before them.
fn refuse_clashes(files: &mut [Done]) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for done in files {
        let (Some(name), true) = (done.name.clone(), done.keys.is_some()) else {
            continue;
        };
        match first.get(&name) {
            None => {
                first.insert(name, done.file.clone());
            }
            Some(other) => {
                let reason = format!("{} is called {name} too", other.display());
                let hint = "--names file calls them after their files";
                done.refuse(reason, Some(hint.to_owned()));
            }
        }
    }
}

/// Checks all of them, then takes those that can be taken. What was done before nobody answered any more is told, and
/// why that was.
async fn take(
    args: &Args,
    mut files: Vec<Done>,
    invocation: &Invocation,
) -> anyhow::Result<(Report, Option<anyhow::Error>)> {
    let verb = match args.dry_run {
        true => Verb::SubscriptionGet,
        false => Verb::SubscriptionAdd,
    };
    let mut verbs = Verbs::open(invocation, verb).await?;
    let there = match get(&mut verbs, None).await {
        Ok(there) => there,
        Err(error) => {
            verbs.close().await;
            return Err(error);
        }
    };
    check(args, &there, &mut files);
    let stops = args.all_or_nothing && files.iter().any(|done| done.outcome == Outcome::Refused);
    let mut running = there.running;
    let mut failed = None;
    for done in &mut files {
        let Some(keys) = done.keys.take() else {
            continue;
        };
        if stops || failed.is_some() {
            done.outcome = Outcome::LeftOut;
        } else if !args.dry_run {
            match add(args, done, keys, &mut verbs).await {
                Ok(runs) => running = runs.unwrap_or(running),
                Err(error) => {
                    done.refuse(exit::chain(error.as_ref()), None);
                    failed = Some(error);
                }
            }
        }
    }
    verbs.close().await;
    let count = |outcomes: &[Outcome]| {
        let of = files.iter().map(|done| done.outcome);
        of.filter(|outcome| outcomes.contains(outcome)).count()
    };
    let report = Report {
        dry_run: args.dry_run,
        running,
        taken: count(&[Outcome::Taken, Outcome::Replaced]),
        unchanged: count(&[Outcome::Unchanged]),
        refused: count(&[Outcome::Refused]),
        files,
    };
    Ok((report, failed))
}

/// Refuses, before anything is changed, what would be refused then.
fn check(args: &Args, there: &Subscriptions, files: &mut [Done]) {
    let groups: Vec<&str> = there
        .groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    let mut room = MAX_TABLES_A_KIND.saturating_sub(there.subscriptions.len());
    for done in files {
        let (Some(name), Some(keys)) = (done.name.clone(), &done.keys) else {
            continue;
        };
        let becomes = match admin::check_subscription(&name, keys, &groups) {
            Ok(becomes) => becomes,
            Err(refusal) => {
                done.refuse(refusal.message, refusal.hint);
                continue;
            }
        };
        let same = there
            .subscriptions
            .iter()
            .find(|subscription| subscription.name == name);
        let Some(same) = same else {
            match room.checked_sub(1) {
                Some(left) => room = left,
                None => done.refuse(
                    format!("there may be {MAX_TABLES_A_KIND} subscriptions, and no more"),
                    None,
                ),
            }
            continue;
        };
        if !same.by_command {
            let reason = format!("a subscription {name} stands in {}", same.file.display());
            let hint = "change it there, or name this one otherwise with --name";
            done.refuse(reason, Some(hint.to_owned()));
        } else if args.replace {
            let warnings = admin::warnings_of_replacing(same, keys, &becomes);
            if args.dry_run {
                done.notes.extend(warnings.into_iter().map(Note::of_us));
            }
            done.outcome = Outcome::Replaced;
        } else {
            let reason = format!("there is a subscription {name} already");
            let hint = "--replace sets it anew; machines keep their places".to_owned();
            done.refuse(reason, Some(hint));
        }
    }
}

/// Has one of them added; whether a service runs.
async fn add(
    args: &Args,
    done: &mut Done,
    keys: SubscriptionKeys,
    verbs: &mut Verbs,
) -> anyhow::Result<Option<bool>> {
    let request = SubscriptionAdd {
        name: done.name.clone().unwrap_or_default(),
        keys,
        existing: match args.replace {
            true => Existing::Replace,
            false => Existing::Refuse,
        },
    };
    match verbs.ask(Request::SubscriptionAdd(Box::new(request))).await {
        Ok(Answer::SubscriptionChanged(changed)) => {
            if !changed.changed {
                done.outcome = Outcome::Unchanged;
            }
            done.notes
                .extend(changed.warnings.into_iter().map(Note::of_us));
            Ok(Some(changed.running))
        }
        Ok(_) => Err(anyhow::anyhow!("the service answers something else")),
        Err(error) if exit::code(&error) == Code::Usage => {
            done.refuse(exit::chain(error.as_ref()), None);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
