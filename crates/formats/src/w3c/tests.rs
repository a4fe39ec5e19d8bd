use proptest::prelude::*;

use super::*;

const FIELDS: &[u8] = b"#Fields: date time s-ip cs-method cs-uri-stem cs-username c-ip cs(User-Agent) sc-status time-taken\r\n";

/// The values of a line as text, by the fields of the file before it.
fn read(file: &[&[u8]]) -> String {
    let mut parser = Parser::default();
    let mut out = String::new();
    for line in file {
        match parser.line(line) {
            Line::Row(row) => {
                let values = (0..row.fields().len()).map(|place| {
                    let value = row.at(place).map(String::from_utf8_lossy);
                    value.map_or_else(|| "·".to_owned(), |value| value.into_owned())
                });
                let values: Vec<_> = values.collect();
                let mark = if row.realigned() { "~ " } else { "" };
                out += &format!(
                    "{mark}{} @{:?}\n",
                    values.join("|"),
                    row.time().map(|time| time.0)
                );
            }
            Line::Malformed(why) => out += &format!("! {why}\n"),
            Line::Blank | Line::Directive => {}
        }
    }
    out
}

#[test]
fn values_are_read_by_the_fields_that_came_last() {
    insta::assert_snapshot!(read(&[
        b"#Software: Microsoft Internet Information Services 10.0\r\n",
        FIELDS,
        b"2026-11-21 10:00:01 ::1 GET /a#b - 10.0.0.1 Mozilla/5.0+(X) 200 15\r\n",
        b"#Fields: time c-ip sc-status\r\n",
        b"#Date: 2026-11-22 00:00:00\r\n",
        b"10:00:02 10.0.0.2 500\r\n",
        b"\r\n",
        b"#Fields: date time sc-status X-Forwarded-For",
        b"2026-11-22 10:00:03.25 404 10.9.9.9 \n",
    ]), @r"
    2026-11-21|10:00:01|::1|GET|/a#b|·|10.0.0.1|Mozilla/5.0+(X)|200|15 @Some(1795255201000000)
    10:00:02|10.0.0.2|500 @Some(1795341602000000)
    2026-11-22|10:00:03.25|404|10.9.9.9 @Some(1795341603250000)
    ");
}

#[test]
fn a_value_with_blanks_leaves_the_others_under_their_names() {
    insta::assert_snapshot!(read(&[
        FIELDS,
        b"2026-11-21 10:00:01 ::1 GET /a  dom\\ran user ::1 agent 200 15",
        b"2026-11-21 10:00:01 ::1 GET /a b c d e f",
        b"#Fields: date time cs-method sc-status",
        b"2026-11-21 10:00:01 GET it 200",
        b"#Fields: date time c-ip cs-version cs-method cs-uri sc-status s-reason",
        b"2026-11-21 10:00:01 10.0.0.1 HTTP/1.1 GET /a b 400 URL",
    ]), @r"
    ~ 2026-11-21|10:00:01|::1|GET|/a| dom\ran user|::1|agent|200|15 @Some(1795255201000000)
    2026-11-21|10:00:01|::1|GET|/a|b|c|d|e|f @Some(1795255201000000)
    ! 5 values where #Fields names 4, and no single value that can have the blanks
    ~ 2026-11-21|10:00:01|10.0.0.1|HTTP/1.1|GET|/a b|400|URL @Some(1795255201000000)
    ");
}

#[test]
fn values_of_advanced_logging_stand_in_quotes() {
    insta::assert_snapshot!(read(&[
        b"#Software: IIS Advanced Logging Module",
        b"#Fields: date time cs-uri-stem sc-status cs(User-Agent) X-Forwarded-For",
        b"2026-11-21 10:00:01.125 /a 200 \"Mozilla/5.0 (a; \"\"b\"\"; c)\" \"10.0.0.1\"",
        b"2026-11-21 10:00:02.125 \"/a b\" 404 - \"\"",
        b"2026-11-21 10:00:03.125 /a 200 \"Mozilla/5.0 (a",
        b"#Software: Microsoft Internet Information Services 10.0",
        b"#Fields: date time cs-uri-stem sc-status",
        b"2026-11-21 10:00:01 \"/a\" 200",
    ]), @r#"
    2026-11-21|10:00:01.125|/a|200|Mozilla/5.0 (a; ""b""; c)|10.0.0.1 @Some(1795255201125000)
    2026-11-21|10:00:02.125|/a b|404|·|· @Some(1795255202125000)
    ! 4 values where #Fields names 6
    2026-11-21|10:00:01|"/a"|200 @Some(1795255201000000)
    "#);
}

#[test]
fn logs_of_http_sys_and_ftp_name_their_own_fields() {
    insta::assert_snapshot!(read(&[
        b"#Software: Microsoft HTTP API 2.0",
        b"#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri streamid sc-status s-siteid s-reason s-queuename",
        b"2026-11-21 10:00:01 fe80::1%7 50123 ::1 443 HTTP/1.1 GET /a?b c 12 400 - URL -",
        b"2026-11-21 10:00:02 10.0.0.1 50124 10.0.0.2 443 - - - - - - Timer_ConnectionIdle -",
        b"#Software: Microsoft Internet Information Services 8.5",
        b"#Fields: date time c-ip cs-username s-ip s-port cs-method cs-uri-stem sc-status sc-win32-status sc-substatus x-session x-fullpath",
        b"2026-11-21 10:00:03 10.0.0.1 DOM\\ann lee 10.0.0.2 21 RETR /a+b.txt 226 0 0 1b2c /a+b.txt",
        b"2026-11-21 10:00:04 10.0.0.1 - 10.0.0.2 21 ControlChannelOpened - - 0 0 1b2c -",
    ]), @r"
    ~ 2026-11-21|10:00:01|fe80::1%7|50123|::1|443|HTTP/1.1|GET|/a?b c|12|400|·|URL|· @Some(1795255201000000)
    2026-11-21|10:00:02|10.0.0.1|50124|10.0.0.2|443|·|·|·|·|·|·|Timer_ConnectionIdle|· @Some(1795255202000000)
    ~ 2026-11-21|10:00:03|10.0.0.1|DOM\ann lee|10.0.0.2|21|RETR|/a+b.txt|226|0|0|1b2c|/a+b.txt @Some(1795255203000000)
    2026-11-21|10:00:04|10.0.0.1|·|10.0.0.2|21|ControlChannelOpened|·|·|0|0|1b2c|· @Some(1795255204000000)
    ");
}

#[test]
fn what_cannot_be_read_says_why() {
    let long = vec![b'a'; 2 << 20];
    insta::assert_snapshot!(read(&[
        b"2026-11-21 10:00:01 ::1",
        FIELDS,
        b"2026-11-21 10:00:01 ::1 GET /ha",
        b"2026-11-21 10:00:01 ::1 GET /ha\0\0\0",
        &long,
        b"#Fields:",
        b"2026-11-21 10:00:01 ::1",
        b"#Fields: a b a",
        b"no directive",
    ]), @r#"
    ! no #Fields line comes before it
    ! 5 values where #Fields names 10
    ! a zero byte: the file was not written to its end, or is no log
    ! 2097152 bytes, more than 1048576
    ! #Fields names no field
    ! no #Fields line comes before it
    ! #Fields names "a" twice
    ! no #Fields line comes before it
    "#);
}

#[test]
fn days_are_those_of_the_calendar() {
    let days = |text: &[u8]| Date::read(text).map(Date::days);
    assert_eq!(days(b"1970-01-01"), Some(0));
    assert_eq!(days(b"2000-02-29"), Some(11_016));
    assert_eq!(days(b"2026-11-22"), Some(20_779));
    assert_eq!(days(b"2100-03-01"), Some(47_541));
    for wrong in [
        "2100-02-29",
        "2026-00-01",
        "2026-13-01",
        "2026-04-31",
        "1969-12-31",
        "2026-4-31",
        "2026-04-1x",
    ] {
        assert_eq!(days(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn each_day_comes_after_the_one_before() {
    let mut days = Vec::new();
    for year in 1970..2200 {
        for (month, day) in (0..14).flat_map(|month| (0..33).map(move |day| (month, day))) {
            let text = format!("{year}-{month:02}-{day:02}");
            days.extend(Date::read(text.as_bytes()).map(Date::days));
        }
    }
    // Of 230 years 56 have a day more.
    assert_eq!(days, (0..230 * 365 + 56).collect::<Vec<_>>());
}

#[test]
fn names_and_fields_are_each_others() {
    for (name, field) in super::fields::names() {
        assert_eq!(field.name(), name);
        assert_eq!(Field::named(&name.to_uppercase()), Some(field));
    }
}

#[test]
fn a_line_of_blanks_has_not_more_places_than_are_looked_at() {
    let line = vec![b' '; 4_000];
    let mut places = Vec::new();
    split(&line, &mut places);
    assert!((W3C_FIELDS_MAX * 2..W3C_FIELDS_MAX * 2 + 10).contains(&places.len()));
}

proptest! {
    #[test]
    fn blanks_part_values_wherever_they_are(line in "[ !\\x00\\x1f\\x21a\u{a0}é]{0,40}") {
        let line = line.strip_suffix(' ').unwrap_or(&line).as_bytes();
        let mut places = Vec::new();
        split(line, &mut places);
        let values: Vec<_> = places.iter().map(|(start, end)| &line[*start as usize..*end as usize]).collect();
        let expected: Vec<_> = line.strip_suffix(b" ").unwrap_or(line).split(|byte| *byte == b' ').collect();
        prop_assert_eq!(values, expected);
    }

    #[test]
    fn quoted_values_come_back(values in prop::collection::vec("[!#-~é][ !#-~]{0,12}", 1..8)) {
        let line = values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(" ");
        let mut places = Vec::new();
        split_quoted(line.as_bytes(), &mut places);
        let read: Vec<_> = places.iter().map(|(start, end)| &line[*start as usize..*end as usize]).collect();
        prop_assert_eq!(read, values);
    }

    #[test]
    fn a_row_is_its_values(values in prop::collection::vec("[!-~é]{1,20}", 10)) {
        prop_assume!(!values[0].starts_with('#'));
        let line = values.join(" ");
        let mut parser = Parser::default();
        parser.line(FIELDS);
        let Line::Row(row) = parser.line(line.as_bytes()) else {
            return Err(TestCaseError::fail("no row"));
        };
        for (place, value) in values.iter().enumerate() {
            let read = row.at(place).map(|value| String::from_utf8_lossy(value).into_owned());
            prop_assert_eq!(read.unwrap_or_else(|| "-".to_owned()), value.clone());
        }
    }

    #[test]
    fn any_bytes_are_a_line(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..6)) {
        let mut parser = Parser::default();
        parser.line(FIELDS);
        for line in &lines {
            if let Line::Row(row) = parser.line(line) {
                prop_assert!((0..row.fields().len()).all(|place| row.at(place).is_none_or(|value| value.len() <= line.len())));
                let _ = row.time();
            }
        }
    }
}
