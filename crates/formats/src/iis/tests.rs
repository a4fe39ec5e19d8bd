use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// The values of an entry, in the order in which fields are known.
fn said(read: Result<Option<Entry<'_>>, EntryError>) -> String {
    let entry = match read {
        Ok(Some(entry)) => entry,
        Ok(None) => return "blank".to_owned(),
        Err(error) => return format!("! {error}"),
    };
    let fields = entry.values.iter().filter_map(|(field, _)| {
        let value = entry.get(*field)?;
        Some(format!(
            "{}={}",
            field.name(),
            String::from_utf8_lossy(value)
        ))
    });
    let fields: Vec<_> = fields.collect();
    format!("{:?} {}", entry.moment, fields.join(" "))
}

#[test]
fn lines_of_its_own_format_are_read() {
    let lines: [&[u8]; 9] = [
        b"192.168.114.201, -, 03/20/01, 7:55:20, W3SVC2, SERVER, 172.21.13.45, 4502, 163, 3223, 200, 0, GET, /DeptLogo.gif, -,\r\n",
        b"::1, DOM\\ann lee, 11/23/2026, 17:55:20, W3SVC1, WEB, ::1, 5, 1, 2, 404, 2, GET, /a,b, c=1,2,",
        b"::1, -, 23.11.2026, 17:55:20, W3SVC1, WEB, ::1, 5, 1, 2, 404, 2, GET, /a, -,",
        b"\r\n",
        b"::1, -, 11/23/2026, 17:55:20, W3SVC1, WEB, ::1, 5, 1, 2, 404, 2, GET",
        b"::1, -, 11/23/2026, 17:55:20, W3SVC1, WEB, ::1, 5, 1, 2, 404, 2, GET, /a, -, x, y",
        b"::1, -, 31/31/2026, 17:55:20, W3SVC1, WEB, ::1, 5, 1, 2, 404, 2, GET, /a, -,",
        b"::1, -, 11/23/2026, 27:55:20, W3SVC1, WEB, ::1, 5, 1, 2, 404, 2, GET, /a, -,",
        b"::1, -, 11/23/2026, 17:55:20, W3SVC1, WEB, ::1, 5, 1, 2, -, 2, GET, /a, -,",
    ];
    let read = lines.map(|line| said(native(line, DayOrder::MonthFirst)));
    insta::assert_snapshot!(read.join("\n"), @r#"
    Local(Time(985074920000000)) c-ip=192.168.114.201 s-sitename=W3SVC2 s-computername=SERVER s-ip=172.21.13.45 time-taken=4502 cs-bytes=163 sc-bytes=3223 sc-status=200 sc-win32-status=0 cs-method=GET cs-uri-stem=/DeptLogo.gif
    Local(Time(1795456520000000)) c-ip=::1 cs-username=DOM\ann lee s-sitename=W3SVC1 s-computername=WEB s-ip=::1 time-taken=5 cs-bytes=1 sc-bytes=2 sc-status=404 sc-win32-status=2 cs-method=GET cs-uri-stem=/a,b cs-uri-query=c=1,2
    Local(Time(1795456520000000)) c-ip=::1 s-sitename=W3SVC1 s-computername=WEB s-ip=::1 time-taken=5 cs-bytes=1 sc-bytes=2 sc-status=404 sc-win32-status=2 cs-method=GET cs-uri-stem=/a
    blank
    ! 13 values where there are 15
    ! 17 values where there are 15
    ! "31/31/2026 17:55:20" is no time
    ! "11/23/2026 27:55:20" is no time
    ! "-" is no status
    "#);
    let line = b"::1, -, 03/04/26, 1:02:03, W3SVC1, WEB, ::1, 5, 1, 2, 404, 2, GET, /a, -,";
    let [month, day] = [DayOrder::MonthFirst, DayOrder::DayFirst]
        .map(|order| native(line, order).unwrap().unwrap().moment);
    assert_eq!(month, Moment::Local(Time(1_772_586_123_000_000)));
    assert_eq!(day, Moment::Local(Time(1_775_178_123_000_000)));
}

#[test]
fn lines_of_ncsa_are_read() {
    let lines: [&[u8]; 10] = [
        b"172.21.13.45 - DOM\\fred [08/Apr/2001:17:39:04 -0800] \"GET /scripts/iisadmin/ism.dll?http/serv HTTP/1.0\" 200 3401\r\n",
        b"::1 - ann lee [23/Nov/2026:00:30:00 +0130] \"GET /a b\"c HTTP/1.1\" 404 0",
        b"::1 - - [23/Nov/2026:00:30:00 +0000] \"-\" 400 -",
        b"",
        b"::1 - - 23/Nov/2026",
        b"::1 - - [23/Nov/2026:00:30:00 +0000]",
        b"::1 - - [23/Nov/2026:00:30:00 +0000] \"GET",
        b"::1 - - [23/Nov/2026:00:30:00] \"GET / HTTP/1.1\" 200 1",
        b"::1 - - [23/Nov/2026:00:30:00 +0000] \"GET / HTTP/1.1\" OK 1",
        b"::1 [23/Nov/2026:00:30:00 +0000] \"GET / HTTP/1.1\" 200 1",
    ];
    let read = lines.map(|line| said(ncsa(line)));
    insta::assert_snapshot!(read.join("\n"), @r#"
    Utc(Time(986780344000000)) c-ip=172.21.13.45 cs-username=DOM\fred cs-version=HTTP/1.0 sc-bytes=3401 sc-status=200 cs-method=GET cs-uri-stem=/scripts/iisadmin/ism.dll cs-uri-query=http/serv
    Utc(Time(1795388400000000)) c-ip=::1 cs-username=ann lee cs-version=HTTP/1.1 sc-bytes=0 sc-status=404 cs-method=GET cs-uri-stem=/a b"c
    Utc(Time(1795393800000000)) c-ip=::1 sc-status=400
    blank
    ! it has no time in brackets
    ! it has no request in quotes
    ! it has no end of the request
    ! "23/Nov/2026:00:30:00" is no time
    ! "OK" is no status
    ! it has no account
    "#);
}

#[test]
fn names_say_form_and_period() {
    let names = [
        "u_ex261123.log",
        "u_ex261103.log",
        "ex0103.log",
        "u_ex26112317.log",
        "u_extend3.log",
        "u_nc261123.log",
        "ncsa12.log",
        "in261123.log",
        "u_inetsv1.log",
        "httperr2.log",
        "U_EX261123_x.LOG",
    ];
    let read: Vec<_> = names
        .iter()
        .map(|name| format!("{name}: {:?}", LogFile::read(name).unwrap()))
        .collect();
    insta::assert_snapshot!(read.join("\n"), @r"
    u_ex261123.log: LogFile { form: W3c, period: Day { day: (2026, 11, 23) }, encoding: Utf8, fields: Standard }
    u_ex261103.log: LogFile { form: W3c, period: DayOrWeek { month: (2026, 11), number: 3 }, encoding: Utf8, fields: Standard }
    ex0103.log: LogFile { form: W3c, period: Month { month: (2001, 3) }, encoding: CodePage, fields: Standard }
    u_ex26112317.log: LogFile { form: W3c, period: Hour { day: (2026, 11, 23), hour: 17 }, encoding: Utf8, fields: Standard }
    u_extend3.log: LogFile { form: W3c, period: Size { number: 3 }, encoding: Utf8, fields: Standard }
    u_nc261123.log: LogFile { form: Ncsa, period: Day { day: (2026, 11, 23) }, encoding: Utf8, fields: Standard }
    ncsa12.log: LogFile { form: Ncsa, period: Size { number: 12 }, encoding: CodePage, fields: Standard }
    in261123.log: LogFile { form: Native, period: Day { day: (2026, 11, 23) }, encoding: CodePage, fields: Standard }
    u_inetsv1.log: LogFile { form: Native, period: Size { number: 1 }, encoding: Utf8, fields: Standard }
    httperr2.log: LogFile { form: HttpErr, period: Size { number: 2 }, encoding: CodePage, fields: Standard }
    U_EX261123_x.LOG: LogFile { form: W3c, period: Day { day: (2026, 11, 23) }, encoding: Utf8, fields: Custom }
    ");
    for name in [
        "",
        ".log",
        "ex.log",
        "ex2.log",
        "u_ex2611234.log",
        "u_ex261323.log",
        "u_ex261132.log",
        "u_ex26112324.log",
        "error.log",
        "u_ex261123.txt",
        "ex12é4.log",
        "ex26.log",
    ] {
        assert_eq!(LogFile::read(name), None, "{name}");
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test asks where the corpus is, and says that it skips"
)]
#[test]
fn real_lines_of_its_own_format() {
    let corpus = std::env::var_os("WINDROW_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let Ok(bytes) = std::fs::read(corpus.join("iis/small/ex010320.log")) else {
        eprintln!("skipped: no corpus with iis/small/ex010320.log");
        return;
    };
    let mut read = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(entry) = native(line, DayOrder::MonthFirst).unwrap() else {
            continue;
        };
        assert!(matches!(entry.number(Field::Status), Some(200..600)));
        read += 1;
    }
    assert_eq!(read, 2);
}

proptest! {
    #[test]
    fn any_bytes_are_a_line(line: Vec<u8>, name in "(u_)?(ex|in|nc|extend|httperr)[0-9]{0,10}(_x)?(.log)?") {
        let _ = native(&line, DayOrder::DayFirst);
        let _ = ncsa(&line);
        let _ = LogFile::read(&name);
    }

    #[test]
    fn a_time_is_the_same_in_every_zone(seconds in 0..4_000_000_000_i64, minutes in -840..840_i64) {
        let at = jiff::Timestamp::from_second(seconds).unwrap();
        let offset = jiff::tz::Offset::from_seconds(minutes as i32 * 60).unwrap();
        let local = offset.to_datetime(at);
        // A zone at which the local day lies before the first that is known.
        prop_assume!(local.year() >= 1970);
        let sign = if minutes < 0 { '-' } else { '+' };
        let zone = format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60);
        let line = format!("::1 - - [{} {zone}] \"GET / HTTP/1.1\" 200 1", local.strftime("%d/%b/%Y:%H:%M:%S"));
        let entry = ncsa(line.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(entry.moment, Moment::Utc(Time(seconds * 1_000_000)));
    }
}
