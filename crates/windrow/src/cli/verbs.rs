//! Has verbs done: by the running service, by the service of another machine, or in the data folder where none runs.

use std::path::Path;

use super::Invocation;
use super::reach::{Aim, Reached, reach};
use crate::access::Role;
use crate::admin::{self, Actor, Answer, Place, Refusal, RefusalKind, Request, Verb};
use crate::client::{Client, Refused};
use crate::config::checked;
use crate::datadir::{DataDir, DataDirError, Purpose};
use crate::exit::{self, UsageError};
use crate::service::Offline;

/// Where requests of one command are done.
pub(super) struct Verbs {
    done_by: DoneBy,
}

enum DoneBy {
    /// A service.
    Service(Client),
    /// Nobody runs, and nothing was changed yet.
    Config(Box<checked::Config>),
    /// The data folder, which is locked for this.
    Folder(Box<Place>),
    /// The folder was given back, or could not be locked.
    Nobody,
}

impl Verbs {
    /// Finds who does what `verb` is about.
    ///
    /// # Errors
    /// The service cannot be reached, or there is neither a service nor a configuration that can be used.
    pub(super) async fn open(invocation: &Invocation, verb: Verb) -> anyhow::Result<Verbs> {
        if let Some(target) = invocation.remote.target(invocation.loader.environment())? {
            invocation.start_log();
            let done_by = DoneBy::Service(Client::connect_to(&target).await?);
            return Ok(Verbs { done_by });
        }
        invocation.start_log();
        let aim = match verb.role() {
            Role::Viewer => Aim::Ask,
            Role::Analyst | Role::Admin => Aim::Act,
        };
        let done_by = match reach(invocation, aim).await? {
            Reached::Service(service) => DoneBy::Service(service),
            Reached::AtRest(config) => {
                usable(&config.data_dir)?;
                DoneBy::Config(config)
            }
        };
        Ok(Verbs { done_by })
    }

    /// Has one request done. One that is refused leaves the next ones their chance.
    ///
    /// # Errors
    /// The refusal, or nobody answers.
    pub(super) async fn ask(&mut self, request: Request) -> anyhow::Result<Answer> {
        if let DoneBy::Service(service) = &mut self.done_by {
            let path = request.verb().path();
            let answer = service.post_whole(path, request.to_json()?).await;
            return Ok(serde_json::from_slice(&answer.map_err(refused_there)?)?);
        }
        if let DoneBy::Config(config) = &self.done_by
            && let Some(shown) = admin::show(config, &request).await
        {
            return shown.map_err(refused);
        }
        let actor = Actor::local(
            effective_user(),
            "this machine, the service not running",
            request.verb().command(),
        );
        let place = self.folder()?;
        admin::apply(place, request, &actor).await.map_err(refused)
    }

    fn folder(&mut self) -> anyhow::Result<&mut Place> {
        if let DoneBy::Config(config) = &self.done_by {
            let config = (**config).clone();
            self.done_by = DoneBy::Nobody;
            let offline = Offline::open(config)?;
            self.done_by = DoneBy::Folder(Box::new(Place::Offline(Box::new(offline))));
        }
        match &mut self.done_by {
            DoneBy::Folder(place) => Ok(place),
            _ => Err(anyhow::anyhow!("the data folder is no longer open")),
        }
    }

    /// Makes everything durable.
    pub(super) async fn close(self) {
        if let DoneBy::Folder(place) = self.done_by
            && let Place::Offline(offline) = *place
        {
            offline.close().await;
        }
    }
}

/// Has one request done.
///
/// # Errors
/// As [`Verbs::ask`].
pub(super) async fn ask(invocation: &Invocation, request: Request) -> anyhow::Result<Answer> {
    let mut verbs = Verbs::open(invocation, request.verb()).await?;
    let answer = verbs.ask(request).await;
    verbs.close().await;
    answer
}

/// Where there is no folder yet there are no settings made by command; in one of another layout they may be elsewhere.
pub(super) fn usable(data_dir: &Path) -> Result<(), DataDirError> {
    match DataDir::open(data_dir, Purpose::Read) {
        Ok(_) | Err(DataDirError::Absent(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The service's refusal, if that is what it is.
pub(super) fn refused_there(error: anyhow::Error) -> anyhow::Error {
    let said = error.downcast_ref::<Refused>();
    match said.and_then(|said| serde_json::from_str(&said.reason).ok()) {
        Some(refusal) => refused(refusal),
        None => error,
    }
}

pub(super) fn refused(refusal: Refusal) -> anyhow::Error {
    let error = match refusal.kind {
        RefusalKind::Invalid | RefusalKind::Elsewhere => UsageError(refusal.message).into(),
        RefusalKind::NotFound
        | RefusalKind::Failed
        | RefusalKind::Unauthenticated
        | RefusalKind::Forbidden
        | RefusalKind::Throttled => anyhow::Error::msg(refusal.message),
    };
    match refusal.hint {
        Some(hint) => exit::hinted(error, hint),
        None => error,
    }
}

pub(super) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}
