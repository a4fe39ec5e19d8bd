//! Requests over the connections of one account, which are kept and limited.

use std::collections::VecDeque;
use std::error::Error as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::account::{Endpoint, Opens};
use super::connection::{Sender, connect};
use super::error::{Absence, AzureError, Business, Place, Unreadable};
use super::limits::{BYTES_PER_SECOND_MIN, Limits};
use super::request::{Ask, Repeat, Service, Signed, signed};
use super::verdict::{Moment, refusal_of, told, verdict};
use super::{Account, Client};

/// The connections of one account.
pub(super) struct Pool {
    tls: Option<Arc<ClientConfig>>,
    limits: Limits,
    /// One for each connection that may be in use.
    slots: Semaphore,
    /// Those that nobody uses, by their service, the last one used behind.
    idle: [Mutex<VecDeque<Idle>>; 2],
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) moment: Moment,
}

impl Told {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
enum Failed {
    Away(Absence),
    Unreadable(Unreadable),
}

impl Pool {
    pub(super) fn new(tls: Option<Arc<ClientConfig>>, limits: Limits) -> Pool {
        Pool {
            tls,
            limits,
            slots: Semaphore::new(limits.connections.max(1)),
            idle: [Mutex::default(), Mutex::default()],
        }
    }

    fn idle(&self, service: Service) -> MutexGuard<'_, VecDeque<Idle>> {
        let place = match service {
            Service::Tables => 0,
            Service::Blobs => 1,
        };
        // What is in it is whole whoever panicked.
        self.idle[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was used before and may still be there.
    fn take(&self, service: Service) -> Option<Sender> {
        let mut idle = self.idle(service);
        idle.retain(|idle| {
            idle.since.elapsed() < self.limits.idle_time && !idle.sender.is_closed()
        });
        idle.pop_back().map(|idle| idle.sender)
    }

    fn keep(&self, service: Service, sender: Sender) {
        let mut idle = self.idle(service);
        while idle.len() >= self.limits.connections.max(1) {
            idle.pop_front();
        }
        let since = Instant::now();
        idle.push_back(Idle { sender, since });
    }

    /// Sends a request and takes its answer whole.
    async fn exchange(
        &self,
        service: Service,
        endpoint: &Endpoint,
        request: Request<Full<Bytes>>,
        repeat: Repeat,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
        // Never closed.
        let _slot = self.slots.acquire().await;
        let mut request = request;
        while let Some(mut sender) = self.take(service) {
            if sender.ready().await.is_err() {
                continue;
            }
            let sent = sender.try_send_request(request.clone()).await;
            let mut error = match sent {
                Ok(response) => return self.read(service, sender, response).await,
                Err(error) => error,
            };
            match error.take_message() {
                // The connection was closed before anything of it was sent.
                Some(unsent) => request = unsent,
                // It was closed meanwhile, and nobody knows whether before or after the request was done.
                None if repeat == Repeat::Safe && is_broken(error.error()) => break,
                None => return Err(failed(&error.into_error())),
            }
        }
        let limit = self.limits.connect_time;
        let sender = connect(endpoint, self.tls.as_ref(), limit).await;
        let mut sender = sender.map_err(Failed::Away)?;
        sender.ready().await.map_err(|error| failed(&error))?;
        let response = sender.send_request(request).await;
        self.read(service, sender, response.map_err(|error| failed(&error))?)
            .await
    }

    async fn read(
        &self,
        service: Service,
        sender: Sender,
        response: Response<Incoming>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
        let (head, body) = response.into_parts();
        let body = whole(body, self.limits.answer_bytes).await?;
        self.keep(service, sender);
        Ok((head.status, head.headers, body))
    }
}

/// A body to its end, of at most so many bytes.
async fn whole(mut body: Incoming, max: usize) -> Result<Bytes, Failed> {
    let too_long = || Failed::Unreadable(Unreadable::TooLong { max });
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > max {
        return Err(too_long());
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > max {
            return Err(too_long());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Whether the connection ended, and not what was said over it.
fn is_broken(error: &hyper::Error) -> bool {
    !error.is_parse() && !error.is_user()
}

fn failed(error: &hyper::Error) -> Failed {
    let reason = match error.source() {
        Some(source) => told(&format!("{error}: {source}")),
        None => told(&error.to_string()),
    };
    match is_broken(error) {
        true => Failed::Away(Absence::Broken { reason }),
        false => Failed::Unreadable(Unreadable::Http { reason }),
    }
}

impl Client {
    /// Asks, and takes the answer if it is a success.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Told, AzureError> {
        let (account, pool) = (&self.0.account, &self.0.pool);
        let place = self.place(ask.what.clone());
        let endpoint = self.endpoint(ask.service);
        let Signed { request, signature } =
            match signed(&ask, account, endpoint, self.0.clock.now()) {
                Ok(signed) => signed,
                Err(why) => return Err(AzureError::Unfit { place, why }),
            };
        let limit = pool.limits.request_time + time_of(ask.body.len() + ask.expected);
        let exchange = pool.exchange(ask.service, endpoint, request, ask.repeat);
        let (status, headers, body) = match timeout(limit, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Failed::Away(why))) => return Err(AzureError::Away { place, why }),
            Ok(Err(Failed::Unreadable(why))) => return Err(AzureError::Unreadable { place, why }),
            Err(_) => {
                return Err(AzureError::Busy {
                    place,
                    why: Business::Silent { limit },
                    after: None,
                });
            }
        };
        let moment = Moment::of(self.0.clock.now(), &headers);
        if status.is_success() {
            return Ok(Told {
                status,
                headers,
                body,
                moment,
            });
        }
        let hide = |text: String| hidden(account, signature.as_ref(), text);
        let refusal = refusal_of(status, &headers, &body, hide);
        Err(verdict(place, account, refusal, &headers, moment))
    }

    /// Whether an answer has the status that this request is answered with.
    pub(super) fn expect(
        &self,
        place: &Place,
        told: &Told,
        status: StatusCode,
    ) -> Result<(), AzureError> {
        match told.status == status {
            true => Ok(()),
            false => Err(AzureError::Unreadable {
                place: Box::new(place.clone()),
                why: Unreadable::Status {
                    status: told.status.as_u16(),
                },
            }),
        }
    }
}

/// How long so many bytes may take.
fn time_of(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / BYTES_PER_SECOND_MIN)
}

/// Somebody else's words without what opens the account: the service repeats what it was sent when it refuses a signature.
fn hidden(account: &Account, made: Option<&Zeroizing<String>>, text: String) -> String {
    let told: Vec<&Zeroizing<String>> = match account.opens() {
        Opens::Sas(sas) => sas.signature.iter().collect(),
        Opens::Key(_) => made.into_iter().collect(),
    };
    told.into_iter()
        .fold(text, |text, secret| text.replace(secret.as_str(), "…"))
}
