//! CPU seconds of questions about one W3C log of a gigabyte, asked straight from the file, and of its import.
//!
//! ```sh
//! cargo run --release -p windrow-lake --example bench_iis [MEGABYTES]
//! ```
//!
//! The log is of its own making, seeded, and shaped like that of a busy IIS 8.5: thirty days with a header each, CRLF,
//! fifteen fields, `+` for blanks, some `#` in addresses, one request of 456 with status 500. The question is how many of
//! those there were each minute; mawk, which looks at nothing but the place of the field, is asked the same, and the two
//! must count the same. The import is that of `windrow import`: every request with its identity, in commits as large, into
//! an empty lake.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::large_futures)]

mod common;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;
use windrow_lake::{
    Appended, EventFiles, FileTable, Files, Format, Given, Lake, Layout, QueryLimits,
    RequestBuilder, RequestFile, Source,
};

const MEGABYTES: u64 = 1_000;
const ROUNDS: usize = 3;
/// What each question may cost, of a gigabyte.
const NEEDED_S: f64 = 0.8;
const ALL_S: f64 = 1.5;
/// What the import may cost.
const IMPORT_S: f64 = 12.0;
/// Requests of a commit of the import.
const COMMIT: usize = 200_000;

const FIELDS: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken";

const NEEDED: &str = "SELECT date_trunc('minute', time) AS minute, count(*) AS n FROM iis \
    WHERE sc_status = 500 GROUP BY 1 ORDER BY 1";

/// The same with every value of every row made: what counts each column cannot leave one out, and no condition on a
/// column is left to the reader.
const ALL: &str = "SELECT date_trunc('minute', time) AS minute, count(*) FILTER (WHERE sc_status = 500) AS n, \
    count(s_ip), count(cs_method), count(cs_uri_stem), count(cs_uri_query), count(s_port), count(cs_username), \
    count(c_ip), count(cs_user_agent), count(cs_referer), count(sc_substatus), count(sc_win32_status), \
    count(time_taken) FROM iis GROUP BY 1 HAVING count(*) FILTER (WHERE sc_status = 500) > 0 ORDER BY 1";

const MAWK: &str =
    r#"$12 == 500 { n[$1 " " substr($2, 1, 5)]++ } END { for (m in n) print m, n[m] }"#;

/// There is no EVTX here.
#[derive(Debug)]
struct NoEvents;

impl EventFiles for NoEvents {
    fn read(&self, _: &Path, _: &mut Given<'_, '_>) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let megabytes = std::env::args()
        .nth(1)
        .map_or(MEGABYTES, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("u_ex2511.log");
    let made = Site::new().log(&path, megabytes * 1_000_000);
    let bytes = path.metadata().unwrap().len();
    println!(
        "iis: {bytes} bytes, {} requests, {} with status 500",
        made.requests, made.failed
    );
    let per_gb = |seconds: f64| seconds * 1e9 / bytes as f64;
    let source = Source {
        name: "iis".to_owned(),
        path: path.clone(),
    };
    let files = Files::find(&[source], Arc::new(NoEvents)).unwrap();
    println!("\n| HTTP 500 a minute, of 1 GB | CPU s | meant at most |\n|---|---:|---:|");
    let (mut minutes, mut least) = (0, f64::MAX);
    for _ in 0..ROUNDS {
        let (found, count, seconds) = mawk(&path);
        assert_eq!(count, made.failed, "mawk counts what was made");
        (minutes, least) = (found, least.min(seconds));
    }
    println!(
        "| mawk, by the place of the field | {:.2} | |",
        per_gb(least)
    );
    for (what, sql, aim) in [
        (
            "straight from the file, the fields it needs",
            NEEDED,
            NEEDED_S,
        ),
        (
            "straight from the file, every value of every request",
            ALL,
            ALL_S,
        ),
    ] {
        let (found, count) = asked(&files, sql).await;
        assert_eq!((found, count), (minutes, made.failed), "{what}");
        let ask = common::least_seconds(ROUNDS, async || {
            asked(&files, sql).await;
        });
        let seconds = per_gb(ask.await);
        let missed = if seconds <= aim { "" } else { " (missed)" };
        println!("| {what} | {seconds:.2} | {aim}{missed} |");
    }
    println!("| most memory, MiB | {} | |", common::peak_mib());
    let (requests, seconds) = imported(&path).await;
    assert_eq!(requests, made.requests);
    let seconds = per_gb(seconds);
    let missed = if seconds <= IMPORT_S { "" } else { " (missed)" };
    println!("| imported into a lake | {seconds:.2} | {IMPORT_S}{missed} |");
    println!("| most memory with that, MiB | {} | |", common::peak_mib());
    assert!(files.unread().is_empty(), "{:?}", files.unread());
}

/// Minutes, and requests in them.
async fn asked(files: &Files, sql: &str) -> (usize, u64) {
    let output = files.query(sql, QueryLimits::default()).await.unwrap();
    let mut text = Vec::new();
    let layout = Layout::default();
    output.write(Format::Csv, &layout, &mut text).await.unwrap();
    let text = String::from_utf8(text).unwrap();
    let counts = text.lines().skip(1);
    let counts = counts.map(|line| line.split(',').nth(1).unwrap().parse::<u64>().unwrap());
    (text.lines().count() - 1, counts.sum())
}

/// Requests that came into a lake, and CPU seconds.
async fn imported(path: &Path) -> (u64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).await.unwrap();
    let start = common::cpu_seconds();
    let mut file = RequestFile::open(path).unwrap();
    let (mut rows, mut requests) = (RequestBuilder::new(Timestamp::now()), 0);
    let mut is_over = false;
    while !is_over {
        let read = file.read(&mut rows, |_| {}, |line, why| panic!("line {line}: {why}"));
        is_over = read.unwrap().is_none();
        if is_over || rows.len() >= COMMIT {
            let appended = lake
                .append_of_files(FileTable::Requests, rows.finish(), None)
                .await
                .unwrap();
            if let Appended::Committed { rows, .. } = appended {
                requests += rows;
            }
        }
    }
    (requests, common::cpu_seconds() - start)
}

/// Minutes, requests in them, and CPU seconds.
fn mawk(path: &Path) -> (usize, u64, f64) {
    let start = common::children_cpu_seconds();
    let output = Command::new("mawk").arg(MAWK).arg(path).output().unwrap();
    assert!(output.status.success());
    let seconds = common::children_cpu_seconds() - start;
    let text = String::from_utf8(output.stdout).unwrap();
    let counts = text.lines();
    let counts = counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    (text.lines().count(), counts.sum(), seconds)
}

struct Made {
    requests: u64,
    failed: u64,
}

/// A site that is asked, the same way each time.
struct Site {
    random: u64,
}

const DAYS: u64 = 30;
/// Bytes of a request, near enough to spread them over the days.
const REQUEST_BYTES: u64 = 226;

const AGENTS: [&str; 8] = [
    "Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64)+AppleWebKit/537.36+(KHTML,+like+Gecko)+Chrome/119.0.0.0+Safari/537.36",
    "Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64;+rv:119.0)+Gecko/20100101+Firefox/119.0",
    "Mozilla/5.0+(compatible;+bingbot/2.0;++http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0+(iPhone;+CPU+iPhone+OS+17_1+like+Mac+OS+X)+AppleWebKit/605.1.15+(KHTML,+like+Gecko)+Mobile/15E148",
    "Mozilla/5.0+(compatible;+Googlebot/2.1;++http://www.google.com/bot.html)",
    "Mozilla/5.0+(Windows+NT+6.1;+WOW64;+Trident/7.0;+rv:11.0)+like+Gecko",
    "python-requests/2.31.0",
    "-",
];

const PATHS: [&str; 10] = [
    "/",
    "/index.aspx",
    "/content/site.css",
    "/scripts/jquery-3.7.1.min.js",
    "/images/header-logo.png",
    "/products/details.aspx",
    "/account/login.aspx",
    "/api/v1/orders",
    "/download/Price+list+2025.pdf",
    "/search#results",
];

impl Site {
    fn new() -> Site {
        Site {
            random: 0x2545_f491_4f6c_dd1d,
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn skewed(&mut self, limit: u64) -> usize {
        let most = self.below(limit) + 1;
        self.below(most) as usize
    }

    /// Writes a log of about so many bytes.
    fn log(&mut self, path: &Path, bytes: u64) -> Made {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        let each_day = (bytes / REQUEST_BYTES / DAYS).max(1);
        let mut made = Made {
            requests: 0,
            failed: 0,
        };
        for day in 1..=DAYS {
            write!(
                out,
                "#Software: Microsoft Internet Information Services 8.5\r\n#Version: 1.0\r\n#Date: 2025-11-{day:02} 00:00:00\r\n#Fields: {FIELDS}\r\n"
            )
            .unwrap();
            for request in 0..each_day {
                let second = request * 86_400 / each_day;
                let is_failed = self.below(456) == 0;
                self.request(day, second, is_failed, &mut out);
                made.requests += 1;
                made.failed += u64::from(is_failed);
            }
        }
        out.flush().unwrap();
        made
    }

    fn request(&mut self, day: u64, second: u64, is_failed: bool, out: &mut impl Write) {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let method = if self.below(8) == 0 { "POST" } else { "GET" };
        let path = PATHS[self.skewed(10)];
        let (client, agent) = (self.skewed(60_000), AGENTS[self.skewed(8)]);
        let status = match (is_failed, self.below(100)) {
            (true, _) => 500,
            (_, 0..78) => 200,
            (_, 78..92) => 304,
            (_, 92..96) => 302,
            _ => 404,
        };
        write!(
            out,
            "2025-11-{day:02} {hour:02}:{minute:02}:{second:02} 10.1.0.{} {method} {path} ",
            10 + self.below(3)
        )
        .unwrap();
        match self.below(3) {
            0 => write!(out, "id={}&page={}", self.below(90_000), self.below(40)).unwrap(),
            1 => write!(out, "q=annual+report+{}&lang=de-DE", self.below(2_030)).unwrap(),
            _ => write!(out, "-").unwrap(),
        }
        let user = match self.below(20) {
            0 => r"CORP\user0042",
            _ => "-",
        };
        write!(
            out,
            " 443 {user} {}.{}.{}.{} {agent} ",
            20 + client % 180,
            client / 180 % 250,
            client / 45_000,
            client % 250
        )
        .unwrap();
        match self.below(4) {
            0 => write!(out, "-").unwrap(),
            1 => write!(out, "https://www.corp.example/search#q=report").unwrap(),
            _ => write!(out, "https://www.corp.example{}", PATHS[self.skewed(9)]).unwrap(),
        }
        let (sub, win32) = if is_failed { (19, 64) } else { (0, 0) };
        let taken = self.below(400) + if is_failed { 3_000 } else { 3 };
        write!(out, " {status} {sub} {win32} {taken}\r\n").unwrap();
    }
}
