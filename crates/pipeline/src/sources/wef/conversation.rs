//! A connection over plain HTTP, on which the client proves by Kerberos who it is (RFC 4559) and seals
//! every body from then on (MS-WSMV 2.2.9.1).
//!
//! ```text
//! client                                          collector
//! POST, empty                                     401, WWW-Authenticate: Kerberos, Negotiate
//! POST, empty, Authorization: Kerberos TOKEN      200, WWW-Authenticate: Kerberos TOKEN
//! POST, multipart/encrypted                       200, multipart/encrypted
//! ```
//!
//! The connection is the session: it ends with it, and a client that authenticates again begins
//! another one. What is not sealed is never read: neither the body of who has not authenticated nor
//! that of who has. A ticket that ends while its connection lasts ends that with the next answer.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Request, Response, StatusCode};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use windrow_formats::identity::canonical_source;
use windrow_formats::sldc;
use windrow_formats::wef::audience::MachineName;
use windrow_formats::wsman::Charset;
use windrow_formats::wsman::multipart::{self, Protocol, Sealed, Sealing};

use super::Shared;
use super::process::{Peer, Proof, header, note, note_refusal, respond};
use super::refusal::{Claim, Refusal};
use super::reply::Reply;
use crate::kerberos::{self, Accepted, Refused, Scheme, Session};

/// What a sealed body may have beside what was sealed: its heads, a signature, its end.
pub(super) const SEALING_BYTES: usize = 4 * 1024;

/// Bytes of the least that stands before sealed data: the head of a token (RFC 4121 4.2.6.2).
const SIGNATURE_BYTES_MIN: usize = 16;

/// Requests of a connection that are answered with a 401 before it is closed.
const CHALLENGES_MAX: u32 = 4;

/// A connection of a client that authenticates by Kerberos.
#[derive(Debug)]
pub(super) struct Conversation {
    shared: Arc<Shared>,
    server: kerberos::Server,
    address: IpAddr,
    state: Mutex<State>,
    /// Told when the client has authenticated.
    pub(super) authenticated: Notify,
}

#[derive(Debug, Default)]
struct State {
    established: Option<Established>,
    challenges: u32,
    /// It was asked who it is on a connection that stays open, and has not answered.
    is_asked: bool,
}

#[derive(Debug)]
struct Established {
    peer: Arc<Peer>,
    protocol: Protocol,
    session: Session,
    ends_at: Timestamp,
}

impl Conversation {
    pub(super) fn new(
        shared: Arc<Shared>,
        server: kerberos::Server,
        address: IpAddr,
    ) -> Arc<Conversation> {
        Arc::new(Conversation {
            shared,
            server,
            address,
            state: Mutex::default(),
            authenticated: Notify::new(),
        })
    }

    /// Answers a request.
    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        stopping: CancellationToken,
    ) -> Response<Full<Bytes>> {
        let peer = self.peer();
        let has_body = !request.body().is_end_stream();
        match (credentials(request.headers()), peer) {
            // What comes with a body is a request, whatever else its head says.
            (Some(credentials), peer) if peer.is_none() || !has_body => {
                self.authenticate(credentials, has_body)
            }
            (_, None) => self.challenge(has_body).into_response(),
            (_, Some(peer)) => {
                let reply = match has_body {
                    true => respond(&self.shared, &peer, request, Some(&self), &stopping).await,
                    false => {
                        let reply = Reply::bare(StatusCode::OK);
                        note(&self.shared, &peer, "other", &reply);
                        reply
                    }
                };
                self.seal(reply)
            }
        }
    }

    /// Notes that the client has not proved in time who it is.
    pub(super) fn refuse_silent(&self) {
        let reason = "no Kerberos ticket came in time".to_owned();
        self.shared
            .refuse(self.address, Refusal::HandshakeTimeout, reason);
    }

    /// Notes that the client went away when it was asked who it is.
    pub(super) fn note_gone(&self) {
        if self.state().is_asked {
            let reason = "it was asked for a Kerberos ticket and went away".to_owned();
            self.shared.refuse(self.address, Refusal::NoTicket, reason);
        }
    }

    /// Notes that what came was no request.
    pub(super) fn refuse_broken(&self, refusal: Refusal, reason: &str) {
        match self.peer() {
            Some(peer) => note_refusal(&self.shared, &peer, refusal, reason),
            None => self.shared.refuse(self.address, refusal, reason.to_owned()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn peer(&self) -> Option<Arc<Peer>> {
        let state = self.state();
        let established = state.established.as_ref()?;
        Some(Arc::clone(&established.peer))
    }

    /// Asks who it is. A body that came along is not read.
    fn challenge(&self, has_body: bool) -> Reply {
        let mut state = self.state();
        state.challenges += 1;
        let last = state.challenges >= CHALLENGES_MAX;
        // Whose body is not read has to come again on another connection.
        state.is_asked = !has_body;
        drop(state);
        let reply = Reply::bare(StatusCode::UNAUTHORIZED).challenging();
        match has_body || last {
            true => reply.closing(),
            false => reply,
        }
    }

    fn authenticate(&self, credentials: Credentials, has_body: bool) -> Response<Full<Bytes>> {
        // Whatever comes of it, the session before is over.
        let mut state = self.state();
        (state.established, state.is_asked) = (None, false);
        drop(state);
        let accepted = match has_body {
            true => Err(Refused::Malformed {
                what: "a body came along, in the clear",
            }),
            false => self.accept(&credentials),
        };
        match accepted {
            Ok((accepted, machine)) => self.establish(credentials.scheme, accepted, machine),
            Err(refused) => {
                let reason = format!("authentication by Kerberos failed: {refused}");
                let kind = Refusal::of_ticket(&refused);
                let claim = refused.client().map(|client| Claim {
                    name: Some(client.to_owned()),
                    issuer: None,
                });
                (self.shared).refuse_claim(self.address, kind, reason, claim);
                let reply = Reply::bare(StatusCode::UNAUTHORIZED);
                reply.challenging().closing().into_response()
            }
        }
    }

    fn accept(&self, credentials: &Credentials) -> Result<(Accepted, MachineName), Refused> {
        let token = credentials.token.as_deref().ok_or(Refused::Malformed {
            what: "it is not Base64",
        })?;
        let accepted = self
            .server
            .accept(credentials.scheme, token, Timestamp::now())?;
        let (account, realm) = accepted.client.split_once('@').unwrap_or_default();
        let machine = MachineName::of_principal(account, realm);
        let machine = machine.map_err(|_| Refused::Malformed {
            what: "its principal is no name of a machine",
        })?;
        Ok((accepted, machine))
    }

    fn establish(
        &self,
        scheme: Scheme,
        accepted: Accepted,
        machine: MachineName,
    ) -> Response<Full<Bytes>> {
        let (name, protocol) = match scheme {
            Scheme::Kerberos => ("Kerberos", Protocol::Kerberos),
            Scheme::Negotiate => ("Negotiate", Protocol::Spnego),
        };
        let answer = format!("{name} {}", BASE64.encode(&accepted.token));
        tracing::debug!(address = %self.address, source = accepted.client, "authenticated");
        self.state().established = Some(Established {
            peer: Arc::new(Peer {
                canonical: canonical_source(&accepted.client).into_owned(),
                name: accepted.client,
                machine,
                address: self.address,
                proof: Proof::Kerberos,
            }),
            protocol,
            session: accepted.session,
            ends_at: accepted.ends_at,
        });
        self.authenticated.notify_one();
        let mut response = Reply::bare(StatusCode::OK).into_response();
        if let Ok(answer) = HeaderValue::from_str(&answer) {
            response.headers_mut().insert(WWW_AUTHENTICATE, answer);
        }
        response
    }

    /// The clear bytes of a body, and their encoding if it is named. Nothing is copied but over the
    /// head that they were behind.
    pub(super) fn unseal(
        &self,
        content_type: Option<&str>,
        mut body: Vec<u8>,
    ) -> Result<(Option<Charset>, Vec<u8>), Reply> {
        let mut state = self.state();
        let Some(established) = &mut state.established else {
            return Err(unsealed("the session is over"));
        };
        let sealed = find(content_type, established.protocol, &body)?;
        if sealed.signature.len() < SIGNATURE_BYTES_MIN {
            return Err(unsealed("the signature of the sealed body is too short"));
        }
        let start = sealed.signature.start;
        let message = &mut body[start..sealed.data.end];
        let text = established.session.unseal(message);
        let text = text.map_err(|error| unsealed(&error.to_string()))?;
        body.truncate(start + text.end);
        body.drain(..start + text.start);
        // What is compressed may be declared in the length that it has when it no longer is.
        let is_declared = body.len() == sealed.original_bytes
            || sldc::declared_bytes(&body) == Some(sealed.original_bytes);
        match is_declared {
            true => Ok((sealed.charset, body)),
            false => {
                let (is, said) = (body.len(), sealed.original_bytes);
                let reason = format!("the body has {is} bytes, and its head says {said}");
                Err(unsealed(&reason))
            }
        }
    }

    /// Seals an answer. One without a body has nothing to seal.
    fn seal(&self, reply: Reply) -> Response<Full<Bytes>> {
        let mut state = self.state();
        let Some(established) = &mut state.established else {
            return reply.closing().into_response_of(None);
        };
        let reply = match established.ends_at < Timestamp::now() {
            true => reply.closing(),
            false => reply,
        };
        let Some((text, content_type)) = reply.body() else {
            return reply.into_response_of(None);
        };
        let (protocol, session) = (established.protocol, &mut established.session);
        let mut body = Vec::with_capacity(text.len() + SEALING_BYTES);
        let signature_bytes = session.signature_bytes();
        multipart::open(
            &mut body,
            protocol,
            content_type,
            text.len(),
            signature_bytes,
        );
        if let Err(error) = session.seal(&text, &mut body) {
            tracing::error!(%error, "cannot seal an answer");
            let reply = Reply::bare(StatusCode::INTERNAL_SERVER_ERROR);
            return reply.closing().into_response();
        }
        multipart::close(&mut body);
        reply.into_response_of(Some((body, protocol.content_type())))
    }
}

/// Finds what is sealed in a body that has to be.
fn find(content_type: Option<&str>, protocol: Protocol, body: &[u8]) -> Result<Sealed, Reply> {
    let sealing = Sealing::from_content_type(content_type.unwrap_or_default());
    let sealing = sealing.map_err(|error| {
        let (status, reason) = (StatusCode::BAD_REQUEST, error.to_string());
        Reply::refused(status, Refusal::InTheClear, &reason).closing()
    })?;
    if sealing.protocol != protocol {
        return Err(unsealed(
            "it is sealed by another protocol than its session",
        ));
    }
    multipart::read(body, sealing).map_err(|error| unsealed(&error.to_string()))
}

/// The session cannot go on: the client has to begin another one.
fn unsealed(reason: &str) -> Reply {
    Reply::refused(StatusCode::BAD_REQUEST, Refusal::Unsealed, reason).closing()
}

/// What a client proves with who it is.
#[derive(Debug)]
struct Credentials {
    scheme: Scheme,
    /// `None` where it is not Base64.
    token: Option<Vec<u8>>,
}

fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let value = header(headers, &AUTHORIZATION)?;
    let (scheme, token) = value.split_once(' ')?;
    let scheme = match scheme {
        scheme if scheme.eq_ignore_ascii_case("Kerberos") => Scheme::Kerberos,
        scheme if scheme.eq_ignore_ascii_case("Negotiate") => Scheme::Negotiate,
        _ => return None,
    };
    let token = BASE64.decode(token.trim()).ok();
    Some(Credentials { scheme, token })
}
