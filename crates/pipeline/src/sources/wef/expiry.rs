//! A certificate whose time is over while the connection lasts that it was shown on: a machine that
//! sends often enough would keep the connection for ever.

use std::future::pending;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use tokio::time::sleep;

use crate::tls::CertificateSummary;

/// How often the clock is looked at: it may be set.
const LOOK_INTERVAL: Duration = Duration::from_secs(3_600);
/// A certificate is good for the whole of its last second.
const LAST_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Until one of these certificates is over; for ever where none says when that is.
pub(super) async fn over(chain: &[CertificateDer<'_>]) {
    let summaries = chain.iter().filter_map(|one| CertificateSummary::of(one));
    let Some(last) = summaries.map(|summary| summary.not_after).min() else {
        return pending().await;
    };
    loop {
        let left = last.duration_since(Timestamp::now()) + LAST_SECOND;
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => sleep(left.min(LOOK_INTERVAL)).await,
            _ => return,
        }
    }
}
