use super::*;

/// A configuration with these sources of event logs.
fn logs(quota: u32, period: &str, sources: &[&str]) -> Configuration {
    let sources = sources
        .iter()
        .map(|name| format!("<DataSource name=\"{name}\"/>"));
    let sources: String = sources.collect();
    let xml = around(&format!(
        "<WindowsEventLog scheduledTransferPeriod=\"{period}\">{sources}</WindowsEventLog>"
    ));
    sound(xml.replace("\"4096\"", &format!("\"{quota}\"")).as_bytes())
}

fn names(configuration: &Configuration) -> Vec<&str> {
    let public = configuration.public.as_ref().unwrap();
    let log = public
        .wad_cfg
        .as_ref()
        .unwrap()
        .monitor
        .windows_event_log
        .as_ref()
        .unwrap();
    log.data_source
        .iter()
        .map(|source| source.name.as_str())
        .collect()
}

#[test]
fn what_is_new_comes_where_it_stands() {
    let current = logs(1, "PT1M", &["A!*", "C!*", "D!*"]);
    let merged = |sources: &[&str]| {
        let merged = merge(&logs(1, "PT1M", sources), &current, Prefer::New);
        assert_eq!(merged.conflicts, []);
        names(&merged.configuration).join(" ")
    };
    assert_eq!(merged(&["B!*"]), "A!* C!* D!* B!*");
    assert_eq!(merged(&["A!*", "B!*"]), "A!* B!* C!* D!*");
    assert_eq!(merged(&["B!*", "D!*"]), "A!* C!* B!* D!*");
    assert_eq!(merged(&["D!*", "A!*"]), "A!* C!* D!*");
    assert_eq!(merged(&["D!*", "B!*", "E!*"]), "A!* C!* D!* B!* E!*");
}

#[test]
fn a_conflict_has_a_name_and_an_end() {
    let new = logs(2, "PT2M", &["A!*"]);
    let current = logs(1, "PT1M", &["A!*"]);
    let merged = merge(&new, &current, Prefer::New);
    assert_eq!(merged.configuration, new);
    let told: String = merged
        .conflicts
        .iter()
        .map(|of| format!("{}: {} -> {}\n", of.at, of.current, of.new))
        .collect();
    insta::assert_snapshot!(told, @r#"
    PublicConfig/WadCfg/DiagnosticMonitorConfiguration/@overallQuotaInMB: 1 -> 2
    PublicConfig/WadCfg/DiagnosticMonitorConfiguration/WindowsEventLog/@scheduledTransferPeriod: PT1M -> PT2M
    "#);
    let kept = merge(&new, &current, Prefer::Current);
    assert_eq!(kept.configuration, current);
    assert_eq!(
        (kept.conflicts, kept.changes),
        (merged.conflicts, Vec::new())
    );
}

#[test]
fn changes_are_told_and_keys_are_not() {
    let whole = sound(WHOLE.as_bytes());
    let current = logs(
        10000,
        "PT1M",
        &["Security!*[System[(EventID=4624 or EventID=4625)]]"],
    );
    let merged = merge(&whole, &current, Prefer::New);
    assert_eq!(merged.conflicts, []);
    assert_eq!(merged.configuration, whole);
    let told: String = merged
        .changes
        .iter()
        .map(|change| match &change.to {
            Some(to) => format!("{} = {to}\n", change.at),
            None => format!("{}\n", change.at),
        })
        .collect();
    assert!(
        told.contains("StorageAccount[shoplogs]/@key = (a key)") || told.contains("@key = (a key)"),
        "{told}"
    );
    assert!(!told.contains("bm90IGEga2V5"), "{told}");
    assert!(
        told.contains("WindowsEventLog/DataSource[Application!*[System[Level <= 3]]]\n"),
        "{told}"
    );
}

#[test]
fn one_kind_of_sink_gives_way_to_another() {
    let sink = |inside: &str| {
        let xml = around("").replace(
            "</WadCfg>",
            &format!("<SinksConfig><Sink name='a'>{inside}</Sink></SinksConfig></WadCfg>"),
        );
        sound(xml.as_bytes())
    };
    let insights = sink("<ApplicationInsights>b</ApplicationInsights>");
    let hub = sink("<EventHub Url='https://a.example' SharedAccessKeyName='c'/>");
    let merged = merge(&hub, &insights, Prefer::New);
    assert_eq!(merged.configuration, hub);
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(
        (&*merged.conflicts[0].current, &*merged.conflicts[0].new),
        ("ApplicationInsights", "EventHub")
    );
    assert_eq!(
        merge(&hub, &insights, Prefer::Current).configuration,
        insights
    );
}

#[test]
fn both_can_be_too_much() {
    let metrics = |minutes: std::ops::Range<u32>| {
        let periods: String = minutes
            .map(|of| format!("<MetricAggregation scheduledTransferPeriod='PT{of}M'/>"))
            .collect();
        sound(
            around(&format!(
                "<Metrics resourceId='/subscriptions/0'>{periods}</Metrics>"
            ))
            .as_bytes(),
        )
    };
    let merged = merge(&metrics(1..4), &metrics(4..7), Prefer::New);
    assert_eq!(merged.faults.len(), 1, "{:?}", merged.faults);
}
