//! Profile `standard`: each key in its type and length.

use super::*;

const STANDARD: Settings = Settings {
    version: Version::Zero,
    profile: Profile::Standard,
    product: Product::Stack,
    tabs: Tabs::Space,
};

fn event(provider: &str, id: u32, keywords: &str, data: &[(&str, &str)]) -> String {
    let items: String = data
        .iter()
        .map(|(name, value)| format!("<Data Name='{name}'>{}</Data>", xml(value)))
        .collect();
    format!(
        "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID><Level>0</Level>\
         <Keywords>{keywords}</Keywords><TimeCreated SystemTime='2018-05-17T23:59:28.1239999Z'/>\
         <EventRecordID>26637</EventRecordID><Execution ProcessID='780' ThreadID='4'/>\
         <Channel>Security</Channel><Computer>ws.example.com</Computer></System>\
         <EventData>{items}</EventData></Event>"
    )
}

fn read(xml: &str) -> Parsed {
    let (message, removed) = encode(STANDARD, xml, WHOLE).unwrap();
    assert_eq!(removed, 0, "{message}");
    parse(&message).unwrap()
}

const AUDIT: &str = "Microsoft-Windows-Security-Auditing";
const SUCCESS: &str = "0x8020000000000000";
const FAILURE: &str = "0x8010000000000000";

#[test]
fn a_refused_logon() {
    let data = [
        ("SubjectUserSid", "S-1-5-18"),
        ("SubjectUserName", "WS$"),
        ("SubjectDomainName", "CORP"),
        ("SubjectLogonId", "0x3e7"),
        ("TargetUserSid", "S-1-0-0"),
        ("TargetUserName", "j=doe"),
        ("TargetDomainName", "CORP"),
        ("Status", "0xc000006d"),
        ("FailureReason", "%%2313"),
        ("SubStatus", "0xc000006a"),
        ("LogonType", "3"),
        ("AuthenticationPackageName", "NTLM"),
        ("WorkstationName", "-"),
        ("ProcessId", "0x5c8"),
        ("ProcessName", "C:\\Windows\\svchost.exe"),
        ("IpAddress", "::ffff:10.0.0.7"),
        ("IpPort", "49812"),
    ];
    let (message, _) = encode(STANDARD, &event(AUDIT, 4625, FAILURE, &data), WHOLE).unwrap();
    insta::assert_snapshot!(message, @r"CEF:0|Microsoft|Microsoft Windows|1.0|Microsoft-Windows-Security-Auditing:4625|Somebody tried to log on and was refused.|5|rt=1526601568123 cat=Security dvchost=ws.example.com deviceExternalId=collector.example.com dvcpid=780 externalId=4625 outcome=failure reason=0xc000006a suser=WS$ sntdom=CORP suid=S-1-5-18 duser=j\=doe dntdom=CORP duid=S-1-0-0 src=10.0.0.7 spt=49812 sproc=C:\\Windows\\svchost.exe spid=1480 cn1Label=RecordID cn1=26637 cn2Label=LogonType cn2=3 cs3Label=AuthenticationPackageName cs3=NTLM cs5Label=SubjectLogonId cs5=0x3e7 msg=Somebody tried to log on and was refused. cs6Label=EventData cs6=Status: 0xc000006d; FailureReason: %%2313");
}

#[test]
fn every_shape_of_address_finds_its_key() {
    let of = |address: &str| {
        let data = [("SourceAddress", address), ("DestAddress", address)];
        let parsed = read(&event(AUDIT, 5156, SUCCESS, &data));
        let keys = ["src", "c6a2", "shost", "dst", "c6a3", "dhost"];
        keys.map(|key| parsed.extensions.get(key).cloned().unwrap_or_default())
            .join(" ")
    };
    let lines = [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "fe80::1%12",
        "2001:DB8::1",
        "LOCAL",
        "-",
        "",
    ];
    insta::assert_snapshot!(lines.map(|line| format!("[{}]", of(line))).join("\n"), @"
[10.1.2.3   10.1.2.3  ]
[10.1.2.3   10.1.2.3  ]
[ fe80::1   fe80::1 ]
[ 2001:db8::1   2001:db8::1 ]
[  LOCAL   LOCAL]
[     ]
[     ]
");
}

#[test]
fn numbers_are_decimal_or_left_out() {
    let of = |process: &str, port: &str| {
        let data = [("ProcessId", process), ("IpPort", port)];
        let parsed = read(&event(AUDIT, 4624, SUCCESS, &data));
        ["spid", "spt"].map(|key| parsed.extensions.get(key).cloned())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of("0x5c8", "443"), [some("1480"), some("443")]);
    assert_eq!(of("1480", "0"), [some("1480"), None]);
    assert_eq!(of("x", "65536"), [None, None]);
    assert_eq!(of("-1", "80 81"), [None, None]);
}

#[test]
fn the_acting_program_is_the_source_and_the_started_one_the_destination() {
    let keys = ["sproc", "spid", "dproc", "dpid", "suser", "duser", "dntdom"];
    let of = |provider: &str, id: u32, data: &[(&str, &str)]| {
        let parsed = read(&event(provider, id, SUCCESS, data));
        keys.map(|key| parsed.extensions.get(key).cloned().unwrap_or_default())
            .join(" ")
    };
    let security = [
        ("SubjectUserName", "a"),
        ("NewProcessId", "0x10"),
        ("NewProcessName", "new.exe"),
        ("ProcessId", "0x20"),
        ("TargetUserName", "b"),
        ("ParentProcessName", "old.exe"),
    ];
    assert_eq!(of(AUDIT, 4688, &security), "old.exe 32 new.exe 16 a b ");
    let sysmon = [
        ("ProcessId", "16"),
        ("Image", "new.exe"),
        ("User", "CORP\\b"),
        ("ParentProcessId", "32"),
        ("ParentImage", "old.exe"),
        ("ParentUser", "CORP\\a"),
    ];
    assert_eq!(
        of("Microsoft-Windows-Sysmon", 1, &sysmon),
        "old.exe 32 new.exe 16 a b CORP"
    );
    let access = [
        ("SourceProcessId", "32"),
        ("SourceImage", "old.exe"),
        ("TargetProcessId", "16"),
        ("TargetImage", "new.exe"),
        ("SourceUser", "CORP\\a"),
        ("TargetUser", "CORP\\b"),
    ];
    assert_eq!(
        of("Microsoft-Windows-Sysmon", 10, &access),
        "old.exe 32 new.exe 16 a b CORP"
    );
}

#[test]
fn of_a_change_to_a_group_the_member_is_the_target() {
    let data = [
        ("MemberName", "CN=b,DC=corp"),
        ("MemberSid", "S-1-5-21-1"),
        ("TargetUserName", "Domain Admins"),
        ("TargetDomainName", "CORP"),
        ("TargetSid", "S-1-5-21-512"),
        ("SubjectUserName", "a"),
    ];
    let parsed = read(&event(AUDIT, 4728, SUCCESS, &data));
    let of = |key: &str| &*parsed.extensions[key];
    assert_eq!((of("duser"), of("duid")), ("CN=b,DC=corp", "S-1-5-21-1"));
    assert_eq!((of("cs2Label"), of("cs2")), ("Group", "Domain Admins"));
    assert_eq!(of("cs6"), "TargetDomainName: CORP; TargetSid: S-1-5-21-512");
    assert_eq!(parsed.severity, "8");
}

/// Found by a property: the mark ran into a value that ends in a pipe.
#[test]
fn the_mark_is_a_key_of_its_own_whatever_is_before_it() {
    let pipes = "|".repeat(5_000);
    let xml = event("p", 1, "0x0", &[("Other", &*pipes)]);
    let (message, removed) = encode(STANDARD, &xml, WHOLE).unwrap();
    let parsed = parse(&message).unwrap();
    assert_eq!(parsed.extensions["WindrowTruncated"], removed.to_string());
}

#[test]
fn severity_is_the_level_raised_by_failure_and_criticality() {
    let of = |id: u32, level: &str, keywords: &str| {
        let text = event(AUDIT, id, keywords, &[])
            .replace("<Level>0</Level>", &format!("<Level>{level}</Level>"));
        read(&text).severity
    };
    assert_eq!(of(4624, "0", SUCCESS), "2");
    assert_eq!(of(4625, "0", FAILURE), "5");
    assert_eq!(of(4719, "0", SUCCESS), "8");
    assert_eq!(of(4719, "0", FAILURE), "8");
    assert_eq!(of(4719, "1", SUCCESS), "10");
    let levels = ["1", "2", "3", "4", "5", "9", ""].map(|level| of(4624, level, SUCCESS));
    assert_eq!(levels, ["10", "8", "5", "2", "0", "2", "2"]);
}

#[test]
fn a_value_too_long_for_its_key_is_cut_on_a_character_and_counted() {
    let command = "é=\\|".repeat(2_000);
    let hash = "x".repeat(300);
    let data = [("CommandLine", &*command), ("Hashes", &*hash)];
    let xml = event("Microsoft-Windows-Sysmon", 29, "0x0", &data);
    let (message, removed) = encode(STANDARD, &xml, WHOLE).unwrap();
    let parsed = parse(&message).unwrap();
    // 4,000 bytes are 800 times the five bytes of the pattern.
    assert_eq!(parsed.extensions["cs1"], "é=\\|".repeat(800));
    assert_eq!(parsed.extensions["fileHash"], "x".repeat(255));
    assert_eq!(removed, 6_000 + 45);
    assert_eq!(parsed.extensions["WindrowTruncated"], removed.to_string());
}

#[test]
fn what_has_no_key_stays_together() {
    let data = [
        ("TargetUserName", "a"),
        ("TargetUserName", "b"),
        ("KeyLength", "0"),
        ("LmPackageName", "-"),
        ("Odd=Name", "x; y"),
    ];
    let parsed = read(&event(AUDIT, 4624, SUCCESS, &data));
    assert_eq!(parsed.extensions["duser"], "a");
    assert_eq!(
        parsed.extensions["cs6"],
        "TargetUserName: b; KeyLength: 0; Odd=Name: x; y"
    );
    let tree = "<Event><System><Provider Name='Microsoft-Windows-Eventlog'/><EventID>1102</EventID>\
        <Level>4</Level></System><UserData><LogFileCleared><SubjectUserName>eve</SubjectUserName>\
        <Extra>1</Extra></LogFileCleared></UserData></Event>";
    let parsed = read(tree);
    assert_eq!(parsed.extensions["suser"], "eve");
    assert_eq!(parsed.extensions["cs6"], "Extra: 1");
    assert_eq!(parsed.severity, "8");
}

#[test]
fn name_and_message_come_from_what_there_is() {
    let with = |provider: &str, rendering: &str| {
        let text =
            event(provider, 1, "0x0", &[]).replace("</Event>", &format!("{rendering}</Event>"));
        let parsed = read(&text);
        let msg = parsed.extensions.get("msg").cloned().unwrap_or_default();
        (parsed.name, msg)
    };
    let rendered =
        "<RenderingInfo><Message>First.&#13;&#10;Second</Message><Task>T</Task></RenderingInfo>";
    let sysmon = with("Microsoft-Windows-Sysmon", "");
    assert_eq!(
        sysmon,
        (
            "A program has started.".into(),
            "A program has started.".into()
        )
    );
    let sysmon = with("Microsoft-Windows-Sysmon", rendered);
    assert_eq!(
        sysmon,
        ("A program has started.".into(), "First.\r\nSecond".into())
    );
    let other = with("p", rendered);
    assert_eq!(other, ("T".into(), "First.\r\nSecond".into()));
    let other = with("p", &rendered.replace("<Task>T</Task>", ""));
    assert_eq!(other, ("First.".into(), "First.\r\nSecond".into()));
    assert_eq!(with("p", ""), ("Event".into(), String::new()));
}

/// Every key at once, every text as long as it gets: the least a message can be cut to.
#[test]
fn whatever_an_event_says_it_fits_the_least_size() {
    let long = "x".repeat(5_000);
    let numbers = [
        "IpPort",
        "DestPort",
        "LogonType",
        "ProcessId",
        "NewProcessId",
    ];
    let data: Vec<(&str, &str)> = fields::known_names()
        .map(|name| match name {
            "IpAddress" | "DestAddress" => (name, "2001:db8:1111:2222:3333:4444:5555:6666"),
            "Direction" => (name, "%%14592"),
            _ if numbers.contains(&name) => (name, "65535"),
            _ => (name, &*long),
        })
        .collect();
    let message = format!("<RenderingInfo><Message>{long}</Message></RenderingInfo></Event>");
    let xml = event(&long, 4_294_967_295, FAILURE, &data)
        .replace("26637", "18446744073709551615")
        .replace("2018-05-17", "9998-05-17")
        .replace("<Channel>Security", &format!("<Channel>{long}"))
        .replace("780", "4294967295")
        .replace("ws.example.com", &long)
        .replace("</Event>", &message);
    let header = Header {
        address: Some("255.255.255.255".parse().unwrap()),
        source: long.clone(),
        ..header()
    };
    let mut index = Index::default();
    event::parse(&xml, &mut index).unwrap();
    let most = Encoder::new(STANDARD)
        .encode(Event::new(&xml, &index), &header, 1, &mut Vec::new())
        .unwrap_err()
        .needed;
    // RFC 5424 with a host of 255 characters and the zone of New York takes 318.
    assert!(most + 318 <= crate::limits::SYSLOG_MESSAGE_MIN, "{most}");
}
