//! The demo's last word: what the machines were told is safe, against what is in the lake and
//! what the receiver got, record by record.

use std::collections::BTreeMap;

use anyhow::Context as _;
use futures::StreamExt as _;
use serde_json::Value;
use windrow_lake::{Format, Layout, QueryLimits, QueryOutput};

use crate::service::Service;
use crate::simulate::ledger::{Ledger, LogName};
use crate::simulate::ranges::RangeSet;
use crate::simulate::receiver::Received;

/// Every record that the lake's view has, our own records left out.
const RECORDS: &str = "select computer, channel, record_id from events where record_id is not null";

/// The three accounts side by side.
pub(super) struct Proof {
    /// Records the collector acknowledged to the machines.
    pub(super) acknowledged: u64,
    /// Of these, records that are not in the lake.
    pub(super) missing_in_lake: u64,
    /// Records that are in the lake more than once.
    pub(super) twice_in_lake: u64,
    /// Of the acknowledged, records that the receiver did not get.
    pub(super) missing_at_receiver: u64,
    /// Records that the receiver got more than once.
    pub(super) again_at_receiver: u64,
}

impl Proof {
    /// Whether nothing was lost and nothing is in the lake twice.
    pub(super) fn holds(&self) -> bool {
        self.missing_in_lake == 0 && self.twice_in_lake == 0 && self.missing_at_receiver == 0
    }
}

/// Compares the accounts.
///
/// # Errors
/// The lake cannot be asked.
pub(super) async fn prove(
    service: &Service,
    ledger: &Ledger,
    received: &Received,
) -> anyhow::Result<Proof> {
    let (in_lake, twice_in_lake) = lake_records(service).await.context("cannot ask the lake")?;
    Ok(Proof {
        acknowledged: ledger.acknowledged(),
        missing_in_lake: count(&ledger.missing(&in_lake)),
        twice_in_lake,
        missing_at_receiver: count(&ledger.missing(&received.records)),
        again_at_receiver: received.again,
    })
}

fn count(missing: &BTreeMap<LogName, RangeSet>) -> u64 {
    missing.values().map(RangeSet::count).sum()
}

async fn lake_records(service: &Service) -> anyhow::Result<(BTreeMap<LogName, RangeSet>, u64)> {
    let mut records: BTreeMap<LogName, RangeSet> = BTreeMap::new();
    let mut twice = 0;
    for row in rows(service, RECORDS).await? {
        let (Some(computer), Some(channel), Some(id)) = (
            row["computer"].as_str(),
            row["channel"].as_str(),
            row["record_id"].as_u64(),
        ) else {
            continue;
        };
        let log = records.entry(LogName::new(computer, channel)).or_default();
        if log.contains(id) {
            twice += 1;
        } else {
            log.insert(id);
        }
    }
    Ok((records, twice))
}

/// The rows of an answer as JSON objects.
///
/// # Errors
/// The query, or an answer that is not JSON.
pub(super) async fn rows(service: &Service, sql: &str) -> anyhow::Result<Vec<Value>> {
    let answer = service.query(sql, QueryLimits::default()).await?;
    let mut text = Vec::new();
    let pieces = answer.pieces.map(Ok);
    QueryOutput::from_ipc(pieces)
        .await?
        .write(Format::Ndjson, &Layout::default(), &mut text)
        .await?;
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    Ok(lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?)
}
