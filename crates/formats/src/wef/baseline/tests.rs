use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;

use super::*;
use crate::event::{self, Index};
use crate::limits::QUERY_LIST_SELECTORS_MAX;
use crate::wef::query;
use crate::wsman::escape;
use crate::xpath::{Expression, Filter};

/// Values of no meaning for items that a query does not ask about.
const ORDINARY: &[(&str, &str)] = &[("SubjectUserSid", "S-1-5-21-1-2-3-1001")];

fn matches(
    filter: &Filter,
    channel: &str,
    provider: &str,
    id: u32,
    level: u32,
    data: &[(&str, &str)],
) -> bool {
    let mut items = String::new();
    for (name, value) in data {
        items.push_str(&format!("<Data Name='{name}'>"));
        escape(value, &mut items);
        items.push_str("</Data>");
    }
    let xml = format!(
        "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID><Level>{level}</Level>\
         <Channel>{channel}</Channel></System><EventData>{items}</EventData></Event>"
    );
    let mut index = Index::new();
    event::parse(&xml, &mut index).unwrap();
    filter.matches(event::Event::new(&xml, &index), Timestamp::UNIX_EPOCH)
}

fn first_values(items: &[Item]) -> Vec<(&'static str, &'static str)> {
    items
        .iter()
        .map(|(name, values)| (*name, values[0]))
        .collect()
}

#[test]
fn every_named_event_is_asked_for() {
    for baseline in BASELINES {
        let filter = Filter::compile(&baseline.query_list()).unwrap();
        assert_eq!(filter.warnings(), []);
        let mut named = BTreeSet::new();
        for select in baseline.queries().flat_map(|query| query.selects) {
            assert!(
                select.ids.is_sorted_by(|one, next| one < next),
                "{select:?}"
            );
            let provider = select.provider.unwrap_or("Any");
            let level = *select.levels.first().unwrap_or(&4);
            let data = [ORDINARY, &first_values(select.data)].concat();
            let ids = if select.ids.is_empty() {
                &[77][..]
            } else {
                select.ids
            };
            for &id in ids {
                assert!(
                    matches(&filter, select.channel, provider, id, level, &data),
                    "{select:?} {id}"
                );
                named.insert((select.channel, provider, id));
            }
        }
        // And nothing beside it.
        for &(channel, provider, id) in &named {
            for other in [id - 1, id + 1] {
                let wide = |select: &&Select| select.channel == channel && select.ids.is_empty();
                let is_named = named.contains(&(channel, provider, other))
                    || baseline
                        .queries()
                        .flat_map(|query| query.selects)
                        .any(|select| wide(&select));
                let found = matches(&filter, channel, provider, other, 4, ORDINARY);
                assert!(
                    is_named || !found,
                    "{} {channel} {provider} {other}",
                    baseline.name
                );
            }
        }
    }
}

#[test]
fn noise_is_left_out_and_nothing_beside_it() {
    for baseline in BASELINES {
        let filter = Filter::compile(&baseline.query_list()).unwrap();
        for query in baseline.queries() {
            for noise in query.noise {
                assert!(!noise.data.is_empty());
                let data = first_values(noise.data);
                for &id in noise.ids {
                    let selects = query.selects.iter();
                    let select = selects
                        .clone()
                        .find(|select| select.channel == noise.channel && select.ids.contains(&id));
                    let select = select.unwrap_or_else(|| panic!("{noise:?} of nothing"));
                    let provider = select.provider.unwrap_or("Any");
                    assert!(
                        !matches(&filter, noise.channel, provider, id, 4, &data),
                        "{noise:?}"
                    );
                    for left in 0..data.len() {
                        let mut other = data.clone();
                        other[left].1 = "other";
                        assert!(
                            matches(&filter, noise.channel, provider, id, 4, &other),
                            "{noise:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn lists_are_within_what_windows_takes() {
    for baseline in BASELINES {
        let list = baseline.query_list();
        assert!(list.len() < 32 * 1024, "{} {}", baseline.name, list.len());
        assert!(list.matches(" Path=").count() < QUERY_LIST_SELECTORS_MAX / 2);
        for select in baseline.queries().flat_map(|query| query.selects) {
            for expression in text::select_expressions(select) {
                let terms = expression.matches(['=', '>', '<']).count()
                    - expression.matches(">=").count()
                    - expression.matches("<=").count();
                assert!(
                    terms <= TERMS_MAX && Expression::compile(&expression).is_ok(),
                    "{expression}"
                );
            }
        }
        assert!(!query::channels(&list).unwrap().is_empty());
        assert_eq!(
            Baseline::named(baseline.name).unwrap().title,
            baseline.title
        );
        for query in baseline.queries() {
            assert!(
                query.reason.ends_with('.') && !query.topic.is_empty(),
                "{query:?}"
            );
        }
    }
    assert!(Baseline::named("none").is_none());
}

#[test]
fn roles_hold_what_is_essential() {
    let topics = |name: &str| {
        Baseline::named(name)
            .unwrap()
            .queries()
            .map(|query| query.topic)
            .collect::<Vec<_>>()
    };
    let essential = topics("essential");
    for role in ["domain-controller", "server", "workstation"] {
        let topics = topics(role);
        assert!(essential.iter().all(|topic| topics.contains(topic)));
        assert_eq!(
            topics.iter().collect::<BTreeSet<_>>().len(),
            topics.len(),
            "{role}"
        );
    }
}

#[test]
fn the_exercises_are_asked_for() {
    let filter = Filter::compile(&Baseline::named("exercises").unwrap().query_list()).unwrap();
    let audit = "Microsoft-Windows-Security-Auditing";
    for id in [4624, 4625, 4732, 4688, 4946] {
        assert!(matches(&filter, "Security", audit, id, 0, &[]), "{id}");
    }
    assert!(matches(&filter, "Application", "EventCreate", 100, 2, &[]));
    assert!(!matches(&filter, "Application", "EventCreate", 100, 4, &[]));
}

#[test]
fn the_page_is_what_the_tables_say() {
    let page = include_str!("../../../../../docs/baselines.md");
    assert!(
        page == reasons(),
        "run: cargo run -p windrow-formats --example baselines > docs/baselines.md"
    );
}

/// Windows' own message tables, where they are at hand: an id that no Windows has is a slip.
#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn named_events_exist() {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let path = root.join("reference/event-messages-welm.tsv");
    let Ok(table) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no {}", path.display());
        return;
    };
    let mut known: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for line in table.lines().skip(1) {
        let mut fields = line.split('\t').skip(1);
        let (provider, id) = (fields.next().unwrap(), fields.next().unwrap());
        known
            .entry(provider)
            .or_default()
            .insert(id.parse().unwrap());
    }
    let mut missing = BTreeSet::new();
    for select in BASELINES
        .iter()
        .flat_map(Baseline::queries)
        .flat_map(|query| query.selects)
    {
        let Some(ids) = select.provider.and_then(|provider| known.get(provider)) else {
            continue;
        };
        missing.extend(
            select
                .ids
                .iter()
                .filter(|id| !ids.contains(id))
                .map(|id| (select.provider, *id)),
        );
    }
    // Of Windows later than the table's.
    missing.retain(|(_, id)| ![5013].contains(id));
    assert!(missing.is_empty(), "{missing:?}");
}
