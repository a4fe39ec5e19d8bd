//! Real traces, where the corpus is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test asks where the corpus is, and says that it skips"
)]
pub(super) fn file(name: &str) -> Option<Vec<u8>> {
    let corpus = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let bytes = std::fs::read(corpus.join(name)).ok();
    if bytes.is_none() {
        eprintln!("skipped: no corpus with {name}");
    }
    bytes
}

/// The trace, its counts, how many events of each id came, and one of each that says something.
fn summary(bytes: &[u8]) -> String {
    let mut reader = Reader::open(bytes).unwrap();
    let trace = reader.trace();
    let mut out = format!(
        "{} build {} {:?} {:?} lost {}+{} from {} to {}\n",
        trace.session,
        trace.windows_build,
        trace.clock.kind,
        trace.compression,
        trace.events_lost,
        trace.buffers_lost,
        trace.started.unwrap(),
        trace.ended.map(|time| time.to_string()).unwrap_or_default(),
    );
    let (started, ended) = (trace.started.unwrap(), trace.ended.unwrap());
    let mut schemas = Schemas::default();
    let mut kinds: BTreeMap<String, (usize, String)> = BTreeMap::new();
    while let Some(buffer) = reader.next_buffer().unwrap() {
        for event in buffer.events() {
            let event = event.unwrap();
            let time = event.time.unwrap();
            let slack = jiff::SignedDuration::from_secs(2);
            assert!(time >= started - slack && time <= ended + slack, "{time}");
            let line = line(&event, &mut schemas);
            let (_, who) = line.trim().split_once(' ').unwrap();
            let (kind, said) = who.split_once(": ").unwrap_or((who, ""));
            let entry = kinds
                .entry(kind.to_owned())
                .or_insert_with(|| (0, said.to_owned()));
            entry.0 += 1;
        }
    }
    for (kind, (count, said)) in kinds {
        let said: String = said.trim().chars().take(160).collect();
        out += &format!("{count} {kind}: {said}\n");
    }
    out + &format!("{:?}", reader.counts())
}

#[test]
fn a_trace_of_a_self_describing_provider() {
    let Some(bytes) = file("etl/AMSITrace.etl") else {
        return;
    };
    insta::assert_snapshot!(summary(&bytes), @r"
    AMSITraceSession build 18362 Performance None lost 3+0 from 2020-02-17T12:48:30.4203138Z to 2020-02-17T12:50:00.0260662Z
    1 EventTrace 0.0 -: 358 bytes
    1 EventTrace 0.80 -: 48 bytes
    19 provider 8e805eb3 0.0 AmsiScript: Engine=PowerShell_C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe_10.0.18362.1 Script=if ($this.Name.IndexOf('-') -lt 0)
              {
              if ($
    Counts { buffers: 6, unpacked: 0, skipped: 0, after_lost_events: 0, after_lost_buffers: 0 }
    ");
}

#[test]
fn a_trace_with_the_manifest_of_an_event_source() {
    let Some(bytes) = file("etl/BondEtwSample.etl") else {
        return;
    };
    insta::assert_snapshot!(summary(&bytes), @r"
    BondEtwSample build 10240 Performance None lost 0+0 from 2015-10-24T09:21:41.6330301Z to 2015-10-24T09:21:42.3901739Z
    1 EventTrace 0.0 -: 382 bytes
    10 provider 4f8f06bf 1.0 WriteBinaryPayload: occurenceFileTimeUtc=130901521022992016 receiveFileTimeUtc=130901521022992016 inputProtocol=BOND_V1 source=Tx.Bond manifestId=b2489c04-20df-5987-f505-b0b3c1ec51
    1 provider 4f8f06bf 3.0 WriteManifestPayload: occurenceFileTimeUtc=130901521022987014 receiveFileTimeUtc=130901521022987014 inputProtocol=BondManifest source=BondEtwObserver manifestId=b2489c04-20df-5987-f5
    1 provider 4f8f06bf 65534.254 -: 6329 bytes
    Counts { buffers: 3, unpacked: 0, skipped: 0, after_lost_events: 0, after_lost_buffers: 0 }
    ");
}

#[test]
fn a_trace_with_compressed_buffers() {
    let Some(bytes) = file("etl/SelfDescribingSingleEvent.etl") else {
        return;
    };
    insta::assert_snapshot!(summary(&bytes), @r"
    Relogger build 22000 Performance Some(Xpress) lost 0+0 from 2022-04-20T21:27:15.2722435Z to 2022-04-20T21:27:18.6242009Z
    1 EventTrace 0.0 -: 332 bytes
    3 EventTrace 0.80 -: 48 bytes
    1 class 9b79ee91 0.32 -: 136 bytes
    1 class 9b79ee91 0.33 -: 64 bytes
    2 class 9b79ee91 0.34 -: 50 bytes
    10 class 9b79ee91 0.35 -: 12 bytes
    1 class 9b79ee91 0.37 -: 16 bytes
    1 class ed54dff8 0.33 -: 412 bytes
    1 class ed54dff8 0.35 -: 633 bytes
    1 class ed54dff8 0.37 -: 4146 bytes
    1 provider a61ea624 3.0 TestEvent: a={b: Hello, c: World!}
    Counts { buffers: 3, unpacked: 2, skipped: 0, after_lost_events: 0, after_lost_buffers: 0 }
    ");
}

#[test]
fn traces_of_providers_that_nobody_described() {
    for name in ["etl/CrossMachineHTTP.etl", "etl/KernelNetwork.etl"] {
        let Some(bytes) = file(name) else {
            return;
        };
        let summary = summary(&bytes);
        let expected = if name.contains("HTTP") { 3_396 } else { 8_923 };
        let counts = summary.lines().filter(|line| line.contains(" provider "));
        let events: usize = counts
            .map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap())
            .sum();
        assert_eq!(events, expected, "{summary}");
    }
}

/// The manifest of a provider as it was registered on Windows 7, as far as two of its events need it.
#[test]
fn a_manifest_that_is_given_decodes_what_was_bytes() {
    let Some(bytes) = file("etl/KernelNetwork.etl") else {
        return;
    };
    let mut schemas = Schemas::default();
    let data = |name: &str, kind: &str, out: &str| {
        format!("<data name='{name}' inType='win:{kind}' outType='{out}'/>")
    };
    let fields = [
        data("PID", "UInt32", "win:PID"),
        data("size", "UInt32", "xs:unsignedInt"),
        data("daddr", "UInt32", "win:IPv4"),
        data("saddr", "UInt32", "win:IPv4"),
        data("dport", "UInt16", "win:Port"),
        data("sport", "UInt16", "win:Port"),
    ];
    let xml = format!(
        "<provider name='Microsoft-Windows-Kernel-Network' guid='{{7dd42a49-5329-4832-8dfd-43d979153a88}}'>\
         <events><event value='11' template='t'/></events><templates><template tid='t'>{}</template></templates></provider>",
        fields.concat()
    );
    schemas.add(&xml).unwrap();
    let mut reader = Reader::open(bytes.as_slice()).unwrap();
    let mut first = None;
    while let Some(buffer) = reader.next_buffer().unwrap() {
        let mut events = buffer.events().map(Result::unwrap);
        first = first.or_else(|| {
            events
                .find(|event| event.id == 11)
                .map(|event| said(&schemas.decode(&event).body))
        });
    }
    insta::assert_snapshot!(first.unwrap(), @"PID=2716 size=4101 daddr=157.56.244.38 saddr=10.121.106.118 dport=443 sport=61740 +12");
}

#[test]
fn counter_logs_are_traces_too() {
    let Some(bytes) = file("blg/BasicPerfCounters.blg") else {
        return;
    };
    let mut reader = Reader::open(bytes.as_slice()).unwrap();
    let (mut events, mut provider) = (0, None);
    while let Some(buffer) = reader.next_buffer().unwrap() {
        for event in buffer.events().map(Result::unwrap) {
            events += 1;
            provider = event.source.guid().or(provider);
        }
    }
    assert_eq!(events, 603);
    assert_eq!(
        provider.unwrap().to_string(),
        "933f3bb3-943e-490d-9ced-3cbb14c14479"
    );
}
