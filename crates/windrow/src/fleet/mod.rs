//! How the machines are: whether events come from each, and if not, why, in words and with what helps.
//!
//! `windrow sources`, `GET /v1/sources`, `windrow status`, the metrics and `windrow check --live` say the
//! same, because all of them ask here. What is known comes from the collectors' registries; what is made
//! of it is a pure function of that and of a moment ([`judge`]), so that every case is a line of a table in
//! the tests.
//!
//! ```text
//! registry, refused connections ─┐
//! subscriptions ─────────────────┼─▶ survey ─▶ judge ─▶ verdict, finding ─▶ report
//! expected machines, now ────────┘             a machine at a time
//! ```

mod ask;
mod at_rest;
mod expected;
mod finding;
mod judge;
mod near;
mod pace;
mod report;
mod survey;
#[cfg(test)]
mod tests;

pub use ask::{Ask, LIMIT_MAX, PATH};
pub use at_rest::at_rest;
pub(crate) use at_rest::known_at_rest;
pub use expected::Expected;
pub use finding::{Finding, Reason};
pub use judge::{Judgement, Subject, World, judge};
pub use pace::Pace;
pub use report::{Channel, Detail, Machine, Report, Stranger, Subscription, Totals, Verdict};
pub use survey::{Listener, Survey};
