//! Subscriptions made by command, `windrow subscription`: machines take up what changes and nothing else, nothing comes
//! twice; files of Windows come in and go out again; the published baselines are taken as the page says.

use std::path::{Path, PathBuf};

use crate::support::ledger::repeated;
use crate::support::program::{Finished, run};
use crate::support::service::Service;
use crate::support::{Scratch, wait_until};

/// Each machine asks so often that a test need not wait for it.
const FLEET: [&str; 8] = [
    "--machines",
    "3",
    "--rate",
    "20",
    "--for",
    "10m",
    "--refresh",
    "1s",
];
const MACHINES: u64 = 3;
/// What [`Service`] asks for by itself.
const ITS_OWN: &str = "[subscription.base]\nchannels = [\"Security\", \"System\", \"Application\"]\n\
                       max_latency = \"1s\"\nretry_interval = \"1s\"\n";

/// `windrow subscription VERB …` with the service's data folder.
fn subscription(scratch: &Scratch, service: &Service<'_>, words: &[&str]) -> Finished {
    let mut arguments = service.arguments("subscription");
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    run(scratch, &arguments)
}

/// The same, its answer as JSON.
fn json(scratch: &Scratch, service: &Service<'_>, words: &[&str]) -> serde_json::Value {
    let words = [words, &["--output", "json"]].concat();
    let said = subscription(scratch, service, &words).expect(0).stdout;
    serde_json::from_str(&said).unwrap()
}

fn now(scratch: &Scratch, service: &Service<'_>, name: &str) -> serde_json::Value {
    json(scratch, service, &["show", name])["now"].take()
}

/// How many events came for a subscription, by channel.
fn events(service: &Service<'_>, name: &str, channel: &str) -> u64 {
    let rows = service.query(&format!(
        "select count(*) n from events where subscription = '{name}' and channel = '{channel}'"
    ));
    rows[0]["n"].as_u64().unwrap()
}

/// Waits until every machine has asked so many times more.
fn asked_again(service: &Service<'_>, times: u64) {
    let asked = || -> Vec<String> {
        let status = service.status();
        let machines = status["sources"]["wef.main"]["by_machine"].as_array();
        let machines = machines.unwrap().iter();
        machines
            .map(|machine| machine["last_enumerate"].to_string())
            .collect()
    };
    for _ in 0..times {
        let before = asked();
        assert_eq!(before.len() as u64, MACHINES);
        wait_until("every machine to ask again", || {
            let now = asked();
            now.iter().zip(&before).all(|(now, before)| now != before)
        });
    }
}

/// Machines that began anew although a bookmark was stored for them.
fn began_anew(service: &Service<'_>) -> u64 {
    let metrics = service.get("/metrics").unwrap();
    let line = "windrow_wef_unexpected_bookmark_events_total ";
    let value = metrics.lines().find_map(|found| found.strip_prefix(line));
    value.unwrap().trim().parse().unwrap()
}

#[test]
fn machines_take_up_what_commands_change_and_send_nothing_twice() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.reconfigure(ITS_OWN, "");
    service.start();
    let mut fleet = service.fleet("fleet", &FLEET);
    let none = subscription(&scratch, &service, &["list", "--output", "table"]).expect(0);
    assert!(
        none.stdout.contains("there is no subscription"),
        "{}",
        none.stdout
    );

    let quick = ["--max-latency", "1s", "--retry-interval", "1s"];
    let add = [&["add", "logons", "--channel", "Security"], &quick[..]].concat();
    let added = json(&scratch, &service, &add);
    assert_eq!(added["running"], true);
    wait_until("events for the new subscription", || {
        events(&service, "logons", "Security") > 20
    });
    wait_until("every machine to have it", || {
        let now = now(&scratch, &service, "logons");
        now["current"] == MACHINES && now["taken_up"] == MACHINES
    });
    assert_eq!(events(&service, "logons", "Application"), 0);
    let versions = || versions(&scratch, &service, "logons");
    let first = versions();

    the_newest_are_asked(&scratch, &service);

    // What no machine sees changes no version, of this or of others.
    let set = ["set", "logons", "--description", "who came in"];
    let set = json(&scratch, &service, &set);
    assert_eq!(set["revision_before"], set["subscription"]["revision"]);
    assert_eq!(
        json(&scratch, &service, &["list"])[0]["machines_current"],
        MACHINES
    );
    let other = [&["add", "other", "--channel", "System"], &quick[..]].concat();
    json(&scratch, &service, &other);
    asked_again(&service, 2);
    assert_eq!(versions(), first);

    // Another query is another version, taken up from where each machine is.
    let query = ["set", "logons", "--channel", "Security,Application"];
    let set = json(&scratch, &service, &query);
    assert_ne!(set["revision_before"], set["subscription"]["revision"]);
    wait_until("events of the channel that was gained", || {
        events(&service, "logons", "Application") > 20
    });
    wait_until("every machine to have it as it is", || {
        now(&scratch, &service, "logons")["current"] == MACHINES
    });
    assert!(versions().iter().all(|now| !first.contains(now)));
    assert_eq!(began_anew(&service), 0, "each went on from where it was");

    switched_off_and_on(&scratch, &service);
    assert!(fleet.is_running());
    let ledger = fleet.stop();
    wait_until("every record that was acknowledged", || {
        ledger.missing(&service.lake()).is_empty()
    });
    assert_eq!(repeated(&records_of_logons(&service)), [""; 0]);
    on_record(&scratch, &mut service);
}

/// Of what is stored the newest are asked what a subscription selects.
fn the_newest_are_asked(scratch: &Scratch, service: &Service<'_>) {
    let ask = |newest: &str| json(scratch, service, &["test", "logons", "--newest", newest]);
    let few = ask("10");
    let events = few["events"].as_u64().unwrap();
    // Machines may write at one and the same moment.
    assert!((10..10 + MACHINES).contains(&events), "{few}");
    let all = ask("1000000");
    assert!(all["events"].as_u64().unwrap() > events, "{all}");
    assert!(all["selected"].as_u64().unwrap() > 0, "{all}");
}

/// What is taken out of a query and put back goes on from where it was: nothing comes twice, and nothing is left out.
#[test]
fn a_channel_that_is_taken_out_and_put_back_loses_nothing_and_sends_nothing_twice() {
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.reconfigure(ITS_OWN, "");
    service.start();
    let quick = ["--max-latency", "1s", "--retry-interval", "1s"];
    let both = ["--channel", "Security", "--channel", "System"];
    let add = [&["add", "two"], &both[..], &quick[..]].concat();
    json(&scratch, &service, &add);
    let fleet = service.fleet("fleet", &FLEET);
    wait_until("events of both channels", || {
        events(&service, "two", "System") > 10 && events(&service, "two", "Security") > 10
    });
    for round in 1..=2 {
        json(&scratch, &service, &["set", "two", "--channel", "Security"]);
        asked_again(&service, 3);
        let before = events(&service, "two", "System");
        json(&scratch, &service, &[&["set", "two"], &both[..]].concat());
        wait_until("events of the channel that is back", || {
            events(&service, "two", "System") > before + 10 * round
        });
    }
    fleet.stop();
    let rows = service.query(
        "select computer, channel, min(record_id) as first, max(record_id) as last, count(*) as n, \
         count(distinct record_id) as ids from events where subscription = 'two' \
         group by computer, channel",
    );
    assert_eq!(rows.len() as u64, 2 * MACHINES);
    for row in &rows {
        let of = |name: &str| row[name].as_u64().unwrap();
        assert_eq!(of("n"), of("ids"), "twice: {row}");
        assert_eq!(of("n"), of("last") - of("first") + 1, "left out: {row}");
    }
}

/// A script that adds one for each of its lines, all at once.
#[test]
fn many_commands_at_once_are_all_done() {
    const COMMANDS: usize = 40;
    let scratch = Scratch::new();
    let mut service = Service::new(&scratch);
    service.start();
    std::thread::scope(|scope| {
        let (scratch, service) = (&scratch, &service);
        for number in 0..COMMANDS {
            let name = format!("sub-{number}");
            scope.spawn(move || {
                let words = ["add", &name, "--channel", "Setup"];
                subscription(scratch, service, &words).expect(0);
            });
        }
    });
    let list = json(&scratch, &service, &["list"]);
    let names = list.as_array().unwrap().iter();
    let added = names.filter(|shown| shown["name"].as_str().unwrap().starts_with("sub-"));
    assert_eq!(added.count(), COMMANDS);
}

/// The versions that machines were offered of a subscription.
fn versions(scratch: &Scratch, service: &Service<'_>, name: &str) -> Vec<String> {
    let now = now(scratch, service, name);
    let machines = now["by_machine"].as_array().unwrap().iter();
    machines
        .map(|machine| machine["version"].as_str().unwrap().to_owned())
        .collect()
}

/// Switched off, nobody sends for it, and others go on; on again, for one machine, from where it was.
fn switched_off_and_on(scratch: &Scratch, service: &Service<'_>) {
    let off = subscription(scratch, service, &["disable", "logons"]).expect(0);
    assert!(off.stdout.contains("keep their places"), "{}", off.stdout);
    wait_until("nobody to have it", || {
        now(scratch, service, "logons")["machines"] == 0
    });
    asked_again(service, 2);
    let came = now(scratch, service, "logons")["events"].as_u64().unwrap();
    let others = events(service, "other", "System");
    asked_again(service, 3);
    assert_eq!(now(scratch, service, "logons")["events"], came);
    wait_until("the others to go on", || {
        events(service, "other", "System") > others
    });

    let one = ["set", "logons", "--machines", "SRV0001"];
    subscription(scratch, service, &one).expect(0);
    subscription(scratch, service, &["enable", "logons"]).expect(0);
    wait_until("more of its events", || {
        let now = now(scratch, service, "logons");
        now["machines"] == 1 && now["events"].as_u64().unwrap() > came + 20
    });
}

/// How often each record came for the one subscription.
fn records_of_logons(service: &Service<'_>) -> crate::support::ledger::Arrived {
    let rows = service.query(
        "select computer, channel, record_id from events where subscription = 'logons' and record_id is not null",
    );
    let mut arrived = crate::support::ledger::Arrived::new();
    for row in rows {
        let word = |key: &str| row[key].as_str().unwrap().to_owned();
        let log = (word("computer"), word("channel"));
        crate::support::ledger::arrive(&mut arrived, log, row["record_id"].as_u64().unwrap());
    }
    arrived
}

/// Each change is on record, and all of it is there again at the next start.
fn on_record(scratch: &Scratch, service: &mut Service<'_>) {
    let refused = subscription(scratch, service, &["add", "logons", "--baseline", "server"]);
    let refused = refused.expect(2).stderr;
    assert!(
        refused.contains("there is a subscription logons already"),
        "{refused}"
    );
    let records = |id: u32| {
        let sql = format!(
            "select message from events where origin = 'own' and event_id = {id} order by seq"
        );
        service.query(&sql)
    };
    assert_eq!(records(30).len(), 7);
    let message = records(30)[0]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("subscription.logons: add by root (uid 0)"),
        "{message}"
    );
    assert_eq!(records(31).len(), 1);
    let before = json(scratch, service, &["show", "logons"]);
    service.kill();
    service.start();
    let after = json(scratch, service, &["show", "logons"]);
    for key in ["revision", "whom", "description", "query", "max_latency"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    service.terminate().expect(0);
}

/// A subscription as Windows writes it.
fn windows(name: &str, query: &str, machines: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Subscription xmlns=\"http://schemas.microsoft.com/2006/03/windows/events/subscription\">\n\
         <SubscriptionId>{name}</SubscriptionId>\n<SubscriptionType>SourceInitiated</SubscriptionType>\n\
         <Description>What {name} is for</Description>\n<Enabled>true</Enabled>\n\
         <Uri>http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog</Uri>\n\
         <ConfigurationMode>Custom</ConfigurationMode>\n\
         <Delivery Mode=\"Push\"><Batching><MaxItems>5</MaxItems><MaxLatencyTime>300000</MaxLatencyTime></Batching>\
         <PushSettings><Heartbeat Interval=\"1800000\"/></PushSettings></Delivery>\n\
         <Query><![CDATA[\n{query}\n]]></Query>\n<ReadExistingEvents>true</ReadExistingEvents>\n\
         <TransportName>http</TransportName>\n<ContentFormat>Events</ContentFormat>\n<Locale Language=\"en-US\"/>\n\
         <LogFile>ForwardedEvents</LogFile>\n\
         <AllowedSourceDomainComputers>{machines}</AllowedSourceDomainComputers>\n</Subscription>\n"
    )
}

const EVERYONE: &str = "O:NSG:NSD:(A;;GA;;;DC)(A;;GA;;;DD)(A;;GA;;;NS)";
const A_GROUP: &str = "O:NSG:NSD:(A;;GA;;;S-1-5-21-1-2-3-1105)";

#[test]
fn a_folder_of_windows_files_comes_in_and_goes_out_the_same() {
    let scratch = Scratch::new();
    let service = Service::new(&scratch);
    service.reconfigure(ITS_OWN, "");
    let query = |expression: &str| {
        format!(
            "<QueryList>\n  <Query Id=\"0\">\n    <Select Path=\"Security\">{expression}</Select>\n  </Query>\n</QueryList>"
        )
    };
    let good = query("*[System[EventID=4624]]");
    scratch.write("wef/Log On.xml", &windows("Log On (4624)", &good, EVERYONE));
    scratch.write("wef/deep/group.xml", &windows("Group", &good, A_GROUP));
    scratch.write(
        "wef/lone.xml",
        &windows("Lone", &query("[System]"), EVERYONE),
    );
    scratch.write("wef/Query.XML", &query("*[System[EventID=1102]]"));
    scratch.write("wef/readme.txt", "not a subscription");

    let dry = subscription(&scratch, &service, &["import", "wef", "--dry-run"]).expect(3);
    for said in [
        "taken     log-on-4624  wef/Log On.xml",
        "refused   wef/lone.xml:13:",
        "brackets stand behind *",
        "hint: say which machines it is for: --machines",
        "Log On.xml:18",
        "2 would be taken, 2 refused; nothing was changed",
    ] {
        assert!(dry.stdout.contains(said), "{said}: {}", dry.stdout);
    }
    assert!(!scratch.join("data/conf.d").exists(), "it was a dry run");
    let stops = ["import", "wef", "--all-or-nothing"];
    subscription(&scratch, &service, &stops).expect(1);

    let taken = subscription(&scratch, &service, &["import", "wef"]).expect(3);
    assert!(
        taken.stdout.contains("2 taken, 2 refused"),
        "{}",
        taken.stdout
    );
    let text = std::fs::read_to_string(scratch.join("data/conf.d/subscription.log-on-4624.toml"));
    let text = text.unwrap();
    assert!(text.contains("\n  <Query Id=\"0\">\n"), "{text}");
    let group = [
        "import",
        "wef/deep/group.xml",
        "--machines",
        "dc*",
        "--delivery",
        "normal",
    ];
    subscription(&scratch, &service, &group).expect(0);
    let shown = json(&scratch, &service, &["show", "group"]);
    assert_eq!(
        (&shown["whom"], &shown["delivery"]),
        (&"dc*".into(), &"normal".into())
    );
    let again = subscription(&scratch, &service, &["import", "wef/Query.XML"]).expect(1);
    assert!(again.stdout.contains("hint: --replace"), "{}", again.stdout);

    goes_out_and_comes_back(&scratch, &service);
}

/// What is exported is taken again as what it was.
fn goes_out_and_comes_back(scratch: &Scratch, service: &Service<'_>) {
    let names = ["log-on-4624", "group", "query"];
    for name in names {
        let file = format!("out/{name}.xml");
        std::fs::create_dir_all(scratch.join("out")).unwrap();
        let export = ["export", name, "--output-file", &file];
        subscription(scratch, service, &export).expect(0);
    }
    let before = names.map(|name| json(scratch, service, &["show", name]));
    let back = ["import", "out", "--replace", "--output", "json"];
    let back = subscription(scratch, service, &back).expect(0).stdout;
    let back: serde_json::Value = serde_json::from_str(&back).unwrap();
    assert_eq!(back["unchanged"], names.len(), "{back}");
    for name in names {
        subscription(scratch, service, &["remove", name]).expect(0);
    }
    subscription(scratch, service, &["import", "out"]).expect(0);
    let after = names.map(|name| json(scratch, service, &["show", name]));
    assert_eq!(before, after);
}

#[test]
fn an_import_of_all_or_nothing_counts_the_room_first() {
    let scratch = Scratch::new();
    let service = Service::new(&scratch);
    // One less than there may be.
    for number in 0..254 {
        service.configure(&format!(
            "[subscription.s{number}]\nbaseline = \"essential\"\n"
        ));
    }
    std::fs::create_dir(scratch.join("two")).unwrap();
    for name in ["one", "other"] {
        let query = "<QueryList><Query Id='0'><Select Path='System'>*</Select></Query></QueryList>";
        scratch.write(&format!("two/{name}.xml"), query);
    }
    let import = ["import", "two", "--machines", "*"];
    let all = [&import[..], &["--all-or-nothing"]].concat();
    let said = subscription(&scratch, &service, &all).expect(1).stdout;
    let no_more = "there may be 256 subscriptions, and no more";
    assert!(said.contains(no_more), "{said}");
    assert!(!scratch.join("data/conf.d").exists(), "nothing was taken");
    let said = subscription(&scratch, &service, &import).expect(3).stdout;
    assert!(said.contains("1 taken, 1 refused"), "{said}");
}

/// The folder of published subscriptions, where it is at hand.
fn published() -> Option<PathBuf> {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let folder = root.join("wef-subscriptions");
    if !folder.is_dir() {
        eprintln!("skipped: no corpus at {}", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn published_subscriptions_are_taken_and_their_faults_named() {
    let Some(folder) = published() else {
        return;
    };
    let scratch = Scratch::new();
    let folder = folder.display().to_string();
    let data = scratch.join("data").display().to_string();
    let import = |words: &[&str], code: i32| {
        let usual = ["subscription", "--data-dir", &data, "import", &folder];
        let words = [&usual, words, &["--output", "json"]].concat();
        let said = run(&scratch, &words).expect(code).stdout;
        serde_json::from_str::<serde_json::Value>(&said).unwrap()
    };
    let dry = import(&["--dry-run", "--names", "file"], 3);
    assert_eq!(
        (&dry["taken"], &dry["refused"]),
        (&65.into(), &1.into()),
        "{dry}"
    );
    let files = dry["files"].as_array().unwrap();
    let refused = files.iter().find(|file| file["outcome"] == "refused");
    let refused = refused.unwrap();
    assert!(
        refused["file"]
            .as_str()
            .unwrap()
            .ends_with("Query_Active_Directory.xml")
    );
    assert_eq!(refused["line"], 32);
    let notes = files
        .iter()
        .flat_map(|file| file["notes"].as_array().unwrap());
    let (placed, loose): (Vec<_>, Vec<_>) = notes.partition(|note| note["line"].is_u64());
    assert!(placed.len() > 100, "{placed:?}");
    let is_cut = |note: &&serde_json::Value| note["note"].as_str().unwrap().contains("cut at 48");
    assert!(loose.len() == 3 && loose.iter().all(is_cut), "{loose:?}");
    // Two folders of one collection hold subscriptions of the same names.
    let by_id = import(&["--dry-run"], 3);
    assert_eq!(
        (&by_id["taken"], &by_id["refused"]),
        (&55.into(), &11.into())
    );

    // All of them at once, as somebody would, and as machines are offered them.
    let taken = import(&["--names", "file", "--machines", "ws*"], 3);
    assert_eq!(taken["taken"], 65);
    let list = [
        "subscription",
        "--data-dir",
        &data,
        "list",
        "--output",
        "ndjson",
    ];
    let list = run(&scratch, &list).expect(0).stdout;
    assert_eq!(list.lines().count(), 65);
    assert!(list.lines().all(|line| line.contains("\"for\":\"ws*\"")));
}
