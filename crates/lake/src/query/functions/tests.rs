use crate::testing::{ask, logon, rows};
use crate::{Lake, QueryLimits, Tail};

async fn lake() -> (tempfile::TempDir, Lake) {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).await.unwrap();
    let events: Vec<_> = (1..=3)
        .map(|record| logon(record, record.into(), 0))
        .collect();
    lake.append(rows(&events, None), None).await.unwrap();
    (dir, lake)
}

#[tokio::test]
async fn names_are_found_in_constants_and_columns() {
    let (_dir, lake) = lake().await;
    insta::assert_snapshot!(ask(&lake, "select sid_name('S-1-5-18') a, sid_name(null) b, status_name('0xC000006A') c, \
        status_name(3221225578) d, status_name(-1073741718) e, kerberos_status_name('0x18') f, kerberos_status_name(24) g, \
        logon_type_name(10) h, event_name(4625, 'Microsoft-Windows-Security-Auditing') i, event_name(1, 'X') j").await,
        @r#"{"a":"NT AUTHORITY\\SYSTEM","b":null,"c":"STATUS_WRONG_PASSWORD","d":"STATUS_WRONG_PASSWORD","e":"STATUS_WRONG_PASSWORD","f":"KDC_ERR_PREAUTH_FAILED","g":"KDC_ERR_PREAUTH_FAILED","h":"RemoteInteractive","i":"logon failed","j":null}"#);
    insta::assert_snapshot!(ask(&lake, "select logon_type_name(logon_type) a, logon_type_name(event_data['LogonType']) b, \
        logon_type_name(logon_type + 7) c, sid_name(target_sid) d, sid_name(column1) e, event_name(event_id, provider) f \
        from events, (values ('S-1-5-32-544')) order by record_id limit 1").await,
        @r#"{"a":"Network","b":"Network","c":"RemoteInteractive","d":null,"e":"BUILTIN\\Administrators","f":"logon"}"#);
}

#[tokio::test]
async fn addresses_are_in_networks() {
    let (_dir, lake) = lake().await;
    insta::assert_snapshot!(ask(&lake, "select record_id r, cidr_match('10.0.0.2/31', ip_address) a, \
        cidr_match('10.0.0.2/31', event_data['IpAddress']) b, cidr_match(column1, ip_address) c, \
        cidr_match('10.0.0.0/8', workstation) d, cidr_match(null, ip_address) e, cidr_match(computer, ip_address) f \
        from events, (values ('::ffff:10.0.0.3'), ('10.0.0.0/30')) order by record_id, column1").await,
        @r#"
        {"r":1,"a":false,"b":false,"c":true,"d":null,"e":null,"f":null}
        {"r":1,"a":false,"b":false,"c":false,"d":null,"e":null,"f":null}
        {"r":2,"a":true,"b":true,"c":true,"d":null,"e":null,"f":null}
        {"r":2,"a":true,"b":true,"c":false,"d":null,"e":null,"f":null}
        {"r":3,"a":true,"b":true,"c":true,"d":null,"e":null,"f":null}
        {"r":3,"a":true,"b":true,"c":true,"d":null,"e":null,"f":null}
        "#);
}

#[tokio::test]
async fn what_is_called_wrongly_says_how_it_is_called() {
    let (_dir, lake) = lake().await;
    let mut answers = String::new();
    for sql in [
        "select sid_name() from events",
        "select sid_name(event_id) from events",
        "select logon_type_name(time) from events",
        "select cidr_match(ip_address) from events",
        "select cidr_match('10.0.0.0/99', ip_address) from events",
        "select sid_nam(user_sid) from events",
    ] {
        let answer = lake
            .query(sql, Tail::default(), QueryLimits::default())
            .await;
        let said = match answer {
            Err(error) => error.to_string(),
            Ok(output) => {
                let layout = crate::Layout::default();
                let written = output
                    .write(crate::Format::Csv, &layout, &mut Vec::new())
                    .await;
                written.unwrap_err().to_string()
            }
        };
        answers.push_str(&format!("{sql}\n  {said}\n"));
    }
    insta::assert_snapshot!(answers, @r#"
        select sid_name() from events
          sid_name: it is called as sid_name(sid), and not with 0 values
        select sid_name(event_id) from events
          sid_name: it is called as sid_name(sid), and Int32 is none of what it takes
        select logon_type_name(time) from events
          logon_type_name: it is called as logon_type_name(logon_type), and Timestamp(µs, "UTC") is none of what it takes
        select cidr_match(ip_address) from events
          cidr_match: it is called as cidr_match(network, address), and not with 1 values
        select cidr_match('10.0.0.0/99', ip_address) from events
          '10.0.0.0/99' is no network; write it as 10.0.0.0/8 or 2001:db8::/32
        select sid_nam(user_sid) from events
          there is no function "sid_nam" (line 1, column 8); did you mean "sid_name"?
        "#);
}

#[tokio::test]
async fn times_are_truncated_as_the_calendar_says() {
    let (_dir, lake) = lake().await;
    let sql = "select arrow_typeof(date_trunc('hour', t)) as type, date_trunc('hour', t) as h, date_trunc('day', t) as d, \
        date_trunc('week', t) as w, date_trunc('quarter', t) as q, \
        bool_and(date_trunc('hour', t) = arrow_cast(date_trunc('hour', arrow_cast(t, 'Timestamp(Microsecond, None)')), \
        'Timestamp(Microsecond, Some(\"UTC\"))')) over () as same \
        from (select arrow_cast(column1, 'Timestamp(Microsecond, Some(\"UTC\"))') as t \
        from (values ('2026-11-22T23:59:59.999999'), ('1969-12-31T23:30:00'), ('1601-01-01T00:00:01'), (null))) order by t";
    insta::assert_snapshot!(ask(&lake, sql).await, @r#"
        {"type":"Timestamp(µs, \"UTC\")","h":"1601-01-01T00:00:00Z","d":"1601-01-01T00:00:00Z","w":"1601-01-01T00:00:00Z","q":"1601-01-01T00:00:00Z","same":true}
        {"type":"Timestamp(µs, \"UTC\")","h":"1969-12-31T23:00:00Z","d":"1969-12-31T00:00:00Z","w":"1969-12-29T00:00:00Z","q":"1969-10-01T00:00:00Z","same":true}
        {"type":"Timestamp(µs, \"UTC\")","h":"2026-11-22T23:00:00Z","d":"2026-11-22T00:00:00Z","w":"2026-11-16T00:00:00Z","q":"2026-10-01T00:00:00Z","same":true}
        {"type":"Timestamp(µs, \"UTC\")","h":null,"d":null,"w":null,"q":null,"same":true}
        "#);
    let of_events = "select distinct date_trunc('hour', time) as h from events";
    assert_eq!(
        ask(&lake, of_events).await,
        "{\"h\":\"2025-11-05T00:00:00Z\"}\n"
    );
}
