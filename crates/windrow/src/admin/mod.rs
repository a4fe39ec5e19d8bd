//! Settings made by command: the verbs as types, who asks, and one way to apply them, on the running service or on a
//! data folder on which none runs.
//!
//! Whatever asks (the command line over the local socket, or in the data folder itself) brings a [`Request`] and an
//! [`Actor`]; `routes` is the same as paths with JSON bodies. Each change is a record of our own, refused ones too.

mod apply;
mod apply_client;
mod client;
mod diagnostics;
mod fallback;
mod forget;
mod refusal;
pub(crate) mod routes;
mod server;
mod subscription;
mod test;
mod view;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::access::Role;
pub(crate) use apply::{Place, apply, show};
pub use client::{Certificate, Client, ClientSet};
pub use diagnostics::{
    Configuration, Configurations, Conflicting, DiagnosticsChanged, DiagnosticsGet,
    DiagnosticsRemove, DiagnosticsRollback, DiagnosticsSet, DiagnosticsTested, Difference, Folder,
    Hidden, How, Key, Mode, Revision,
};
pub use forget::SourceForgotten;
pub use refusal::{Refusal, RefusalKind};
pub use server::{DEFAULT_NAME, ServerGet, ServerName, ServerSet};
pub use subscription::{
    Channel, Existing, Group, GroupSet, Named, RESETTABLE, Subscription, SubscriptionAdd,
    SubscriptionChanged, SubscriptionGet, SubscriptionKeys, SubscriptionSet, Subscriptions,
};
pub(crate) use subscription::{check as check_subscription, warnings_of_replacing};
pub use test::Tested;
pub use view::{ClientChanged, Server, ServerChanged, Servers};

/// Who asks for a change, as it is put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// A user of this machine.
    pub who: String,
    /// Where the request came from.
    pub from: String,
    /// What it came through.
    pub by: &'static str,
}

impl Actor {
    /// A user of this machine, by the id that the system vouches for.
    #[must_use]
    pub fn local(uid: u32, from: &str, by: &'static str) -> Actor {
        Actor {
            who: user_name(uid),
            from: from.to_owned(),
            by,
        }
    }
}

/// What can be asked for.
#[derive(Clone, Debug)]
pub enum Request {
    /// Sets a destination anew, all of it.
    ServerSet(Box<ServerSet>),
    /// Shows destinations.
    ServerGet(ServerGet),
    /// Takes a destination away.
    ServerRemove(ServerName),
    /// Switches a destination on.
    ServerEnable(ServerName),
    /// Switches a destination off, keeping its place.
    ServerDisable(ServerName),
    /// Sets the certificate that this side shows.
    ClientSet(ClientSet),
    /// Shows it.
    ClientGet,
    /// Takes it away.
    ClientRemove,
    /// Tests a destination.
    Test(ServerName),
    /// Adds a subscription.
    SubscriptionAdd(Box<SubscriptionAdd>),
    /// Changes parts of one.
    SubscriptionSet(Box<SubscriptionSet>),
    /// Shows subscriptions and groups of machines.
    SubscriptionGet(SubscriptionGet),
    /// Takes a subscription away.
    SubscriptionRemove(Named),
    /// Offers it again.
    SubscriptionEnable(Named),
    /// Offers it to nobody.
    SubscriptionDisable(Named),
    /// Sets a group of machines.
    GroupSet(GroupSet),
    /// Takes one away.
    GroupRemove(Named),
    /// Forgets a machine.
    SourceForget(Named),
    /// Sets a configuration of Azure Diagnostics.
    DiagnosticsSet(Box<DiagnosticsSet>),
    /// Shows those in force.
    DiagnosticsGet(DiagnosticsGet),
    /// Takes one away.
    DiagnosticsRemove(DiagnosticsRemove),
    /// Sets one again that was in force before.
    DiagnosticsRollback(Box<DiagnosticsRollback>),
    /// Tests one in force.
    DiagnosticsTest(Named),
}

/// The verbs, without what they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// [`Request::ServerSet`]
    ServerSet,
    /// [`Request::ServerGet`]
    ServerGet,
    /// [`Request::ServerRemove`]
    ServerRemove,
    /// [`Request::ServerEnable`]
    ServerEnable,
    /// [`Request::ServerDisable`]
    ServerDisable,
    /// [`Request::ClientSet`]
    ClientSet,
    /// [`Request::ClientGet`]
    ClientGet,
    /// [`Request::ClientRemove`]
    ClientRemove,
    /// [`Request::Test`]
    Test,
    /// [`Request::SubscriptionAdd`]
    SubscriptionAdd,
    /// [`Request::SubscriptionSet`]
    SubscriptionSet,
    /// [`Request::SubscriptionGet`]
    SubscriptionGet,
    /// [`Request::SubscriptionRemove`]
    SubscriptionRemove,
    /// [`Request::SubscriptionEnable`]
    SubscriptionEnable,
    /// [`Request::SubscriptionDisable`]
    SubscriptionDisable,
    /// [`Request::GroupSet`]
    GroupSet,
    /// [`Request::GroupRemove`]
    GroupRemove,
    /// [`Request::SourceForget`]
    SourceForget,
    /// [`Request::DiagnosticsSet`]
    DiagnosticsSet,
    /// [`Request::DiagnosticsGet`]
    DiagnosticsGet,
    /// [`Request::DiagnosticsRemove`]
    DiagnosticsRemove,
    /// [`Request::DiagnosticsRollback`]
    DiagnosticsRollback,
    /// [`Request::DiagnosticsTest`]
    DiagnosticsTest,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 23] = [
        Verb::ServerSet,
        Verb::ServerGet,
        Verb::ServerRemove,
        Verb::ServerEnable,
        Verb::ServerDisable,
        Verb::ClientSet,
        Verb::ClientGet,
        Verb::ClientRemove,
        Verb::Test,
        Verb::SubscriptionAdd,
        Verb::SubscriptionSet,
        Verb::SubscriptionGet,
        Verb::SubscriptionRemove,
        Verb::SubscriptionEnable,
        Verb::SubscriptionDisable,
        Verb::GroupSet,
        Verb::GroupRemove,
        Verb::SourceForget,
        Verb::DiagnosticsSet,
        Verb::DiagnosticsGet,
        Verb::DiagnosticsRemove,
        Verb::DiagnosticsRollback,
        Verb::DiagnosticsTest,
    ];

    /// Where it is asked for with a POST.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Verb::ServerSet => "/v1/syslog/server/set",
            Verb::ServerGet => "/v1/syslog/server/get",
            Verb::ServerRemove => "/v1/syslog/server/remove",
            Verb::ServerEnable => "/v1/syslog/server/enable",
            Verb::ServerDisable => "/v1/syslog/server/disable",
            Verb::ClientSet => "/v1/syslog/client/set",
            Verb::ClientGet => "/v1/syslog/client/get",
            Verb::ClientRemove => "/v1/syslog/client/remove",
            Verb::Test => "/v1/syslog/test",
            Verb::SubscriptionAdd => "/v1/subscription/add",
            Verb::SubscriptionSet => "/v1/subscription/set",
            Verb::SubscriptionGet => "/v1/subscription/get",
            Verb::SubscriptionRemove => "/v1/subscription/remove",
            Verb::SubscriptionEnable => "/v1/subscription/enable",
            Verb::SubscriptionDisable => "/v1/subscription/disable",
            Verb::GroupSet => "/v1/subscription/group/set",
            Verb::GroupRemove => "/v1/subscription/group/remove",
            Verb::SourceForget => "/v1/sources/forget",
            Verb::DiagnosticsSet => "/v1/diagnostics/set",
            Verb::DiagnosticsGet => "/v1/diagnostics/get",
            Verb::DiagnosticsRemove => "/v1/diagnostics/remove",
            Verb::DiagnosticsRollback => "/v1/diagnostics/rollback",
            Verb::DiagnosticsTest => "/v1/diagnostics/test",
        }
    }

    /// The verb of a path.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.path() == path)
    }

    /// What an account needs to ask for it. A test changes nothing, and sends no more than a mark to where events go
    /// already.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Verb::ServerGet | Verb::ClientGet | Verb::SubscriptionGet | Verb::DiagnosticsGet => {
                Role::Viewer
            }
            Verb::Test | Verb::DiagnosticsTest => Role::Analyst,
            Verb::ServerSet
            | Verb::ServerRemove
            | Verb::ServerEnable
            | Verb::ServerDisable
            | Verb::ClientSet
            | Verb::ClientRemove
            | Verb::SubscriptionAdd
            | Verb::SubscriptionSet
            | Verb::SubscriptionRemove
            | Verb::SubscriptionEnable
            | Verb::SubscriptionDisable
            | Verb::GroupSet
            | Verb::GroupRemove
            | Verb::SourceForget
            | Verb::DiagnosticsSet
            | Verb::DiagnosticsRemove
            | Verb::DiagnosticsRollback => Role::Admin,
        }
    }

    /// Whether it is about where events go, and not about where they come from.
    #[must_use]
    pub(crate) fn is_of_syslog(self) -> bool {
        self.path().starts_with("/v1/syslog/")
    }

    /// Whether it is about configurations of Azure Diagnostics.
    #[must_use]
    pub(crate) fn is_of_diagnostics(self) -> bool {
        self.path().starts_with("/v1/diagnostics/")
    }

    /// What it comes through on this machine, as records say it.
    #[must_use]
    pub(crate) fn command(self) -> &'static str {
        match self {
            Verb::SourceForget => "windrow sources",
            verb if verb.is_of_diagnostics() => "windrow diagnostics",
            verb if verb.is_of_syslog() => "windrow syslog",
            _ => "windrow subscription",
        }
    }

    /// The word for it in a record.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verb::ServerSet
            | Verb::ClientSet
            | Verb::SubscriptionSet
            | Verb::GroupSet
            | Verb::DiagnosticsSet => "set",
            Verb::ServerGet | Verb::ClientGet | Verb::SubscriptionGet | Verb::DiagnosticsGet => {
                "get"
            }
            Verb::DiagnosticsRollback => "rollback",
            Verb::ServerRemove
            | Verb::ClientRemove
            | Verb::SubscriptionRemove
            | Verb::GroupRemove
            | Verb::DiagnosticsRemove => "remove",
            Verb::ServerEnable | Verb::SubscriptionEnable => "enable",
            Verb::ServerDisable | Verb::SubscriptionDisable => "disable",
            Verb::SubscriptionAdd => "add",
            Verb::Test | Verb::DiagnosticsTest => "test",
            Verb::SourceForget => "forget",
        }
    }
}

impl Request {
    /// Its verb.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Request::ServerSet(_) => Verb::ServerSet,
            Request::ServerGet(_) => Verb::ServerGet,
            Request::ServerRemove(_) => Verb::ServerRemove,
            Request::ServerEnable(_) => Verb::ServerEnable,
            Request::ServerDisable(_) => Verb::ServerDisable,
            Request::ClientSet(_) => Verb::ClientSet,
            Request::ClientGet => Verb::ClientGet,
            Request::ClientRemove => Verb::ClientRemove,
            Request::Test(_) => Verb::Test,
            Request::SubscriptionAdd(_) => Verb::SubscriptionAdd,
            Request::SubscriptionSet(_) => Verb::SubscriptionSet,
            Request::SubscriptionGet(_) => Verb::SubscriptionGet,
            Request::SubscriptionRemove(_) => Verb::SubscriptionRemove,
            Request::SubscriptionEnable(_) => Verb::SubscriptionEnable,
            Request::SubscriptionDisable(_) => Verb::SubscriptionDisable,
            Request::GroupSet(_) => Verb::GroupSet,
            Request::GroupRemove(_) => Verb::GroupRemove,
            Request::SourceForget(_) => Verb::SourceForget,
            Request::DiagnosticsSet(_) => Verb::DiagnosticsSet,
            Request::DiagnosticsGet(_) => Verb::DiagnosticsGet,
            Request::DiagnosticsRemove(_) => Verb::DiagnosticsRemove,
            Request::DiagnosticsRollback(_) => Verb::DiagnosticsRollback,
            Request::DiagnosticsTest(_) => Verb::DiagnosticsTest,
        }
    }

    /// Reads the JSON that goes with a verb.
    ///
    /// # Errors
    /// It does not fit the verb.
    pub fn from_json(verb: Verb, json: &[u8]) -> Result<Request, serde_json::Error> {
        is_object(json)?;
        Ok(match verb {
            Verb::ServerSet => Request::ServerSet(serde_json::from_slice(json)?),
            Verb::ServerGet => Request::ServerGet(serde_json::from_slice(json)?),
            Verb::ServerRemove => Request::ServerRemove(serde_json::from_slice(json)?),
            Verb::ServerEnable => Request::ServerEnable(serde_json::from_slice(json)?),
            Verb::ServerDisable => Request::ServerDisable(serde_json::from_slice(json)?),
            Verb::ClientSet => Request::ClientSet(serde_json::from_slice(json)?),
            Verb::Test => Request::Test(serde_json::from_slice(json)?),
            Verb::SubscriptionAdd => Request::SubscriptionAdd(serde_json::from_slice(json)?),
            Verb::SubscriptionSet => Request::SubscriptionSet(serde_json::from_slice(json)?),
            Verb::SubscriptionGet => Request::SubscriptionGet(serde_json::from_slice(json)?),
            Verb::SubscriptionRemove => Request::SubscriptionRemove(serde_json::from_slice(json)?),
            Verb::SubscriptionEnable => Request::SubscriptionEnable(serde_json::from_slice(json)?),
            Verb::SubscriptionDisable => {
                Request::SubscriptionDisable(serde_json::from_slice(json)?)
            }
            Verb::GroupSet => Request::GroupSet(serde_json::from_slice(json)?),
            Verb::GroupRemove => Request::GroupRemove(serde_json::from_slice(json)?),
            Verb::SourceForget => Request::SourceForget(serde_json::from_slice(json)?),
            Verb::DiagnosticsSet => Request::DiagnosticsSet(serde_json::from_slice(json)?),
            Verb::DiagnosticsGet => Request::DiagnosticsGet(serde_json::from_slice(json)?),
            Verb::DiagnosticsRemove => Request::DiagnosticsRemove(serde_json::from_slice(json)?),
            Verb::DiagnosticsRollback => {
                Request::DiagnosticsRollback(serde_json::from_slice(json)?)
            }
            Verb::DiagnosticsTest => Request::DiagnosticsTest(serde_json::from_slice(json)?),
            Verb::ClientGet => {
                let Nothing {} = serde_json::from_slice(json)?;
                Request::ClientGet
            }
            Verb::ClientRemove => {
                let Nothing {} = serde_json::from_slice(json)?;
                Request::ClientRemove
            }
        })
    }

    /// The JSON that goes with its verb.
    ///
    /// # Errors
    /// A path that is not text.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Request::ServerSet(set) => serde_json::to_vec(set),
            Request::ServerGet(get) => serde_json::to_vec(get),
            Request::ServerRemove(name)
            | Request::ServerEnable(name)
            | Request::ServerDisable(name)
            | Request::Test(name) => serde_json::to_vec(name),
            Request::ClientSet(set) => set.to_json(),
            Request::SubscriptionAdd(add) => serde_json::to_vec(add),
            Request::SubscriptionSet(set) => serde_json::to_vec(set),
            Request::SubscriptionGet(get) => serde_json::to_vec(get),
            Request::SubscriptionRemove(named)
            | Request::SubscriptionEnable(named)
            | Request::SubscriptionDisable(named)
            | Request::GroupRemove(named)
            | Request::SourceForget(named)
            | Request::DiagnosticsTest(named) => serde_json::to_vec(named),
            Request::GroupSet(set) => serde_json::to_vec(set),
            Request::DiagnosticsSet(set) => serde_json::to_vec(set),
            Request::DiagnosticsGet(get) => serde_json::to_vec(get),
            Request::DiagnosticsRemove(remove) => serde_json::to_vec(remove),
            Request::DiagnosticsRollback(back) => serde_json::to_vec(back),
            Request::ClientGet | Request::ClientRemove => Ok(b"{}".to_vec()),
        }
    }
}

/// Refuses what is no object before it is looked at: a list of values without their names would be taken for one.
///
/// # Errors
/// In words.
pub(crate) fn is_object(json: &[u8]) -> Result<(), serde_json::Error> {
    use serde::de::Error as _;
    match json.trim_ascii_start().first() {
        Some(b'{') => Ok(()),
        None => Err(serde_json::Error::custom(
            "the request is empty: expected a JSON object, {} at least",
        )),
        Some(_) => Err(serde_json::Error::custom(
            "expected a JSON object such as {\"name\":\"default\"}",
        )),
    }
}

/// A request that says nothing more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::ServerGet`].
    Servers(Servers),
    /// To a change of a destination.
    ServerChanged(Box<ServerChanged>),
    /// To [`Request::ClientGet`].
    Client(Box<Client>),
    /// To a change of the certificate.
    ClientChanged(Box<ClientChanged>),
    /// To [`Request::Test`].
    Tested(Box<Tested>),
    /// To [`Request::SubscriptionGet`].
    Subscriptions(Subscriptions),
    /// To a change of a subscription or a group.
    SubscriptionChanged(Box<SubscriptionChanged>),
    /// To [`Request::SourceForget`].
    SourceForgotten(SourceForgotten),
    /// To [`Request::DiagnosticsGet`].
    Configurations(Configurations),
    /// To a change of a configuration of Azure Diagnostics.
    DiagnosticsChanged(Box<DiagnosticsChanged>),
    /// To [`Request::DiagnosticsTest`].
    DiagnosticsTested(Box<DiagnosticsTested>),
}

/// Most bytes of a value that somebody has set where it is shown again, as in a record: a query may be far longer than what
/// a reader should have to scroll past.
const SHOWN_BYTES_MAX: usize = 512;

/// A value as it is shown again.
fn shortened(text: String) -> String {
    cut(text, SHOWN_BYTES_MAX)
}

/// The first `most` bytes of a text, and how many it has.
fn cut(mut text: String, most: usize) -> String {
    let bytes = text.len();
    if bytes > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str(&format!("… ({bytes} bytes)"));
    }
    text
}

/// The name of a user, with the id, which alone is certain.
fn user_name(uid: u32) -> String {
    let users = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then_some(name)
    });
    match found {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}
