//! A baseline as a QueryList, and as a page to read.

use super::{BASELINES, Baseline, Item, Noise, Query, Select, TERMS_MAX};
use crate::wsman::escape;

/// Channels that a Windows as it comes does not write to.
pub(super) const OFF_BY_DEFAULT: [&str; 3] = [
    "Microsoft-Windows-Authentication/ProtectedUserFailures-DomainController",
    "Microsoft-Windows-TaskScheduler/Operational",
    "Microsoft-Windows-PrintService/Operational",
];

pub(super) fn query_list(baseline: &Baseline) -> String {
    let mut out = String::from("<QueryList>\n");
    for (number, query) in baseline.queries().enumerate() {
        out.push_str(&format!("  <Query Id=\"{number}\">\n"));
        for select in query.selects {
            for expression in select_expressions(select) {
                selector("Select", select.channel, &expression, &mut out);
            }
        }
        for noise in query.noise {
            let expression = noise_expression(noise);
            selector("Suppress", noise.channel, &expression, &mut out);
        }
        out.push_str("  </Query>\n");
    }
    out.push_str("</QueryList>\n");
    out
}

fn selector(name: &str, channel: &str, expression: &str, out: &mut String) {
    out.push_str(&format!("    <{name} Path=\""));
    escape(channel, out);
    out.push_str("\">");
    // Quotes need no reference inside an element.
    out.push_str(
        &expression
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
    );
    out.push_str(&format!("</{name}>\n"));
}

/// As many expressions as it takes for each to keep to [`TERMS_MAX`].
pub(super) fn select_expressions(select: &Select) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(provider) = select.provider {
        parts.push(format!("Provider[@Name='{provider}']"));
    }
    if !select.levels.is_empty() {
        let levels = select.levels.iter().map(|level| format!("Level={level}"));
        parts.push(either(levels.collect()));
    }
    let data: usize = select.data.iter().map(|(_, values)| values.len()).sum();
    let others = parts.len().min(1) + select.levels.len() + data;
    let chunks = match id_chunks(select.ids, TERMS_MAX - others) {
        chunks if chunks.is_empty() => vec![Vec::new()],
        chunks => chunks,
    };
    let expression = |ids: Vec<String>| {
        let mut system = parts.clone();
        if !ids.is_empty() {
            system.push(either(ids));
        }
        let mut conditions = Vec::new();
        if !system.is_empty() {
            conditions.push(format!("*[System[{}]]", system.join(" and ")));
        }
        conditions.extend(select.data.iter().map(item));
        match conditions.as_slice() {
            [] => "*".to_owned(),
            _ => conditions.join(" and "),
        }
    };
    chunks.into_iter().map(expression).collect()
}

fn noise_expression(noise: &Noise) -> String {
    let ids = id_chunks(noise.ids, usize::MAX).concat();
    let mut conditions = vec![format!("*[System[{}]]", either(ids))];
    conditions.extend(noise.data.iter().map(item));
    conditions.join(" and ")
}

fn item((name, values): &Item) -> String {
    let one = |value: &&str| format!("Data[@Name='{name}']='{value}'");
    format!(
        "*[EventData[{}]]",
        values.iter().map(one).collect::<Vec<_>>().join(" or ")
    )
}

fn either(conditions: Vec<String>) -> String {
    format!("({})", conditions.join(" or "))
}

/// Conditions for EventIDs, three in a row and more as a range; no chunk has more terms.
fn id_chunks(ids: &[u32], terms_max: usize) -> Vec<Vec<String>> {
    let mut chunks: Vec<Vec<String>> = Vec::new();
    let mut terms = usize::MAX;
    for run in ids.chunk_by(|one, next| next - one == 1) {
        let conditions = match run {
            [first, _, .., last] => vec![(2, format!("(EventID>={first} and EventID<={last})"))],
            few => few.iter().map(|id| (1, format!("EventID={id}"))).collect(),
        };
        for (cost, condition) in conditions {
            terms = terms.saturating_add(cost);
            match chunks.last_mut() {
                Some(chunk) if terms <= terms_max => chunk.push(condition),
                _ => {
                    chunks.push(vec![condition]);
                    terms = cost;
                }
            }
        }
    }
    chunks
}

/// Every baseline with its reasons, what is `essential` told once, as Markdown:
/// docs/baselines.md.
#[must_use]
pub fn reasons() -> String {
    let mut out = String::from(HEAD);
    for baseline in BASELINES {
        out.push_str(&format!("\n## {}\n\n{}\n\n", baseline.name, baseline.title));
        out.push_str("| what | why | events | left out |\n|---|---|---|---|\n");
        for query in baseline.queries().filter(|query| !is_told(query, baseline)) {
            row(query, &mut out);
        }
    }
    out
}

const HEAD: &str = "# Ready baselines

Queries to begin with, made for windrow. A machine needs one of them: `domain-controller`, `server` and `workstation`
hold all of `essential`, which is told once. `exercises` asks for what the exercises of Azure's white paper on security
logs look at, and is for trying things out.

What is not audited is not written, and nothing here can send it: the audit policy of the machines decides. A channel
that a machine does not have is passed over. Channels marked with * write nothing until they are enabled
(`wevtutil sl NAME /e:true`).

This page is written by `cargo run -p windrow-formats --example baselines`.
";

/// Whether the first baseline, which most hold whole, has told of it.
fn is_told(query: &Query, baseline: &Baseline) -> bool {
    let first = BASELINES
        .first()
        .filter(|first| first.name != baseline.name);
    let mut told = first.into_iter().flat_map(Baseline::queries);
    told.any(|other| other.reason == query.reason)
}

fn row(query: &Query, out: &mut String) {
    let selects = query.selects.iter().map(events).collect::<Vec<_>>();
    let noise = query.noise.iter().map(|noise| {
        let ids = noise.ids.iter().map(u32::to_string).collect::<Vec<_>>();
        let items = noise
            .data
            .iter()
            .map(|(name, values)| format!("{name} {}", values.join(", ")));
        let items = items.collect::<Vec<_>>().join(" and ");
        format!("{} with {items}: {}", ids.join(", "), noise.reason)
    });
    let noise = noise.collect::<Vec<_>>();
    let (selects, noise) = (selects.join("; "), noise.join(" "));
    let row = [query.topic, query.reason, &selects, &noise];
    let row = row.map(|cell| cell.replace('|', "\\|"));
    out.push_str(&format!("| {} |\n", row.join(" | ")));
}

fn events(select: &Select) -> String {
    let mark = if OFF_BY_DEFAULT.contains(&select.channel) {
        "*"
    } else {
        ""
    };
    let ids = select
        .ids
        .chunk_by(|one, next| next - one == 1)
        .map(|run| match run {
            [first, _, .., last] => format!("{first}–{last}"),
            few => few
                .iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        });
    let mut parts = ids.collect::<Vec<_>>();
    if !select.levels.is_empty() {
        let levels = select.levels.iter().map(u32::to_string).collect::<Vec<_>>();
        parts.push(format!("level {}", levels.join(", ")));
    }
    if parts.is_empty() {
        parts.push("all".to_owned());
    }
    let data = select.data.iter();
    let data = data.map(|(name, values)| format!(" with {name} {}", values.join(", ")));
    // Where everybody writes, the number alone says little.
    let provider = select
        .provider
        .filter(|_| ["System", "Application"].contains(&select.channel));
    let provider = provider.map_or(String::new(), |provider| format!(" ({provider})"));
    let (parts, data) = (parts.join(", "), data.collect::<String>());
    format!("{}{mark}{provider}: {parts}{data}", select.channel)
}
