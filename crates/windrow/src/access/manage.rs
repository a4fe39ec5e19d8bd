//! Tokens made, listed and taken away. Only from this machine, by whom the data folder belongs to: an account of the
//! endpoint makes no accounts.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use windrow_formats::own::{EndpointAction, EndpointEvent};

use super::tokens::{Shown, Tokens, TokensError};
use super::{Role, Secret};
use crate::admin::{Actor, Refusal, RefusalKind, is_object};
use crate::service::Recorder;

/// What changes of tokens come through, as records say it.
pub(crate) const BY: &str = "windrow admin token";
/// Days that a token may be good for; one without an end has none.
const DAYS_MAX: u32 = 3_650;

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Makes a token.
    Add(Add),
    /// Makes one anew.
    Renew(Named),
    /// Takes one away.
    Remove(Named),
    /// Shows them all.
    List,
}

/// A token to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// Its name: whose it is.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// How long it is good for; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// A token that there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// How long a new one is good for; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// What is answered.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A new token.
    Made(Made),
    /// One that is gone.
    Removed(Removed),
    /// All of them.
    Tokens(Vec<Shown>),
}

/// A new token.
#[derive(Serialize, Deserialize)]
pub struct Made {
    /// What is shown of it.
    pub shown: Shown,
    /// The token itself: the only time that it is seen.
    pub token: String,
    /// What deserves a look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A token that is gone.
#[derive(Serialize, Deserialize)]
pub struct Removed {
    /// What it was.
    #[serde(flatten)]
    pub shown: Shown,
    /// What deserves a look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The verbs, without what they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// [`Request::Add`]
    Add,
    /// [`Request::Renew`]
    Renew,
    /// [`Request::Remove`]
    Remove,
    /// [`Request::List`]
    List,
}

impl Verb {
    const ALL: [Verb; 4] = [Verb::Add, Verb::Renew, Verb::Remove, Verb::List];

    /// Where it is asked for with a POST.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Verb::Add => "/v1/admin/token/add",
            Verb::Renew => "/v1/admin/token/renew",
            Verb::Remove => "/v1/admin/token/remove",
            Verb::List => "/v1/admin/token/list",
        }
    }

    /// The verb of a path.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.path() == path)
    }

    fn word(self) -> &'static str {
        let path = self.path();
        path.rsplit('/').next().unwrap_or(path)
    }
}

impl Request {
    /// Its verb.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Request::Add(_) => Verb::Add,
            Request::Renew(_) => Verb::Renew,
            Request::Remove(_) => Verb::Remove,
            Request::List => Verb::List,
        }
    }

    /// Reads the JSON that goes with a verb.
    ///
    /// # Errors
    /// It does not fit the verb.
    pub fn from_json(verb: Verb, json: &[u8]) -> Result<Request, serde_json::Error> {
        is_object(json)?;
        Ok(match verb {
            Verb::Add => Request::Add(serde_json::from_slice(json)?),
            Verb::Renew => Request::Renew(serde_json::from_slice(json)?),
            Verb::Remove => Request::Remove(serde_json::from_slice(json)?),
            Verb::List => Request::List,
        })
    }

    /// The JSON that goes with its verb.
    ///
    /// # Errors
    /// None that a text could bring about.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Request::Add(add) => serde_json::to_vec(add),
            Request::Renew(named) | Request::Remove(named) => serde_json::to_vec(named),
            Request::List => Ok(b"{}".to_vec()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Request::Add(add) => &add.name,
            Request::Renew(named) | Request::Remove(named) => &named.name,
            Request::List => "",
        }
    }
}

/// Does what is asked for, with `tokens` as they are after it. For whoever may change them alone.
///
/// # Errors
/// Why not; they are as they were.
pub(crate) async fn apply(
    tokens: &Mutex<Tokens>,
    request: Request,
    actor: &Actor,
    recorder: &Recorder,
    endpoint: &str,
) -> Result<Answer, Refusal> {
    let before = crate::service::lock(tokens).clone();
    if request == Request::List {
        return Ok(Answer::Tokens(before.shown()));
    }
    let record = Record {
        verb: request.verb(),
        name: request.name().to_owned(),
        role: before.role(request.name()),
        actor,
        endpoint,
    };
    let changed = tokio::task::spawn_blocking(move || change(&before, &request)).await;
    let changed = changed.map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
    match changed {
        Ok((after, answer)) => {
            let role = record.role.or_else(|| after.role(&record.name));
            *crate::service::lock(tokens) = after;
            record.changed(recorder, role).await;
            Ok(answer)
        }
        Err(refusal) => {
            record.refused(recorder, &refusal.message).await;
            Err(refusal)
        }
    }
}

fn change(before: &Tokens, request: &Request) -> Result<(Tokens, Answer), Refusal> {
    let (after, secret) = match request {
        Request::Add(add) => before.with(&add.name, add.role, end(add.days)?),
        Request::Renew(named) => before.renewed(&named.name, end(named.days)?),
        Request::Remove(named) => {
            let after = before.without(&named.name).map_err(refusal)?;
            let gone = Removed {
                shown: one(before, &named.name)?,
                warnings: after.disk().warning().into_iter().collect(),
            };
            return Ok((after, Answer::Removed(gone)));
        }
        Request::List => return Err(Refusal::invalid("this changes no token")),
    }
    .map_err(refusal)?;
    let made = Made {
        shown: one(&after, request.name())?,
        token: Secret::expose(&secret).to_owned(),
        warnings: after.disk().warning().into_iter().collect(),
    };
    Ok((after, Answer::Made(made)))
}

fn one(tokens: &Tokens, name: &str) -> Result<Shown, Refusal> {
    let found = tokens.shown().into_iter().find(|shown| shown.name == name);
    found.ok_or_else(|| refusal(TokensError::Unknown(name.to_owned())))
}

fn end(days: Option<u32>) -> Result<Option<Timestamp>, Refusal> {
    let Some(days) = days else {
        return Ok(None);
    };
    if !(1..=DAYS_MAX).contains(&days) {
        let message = format!("a token is good for 1 to {DAYS_MAX} days, or for ever");
        return Err(Refusal::invalid(message));
    }
    let time = SignedDuration::from_hours(24 * i64::from(days));
    Ok(Timestamp::now().checked_add(time).ok())
}

pub(crate) fn refusal(error: TokensError) -> Refusal {
    let kind = match &error {
        TokensError::Unknown(_) => RefusalKind::NotFound,
        TokensError::Taken(_) | TokensError::Name(_) | TokensError::TooMany => RefusalKind::Invalid,
        _ => RefusalKind::Failed,
    };
    let refusal = Refusal::new(kind, error.to_string());
    match error {
        TokensError::Taken(_) => {
            refusal.hint("`windrow admin token renew` makes a new one in its place")
        }
        TokensError::Unknown(_) => refusal.hint("`windrow admin token list` shows those there are"),
        _ => refusal,
    }
}

/// What is put on record of a change.
struct Record<'a> {
    verb: Verb,
    name: String,
    /// What it may do, if there was one.
    role: Option<Role>,
    actor: &'a Actor,
    endpoint: &'a str,
}

impl Record<'_> {
    async fn changed(&self, recorder: &Recorder, role: Option<Role>) {
        let (object, verb) = (format!("access.token.{}", self.name), self.verb.word());
        let (who, from) = (&*self.actor.who, &*self.actor.from);
        let as_role =
            |role: Option<Role>| role.map_or_else(String::new, |role| format!("role={role}"));
        let old = as_role(self.role);
        let new = match self.verb {
            Verb::Remove => String::new(),
            _ => as_role(role),
        };
        tracing::info!(object, verb, who, from, "a token was changed");
        let message = format!("{object}: {verb} by {who} from {from}");
        let data = [
            ("Object", &*object),
            ("Verb", verb),
            ("Who", who),
            ("From", from),
            ("By", self.actor.by),
            ("Old", &old),
            ("New", &new),
        ];
        recorder.account_changed(&message, &data).await;
        if role != Some(Role::Admin) {
            return;
        }
        let action = match self.verb {
            Verb::Add => EndpointAction::NewCloudAdminUser,
            Verb::Renew => EndpointAction::SetCloudAdminUserPassword,
            Verb::Remove => EndpointAction::RemoveCloudAdminUser,
            Verb::List => return,
        };
        let event = EndpointEvent {
            action,
            time: Timestamp::now(),
            who: who.into(),
            which_ip: self.endpoint.into(),
            from: None,
            session: None,
            account: Some(super::who(&self.name, "token").into()),
        };
        recorder.endpoint(&event).await;
    }

    async fn refused(&self, recorder: &Recorder, reason: &str) {
        let (object, verb) = (format!("access.token.{}", self.name), self.verb.word());
        let (who, from) = (&*self.actor.who, &*self.actor.from);
        let message = format!("{object}: {verb} by {who} from {from} was refused: {reason}");
        let data = [
            ("Object", &*object),
            ("Verb", verb),
            ("Who", who),
            ("From", from),
            ("By", self.actor.by),
            ("Reason", reason),
        ];
        recorder.setting_refused(&message, &data).await;
    }
}
