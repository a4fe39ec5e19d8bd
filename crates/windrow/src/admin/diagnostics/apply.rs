//! Applies a change of configurations of Azure Diagnostics: planned and checked first, then what was is kept, then it is
//! taken up and put on record.

use super::super::apply::{Place, Record, compact};
use super::super::refusal::{Refusal, RefusalKind};
use super::super::{Actor, Request, shortened};
use super::history::History;
use super::plan::{self, Plan};
use super::{DiagnosticsChanged, Hidden, Key, Mode, view};
use crate::config::checked;
use crate::config::diagnostics;
use crate::config::objects::{Object, Store};
use crate::datadir::Kept;
use crate::service::{Edit, Edited};

/// What is said of a change beside what it is.
struct Asked<'a> {
    name: &'a str,
    mode: Mode,
    seen: Option<u64>,
}

fn asked(request: &Request) -> Option<Asked<'_>> {
    let (name, mode, seen) = match request {
        Request::DiagnosticsSet(set) => (&set.name, set.mode, set.seen),
        Request::DiagnosticsRemove(remove) => (&remove.name, remove.mode, remove.seen),
        Request::DiagnosticsRollback(back) => (&back.name, back.mode, back.seen),
        _ => return None,
    };
    Some(Asked { name, mode, seen })
}

/// Does what is asked for, or tells what it would be.
///
/// # Errors
/// Why not; what was in force is in force.
pub(in crate::admin) async fn change(
    place: &mut Place,
    request: &Request,
    actor: &Actor,
) -> Result<DiagnosticsChanged, Refusal> {
    let config = place.config();
    let verb = request.verb();
    let Some(asked) = asked(request) else {
        return Err(Refusal::invalid("this changes no configuration"));
    };
    let name = asked.name;
    let store = Store::new(&config.data_dir);
    let object = Object::Diagnostics(name.to_owned());
    let mut record = Record {
        verb,
        object: "diagnostics",
        actor,
        old: "",
        new: "",
    };
    if !diagnostics::is_name(name) {
        let refusal =
            Refusal::invalid(format!("`{}` cannot be a name", shortened(name.to_owned())))
                .hint(diagnostics::name_form());
        if asked.mode == Mode::Do {
            record.refused(place.recorder(), &refusal.message).await;
        }
        return Err(refusal);
    }
    let named = format!("diagnostics.{name}");
    let old = compact(&store, &object);
    (record.object, record.old) = (&named, &old);
    let done = match planned(&config, request, &asked, actor) {
        Ok((_, told)) if asked.mode == Mode::Tell || told.differences.is_empty() => {
            return Ok(told);
        }
        Ok((plan, told)) => take_up(place, &config, name, plan)
            .await
            .map(|edited| (told, edited)),
        Err(refusal) if asked.mode == Mode::Tell => return Err(refusal),
        Err(refusal) => Err(refusal),
    };
    let new = compact(&store, &object);
    record.new = &new;
    match done {
        Ok((mut told, edited)) => {
            record.changed(place.recorder(), edited.generation).await;
            told.done = true;
            told.running = matches!(place, Place::Service(_));
            told.generation = edited.generation;
            told.warnings.extend(edited.kept.warning());
            Ok(told)
        }
        Err(refusal) => {
            record.refused(place.recorder(), &refusal.message).await;
            Err(refusal)
        }
    }
}

/// A change, and what is told of it before it is done.
fn planned(
    config: &checked::Config,
    request: &Request,
    asked: &Asked<'_>,
    actor: &Actor,
) -> Result<(Plan, DiagnosticsChanged), Refusal> {
    let name = asked.name;
    let current = config.diagnostics.get(name);
    let before = current.map_or(0, |current| current.revision);
    if let Some(seen) = asked.seen.filter(|seen| *seen != before) {
        let message = format!(
            "revision {before} of {name} is in force and not {seen}: somebody has changed it meanwhile"
        );
        return Err(Refusal::new(RefusalKind::Elsewhere, message).hint("look again"));
    }
    let history = History::of(&config.data_dir, name);
    let plan = match request {
        Request::DiagnosticsSet(set) => plan::set(config, set, &history, actor)?,
        Request::DiagnosticsRollback(back) => plan::roll_back(config, back, &history, actor)?,
        _ => plan::remove(config, name)?,
    };
    let new = plan.new.as_ref().map(|new| &new.diagnostics);
    let parsed = |of: Option<&checked::Diagnostics>| {
        of.map(|of| plan::configuration(&of.configuration))
            .transpose()
    };
    let (old_says, new_says) = (parsed(current)?, parsed(new)?);
    let differences = view::differences(
        current.zip(old_says.as_ref()),
        new.zip(new_says.as_ref()),
        plan.key.as_ref(),
    );
    let told = DiagnosticsChanged {
        verb: request.verb().word().to_owned(),
        name: name.to_owned(),
        done: false,
        running: false,
        generation: config.settings_generation,
        revision_before: before,
        revision: if differences.is_empty() {
            before
        } else {
            plan.revision
        },
        differences,
        conflicts: plan.conflicts.clone(),
        settings: new.map_or_else(String::new, |new| new.settings.clone()),
        undone: new.map_or_else(Vec::new, |new| new.undone.clone()),
        warnings: plan.warnings.clone(),
    };
    Ok((plan, told))
}

/// Keeps what was, writes what opens the account, and has the change taken up.
async fn take_up(
    place: &mut Place,
    config: &checked::Config,
    name: &str,
    plan: Plan,
) -> Result<Edited, Refusal> {
    let object = Object::Diagnostics(name.to_owned());
    let store = Store::new(&config.data_dir);
    let mut changed = config.clone();
    match plan.new {
        Some(new) => diagnostics::replace(&mut changed, name, new, &store.path(&object))
            .map_err(|error| Refusal::of_setting(&error))?,
        None => diagnostics::take_out(&mut changed, name),
    }
    let kept = Before {
        revision: config.diagnostics.get(name).map(|current| current.revision),
        key: plan.key,
        new_revision: plan.revision,
    };
    write_beside(&store, &object, name, config, kept).await?;
    let edit = Edit {
        object,
        text: plan.text,
        config: changed,
    };
    let edited = place.edit(edit).await;
    let now = place.config();
    let edited = edited.map_err(Refusal::of_edit)?;
    if edited.kept == Kept::Surely {
        tidy(&now, name);
    }
    Ok(edited)
}

/// What is written before a change is in force.
struct Before {
    /// What is in force, to be kept.
    revision: Option<u64>,
    /// What opens the account of the next revision.
    key: Option<Key>,
    new_revision: u64,
}

async fn write_beside(
    store: &Store,
    object: &Object,
    name: &str,
    config: &checked::Config,
    kept: Before,
) -> Result<(), Refusal> {
    let failed = |error: String| Refusal::new(RefusalKind::Failed, error);
    let history = History::of(&config.data_dir, name);
    let (store, object) = (store.clone(), object.clone());
    let written = tokio::task::spawn_blocking(move || {
        if let Some(revision) = kept.revision {
            let text = store.text(&object);
            let text = text.map_err(|error| failed(error.in_words()))?;
            history.keep(revision, &text.unwrap_or_default())?;
        }
        if let Some(Key::AccountKey(key) | Key::Sas(key)) = &kept.key {
            history.write_key(kept.new_revision, Hidden::expose(key).trim())?;
        }
        Ok(())
    });
    written.await.map_err(|error| failed(error.to_string()))?
}

/// Takes away what nothing names any more.
fn tidy(config: &checked::Config, name: &str) {
    let current = config.diagnostics.get(name);
    let storage = current.and_then(|current| current.storage.as_ref());
    let key = storage.map(|storage| match &storage.credential {
        checked::AccountCredential::KeyFile(file) | checked::AccountCredential::SasFile(file) => {
            file.as_path()
        }
    });
    History::of(&config.data_dir, name).tidy(key);
}
