use proptest::prelude::*;

use super::*;

const HEADER: &str = r#""(PDH-CSV 4.0) (W. Europe Standard Time)(-60)","\\WEB1\Processor(_Total)\% Processor Time","\\WEB1\Memory\Available MBytes"
"#;

/// What a file says, a line a line.
fn read(lines: &[&str]) -> String {
    let header = match Header::read(lines[0]) {
        Ok(header) => header,
        Err(error) => return format!("! {error}"),
    };
    let mut out = format!("{} {}\n", header.zone, header.bias_minutes);
    for counter in &header.counters {
        out += &format!(
            "{:?}|{}|{:?}|{}\n",
            counter.machine, counter.object, counter.instance, counter.name
        );
    }
    for line in &lines[1..] {
        out += &match header.sample(line) {
            Ok(Some(sample)) => format!("{} {:?}\n", sample.time, sample.values),
            Ok(None) => "blank\n".to_owned(),
            Err(error) => format!("! {error}\n"),
        };
    }
    out
}

#[test]
fn values_stand_under_their_counters_in_utc() {
    insta::assert_snapshot!(read(&[
        HEADER,
        "\"11/23/2026 00:30:00.123\",\"1.5\",\"4096\"\r\n",
        "\"11/23/2026 00:30:15.123\",\" \",\"\"\r\n",
        "\"11/23/2026 00:30:30.123\",\"1e-3\",-1\r\n",
        "\r\n",
    ]), @r#"
    W. Europe Standard Time -60
    Some("WEB1")|Processor|Some("_Total")|% Processor Time
    Some("WEB1")|Memory|None|Available MBytes
    2026-11-22T23:30:00.123Z [Some(1.5), Some(4096.0)]
    2026-11-22T23:30:15.123Z [None, None]
    2026-11-22T23:30:30.123Z [Some(0.001), Some(-1.0)]
    blank
    "#);
}

#[test]
fn tabs_and_the_commas_of_a_place_are_read() {
    insta::assert_snapshot!(read(&[
        "\u{feff}\"(PDH-TSV 4.0) (Pacific Standard Time)(480)\"\t\"\\Process(a(b)#1)\\ID Process\"\n",
        "\"02/29/2024 23:59:59.999\"\t\"7\"\n",
    ]), @r#"
    Pacific Standard Time 480
    None|Process|Some("a(b)#1")|ID Process
    2024-03-01T07:59:59.999Z [Some(7.0)]
    "#);
    insta::assert_snapshot!(read(&[
        r#""(PDH-CSV 4.0) (Mitteleuropäische Zeit (MEZ))(-60)";"\\w\LogicalDisk(C:)\Freie MB";"\\w\A\b ""c"", d""#,
        r#""11/23/2026 00:30:00,123";"1,25";"2.5""#,
    ]), @r#"
    Mitteleuropäische Zeit (MEZ) -60
    Some("w")|LogicalDisk|Some("C:")|Freie MB
    Some("w")|A|None|b "c", d
    2026-11-22T23:30:00.123Z [Some(1.25), Some(2.5)]
    "#);
}

#[test]
fn what_does_not_fit_says_why() {
    insta::assert_snapshot!(read(&[
        HEADER,
        "\"11/23/2026 00:30:00.123\",\"1.5\"",
        "\"11/23/2026 00:30:00.123\",\"1.5\",\"2\",\"3\"",
        "\"23/11/2026 00:30:00.123\",\"1.5\",\"2\"",
        "\"11/23/2026 00:30:00.123\",\"1.5\",\"two\"",
        "\"11/23/2026 00:30:00.123\",\"1.5\",\"2",
        "\"11/23/2026",
        "\"11/23/2026 00:30:00.123\",\"nan\",\"inf\"",
    ]), @r#"
    W. Europe Standard Time -60
    Some("WEB1")|Processor|Some("_Total")|% Processor Time
    Some("WEB1")|Memory|None|Available MBytes
    ! 1 values where there are 2 counters
    ! 3 values where there are 2 counters
    ! "23/11/2026 00:30:00.123" is no time
    ! column 3: "two" is no number
    ! a quote is not closed: the line is cut off
    ! a quote is not closed: the line is cut off
    2026-11-22T23:30:00.123Z [None, None]
    "#);
    let refused = [
        "",
        "a,b",
        "\"(PDH-CSV 4.0)\",\"\\a\\b\"",
        "\"(PDH-CSV 4.0) (z)(x)\"",
        "\"(PDH-CSV 4.0) (z)(0)\",\"a\"",
        "\"(PDH-CSV 4.0) (z)(0)\",\"\\\\\\a\\b\"",
    ];
    insta::assert_debug_snapshot!(refused.map(|line| read(&[line])), @r#"
    [
        "! the first line is not that of a log of counters",
        "! the first line is not that of a log of counters",
        "! the first line is not that of a log of counters",
        "! the first line is not that of a log of counters",
        "! column 2: \"a\" is no path of a counter",
        "! column 2: \"\\\\\\\\\\\\a\\\\b\" is no path of a counter",
    ]
    "#);
    let long = " ".repeat(COUNTERS_LINE_BYTES_MAX + 1);
    assert!(matches!(
        Header::read(&long),
        Err(CounterError::TooLong { .. })
    ));
}

proptest! {
    #[test]
    fn a_line_is_its_values(
        values in prop::collection::vec(prop::option::of(-1e12..1e12_f64), 1..8),
        second in 0..86_400_i64,
        separator in prop::sample::select(vec![',', ';', '\t']),
        bias in -840..840_i32,
    ) {
        let paths = (0..values.len()).map(|number| format!(r#"{separator}"\\m\o({number})\c""#));
        let header = format!("\"(PDH-CSV 4.0) (z)({bias})\"{}", paths.collect::<String>());
        let header = Header::read(&header).unwrap();
        let utc = Timestamp::from_second(1_795_000_000 + second).unwrap();
        let local = Offset::from_seconds(-60 * bias).unwrap().to_datetime(utc);
        let texts = values.iter().map(|value| {
            let text = value.map_or_else(|| " ".to_owned(), |value| value.to_string());
            let text = if separator == ';' { text.replace('.', ",") } else { text };
            format!("{separator}\"{text}\"")
        });
        let line = format!("\"{}\"{}", local.strftime("%m/%d/%Y %H:%M:%S.000"), texts.collect::<String>());
        prop_assert_eq!(header.sample(&line), Ok(Some(Sample { time: utc, values })));
    }

    #[test]
    fn any_text_is_a_line(header in "[\\x00-\\x7f]{0,60}", line in "(\"|,|;|[0-9./: ]|é){0,40}") {
        let _ = Header::read(&header);
        let _ = Header::read(HEADER).unwrap().sample(&line);
        let path = format!("\\{header}");
        if let Some(counter) = Counter::read(&path) {
            prop_assert_eq!(counter.path, path);
        }
    }
}

#[test]
fn a_specifier_means_counters_whatever_their_case() {
    let means = |specifier: &str, path: &str| {
        let counter = Counter::read(path).unwrap();
        Specifier::read(specifier).is_some_and(|specifier| specifier.means(&counter))
    };
    let total = r"\\WEB1\Processor(_Total)\% Processor Time";
    for specifier in [
        r"\Processor(_total)\% processor time",
        r"\Processor(*)\*",
        r"\\other\Processor(_T*l)\% Processor Time",
    ] {
        assert!(means(specifier, total), "{specifier}");
    }
    for specifier in [
        r"\Processor\% Processor Time",
        r"\Processor(0)\% Processor Time",
        r"\Processor(*)\% Idle Time",
        r"\Process(*)\% Processor Time",
        "no path",
    ] {
        assert!(!means(specifier, total), "{specifier}");
    }
    assert!(means(r"\Memory\*", r"\Memory\Available MBytes"));
    assert!(!means(r"\Memory(*)\*", r"\Memory\Available MBytes"));
    let local = Counter::read(total).unwrap().local_path();
    assert_eq!(local, r"\Processor(_Total)\% Processor Time");
}
