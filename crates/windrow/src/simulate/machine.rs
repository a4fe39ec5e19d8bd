//! One machine: asks for its subscriptions, keeps each at work, and asks again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::client::Resumption;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use windrow_formats::wsman::client::{self, Request};
use windrow_formats::wsman::{Action, Text};
use windrow_pipeline::tls::{IdentityPem, MemoryError, client_config_from_pem};

use super::connection::{Connection, Encoding, Fault, Proof, Target};
use super::delivery::{Delivery, End};
use super::domain::Tickets;
use super::offer::Offer;
use super::options::{Machines, Options};
use super::random::{Random, derive};
use super::world::Host;
use crate::pki::PkiError;

/// Pause before a machine that could not begin asks again. Windows waits for the next refresh; whoever tries things
/// out should not have to.
const BEGIN_AGAIN: Duration = Duration::from_secs(2);

/// The number of a machine's draw for its message identifiers.
const DRAW_MESSAGES: u64 = 61;

/// Why a machine has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be issued.
    #[error("a machine's certificate cannot be issued")]
    Issue(#[from] PkiError),
    /// TLS cannot be configured with it.
    #[error("TLS cannot be configured for a machine")]
    Configure(#[from] MemoryError),
}

/// What the machine `index` proves with who it is: its own certificate, with a full handshake for
/// every connection, or its tickets.
pub(super) fn proof(
    options: &Options,
    name: &str,
    index: usize,
) -> Result<Proof, CertificateError> {
    let own = match &options.machines {
        Machines::Made { authority, .. } => authority.client(name)?,
        Machines::Given(given) => given[index].1.clone(),
        Machines::Members(domain) => {
            let tickets = Tickets::new(domain, index, options.clock_ahead);
            return Ok(Proof::Ticket(Arc::new(tickets)));
        }
    };
    let identity = IdentityPem {
        certificate: &own.certificate_pem,
        key: &own.key_pem,
    };
    let mut config = client_config_from_pem(&options.trust_pem, Some(identity))?;
    config.resumption = Resumption::disabled();
    Ok(Proof::Certificate(Arc::new(config)))
}

/// A machine that is switched on.
pub(super) struct Controller {
    host: Arc<Host>,
    manager: Target,
    proof: Proof,
    random: Random,
    /// The subscriptions that run or have finished.
    known: Vec<Known>,
    deliveries: JoinSet<(String, End)>,
    is_subscribed: bool,
}

struct Known {
    version: String,
    dropped: CancellationToken,
    is_finished: bool,
}

impl Controller {
    pub(super) fn new(host: Arc<Host>, manager: Target, proof: Proof) -> Controller {
        // A machine that is switched on again makes other message identifiers.
        let since = host.world.clock.ticks();
        let random = Random::new(derive(derive(host.machine().seed(), DRAW_MESSAGES), since));
        Controller {
            host,
            manager,
            proof,
            random,
            known: Vec::new(),
            deliveries: JoinSet::new(),
            is_subscribed: false,
        }
    }

    /// Runs until all is sent and no more will come.
    pub(super) async fn run(mut self) {
        loop {
            let mut pause = self.host.world.options.refresh;
            if let Err(fault) = self.refresh().await {
                self.host.world.stats.fault(&format!("enumerate: {fault}"));
                if self.known.is_empty() {
                    pause = pause.min(BEGIN_AGAIN);
                }
            }
            self.count_subscribed();
            if self.wait(pause).await {
                return;
            }
        }
    }

    /// Waits for the next refresh; whether the machine is done before.
    async fn wait(&mut self, refresh: Duration) -> bool {
        let world = Arc::clone(&self.host.world);
        let refresh = tokio::time::sleep(refresh);
        tokio::pin!(refresh);
        loop {
            let is_closing = world.closing.is_cancelled();
            if is_closing && self.known.is_empty() && !self.host.has_unsent() {
                return true;
            }
            tokio::select! {
                () = &mut refresh => return false,
                () = world.closing.cancelled(), if !is_closing => {}
                Some(ended) = self.deliveries.join_next(), if !self.deliveries.is_empty() => {
                    // A task that panicked is no subscription any more either.
                    let (version, end) = ended.unwrap_or((String::new(), End::Lost));
                    self.ended(&version, end);
                    if !self.known.is_empty() && self.known.iter().all(|known| known.is_finished) {
                        return true;
                    }
                }
            }
        }
    }

    fn ended(&mut self, version: &str, end: End) {
        match end {
            End::Finished => {
                for known in self
                    .known
                    .iter_mut()
                    .filter(|known| known.version == version)
                {
                    known.is_finished = true;
                }
            }
            End::Lost | End::Dropped => self.known.retain(|known| known.version != version),
        }
        self.count_subscribed();
    }

    fn count_subscribed(&mut self) {
        let is_subscribed = !self.known.is_empty();
        if is_subscribed != self.is_subscribed {
            let counter = &self.host.world.stats.subscribed;
            match is_subscribed {
                true => counter.fetch_add(1, Ordering::Relaxed),
                false => counter.fetch_sub(1, Ordering::Relaxed),
            };
            self.is_subscribed = is_subscribed;
        }
    }

    /// Asks for the subscriptions, over a connection of its own, and does what they say.
    async fn refresh(&mut self) -> Result<(), Fault> {
        let mut connection = Connection::open(&self.manager, &self.proof).await?;
        self.host
            .world
            .stats
            .connections
            .fetch_add(1, Ordering::Relaxed);
        let (message_id, operation_id) = (self.random.message_id(), self.random.message_id());
        let session_id = self.random.message_id();
        let world = Arc::clone(&self.host.world);
        let mut request = Request {
            to: &world.options.collector,
            machine_id: &self.host.machine().name,
            message_id: &message_id,
            session_id: &session_id,
            operation_id: &operation_id,
        };
        let body = world.body(&client::enumerate(&request), Encoding::Identity);
        let (status, answer) = connection
            .post(&self.manager, body, Encoding::Identity)
            .await?;
        let mut text = Text::new();
        text.decode(&answer, None);
        let reply = client::parse_reply(&text);
        if status != http::StatusCode::OK {
            let fault = reply
                .ok()
                .and_then(|reply| reply.fault)
                .map(|(code, _)| code.into_owned());
            return Err(Fault::Status {
                status: status.as_u16(),
                fault,
            });
        }
        let reply = reply.map_err(|_| Fault::Answer("not an envelope"))?;
        if reply.header.action() != Action::EnumerateResponse {
            return Err(Fault::Answer("no subscriptions"));
        }
        if reply.header.relates_to.as_deref() != Some(message_id.as_str()) {
            return Err(Fault::Answer("answers another message"));
        }
        let offers = self.read_offers(&reply.subscriptions);
        if reply.header.operation_id.is_some() {
            let end_id = self.random.message_id();
            request.message_id = &end_id;
            let body = world.body(&client::end(&request), Encoding::Identity);
            let (status, _) = connection
                .post(&self.manager, body, Encoding::Identity)
                .await?;
            if status != http::StatusCode::NO_CONTENT {
                world.stats.fault(&format!("end: http {}", status.as_u16()));
            }
        }
        drop(connection);
        self.reconcile(offers);
        Ok(())
    }

    fn read_offers(&self, subscriptions: &[client::Subscription<'_>]) -> Vec<Offer> {
        let options = &self.host.world.options;
        let mut offers = Vec::new();
        for subscription in subscriptions {
            match Offer::new(subscription, &options.adjustments()) {
                Ok(offer) => offers.push(offer),
                Err(_) => self
                    .host
                    .world
                    .stats
                    .fault("subscription: not an address for these machines"),
            }
        }
        offers.retain(|offer| {
            options
                .subscription
                .as_ref()
                .is_none_or(|name| *name == offer.name)
        });
        offers
    }

    /// Ends what is not offered any more, and begins what is new. A version that runs goes on
    /// (MS-WSMV 2.2.4.41).
    fn reconcile(&mut self, offers: Vec<Offer>) {
        for known in &self.known {
            if !offers.iter().any(|offer| offer.version == known.version) {
                known.dropped.cancel();
            }
        }
        for offer in offers {
            if self
                .known
                .iter()
                .any(|known| known.version == offer.version)
            {
                continue;
            }
            let (version, dropped) = (offer.version.clone(), CancellationToken::new());
            let random = Random::new(self.random.draw());
            let (host, proof) = (Arc::clone(&self.host), self.proof.clone());
            let delivery = Delivery::new(host, offer, proof, dropped.clone(), random);
            self.known.push(Known {
                version: version.clone(),
                dropped,
                is_finished: false,
            });
            self.deliveries
                .spawn(async move { (version, delivery.run().await) });
        }
    }
}
