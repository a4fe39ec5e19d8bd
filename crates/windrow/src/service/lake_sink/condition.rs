//! How the lake's side is: at work, or held up and why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use prometheus_client::metrics::gauge::Gauge;
use windrow_lake::FileTable;

use super::super::lock;

/// What can be held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Opening the lake.
    Opening,
    /// Finding out what the lake has, and going on from there.
    Beginning,
    /// Reading events from the journal.
    Reading,
    /// Writing them into the lake.
    Committing,
    /// Carrying rows of files into this table.
    Files(FileTable),
}

impl Work {
    fn what(self) -> String {
        let what = match self {
            Work::Opening => "the lake cannot be opened",
            Work::Beginning => "the lake's side stopped and begins again",
            Work::Reading => "events cannot be read from the journal",
            Work::Committing => "events cannot be written to the lake",
            Work::Files(table) => return format!("{} do not go into the lake", table.rows()),
        };
        what.to_owned()
    }
}

/// What is held up now. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Condition {
    troubles: Arc<Mutex<BTreeMap<Work, String>>>,
    /// 1 while anything is held up.
    degraded: Gauge,
}

impl Condition {
    /// Everything at work; `degraded` follows.
    pub(crate) fn new(degraded: Gauge) -> Condition {
        Condition {
            troubles: Arc::default(),
            degraded,
        }
    }

    /// This failed and will be tried again.
    pub(crate) fn failed(&self, work: Work, reason: &str) {
        let mut troubles = lock(&self.troubles);
        troubles.insert(work, reason.to_owned());
        self.degraded.set(1);
    }

    /// This works (again).
    pub(crate) fn works(&self, work: Work) {
        let mut troubles = lock(&self.troubles);
        if troubles.remove(&work).is_some() {
            tracing::info!("over: {}", work.what());
        }
        self.degraded.set(i64::from(!troubles.is_empty()));
    }

    /// What is held up and why; none while all is at work.
    pub(crate) fn reason(&self) -> Option<String> {
        let troubles = lock(&self.troubles);
        let said: Vec<String> = troubles
            .iter()
            .map(|(work, reason)| format!("{}: {reason}", work.what()))
            .collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}
