//! What the configuration says about how long the lake keeps what, in the lake's own terms.

use windrow_lake::{Hold, Retention};

use crate::config::checked;

/// How long rows are kept, by this configuration. Where another collector takes out what is over, nothing ever is here.
pub(crate) fn of(lake: &checked::Lake) -> Retention {
    let checked::Retention {
        events,
        event_text,
        event_counts,
        iis,
        failed_requests,
        counters,
        sign_ins,
        operations,
        channels,
    } = &lake.retention;
    let tables = [
        ("events", events),
        ("event_counts", event_counts),
        ("iis", iis),
        ("failed_requests", failed_requests),
        ("counters", counters),
        ("sign_ins", sign_ins),
        ("operations", operations),
    ];
    let tables = tables
        .into_iter()
        .filter(|_| lake.expire)
        .filter_map(|(name, age)| Some((name.to_owned(), age.0?)));
    let channels = channels
        .iter()
        .filter(|_| lake.expire)
        .map(|(name, age)| (name.clone(), age.0));
    let holds = lake.hold.iter().map(|(name, hold)| Hold {
        name: name.clone(),
        tables: hold.tables.clone(),
        channels: hold.channels.clone(),
        from: hold.from,
        to: hold.to,
    });
    Retention {
        tables: tables.collect(),
        channels: channels.collect(),
        text: event_text.0.filter(|_| lake.expire),
        holds: holds.collect(),
    }
}
