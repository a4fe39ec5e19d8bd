//! Certificates, keys, keytabs and lists of revoked certificates of what listens, taken up when their
//! files change: whatever renews them need not know that windrow is there.
//!
//! The files of a listener are taken up together or not at all. A key is often written a moment after its
//! certificate, so what cannot be used is tried once more before anybody is told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_pipeline::stamp::Stamp;

use super::limits::FILES_LOOK;
use super::{Service, WeakService, endpoint};
use crate::config::checked::{self, WefAuthentication};

/// What listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Listener {
    /// A source of this name.
    Wef(String),
    /// The privileged endpoint.
    Endpoint,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listener::Wef(name) => write!(f, "source.wef.{name}"),
            Listener::Endpoint => f.write_str("admin"),
        }
    }
}

/// Files, each with what it is now; none where there is none.
type Stamps = Vec<(PathBuf, Option<Stamp>)>;

/// The files of a listener as they were looked at last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    stamps: Stamps,
    outcome: Outcome,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    InForce,
    /// They cannot be used, which may be over at the next look.
    Failed,
    /// The same, and it is on record.
    Refused,
}

/// What is to be put on record.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Nothing,
    InForce,
    Refused,
}

impl Seen {
    /// Whether there is something to take up, where the files are like this now.
    fn is_over(&self, stamps: &Stamps) -> bool {
        self.stamps != *stamps || self.outcome == Outcome::Failed
    }

    /// What they are from now on, and what is to be said of it. What was not seen before was read at the
    /// start, or at a reload: that it is in force is no news.
    fn next(before: Option<&Seen>, stamps: Stamps, is_usable: bool) -> (Seen, News) {
        let same_files = |seen: &&Seen| {
            let before = seen.stamps.iter().map(|(path, _)| path);
            before.eq(stamps.iter().map(|(path, _)| path))
        };
        let before = before.filter(same_files);
        let (outcome, news) = match (before, is_usable) {
            (None, true) => (Outcome::InForce, News::Nothing),
            (Some(_), true) => (Outcome::InForce, News::InForce),
            (Some(seen), false) if seen.stamps == stamps => (Outcome::Refused, News::Refused),
            (_, false) => (Outcome::Failed, News::Nothing),
        };
        (Seen { stamps, outcome }, news)
    }
}

/// Looks at the files until `shutdown`.
pub(super) async fn run(service: WeakService, shutdown: CancellationToken) {
    let mut seen: BTreeMap<Listener, Seen> = BTreeMap::new();
    let mut look = tokio::time::interval(FILES_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = look.tick() => {}
        }
        let Some(service) = service.upgrade() else {
            return;
        };
        // A reload meanwhile would take up other files than these.
        let _turn = service.turn().await;
        let listeners = listeners(&service.config());
        seen.retain(|listener, _| listeners.contains_key(listener));
        for (listener, files) in listeners {
            // Before they are read: what changes in between is seen at the next look.
            let stamps: Stamps = files.into_iter().map(stamped).collect();
            let before = seen.get(&listener);
            if before.is_some_and(|seen| !seen.is_over(&stamps)) {
                continue;
            }
            let taken_up = take_up(&service, &listener);
            let (now, news) = Seen::next(before, stamps, taken_up.is_ok());
            record(&service, &listener, &news, taken_up.err()).await;
            seen.insert(listener, now);
        }
    }
}

/// Everything that listens over TLS or with Kerberos, and its files.
fn listeners(config: &checked::Config) -> BTreeMap<Listener, Vec<PathBuf>> {
    let sources = config.source.wef.iter();
    let mut listeners: BTreeMap<Listener, Vec<PathBuf>> = sources
        .map(|(name, source)| {
            let files = of_source(&source.authentication);
            (Listener::Wef(name.clone()), files)
        })
        .collect();
    let admin = &config.admin;
    if let Some(identity) = admin.identity.as_ref().filter(|_| admin.enabled) {
        let files = [&identity.certificate, &identity.key].into_iter();
        let files = files.chain(&admin.client_ca).cloned().collect();
        listeners.insert(Listener::Endpoint, files);
    }
    listeners
}

/// The files by which a source and its machines know each other.
fn of_source(authentication: &WefAuthentication) -> Vec<PathBuf> {
    match authentication {
        WefAuthentication::Tls(tls) => {
            let identity = [&tls.certificate, &tls.key, &tls.client_ca].into_iter();
            identity.chain(&tls.crl).cloned().collect()
        }
        WefAuthentication::Kerberos(kerberos) => vec![kerberos.keytab.clone()],
    }
}

fn stamped(path: PathBuf) -> (PathBuf, Option<Stamp>) {
    let metadata = fs_err::metadata(&path).ok();
    let stamp = metadata.as_ref().map(Stamp::of);
    (path, stamp)
}

/// Reads them and puts them in force; the old ones stay where that fails.
fn take_up(service: &Service, listener: &Listener) -> anyhow::Result<()> {
    let shared = &service.shared;
    match (listener, &shared.endpoint) {
        (Listener::Wef(name), _) => shared.sources.renew(name),
        (Listener::Endpoint, Some(endpoint)) => {
            endpoint.take_up(endpoint::prepare(&service.config().admin)?);
            Ok(())
        }
        (Listener::Endpoint, None) => Ok(()),
    }
}

async fn record(service: &Service, listener: &Listener, news: &News, error: Option<anyhow::Error>) {
    let object = &*listener.to_string();
    let reason = error.map_or_else(String::new, |error| format!("{error:#}"));
    let recorder = service.recorder();
    match news {
        News::Nothing if reason.is_empty() => {}
        News::Nothing => tracing::debug!("files of {object} cannot be used yet: {reason}"),
        News::InForce => {
            let message = format!("{object}: its files have changed and are in force");
            tracing::info!("{message}");
            let (id, level) = (OwnEventId::FilesTakenUp, OwnLevel::Information);
            let data = [("Object", object)];
            recorder.record(id, level, &message, &data).await;
        }
        News::Refused => {
            let message =
                format!("{object}: its files have changed and the old ones stay: {reason}");
            tracing::error!("{message}");
            let (id, level) = (OwnEventId::FilesRefused, OwnLevel::Warning);
            let data = [("Object", object), ("Reason", &*reason)];
            recorder.record(id, level, &message, &data).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_under_the_same_name_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        let stamp = || stamped(path.clone()).1;
        assert_eq!(stamp(), None);
        std::fs::write(&path, "one").unwrap();
        let first = stamp();
        assert_eq!(stamp(), first);
        // As careful programs replace a file: of the same size, put in its place.
        let (next, modified) = (folder.path().join("next"), std::fs::metadata(&path));
        std::fs::write(&next, "two").unwrap();
        let next_file = std::fs::File::options().write(true).open(&next).unwrap();
        next_file
            .set_modified(modified.unwrap().modified().unwrap())
            .unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_ne!(stamp(), first);
        // And as others write over it.
        let second = stamp();
        std::fs::write(&path, "longer").unwrap();
        assert_ne!(stamp(), second);
    }

    #[test]
    fn a_key_that_others_could_read_is_tried_again_once_they_cannot() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "key").unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).unwrap();
            vec![stamped(path.clone())]
        };
        let (seen, _) = Seen::next(None, set(0o600), true);
        let (seen, _) = Seen::next(Some(&seen), set(0o644), false);
        let (seen, news) = Seen::next(Some(&seen), vec![stamped(path.clone())], false);
        assert_eq!(news, News::Refused);
        let mended = set(0o600);
        assert!(seen.is_over(&mended), "it would never be looked at again");
        let (_, news) = Seen::next(Some(&seen), mended, true);
        assert_eq!(news, News::InForce);
    }

    #[test]
    fn what_cannot_be_used_is_told_once_and_not_at_first() {
        let folder = tempfile::tempdir().unwrap();
        let at = |number: usize| folder.path().join(number.to_string());
        for number in 1..=3 {
            fs_err::write(at(number), "x".repeat(number)).unwrap();
        }
        let stamps = |number: usize| -> Stamps {
            let (_, stamp) = stamped(at(number));
            vec![(PathBuf::from("a"), stamp)]
        };
        let (seen, news) = Seen::next(None, stamps(1), true);
        assert_eq!(news, News::Nothing, "it was read at the start");
        assert!(!seen.is_over(&stamps(1)) && seen.is_over(&stamps(2)));
        // Half of them are written: the key is still the old one's.
        let (seen, news) = Seen::next(Some(&seen), stamps(2), false);
        assert_eq!(news, News::Nothing);
        let (done, news) = Seen::next(Some(&seen), stamps(3), true);
        assert_eq!(news, News::InForce);
        assert!(!done.is_over(&stamps(3)));
        // It stays so.
        assert!(seen.is_over(&stamps(2)));
        let (seen, news) = Seen::next(Some(&seen), stamps(2), false);
        assert_eq!(news, News::Refused);
        assert!(!seen.is_over(&stamps(2)), "it would be told at every look");
        let (_, news) = Seen::next(Some(&seen), stamps(3), true);
        assert_eq!(news, News::InForce);
        // Other files by a reload are no change of these.
        let others: Stamps = vec![(PathBuf::from("b"), None)];
        let (_, news) = Seen::next(Some(&seen), others, true);
        assert_eq!(news, News::Nothing);
    }
}
