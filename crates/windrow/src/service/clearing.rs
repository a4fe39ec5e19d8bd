//! Once a day, what is older than sinks keep it is taken out of Azure's storage.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_formats::wad::rows::DIRECTORIES;
use windrow_pipeline::azure::{AzureError, Cleared, Client, Work};

use super::own::Recorder;
use super::{WeakService, account_of_blob_sink, account_of_sink};
use crate::config::checked;
use crate::config::units::Age;

/// After the start, so that a sink that was named by mistake can be corrected.
const FIRST: Duration = Duration::from_secs(600);
/// Pause between two looks at what is configured.
const LOOK: Duration = Duration::from_secs(600);
/// Time after which the same is cleared again.
const AGAIN: Duration = Duration::from_secs(24 * 3_600);

/// What is cleared, by a name that tells it from all others.
struct Place {
    name: String,
    client: anyhow::Result<Client>,
    what: What,
    days: u32,
}

enum What {
    Table(String),
    Container(String),
}

/// Clears until it is told to stop.
pub(super) async fn run(service: WeakService, token: CancellationToken) {
    let mut cleared: BTreeMap<String, Instant> = BTreeMap::new();
    let mut pause = FIRST;
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            () = sleep(pause) => {}
        }
        pause = LOOK;
        let Some((config, recorder)) = service
            .upgrade()
            .map(|service| (service.config(), service.shared.recorder.clone()))
        else {
            return;
        };
        let places = places(&config);
        cleared.retain(|name, _| places.iter().any(|place| place.name == *name));
        for place in places {
            if cleared
                .get(&place.name)
                .is_some_and(|at| at.elapsed() < AGAIN)
            {
                continue;
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = clear(&place, &recorder) => {}
            }
            cleared.insert(place.name, Instant::now());
        }
    }
}

/// What sinks say that they keep for a while.
fn places(config: &checked::Config) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, sink) in &config.sink.azure_table {
        let Age(Some(days)) = sink.keep else { continue };
        let own = sink.tables.iter().map(|table| table.name());
        let traces = sink.traces.iter().map(|traces| traces.table.as_str());
        for table in own.chain(traces) {
            places.push(Place {
                name: format!("sink.azure_table.{name}: {table}"),
                client: account_of_sink(name, sink),
                what: What::Table(table.to_owned()),
                days,
            });
        }
    }
    for (name, sink) in &config.sink.azure_blob {
        let Age(Some(days)) = sink.keep else { continue };
        let mut containers: Vec<&String> = sink.containers.values().collect();
        containers.sort_unstable();
        containers.dedup();
        let containers = containers.into_iter().cloned().map(What::Container);
        let directories = (sink.directories_table).then(|| What::Table(DIRECTORIES.to_owned()));
        for what in containers.chain(directories) {
            let (What::Table(thing) | What::Container(thing)) = &what;
            places.push(Place {
                name: format!("sink.azure_blob.{name}: {thing}"),
                client: account_of_blob_sink(name, sink),
                what,
                days,
            });
        }
    }
    places
}

async fn clear(place: &Place, recorder: &Recorder) {
    let name = &place.name;
    let client = match &place.client {
        Ok(client) => client,
        Err(error) => return tracing::warn!("{name} is not cleared: {error:#}"),
    };
    let age = SignedDuration::from_hours(24 * i64::from(place.days));
    let Ok(before) = Timestamp::now().checked_sub(age) else {
        return;
    };
    let (what, done) = match &place.what {
        What::Table(table) => {
            let done = client.clear_table(table, before, Work::Remove, |_| {});
            ("rows", done.await)
        }
        What::Container(container) => {
            let place = (container.as_str(), "");
            let done = client.clear_container(place, before, Work::Remove, |_| {});
            ("blobs", done.await)
        }
    };
    match done {
        Ok(done) => tell(place, what, &done, recorder).await,
        // The first row, or the first file, makes it.
        Err(error) if error.is_no_table() || error.is_no_container() => {}
        Err(error) => warn(name, &error),
    }
}

fn warn(name: &str, error: &AzureError) {
    tracing::warn!(%error, "{name} is not cleared, or not to its end: it is tried again in a day");
}

async fn tell(place: &Place, what: &str, done: &Cleared, recorder: &Recorder) {
    if done.refused > 0 {
        let refused = done.refused;
        tracing::warn!(
            first = done.named.first(),
            refused,
            "{}: Azure does not let all go",
            place.name
        );
    }
    if done.count == 0 {
        return;
    }
    let (count, days) = (done.count.to_string(), place.days.to_string());
    let newest = done.newest.map_or_else(String::new, |at| at.to_string());
    let message = format!(
        "{count} {what} older than {days} days were taken away: {}",
        place.name
    );
    let data = [
        ("Place", place.name.as_str()),
        ("Count", &count),
        ("Days", &days),
        ("Newest", &newest),
    ];
    let (id, level) = (OwnEventId::StorageCleared, OwnLevel::Information);
    recorder.record(id, level, &message, &data).await;
}
