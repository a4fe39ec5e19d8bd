//! What was in the imported files: counted while they are read, shown at the end.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use windrow_formats::describe::title;
use windrow_formats::event::Event;
use windrow_formats::limits::SANE_SECONDS;
use windrow_formats::names::level_name;

use super::forward::Delivery;
use crate::output::{Paint, Terminal, about, escape, escape_json, thousands, time};

/// Different names counted of one kind; what comes beyond is counted together.
const NAMES_MAX: usize = 10_000;
/// Bytes of a name; a longer one is cut.
const NAME_BYTES_MAX: usize = 512;
/// Lines shown of one kind to people.
const LINES_SHOWN: usize = 12;
/// Damaged files shown to people, and damages of each; damages told in JSON.
const DAMAGED_FILES_SHOWN: usize = 100;
const DAMAGES_SHOWN: usize = 6;
const DAMAGES_MAX: usize = 10_000;

/// Counts by name, or by number and name, bounded.
#[derive(Debug, Default)]
struct Tally {
    counts: HashMap<u32, HashMap<String, u64>>,
    kinds: usize,
    beyond: u64,
}

impl Tally {
    fn add(&mut self, name: &str) {
        self.add_pair(0, name);
    }

    fn add_pair(&mut self, number: u32, name: &str) {
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        let counted = self.counts.get_mut(&number);
        if let Some(count) = counted.and_then(|names| names.get_mut(name)) {
            *count += 1;
        } else if self.kinds < NAMES_MAX {
            self.kinds += 1;
            let names = self.counts.entry(number).or_default();
            names.insert(name.to_owned(), 1);
        } else {
            self.beyond += 1;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u32, &str, u64)> {
        self.counts.iter().flat_map(|(number, names)| {
            names
                .iter()
                .map(|(name, events)| (*number, name.as_str(), *events))
        })
    }

    /// Most first, ties by name.
    fn sorted(&self) -> Vec<Named> {
        let mut named: Vec<Named> = self
            .iter()
            .map(|(_, name, events)| Named {
                name: name.to_owned(),
                events,
            })
            .collect();
        named.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name)));
        named
    }
}

/// One damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Damage {
    /// The file.
    pub(super) file: String,
    /// The line of a text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    /// The chunk, from 0, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chunk: Option<u64>,
    /// The first and the last of the records, by their own numbers, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<(u64, u64)>,
    /// What is wrong.
    pub(super) reason: String,
    /// Whether records are lost, or may be.
    pub(super) lost: bool,
}

/// Requests of web servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Requests {
    /// Lines that are requests.
    pub(super) read: u64,
    /// Those that the lake did not have.
    pub(super) new: u64,
    /// Those that it had.
    pub(super) known: u64,
}

/// Counts of everything read.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Files read.
    pub(super) files: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Events that the lake did not have.
    pub(super) new: u64,
    /// Events that it had, or that came twice in the files.
    pub(super) known: u64,
    /// Requests of web servers.
    pub(super) requests: Requests,
    /// Events and requests that are older than the lake keeps such, and were left out.
    pub(super) expired: u64,
    /// Files that were not read to their end, since it was interrupted.
    pub(super) unread: u64,
    /// Time it took.
    pub(super) took: Duration,
    /// What became of the events that were to be forwarded.
    pub(super) delivery: Option<Delivery>,
    events: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    channels: Tally,
    providers: Tally,
    computers: Tally,
    levels: BTreeMap<u32, u64>,
    ids: Tally,
    damages: Vec<Damage>,
    damage_count: u64,
    lost: bool,
}

impl Summary {
    /// Counts an event.
    pub(super) fn count(&mut self, event: Event<'_>) {
        self.events += 1;
        let provider = event.provider_name();
        let provider = provider.as_deref().unwrap_or("");
        self.channels.add(event.channel().as_deref().unwrap_or(""));
        self.providers.add(provider);
        self.computers
            .add(event.computer().as_deref().unwrap_or(""));
        *self
            .levels
            .entry(event.level().unwrap_or(0).min(255))
            .or_default() += 1;
        self.ids.add_pair(event.event_id().unwrap_or(0), provider);
        let time = event
            .time_created()
            .filter(|time| SANE_SECONDS.contains(&time.as_second()))
            // As the lake keeps it, so that what is told here is what a query answers.
            .and_then(|time| Timestamp::from_microsecond(time.as_microsecond()).ok());
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    /// Counts what could not be read.
    pub(super) fn damage(&mut self, damage: Damage) {
        self.damage_count += 1;
        self.lost |= damage.lost;
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        }
    }

    /// Counts damage that is not told one by one.
    pub(super) fn more_damage(&mut self, count: u64) {
        self.damage_count += count;
        self.lost |= count > 0;
    }

    /// Whether something could not be read, or not be delivered yet.
    pub(super) fn is_partial(&self) -> bool {
        self.lost || matches!(self.delivery, Some(Delivery::Waiting(_)))
    }

    /// Events read so far.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    fn by_id(&self) -> Vec<ById> {
        let pairs = self.ids.iter().map(|(id, provider, events)| ById {
            id,
            provider: provider.to_owned(),
            title: title(provider, id),
            events,
        });
        let mut ids: Vec<ById> = pairs.collect();
        ids.sort_by(|a, b| {
            b.events
                .cmp(&a.events)
                .then(a.id.cmp(&b.id))
                .then_with(|| a.provider.cmp(&b.provider))
        });
        ids
    }

    fn by_level(&self) -> Vec<Named> {
        let mut named = BTreeMap::<String, u64>::new();
        for (level, events) in &self.levels {
            let name = level_name(*level).map_or_else(|| format!("level {level}"), str::to_owned);
            *named.entry(name).or_default() += events;
        }
        let mut named: Vec<Named> = named
            .into_iter()
            .map(|(name, events)| Named { name, events })
            .collect();
        named.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name)));
        named
    }

    /// Writes everything as one JSON object.
    pub(super) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let json = serde_json::to_string_pretty(&Json {
            files: self.files,
            unread: self.unread,
            bytes: self.bytes,
            events: self.events,
            new: self.new,
            known: self.known,
            requests: self.requests,
            expired: self.expired,
            first: self.first,
            last: self.last,
            channels: self.channels.sorted(),
            providers: self.providers.sorted(),
            event_ids: self.by_id(),
            levels: self.by_level(),
            forwarded: self.delivery.as_ref().map(|delivery| match delivery {
                Delivery::HandedOver => "handed over".to_owned(),
                Delivery::Delivered => "delivered".to_owned(),
                Delivery::Waiting(left) => format!("{left} waiting"),
            }),
            computers: self.computers.sorted(),
            damaged: self.damage_count,
            damages: &self.damages,
        })?;
        writeln!(out, "{}", escape_json(&json))
    }

    /// Writes it for people.
    pub(super) fn write_text(
        &self,
        out: &mut dyn Write,
        zone: &TimeZone,
        terminal: &Terminal,
    ) -> io::Result<()> {
        let paint = terminal.paint();
        self.write_head(out, zone, paint)?;
        if self.events > 0 {
            write_named(out, "Channels", &self.channels.sorted(), terminal)?;
            write_ids(out, &self.by_id(), terminal)?;
            write_named(out, "Providers", &self.providers.sorted(), terminal)?;
            write_named(out, "Levels", &self.by_level(), terminal)?;
            write_named(out, "Computers", &self.computers.sorted(), terminal)?;
        }
        self.write_damages(out, paint)
    }

    fn write_head(&self, out: &mut dyn Write, zone: &TimeZone, paint: Paint) -> io::Result<()> {
        let files = if self.files == 1 { "file" } else { "files" };
        let is_of_requests = self.events == 0 && self.requests.read > 0;
        let what = match is_of_requests {
            true => format!("{} requests", thousands(self.requests.read)),
            false => format!("{} events", thousands(self.events)),
        };
        let (count, size) = (thousands(self.files), about(self.bytes));
        writeln!(
            out,
            "{} in {count} {files} ({size}), {:.1} s",
            paint.bold(&what),
            self.took.as_secs_f64()
        )?;
        if self.unread > 0 {
            let unread = format!(
                "interrupted: {} files were not read to their end",
                thousands(self.unread)
            );
            writeln!(out, "{}", paint.yellow(&unread))?;
        }
        let told =
            |new, known| format!("{} new, {} known already", thousands(new), thousands(known));
        let Requests { read, new, known } = self.requests;
        if !is_of_requests {
            writeln!(out, "{}", told(self.new, self.known))?;
        }
        match is_of_requests {
            true => writeln!(out, "{}", told(new, known))?,
            false if read > 0 => {
                let requests = format!("{} requests of web servers", thousands(read));
                writeln!(out, "{}: {}", paint.bold(&requests), told(new, known))?;
            }
            false => {}
        }
        if self.expired > 0 {
            let left_out = thousands(self.expired);
            let told = format!("{left_out} left out: older than [lake.retention] keeps them");
            writeln!(out, "{}", paint.yellow(&told))?;
        }
        match self.delivery {
            None => {}
            Some(Delivery::Delivered) => writeln!(out, "every sink has them")?,
            Some(Delivery::HandedOver) => writeln!(out, "handed to the running service")?,
            Some(Delivery::Waiting(left)) => {
                let left = format!("{} wait in the journal for a sink", thousands(left));
                writeln!(out, "{}; `windrow run` delivers them", paint.yellow(&left))?;
            }
        }
        if let (Some(first), Some(last)) = (self.first, self.last) {
            writeln!(out, "from {} to {}", time(first, zone), time(last, zone))?;
        }
        Ok(())
    }

    fn write_damages(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        if self.damage_count == 0 {
            return Ok(());
        }
        let heading = match self.lost {
            true => paint.red("Damaged"),
            false => paint.yellow("Damaged, and all of it was read nevertheless"),
        };
        writeln!(out, "\n{heading}")?;
        // What was lost comes first; within it, the order of the files.
        let mut damages: Vec<&Damage> = self.damages.iter().collect();
        damages.sort_by_key(|damage| !damage.lost);
        let files: Vec<&[&Damage]> = damages
            .chunk_by(|one, next| one.file == next.file && one.lost == next.lost)
            .collect();
        for of_file in files.iter().take(DAMAGED_FILES_SHOWN) {
            writeln!(out, "  {}", escape(&of_file[0].file))?;
            let runs = merged(of_file);
            for damage in runs.iter().take(DAMAGES_SHOWN) {
                writeln!(out, "    {}{}", damage.place(), escape(&damage.reason))?;
            }
            if let more @ 1.. = runs.len().saturating_sub(DAMAGES_SHOWN) {
                writeln!(out, "    and {} more", thousands(more as u64))?;
            }
        }
        if let more @ 1.. = files.len().saturating_sub(DAMAGED_FILES_SHOWN) {
            writeln!(out, "  and more in {} files", thousands(more as u64))?;
        }
        if let more @ 1.. = self.damage_count.saturating_sub(self.damages.len() as u64) {
            writeln!(out, "  and {} that were only counted", thousands(more))?;
        }
        writeln!(out, "  (--output json names each)")
    }
}

/// Neighbours that have the same thing wrong with them, as one.
fn merged(damages: &[&Damage]) -> Vec<Damage> {
    let mut runs: Vec<Damage> = Vec::new();
    for damage in damages {
        if let (Some(run), Some((first, last))) = (runs.last_mut(), damage.records)
            && let Some((_, run_last)) = &mut run.records
            && (run.chunk, &run.reason) == (damage.chunk, &damage.reason)
            && first == run_last.saturating_add(1)
        {
            *run_last = last;
        } else {
            runs.push((*damage).clone());
        }
    }
    runs
}

impl Damage {
    /// Chunk and records, as far as they are known.
    fn place(&self) -> String {
        let line = self.line.map(|line| format!("line {line}"));
        let chunk = self.chunk.map(|chunk| format!("chunk {chunk}"));
        let records = self.records.map(|(first, last)| match first == last {
            true => format!("record {first}"),
            false => format!("records {first} to {last}"),
        });
        let place: Vec<String> = line.into_iter().chain(chunk).chain(records).collect();
        if place.is_empty() {
            String::new()
        } else {
            format!("{}: ", place.join(", "))
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Named {
    name: String,
    events: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ById {
    id: u32,
    provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    events: u64,
}

#[derive(Serialize)]
struct Json<'a> {
    files: u64,
    unread: u64,
    bytes: u64,
    events: u64,
    new: u64,
    known: u64,
    requests: Requests,
    expired: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    channels: Vec<Named>,
    providers: Vec<Named>,
    event_ids: Vec<ById>,
    levels: Vec<Named>,
    computers: Vec<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<String>,
    damaged: u64,
    damages: &'a [Damage],
}

fn write_named(
    out: &mut dyn Write,
    heading: &str,
    named: &[Named],
    terminal: &Terminal,
) -> io::Result<()> {
    let most = named.first().map_or(0, |first| first.events);
    let width = thousands(most).chars().count();
    writeln!(out, "\n{}", terminal.paint().bold(heading))?;
    for one in named.iter().take(LINES_SHOWN) {
        let name = if one.name.is_empty() {
            "(none)".into()
        } else {
            escape(&one.name)
        };
        writeln!(
            out,
            "  {:>width$}  {}  {name}",
            thousands(one.events),
            share(one.events, most, terminal)
        )?;
    }
    write_rest(
        out,
        named.len(),
        named.iter().skip(LINES_SHOWN).map(|one| one.events).sum(),
        width,
    )
}

fn write_ids(out: &mut dyn Write, ids: &[ById], terminal: &Terminal) -> io::Result<()> {
    let shown = &ids[..ids.len().min(LINES_SHOWN)];
    let most = shown.first().map_or(0, |first| first.events);
    let width = thousands(most).chars().count();
    let titles = shown.iter().filter_map(|one| one.title);
    let title_width = titles.map(|title| title.chars().count()).max().unwrap_or(0);
    writeln!(out, "\n{}", terminal.paint().bold("Events"))?;
    for one in shown {
        let provider = escape(&one.provider);
        let provider = provider
            .strip_prefix("Microsoft-Windows-")
            .unwrap_or(&provider);
        let provider = terminal.paint().dim(provider);
        let (events, id, title) = (thousands(one.events), one.id, one.title.unwrap_or(""));
        let share = share(one.events, most, terminal);
        writeln!(
            out,
            "  {events:>width$}  {share}  {id:>5}  {title:title_width$}  {provider}"
        )?;
    }
    let rest = ids.iter().skip(LINES_SHOWN).map(|one| one.events).sum();
    write_rest(out, ids.len(), rest, width)
}

fn write_rest(out: &mut dyn Write, lines: usize, events: u64, width: usize) -> io::Result<()> {
    if lines <= LINES_SHOWN {
        return Ok(());
    }
    let bar = " ".repeat(BAR_CELLS);
    writeln!(
        out,
        "  {:>width$}  {bar}  and {} more",
        thousands(events),
        lines - LINES_SHOWN
    )
}

const BAR_CELLS: usize = 12;

/// A small bar, in eighths of a cell where the terminal can show them.
fn share(events: u64, most: u64, terminal: &Terminal) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = u128::from(events) * (BAR_CELLS as u128 * 8);
    let eighths = usize::try_from(eighths.div_ceil(u128::from(most.max(1)))).unwrap_or(0);
    let (full, part) = (eighths / 8, eighths % 8);
    let bar = if terminal.unicode {
        let mut bar = "█".repeat(full);
        bar.extend((part > 0).then_some(EIGHTHS[part]));
        bar
    } else {
        "#".repeat(eighths.div_ceil(8))
    };
    let padding = " ".repeat(BAR_CELLS.saturating_sub(bar.chars().count()));
    format!("{}{padding}", terminal.paint().cyan(&bar))
}

#[cfg(test)]
mod tests {
    use windrow_formats::event::{Index, parse};

    use super::*;

    fn event(
        provider: &str,
        id: u32,
        channel: &str,
        computer: &str,
        level: u32,
        time: &str,
    ) -> String {
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{provider}'/>\
             <EventID>{id}</EventID><Level>{level}</Level><TimeCreated SystemTime='{time}'/>\
             <Channel>{channel}</Channel><Computer>{computer}</Computer></System></Event>"
        )
    }

    fn sample() -> Summary {
        let mut summary = Summary {
            files: 2,
            bytes: 2_166_784,
            new: 40,
            known: 3,
            ..Summary::default()
        };
        summary.took = Duration::from_millis(1_234);
        let mut index = Index::default();
        let mut add = |text: &str| {
            parse(text, &mut index).unwrap();
            summary.count(Event::new(text, &index));
        };
        let security = "Microsoft-Windows-Security-Auditing";
        for _ in 0..30 {
            add(&event(
                security,
                4624,
                "Security",
                "DC01.corp.example",
                0,
                "2026-11-21T08:00:00Z",
            ));
        }
        for id in 4720..4733 {
            add(&event(
                security,
                id,
                "Security",
                "DC01.corp.example",
                0,
                "2026-11-21T09:30:00.1234567Z",
            ));
        }
        add(&event(
            "Evil\u{202e}",
            7,
            "",
            "WS\u{9b}31m",
            9,
            "1601-01-01T00:00:00Z",
        ));
        summary.damage(Damage {
            file: "a.evtx".into(),
            line: None,
            chunk: Some(3),
            records: Some((463, 470)),
            reason: "cut short".into(),
            lost: true,
        });
        summary.damage(Damage {
            file: "b\u{1b}.evtx".into(),
            line: None,
            chunk: None,
            records: None,
            reason: "not EVTX".into(),
            lost: false,
        });
        summary
    }

    /// A terminal without colours.
    fn paper() -> Terminal {
        Terminal {
            stdout_is_terminal: true,
            stdout_can_redraw: true,
            stderr_is_terminal: true,
            color: false,
            stderr_color: false,
            unicode: true,
            width: 80,
        }
    }

    #[test]
    fn people_read_what_matters_first() {
        let terminal = paper();
        let mut out = Vec::new();
        sample()
            .write_text(&mut out, &TimeZone::UTC, &terminal)
            .unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        44 events in 2 files (2.1 MB), 1.2 s
        40 new, 3 known already
        from 2026-11-21T08:00:00Z to 2026-11-21T09:30:00.123456Z

        Channels
          43  ████████████  Security
           1  ▍             (none)

        Events
          30  ████████████   4624  logon                             Security-Auditing
           1  ▌                 7                                    Evil\u{202e}
           1  ▌              4720  user created                      Security-Auditing
           1  ▌              4721                                    Security-Auditing
           1  ▌              4722  user enabled                      Security-Auditing
           1  ▌              4723  password change tried             Security-Auditing
           1  ▌              4724  password reset tried              Security-Auditing
           1  ▌              4725  user disabled                     Security-Auditing
           1  ▌              4726  user deleted                      Security-Auditing
           1  ▌              4727  global group created              Security-Auditing
           1  ▌              4728  member added to global group      Security-Auditing
           1  ▌              4729  member removed from global group  Security-Auditing
           3                and 3 more

        Providers
          43  ████████████  Microsoft-Windows-Security-Auditing
           1  ▍             Evil\u{202e}

        Levels
          43  ████████████  Information
           1  ▍             level 9

        Computers
          43  ████████████  DC01.corp.example
           1  ▍             WS\u{9b}31m

        Damaged
          a.evtx
            chunk 3, records 463 to 470: cut short
          b\u{1b}.evtx
            not EVTX
          (--output json names each)
        ");
    }

    #[test]
    fn neighbours_with_the_same_damage_are_one_line() {
        let damage = |file: &str, first, last, reason: &str| Damage {
            file: file.into(),
            line: None,
            chunk: Some(1),
            records: Some((first, last)),
            reason: reason.into(),
            lost: true,
        };
        let mut summary = Summary::default();
        for id in 92..=171 {
            summary.damage(damage("a.evtx", id, id, "unfinished"));
        }
        for id in (200..220).step_by(2) {
            summary.damage(damage("a.evtx", id, id, "cut"));
        }
        summary.damage(damage("b.evtx", 1, 4, "cut"));
        let mut out = Vec::new();
        let paint = paper().paint();
        summary.write_damages(&mut out, paint).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        Damaged
          a.evtx
            chunk 1, records 92 to 171: unfinished
            chunk 1, record 200: cut
            chunk 1, record 202: cut
            chunk 1, record 204: cut
            chunk 1, record 206: cut
            chunk 1, record 208: cut
            and 5 more
          b.evtx
            chunk 1, records 1 to 4: cut
          (--output json names each)
        ");
    }

    #[test]
    fn json_holds_everything() {
        let mut out = Vec::new();
        sample().write_json(&mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["events"], 44);
        assert_eq!(json["event_ids"].as_array().unwrap().len(), 15);
        assert_eq!(json["event_ids"][0]["title"], "logon");
        assert_eq!(
            json["levels"][0],
            serde_json::json!({"name": "Information", "events": 43})
        );
        assert_eq!(json["first"], "2026-11-21T08:00:00Z");
        assert_eq!(json["last"], "2026-11-21T09:30:00.123456Z");
        assert_eq!(json["damages"][0]["chunk"], 3);
    }

    #[test]
    fn names_without_end_do_not_take_memory_without_end() {
        let mut tally = Tally::default();
        for name in 0..NAMES_MAX + 5 {
            tally.add(&name.to_string());
        }
        assert_eq!((tally.iter().count(), tally.beyond), (NAMES_MAX, 5));
        let mut tally = Tally::default();
        for id in 0..1_000 {
            for provider in 0..11 {
                tally.add_pair(id, &provider.to_string().repeat(NAME_BYTES_MAX));
            }
        }
        assert_eq!((tally.iter().count(), tally.beyond), (NAMES_MAX, 1_000));
        let longest = tally.iter().map(|(_, name, _)| name.len()).max();
        assert_eq!(longest, Some(NAME_BYTES_MAX));
    }
}
