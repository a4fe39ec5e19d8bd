//! The side that listens: from a client's token to a session and a name (RFC 4120 3.2.3, RFC 4121 4.1).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::crypto::{Etype, Key, usage};
use super::keytab::{Keytab, KeytabError, KeytabFile, KeytabKey};
use super::refused::Refused;
use super::replay::{Replays, Taken};
use super::session::{Role, Session};
use super::wire::Malformed;
use super::wire::gss::{self, wants};
use super::wire::limits::{SKEW_SECONDS, TOKEN_BYTES_MAX};
use super::wire::messages::{
    ApReq, Authenticator, EncApRepPart, EncTicketPart, Encrypted, MUTUAL_REQUIRED, SessionKey,
    TICKET_INVALID, USE_SESSION_KEY, encode_ap_rep,
};
use super::wire::principal::Principal;
use super::wire::spnego::{self, Offer};

/// The authentication schemes of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Kerberos alone.
    Kerberos,
    /// SPNEGO, with Kerberos in it.
    Negotiate,
}

/// Whose tickets are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accounts {
    /// Those of machines: accounts that end in `$`, and `host/` principals, as realms that are not of
    /// Active Directory have them; of any realm whose tickets the keytab's keys open. A user's ticket
    /// would let a person send events in a machine's stead.
    #[default]
    Machines,
    /// Everybody's.
    All,
}

/// Takes the tickets of clients. Clones share the keytab and what was taken.
#[derive(Debug, Clone)]
pub struct Server {
    keytab: Arc<KeytabFile>,
    principals: Vec<Principal>,
    accounts: Accounts,
    replays: Replays,
}

/// A client that was let in.
#[derive(Debug)]
pub struct Accepted {
    /// Who it is: account and realm, their ASCII letters in capitals, `WS00001$@CORP.EXAMPLE`.
    pub client: String,
    /// Seals and unseals what follows.
    pub session: Session,
    /// What the client is answered.
    pub token: Vec<u8>,
    /// Until when its ticket is valid.
    pub ends_at: Timestamp,
}

impl Server {
    /// A server with the keys of a keytab. It is `principals`, or where there are none, every name of
    /// the services HTTP and HOST in the keytab.
    ///
    /// # Errors
    ///
    /// [`KeytabError`]; [`KeytabError::NoKey`] when one of the principals has no key that can be used.
    pub fn new(
        keytab: &Path,
        principals: Vec<Principal>,
        accounts: Accounts,
    ) -> Result<Server, KeytabError> {
        let server = Server {
            keytab: Arc::new(KeytabFile::open(keytab)?),
            principals,
            accounts,
            replays: Replays::default(),
        };
        let keys = server.keytab.keytab();
        let none = |wanted: &dyn fmt::Display| KeytabError::NoKey {
            path: keytab.to_owned(),
            wanted: wanted.to_string(),
            found: in_words(&keys),
        };
        if let Some(without) = server
            .principals
            .iter()
            .find(|principal| keys.of(principal).next().is_none())
        {
            return Err(none(without));
        }
        match server.names(&keys).is_empty() {
            true => Err(none(&"an HTTP/ or HOST/ principal")),
            false => Ok(server),
        }
    }

    /// The same, and what another one has taken is not taken again.
    #[must_use]
    pub fn after(self, before: &Server) -> Server {
        self.sharing(&before.replays)
    }

    /// The same, and what anyone has taken who shares this memory is not taken again.
    #[must_use]
    pub fn sharing(mut self, replays: &Replays) -> Server {
        self.replays = replays.clone();
        self
    }

    /// The keytab's file.
    #[must_use]
    pub fn keytab(&self) -> &Path {
        self.keytab.path()
    }

    /// Who the server is.
    #[must_use]
    pub fn principals(&self) -> Vec<String> {
        let names = self.names(&self.keytab.keytab());
        names.iter().map(ToString::to_string).collect()
    }

    /// What of the keytab cannot be used, in words.
    #[must_use]
    pub fn skipped(&self) -> Vec<String> {
        self.keytab.keytab().skipped.clone()
    }

    /// Whether everybody whom the other one has let in would be let in by this one too: the other's keys
    /// are all there, and users are not kept out whom it took.
    #[must_use]
    pub fn takes_all_of(&self, other: &Server) -> bool {
        let takes_users = |server: &Server| server.accounts == Accounts::All;
        let keytab = self.keytab.keytab();
        let names = self.names(&keytab);
        let has = |key: &KeytabKey| {
            let same = |known: &KeytabKey| known.kvno == key.kvno && known.key.is(&key.key);
            names.iter().any(|name| name.is(&key.principal)) && keytab.of(&key.principal).any(same)
        };
        let has_all = |keytab: &Keytab| {
            let names = other.names(keytab);
            let served = |key: &&KeytabKey| names.iter().any(|name| name.is(&key.principal));
            keytab.keys().iter().filter(served).all(has)
        };
        // Those that it began with, too: it may have read its file anew since.
        (takes_users(self) || !takes_users(other))
            && has_all(&other.keytab.opened())
            && has_all(&other.keytab.keytab())
    }

    fn names(&self, keytab: &Keytab) -> Vec<Principal> {
        if !self.principals.is_empty() {
            return self.principals.clone();
        }
        let mut names: Vec<Principal> = Vec::new();
        for key in keytab.keys() {
            let name = &key.principal.name;
            let is_ours = name.is_service("HTTP") || name.is_service("HOST");
            if is_ours && !names.iter().any(|known| known.is(&key.principal)) {
                names.push(key.principal.clone());
            }
        }
        names
    }

    /// Lets a client in by its first token, as `now`.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn accept(
        &self,
        scheme: Scheme,
        token: &[u8],
        now: Timestamp,
    ) -> Result<Accepted, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Malformed {
                what: "it is too large",
            });
        }
        let within_spnego = spnego::is_spnego(token);
        let (mechanism, inner) = match spnego::read_offer(token)? {
            Offer::Ntlm => return Err(Refused::Ntlm),
            Offer::Kerberos { mechanism, token }
                if scheme == Scheme::Negotiate || !within_spnego =>
            {
                (mechanism, token)
            }
            Offer::Kerberos { .. } | Offer::Other => return Err(Refused::NoKerberos),
        };
        let request = ApReq::parse(gss::unwrap(gss::AP_REQ, inner)?)?;
        let mut accepted = self.take(&request, now.as_second())?;
        if within_spnego {
            accepted.token = spnego::accept(mechanism, &accepted.token);
        }
        Ok(accepted)
    }

    fn take(&self, request: &ApReq<'_>, now: i64) -> Result<Accepted, Refused> {
        let ticket = self.open_ticket(request, now)?;
        let client = ticket.client.to_string();
        self.check_account(&ticket.client)?;
        let key = session_key(&ticket.key, &request.ticket.service)?;
        let bad = || Refused::Authenticator {
            client: client.clone(),
        };
        if request.authenticator.etype != ticket.key.etype {
            return Err(bad());
        }
        let authenticator = key.decrypt(usage::AUTHENTICATOR, request.authenticator.cipher);
        let authenticator = authenticator.map_err(|_| bad())?;
        let authenticator = Authenticator::parse(&authenticator)?;
        if !authenticator.client.is(&ticket.client) {
            return Err(bad());
        }
        check_times(&client, &ticket, &authenticator, now)?;
        check_wants(&client, request, &authenticator)?;
        // Last of all: what is refused for something else may come again.
        let forget_at = authenticator.time + SKEW_SECONDS;
        // As names are compared: no other letter is folded, which would make one client of two.
        let name = client.to_ascii_uppercase();
        let cipher = request.authenticator.cipher;
        match self.replays.take(&name, cipher, forget_at, now) {
            Taken::New => {}
            Taken::Again => return Err(Refused::Replayed { client }),
            Taken::TooMany => return Err(Refused::TooMany { client }),
        }
        let (session, token) = begin_session(&key, &authenticator)?;
        Ok(Accepted {
            client: name,
            session,
            token,
            ends_at: Timestamp::from_second(ticket.ends_at).unwrap_or(Timestamp::MAX),
        })
    }

    /// Decrypts the ticket with the key that it names; with what the file holds by now, where that has changed and the
    /// key was not there.
    fn open_ticket(&self, request: &ApReq<'_>, now: i64) -> Result<EncTicketPart, Refused> {
        if request.options & USE_SESSION_KEY != 0 {
            return Err(Refused::Malformed {
                what: "a ticket between two users",
            });
        }
        let (service, encrypted) = (&request.ticket.service, &request.ticket.encrypted);
        let keytab = self.keytab.keytab();
        let opened = self.decrypt(&keytab, service, encrypted);
        let opened = opened.or_else(|refused| match self.keytab.again(now) {
            Some(keytab) => self.decrypt(&keytab, service, encrypted),
            None => Err(refused),
        });
        Ok(EncTicketPart::parse(&opened?)?)
    }

    /// Tries the keys that may be meant, the likeliest first.
    fn decrypt(
        &self,
        keytab: &Keytab,
        service: &Principal,
        encrypted: &Encrypted<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let keys = self.find(keytab, service, encrypted)?;
        let mut tried = keys
            .iter()
            .map(|found| found.key.decrypt(usage::TICKET, encrypted.cipher));
        let opened = tried.find_map(Result::ok);
        opened.ok_or_else(|| Refused::WrongKey {
            service: service.to_string(),
            kvno: keys.first().map_or(0, |found| found.kvno),
            etype: encrypted.etype,
        })
    }

    /// The keys that may be meant; there is at least one.
    fn find<'k>(
        &self,
        keytab: &'k Keytab,
        service: &Principal,
        encrypted: &Encrypted<'_>,
    ) -> Result<Vec<&'k KeytabKey>, Refused> {
        let service_name = service.to_string();
        let Some(etype) = Etype::from_number(encrypted.etype) else {
            return Err(Refused::WeakEncryption {
                service: service_name,
                etype: encrypted.etype,
            });
        };
        let names = self.names(keytab);
        if !names.iter().any(|name| name.is(service)) {
            let ours: Vec<String> = names.iter().map(ToString::to_string).collect();
            return Err(Refused::WrongService {
                asked: service_name,
                ours: ours.join(", "),
            });
        }
        let found = keytab.candidates(service, etype, encrypted.kvno);
        if found.is_empty() {
            return Err(Refused::UnknownKey {
                service: service_name,
                kvno: encrypted.kvno,
                etype: encrypted.etype,
                known: keys_in_words(keytab.of(service)),
            });
        }
        Ok(found)
    }

    fn check_account(&self, client: &Principal) -> Result<(), Refused> {
        let name = &client.name;
        let is_machine = match name.components.as_slice() {
            [account] => account.ends_with('$'),
            _ => name.is_service("host"),
        };
        match self.accounts {
            Accounts::Machines if !is_machine => Err(Refused::NotMachine {
                client: client.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Refused {
        Refused::Malformed {
            what: malformed.what,
        }
    }
}

fn session_key(key: &SessionKey, service: &Principal) -> Result<Key, Refused> {
    let weak = || Refused::WeakEncryption {
        service: service.to_string(),
        etype: key.etype,
    };
    let etype = Etype::from_number(key.etype).ok_or_else(weak)?;
    Key::new(etype, &key.key).map_err(|_| weak())
}

fn check_times(
    client: &str,
    ticket: &EncTicketPart,
    authenticator: &Authenticator<'_>,
    now: i64,
) -> Result<(), Refused> {
    let client = client.to_owned();
    let ahead_seconds = authenticator.time - now;
    if ahead_seconds.abs() > SKEW_SECONDS {
        return Err(Refused::Skew {
            client,
            ahead_seconds,
        });
    }
    if ticket.flags & TICKET_INVALID != 0 || ticket.starts_at > now + SKEW_SECONDS {
        return Err(Refused::NotYetValid { client });
    }
    if ticket.ends_at < now - SKEW_SECONDS {
        let seconds = now - ticket.ends_at;
        return Err(Refused::Expired { client, seconds });
    }
    Ok(())
}

/// Both ends prove who they are, and everything that follows is encrypted: else there is no session.
fn check_wants(
    client: &str,
    request: &ApReq<'_>,
    authenticator: &Authenticator<'_>,
) -> Result<(), Refused> {
    let lacks = |lacking| {
        Err(Refused::Lacking {
            client: client.to_owned(),
            lacking,
        })
    };
    let Some(wanted) = gss::wanted(authenticator.checksum) else {
        return lacks("a session of GSS-API");
    };
    if request.options & MUTUAL_REQUIRED == 0 || wanted & wants::MUTUAL == 0 {
        return lacks("mutual authentication");
    }
    if wanted & wants::CONFIDENTIALITY == 0 {
        return lacks("confidentiality");
    }
    if wanted & wants::INTEGRITY == 0 {
        return lacks("integrity");
    }
    if wanted & wants::DCE_STYLE != 0 {
        return lacks("a session in two messages (it wants three, as DCE RPC)");
    }
    Ok(())
}

/// A key of ours for the session, so that nothing of an earlier one can be repeated in it, and the
/// message that tells the client.
fn begin_session(
    key: &Key,
    authenticator: &Authenticator<'_>,
) -> Result<(Session, Vec<u8>), Refused> {
    let failed = |error: super::crypto::CryptoError| Refused::Failed {
        reason: error.to_string(),
    };
    // The client's own choice of an encryption, if it has made one.
    let chosen = authenticator.subkey.as_ref();
    let chosen = chosen.and_then(|subkey| Etype::from_number(subkey.etype));
    let subkey = Key::random(chosen.unwrap_or(key.etype())).map_err(failed)?;
    let mut sequence = [0; 4];
    aws_lc_rs::rand::fill(&mut sequence).map_err(|_| failed(super::crypto::CryptoError::Random))?;
    // Below 2^30: some read it as a signed number.
    let sequence = u32::from_be_bytes(sequence) >> 2;
    let part = EncApRepPart {
        time: authenticator.time,
        micros: authenticator.micros,
        subkey: Some(SessionKey {
            etype: subkey.etype().number(),
            key: subkey.bytes().to_vec().into(),
        }),
        sequence: Some(sequence),
    };
    let cipher = key.encrypt(usage::AP_REP, &part.encode()).map_err(failed)?;
    let encrypted = Encrypted {
        etype: key.etype().number(),
        kvno: None,
        cipher: &cipher,
    };
    let token = gss::wrap(gss::AP_REP, &encode_ap_rep(&encrypted));
    let session = Session::new(Role::Service, &subkey, true, sequence).map_err(failed)?;
    Ok((session, token))
}

fn keys_in_words<'a>(keys: impl Iterator<Item = &'a KeytabKey>) -> String {
    let mut words: Vec<String> = keys
        .map(|key| {
            let etype = super::crypto::etype_name(key.key.etype().number());
            format!("version {} with {etype}", key.kvno)
        })
        .collect();
    words.sort();
    match words.is_empty() {
        true => "no AES key for it".to_owned(),
        false => words.join(", "),
    }
}

fn in_words(keytab: &Keytab) -> String {
    let mut names: Vec<String> = keytab
        .keys()
        .iter()
        .map(|key| key.principal.to_string())
        .collect();
    names.dedup();
    names.truncate(8);
    let mut skipped = keytab.skipped.clone();
    skipped.truncate(8);
    match (names.is_empty(), skipped.is_empty()) {
        (true, true) => "nothing".to_owned(),
        (false, true) => names.join(", "),
        (true, false) => format!("only what cannot be used: {}", skipped.join(", ")),
        (false, false) => {
            let (names, skipped) = (names.join(", "), skipped.join(", "));
            format!("{names}, and what cannot be used: {skipped}")
        }
    }
}
