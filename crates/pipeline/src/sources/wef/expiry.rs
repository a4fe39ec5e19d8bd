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

/// When the certificates are over that were shown, the next one last.
#[derive(Debug, Default)]
pub(super) struct Ends(Vec<Timestamp>);

impl Ends {
    /// Those of these certificates. Some of them may be superfluous.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Ends {
        let summaries = chain.iter().filter_map(|one| CertificateSummary::of(one));
        let mut ends: Vec<_> = summaries.map(|summary| summary.not_after).collect();
        ends.sort_unstable_by(|one, other| other.cmp(one));
        Ends(ends)
    }

    /// Until the next of them is over; for ever where there is none. May be given up and begun anew.
    pub(super) async fn next(&mut self) {
        let Some(next) = self.0.last() else {
            return pending().await;
        };
        loop {
            let left = next.duration_since(Timestamp::now()) + LAST_SECOND;
            match Duration::try_from(left) {
                Ok(left) if !left.is_zero() => sleep(left.min(LOOK_INTERVAL)).await,
                _ => break,
            }
        }
        self.0.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_end_is_told_once() {
        let key = rcgen::KeyPair::generate().unwrap();
        let until = |year| {
            let mut params = rcgen::CertificateParams::new(vec!["ws1".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            params.self_signed(&key).unwrap().der().clone()
        };
        let mut ends = Ends::of(&[until(2100), until(2020), until(2010)]);
        ends.next().await;
        ends.next().await;
        let left = futures::future::poll_immediate(ends.next()).await;
        assert_eq!(left, None, "the last one is far");
        assert_eq!(ends.0.len(), 1);
        assert_eq!(
            futures::future::poll_immediate(Ends::default().next()).await,
            None
        );
    }
}
