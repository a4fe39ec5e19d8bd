use windrow_formats::batch::Kind;

use super::*;
use crate::rows::Rows;
use crate::testing::{ask, header, rows, rows_from};
use crate::{Lake, QueryLimits, Tail};

/// An event of this provider and id with these values.
fn event(record: usize, provider: &str, id: u32, data: &[(&str, &str)]) -> String {
    let data: String = data
        .iter()
        .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
        .collect();
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{provider}'/>\
         <EventID>{id}</EventID><Level>0</Level><Keywords>0x8020000000000000</Keywords>\
         <TimeCreated SystemTime='2025-11-05T00:00:{record:02}Z'/><EventRecordID>{record}</EventRecordID>\
         <Channel>Security</Channel><Computer>DC1</Computer><Security UserID='S-1-5-18'/></System>\
         <EventData>{data}</EventData></Event>"
    )
}

/// An event a line: its provider (`A` for the audit's), its id and its values.
const EVENTS: &str = "\
A|4624|TargetUserName=ann|LogonType=10|IpAddress=10.0.0.7|ElevatedToken=%%1842
A|4625|TargetUserName=ann|Status=0xc000006d|SubStatus=0xc000006a|LogonType=3
A|4625|TargetUserName=bob|Status=0xc0000234|SubStatus=0x0|LogonType=2
A|4634|TargetUserName=ann|TargetLogonId=0x77|LogonType=10
A|4648|SubjectUserName=ann|TargetUserName=bob|TargetServerName=files
A|4672|SubjectUserName=ann|PrivilegeList=SeDebugPrivilege
A|4688|NewProcessName=C:\\a.exe|NewProcessId=0x1|ProcessId=0x2|TargetUserName=-|SubjectUserName=admin|MandatoryLabel=S-1-16-12288|TokenElevationType=%%1937
Microsoft-Windows-Sysmon|1|Image=C:\\b.exe|ProcessId=3|ParentProcessId=4|User=D\\ann|LogonId=0x9|IntegrityLevel=High
A|4720|TargetUserName=new|TargetDomainName=D|SubjectUserName=admin
A|4740|TargetUserName=ann|TargetDomainName=WKS1|SubjectUserName=admin
A|4781|OldTargetUserName=old|NewTargetUserName=new|SubjectUserName=admin
A|4728|MemberSid=S-1-5-21-1-2-3-500|TargetUserName=Domain Admins|SubjectUserName=admin
A|4762|MemberSid=S-1-5-21-1-2-3-500|TargetUserName=Domain Admins|SubjectUserName=admin
A|4946|RuleName=in|ProfileChanged=All
Microsoft-Windows-Windows Firewall With Advanced Security|2006|RuleName=out|ModifyingUser=S-1-5-18
Microsoft-Windows-Eventlog|1102
Service Control Manager|7045|ServiceName=x|ImagePath=C:\\x.exe|AccountName=LocalSystem
Service Control Manager|7040|param1=Long|param2=disabled|param3=auto start|param4=y
A|4702|TaskName=\\t|TaskContentNew=new|SubjectUserName=admin
A|4771|TargetUserName=ann|Status=0x18|IpAddress=::ffff:10.0.0.7
A|4776|TargetUserName=ann|Status=0xC0000064|Workstation=WKS1
A|5157|Application=\\a.exe|Direction=%%14593|SourceAddress=10.0.0.7|DestPort=445
Other|4624|TargetUserName=nobody
A|4719|AuditPolicyChanges=%%8448|SubjectUserName=admin
A|4688|NewProcessName=C:\\c.exe|NewProcessId=0x3|ProcessId=0x4|TargetUserName=bob|TargetLogonId=0x88|SubjectUserName=admin|SubjectLogonId=0x3e7
PowerShellCore|4104|ScriptBlockText=whoami
USER32|1074|param5=restart";

fn events() -> Vec<String> {
    let event_of = |(record, line): (usize, &str)| {
        let mut parts = line.split('|');
        let provider = match parts.next().unwrap() {
            "A" => "Microsoft-Windows-Security-Auditing",
            other => other,
        };
        let id = parts.next().unwrap().parse().unwrap();
        let values: Vec<_> = parts.map(|part| part.split_once('=').unwrap()).collect();
        event(record, provider, id, &values)
    };
    EVENTS.lines().enumerate().map(event_of).collect()
}

async fn lake() -> (tempfile::TempDir, Lake) {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    lake.append(rows(&events(), None), None).await.unwrap();
    (dir, lake)
}

#[tokio::test]
async fn every_view_can_be_asked_for_everything() {
    let (_dir, lake) = lake().await;
    let mut counts = String::new();
    for view in views().iter().filter(|view| view.name != EVENT_COUNTS) {
        let sql = format!("select count(*) as n from (select * from {})", view.name);
        counts.push_str(&format!("{} {}", view.name, ask(&lake, &sql).await));
        let described = ask(&lake, &format!("describe {}", view.name)).await;
        assert!(
            described.starts_with(r#"{"column_name":"time""#),
            "{described}"
        );
        assert!(view.condition.contains("provider = '"), "{}", view.name);
    }
    insta::assert_snapshot!(counts, @r#"
        account_changes {"n":3}
        alerts {"n":0}
        audit {"n":0}
        authentications {"n":2}
        explicit_logons {"n":1}
        failed_logons {"n":2}
        firewall_changes {"n":2}
        group_changes {"n":2}
        log_cleared {"n":1}
        logoffs {"n":1}
        logons {"n":1}
        malware {"n":0}
        network_connections {"n":1}
        policy_changes {"n":1}
        powershell_scripts {"n":1}
        privileged_logons {"n":1}
        process_creation {"n":3}
        scheduled_tasks {"n":1}
        services {"n":2}
        share_access {"n":0}
        starts_and_stops {"n":1}
        "#);
    assert!(views().is_sorted_by(|one, other| one.name < other.name));
}

#[tokio::test]
async fn columns_say_what_happened() {
    let (_dir, lake) = lake().await;
    let mut answers = String::new();
    for sql in [
        "select account, logon_type_name, address, elevated from logons",
        "select account, reason, logon_type_name from failed_logons",
        "select account, used_account, target_server from explicit_logons",
        "select process, process_id, parent_process_id, account, logon_id, integrity, elevated from process_creation",
        "select change, account, account_domain, new_name, caller_computer, by_account from account_changes",
        "select change, group_name, scope, is_security_group, member_sid_name from group_changes",
        "select change, rule, profiles, by_account from firewall_changes",
        "select cleared, by_sid from log_cleared",
        "select change, service, image, start_type, start_type_before, runs_as from services",
        "select change, task_path, definition, by_account from scheduled_tasks",
        "select protocol, request, reason, address, workstation from authentications",
        "select allowed, process, direction, from_address, to_port from network_connections",
        "select change, audit_changes from policy_changes",
        "select script from powershell_scripts",
        "select what, kind from starts_and_stops",
        "select l.account from logons l join failed_logons f using (account)",
        "with logons as (select 1 as n) select n from logons",
    ] {
        answers.push_str(&format!("{sql}\n{}", ask(&lake, sql).await));
    }
    insta::assert_snapshot!(answers, @r#"
        select account, logon_type_name, address, elevated from logons
        {"account":"ann","logon_type_name":"RemoteInteractive","address":"10.0.0.7","elevated":true}
        select account, reason, logon_type_name from failed_logons
        {"account":"ann","reason":"STATUS_WRONG_PASSWORD","logon_type_name":"Network"}
        {"account":"bob","reason":"STATUS_ACCOUNT_LOCKED_OUT","logon_type_name":"Interactive"}
        select account, used_account, target_server from explicit_logons
        {"account":"ann","used_account":"bob","target_server":"files"}
        select process, process_id, parent_process_id, account, logon_id, integrity, elevated from process_creation
        {"process":"C:\\a.exe","process_id":"0x1","parent_process_id":"0x2","account":"admin","logon_id":null,"integrity":"Mandatory Label\\High Mandatory Level","elevated":true}
        {"process":"C:\\b.exe","process_id":"3","parent_process_id":"4","account":"D\\ann","logon_id":"0x9","integrity":"High","elevated":null}
        {"process":"C:\\c.exe","process_id":"0x3","parent_process_id":"0x4","account":"bob","logon_id":"0x88","integrity":null,"elevated":null}
        select change, account, account_domain, new_name, caller_computer, by_account from account_changes
        {"change":"created","account":"new","account_domain":"D","new_name":null,"caller_computer":null,"by_account":"admin"}
        {"change":"locked out","account":"ann","account_domain":null,"new_name":null,"caller_computer":"WKS1","by_account":"admin"}
        {"change":"renamed","account":"old","account_domain":null,"new_name":"new","caller_computer":null,"by_account":"admin"}
        select change, group_name, scope, is_security_group, member_sid_name from group_changes
        {"change":"member added","group_name":"Domain Admins","scope":"global","is_security_group":true,"member_sid_name":"Administrator"}
        {"change":"member removed","group_name":"Domain Admins","scope":"universal","is_security_group":false,"member_sid_name":"Administrator"}
        select change, rule, profiles, by_account from firewall_changes
        {"change":"rule added","rule":"in","profiles":"All","by_account":null}
        {"change":"rule deleted","rule":"out","profiles":null,"by_account":"NT AUTHORITY\\SYSTEM"}
        select cleared, by_sid from log_cleared
        {"cleared":"Security","by_sid":"S-1-5-18"}
        select change, service, image, start_type, start_type_before, runs_as from services
        {"change":"installed","service":"x","image":"C:\\x.exe","start_type":null,"start_type_before":null,"runs_as":"LocalSystem"}
        {"change":"start changed","service":"y","image":null,"start_type":"auto start","start_type_before":"disabled","runs_as":null}
        select change, task_path, definition, by_account from scheduled_tasks
        {"change":"changed","task_path":"\\t","definition":"new","by_account":"admin"}
        select protocol, request, reason, address, workstation from authentications
        {"protocol":"Kerberos","request":"pre-authentication","reason":"KDC_ERR_PREAUTH_FAILED","address":"10.0.0.7","workstation":null}
        {"protocol":"NTLM","request":"credentials","reason":"STATUS_NO_SUCH_USER","address":null,"workstation":"WKS1"}
        select allowed, process, direction, from_address, to_port from network_connections
        {"allowed":false,"process":"\\a.exe","direction":"outbound","from_address":"10.0.0.7","to_port":445}
        select change, audit_changes from policy_changes
        {"change":"audit policy changed","audit_changes":"%%8448"}
        select script from powershell_scripts
        {"script":"whoami"}
        select what, kind from starts_and_stops
        {"what":"shutdown or restart asked for","kind":"restart"}
        select l.account from logons l join failed_logons f using (account)
        {"account":"ann"}
        with logons as (select 1 as n) select n from logons
        {"n":1}
        "#);
}

/// The columns, and the bucket of an event with a time, without one, and with one that is not believed; all of them came
/// in at 12:00:00.25.
#[tokio::test]
async fn counts_are_of_five_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let audit = "Microsoft-Windows-Security-Auditing";
    let at = |time: &str, data: &[(&str, &str)]| {
        let event = event(7, audit, 4624, data);
        event.replace("2025-11-05T00:00:07Z", time)
    };
    let (ann, by_ann) = (("TargetUserName", "ann"), ("SubjectUserName", "ann"));
    let events = [
        at("2025-11-05T00:04:59.999999Z", &[ann]),
        at("2025-11-05T00:00:00Z", &[by_ann]),
        at("2025-11-05T00:05:00Z", &[]),
        at("1601-01-01T00:00:00Z", &[]),
        at("", &[]),
    ];
    lake.append(rows(&events, Some(1)), None).await.unwrap();
    let counts = "select * from event_counts order by bucket, account";
    insta::assert_snapshot!(ask(&lake, counts).await, @r#"
    {"date":"2025-11-05","bucket":"2025-11-05T00:00:00Z","channel":"Security","event_id":4624,"computer":"DC1","account":"ann","events":2}
    {"date":"2025-11-05","bucket":"2025-11-05T00:05:00Z","channel":"Security","event_id":4624,"computer":"DC1","account":null,"events":1}
    {"date":"2025-11-05","bucket":"2025-11-05T12:00:00Z","channel":"Security","event_id":4624,"computer":"DC1","account":null,"events":2}
    "#);
    let described = ask(&lake, "describe event_counts").await;
    insta::assert_snapshot!(described, @r#"
    {"column_name":"date","data_type":"Dictionary(UInt16, Utf8)","is_nullable":"NO"}
    {"column_name":"bucket","data_type":"Timestamp(µs, \"UTC\")","is_nullable":"YES"}
    {"column_name":"channel","data_type":"Utf8View","is_nullable":"YES"}
    {"column_name":"event_id","data_type":"Int32","is_nullable":"YES"}
    {"column_name":"computer","data_type":"Utf8View","is_nullable":"YES"}
    {"column_name":"account","data_type":"Utf8View","is_nullable":"YES"}
    {"column_name":"events","data_type":"Int64","is_nullable":"NO"}
    "#);
    let of_a_day = "select sum(events) as n from event_counts where date = '2025-11-05' and bucket >= '2025-11-05T00:05:00Z'";
    insta::assert_snapshot!(ask(&lake, of_a_day).await, @r#"{"n":3}"#);
}

#[tokio::test]
async fn views_are_told_where_all_tables_are() {
    let (_dir, lake) = lake().await;
    let told = ask(&lake, "select count(*) as n from information_schema.views where table_name <> 'events' and table_schema = 'public'").await;
    let tables = schema::OTHERS.len();
    assert_eq!(told, format!("{{\"n\":{}}}\n", views().len() + tables));
    let refused = lake
        .query(
            "select *\nfrom failed_logon",
            Tail::default(),
            QueryLimits::default(),
        )
        .await;
    insta::assert_snapshot!(refused.err().unwrap(), @r#"there is no table "failed_logon" (line 2, column 6); did you mean "failed_logons"?"#);
}

#[tokio::test]
async fn the_audit_trail_and_the_alerts_are_windrows_own_alone() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let texts = |who| {
        let of = |id, data: &[(&str, &str)]| event(1, "Windrow", id, data);
        vec![
            of(
                30,
                &[
                    ("Object", "sink siem"),
                    ("Verb", "set"),
                    ("Who", who),
                    ("By", "windrow syslog"),
                ],
            ),
            of(
                31,
                &[
                    ("Object", "sink siem"),
                    ("Verb", "set"),
                    ("Who", who),
                    ("Reason", "not an admin"),
                ],
            ),
            of(
                100,
                &[("AlertId", "a1"), ("Severity", "Critical"), ("Title", who)],
            ),
            of(
                101,
                &[("AlertId", "a1"), ("Severity", "Critical"), ("Title", who)],
            ),
            of(1, &[("Version", "1")]),
            of(15, &[("Table", "iis"), ("Who", who), ("Verb", "expire")]),
            of(15, &[("Table", "iis")]),
        ]
    };
    let own = rows_from(&header(Kind::Own), &texts("ada"), Some(1));
    // A machine may say of itself what it likes.
    let forged = rows_from(&header(Kind::Wef), &texts("mallory"), Some(8));
    lake.append(Rows::merge([own, forged]), None).await.unwrap();
    let audit = "select who, verb, outcome, reason from audit order by event_id";
    let alerts = "select change, alert_id, title from alerts order by event_id";
    let answers = [ask(&lake, audit).await, ask(&lake, alerts).await].concat();
    insta::assert_snapshot!(answers, @r#"
    {"who":"ada","verb":"expire","outcome":"done","reason":null}
    {"who":"ada","verb":"set","outcome":"done","reason":null}
    {"who":"ada","verb":"set","outcome":"refused","reason":"not an admin"}
    {"change":"created","alert_id":"a1","title":"ada"}
    {"change":"closed","alert_id":"a1","title":"ada"}
    "#);
}
