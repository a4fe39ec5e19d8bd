//! Sessions: an account at the endpoint from one address, from its first request until a little after its last connection.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::limits::{IDLE, SESSION_LINGER, SESSIONS_MAX};
use super::lock;

/// A connection that is closed this much before its time was closed because of it all the same.
const EARLY: Duration = Duration::from_secs(1);

/// Those that are open.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<Key, Open>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    who: String,
    from: IpAddr,
}

struct Open {
    session: Session,
    connections: usize,
    used: Instant,
    /// When its last connection ended.
    left: Option<Instant>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// The same from its opening to its end.
    pub(super) id: String,
    /// The account.
    pub(super) who: String,
    /// Where it is used from.
    pub(super) from: IpAddr,
    /// The address of the endpoint that was called first.
    pub(super) endpoint: IpAddr,
}

/// A session that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) session: Session,
    /// Whether it ended by itself, nothing having been asked for too long.
    pub(super) timed_out: bool,
}

/// One more would be too many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A connection, and the accounts that it was used by.
pub(super) struct Connection {
    sessions: Arc<Sessions>,
    from: IpAddr,
    endpoint: IpAddr,
    used_by: Mutex<BTreeSet<String>>,
}

impl Sessions {
    /// Those that have ended at `now`.
    pub(super) fn ended(&self, now: Instant) -> Vec<Ended> {
        let is_over = |open: &Open| {
            let left = open.left.filter(|_| open.connections == 0);
            left.is_some_and(|left| now.saturating_duration_since(left) >= SESSION_LINGER)
        };
        let mut open = lock(&self.open);
        let over = open.extract_if(|_, open| is_over(open));
        over.map(|(_, open)| open.end()).collect()
    }

    /// All of them, ended now.
    pub(super) fn end_all(&self) -> Vec<Ended> {
        let mut open = lock(&self.open);
        open.drain().map(|(_, open)| open.end()).collect()
    }
}

impl Open {
    fn end(self) -> Ended {
        let idle = self
            .left
            .map(|left| left.saturating_duration_since(self.used));
        Ended {
            session: self.session,
            timed_out: idle.is_some_and(|idle| idle + EARLY >= IDLE),
        }
    }
}

impl Connection {
    pub(super) fn new(sessions: Arc<Sessions>, from: IpAddr, endpoint: IpAddr) -> Connection {
        Connection {
            sessions,
            from,
            endpoint,
            used_by: Mutex::default(),
        }
    }

    /// It is used by an account now. The session, if that opens one.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn used_by(&self, who: &str, now: Instant) -> Result<Option<Session>, Full> {
        let key = self.key(who);
        let mut sessions = lock(&self.sessions.open);
        let mut used_by = lock(&self.used_by);
        if !sessions.contains_key(&key) {
            if sessions.len() >= SESSIONS_MAX {
                return Err(Full);
            }
            let session = Session {
                id: uuid::Uuid::new_v4().to_string(),
                who: who.to_owned(),
                from: self.from,
                endpoint: self.endpoint,
            };
            used_by.insert(who.to_owned());
            let open = Open {
                session: session.clone(),
                connections: 1,
                used: now,
                left: None,
            };
            sessions.insert(key, open);
            return Ok(Some(session));
        }
        if let Some(open) = sessions.get_mut(&key) {
            open.used = now;
            open.connections += usize::from(used_by.insert(who.to_owned()));
        }
        Ok(None)
    }

    /// A request of an account is done.
    pub(super) fn done(&self, who: &str, now: Instant) {
        if let Some(open) = lock(&self.sessions.open).get_mut(&self.key(who)) {
            open.used = now;
        }
    }

    fn close(&self, now: Instant) {
        let mut sessions = lock(&self.sessions.open);
        for who in std::mem::take(&mut *lock(&self.used_by)) {
            if let Some(open) = sessions.get_mut(&self.key(&who)) {
                open.connections = open.connections.saturating_sub(1);
                open.left = Some(now);
            }
        }
    }

    fn key(&self, who: &str) -> Key {
        Key {
            who: who.to_owned(),
            from: self.from,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(sessions: &Arc<Sessions>, from: u8) -> Connection {
        let address = |last| IpAddr::from([10, 0, 0, last]);
        Connection::new(sessions.clone(), address(from), address(1))
    }

    #[test]
    fn a_session_goes_on_over_connections_that_follow_each_other() {
        let (sessions, start) = (Arc::<Sessions>::default(), Instant::now());
        let first = connection(&sessions, 7);
        let opened = first.used_by("ada", start).unwrap().unwrap();
        assert_eq!(first.used_by("ada", start), Ok(None));
        let elsewhere = connection(&sessions, 8);
        assert!(elsewhere.used_by("ada", start).unwrap().is_some());
        first.close(start);
        let second = connection(&sessions, 7);
        assert_eq!(second.used_by("ada", start + SESSION_LINGER / 2), Ok(None));
        assert!(sessions.ended(start + SESSION_LINGER).is_empty());
        let end = start + SESSION_LINGER;
        second.close(end);
        assert!(sessions.ended(end + SESSION_LINGER / 2).is_empty());
        let ended = sessions.ended(end + SESSION_LINGER);
        assert_eq!(ended.len(), 1);
        assert!(ended[0].session == opened && !ended[0].timed_out);
        assert!(second.used_by("ada", end).unwrap().unwrap() != opened);
    }

    #[test]
    fn what_nobody_uses_has_timed_out() {
        let (sessions, start) = (Arc::<Sessions>::default(), Instant::now());
        let idle = connection(&sessions, 7);
        idle.used_by("ada", start).unwrap();
        idle.done("ada", start + IDLE);
        idle.close(start + 2 * IDLE);
        assert!(sessions.ended(start + 3 * IDLE)[0].timed_out);
        let busy = connection(&sessions, 7);
        busy.used_by("ada", start).unwrap();
        busy.done("ada", start + IDLE);
        busy.close(start + IDLE);
        assert!(!sessions.ended(start + 3 * IDLE)[0].timed_out);
    }

    #[test]
    fn there_are_so_many_at_most_and_all_end_with_the_service() {
        let (sessions, start) = (Arc::<Sessions>::default(), Instant::now());
        let one = connection(&sessions, 7);
        for number in 0..SESSIONS_MAX {
            one.used_by(&number.to_string(), start).unwrap();
        }
        assert_eq!(one.used_by("one more", start), Err(Full));
        assert_eq!(one.used_by("0", start), Ok(None));
        assert_eq!(sessions.end_all().len(), SESSIONS_MAX);
        drop(one);
        assert!(sessions.ended(start + IDLE).is_empty());
    }
}
