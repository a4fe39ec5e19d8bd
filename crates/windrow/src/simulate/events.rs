//! What the machines of the fleet write into their logs.
//!
//! Invariant: an event is a function of the seed, its machine, its channel, its record id and its
//! time. A machine keeps no events: it makes the same one again when it has to send it again.
//! Shapes are cut into literals and slots once, so that an event costs a few copies.

mod slots;
mod templates;
#[cfg(test)]
mod tests;
mod values;

use std::fmt::Write as _;
use std::str::FromStr;

use windrow_formats::wsman::reply::ContentFormat;

use self::slots::{Slot, Values, push_decimal, push_padded, user_name};
use self::templates::{Payload, TEMPLATES, Template};
use self::values::{HOSTILE, NOTES};
use super::random::{below, derive};

/// Stands, in a hostile event, for half of a surrogate pair, which text cannot hold; whoever
/// writes UTF-16 puts [`LONE_SURROGATE_UNIT`] in its place.
pub const LONE_SURROGATE: char = '\u{fdd0}';

/// The code unit that [`LONE_SURROGATE`] stands for.
pub const LONE_SURROGATE_UNIT: u16 = 0xd83d;

/// How many 100-nanosecond ticks a second has.
pub const TICKS_PER_SECOND: u64 = 10_000_000;

/// How many users the fleet's domain has.
const USERS: usize = 400;

/// Length of the longest hostile value, in characters.
const LONG_VALUE: usize = 9_000;

/// The closing tag of an event.
const END: &str = "</Event>";

/// The mix of a busy server: event id and weight.
pub const DEFAULT_MIX: &[(u32, u32)] = &[
    (4624, 410),
    (4688, 400),
    (4634, 50),
    (4672, 30),
    (4625, 50),
    (7036, 20),
    (1000, 12),
    (100, 10),
    (4946, 10),
    (4732, 6),
    (1102, 2),
];

/// What can be wrong with a mix.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MixError {
    /// A part is not `ID=WEIGHT`.
    #[error("{0:?} is not ID=WEIGHT, such as 4625=60")]
    Part(String),
    /// No shape has this id.
    #[error("no event {0} is known; known are {known}", known = known_ids())]
    Unknown(u32),
    /// Every weight is zero.
    #[error("a mix needs a weight above zero")]
    Empty,
}

fn known_ids() -> String {
    let ids: Vec<String> = DEFAULT_MIX.iter().map(|(id, _)| id.to_string()).collect();
    ids.join(", ")
}

/// How often each event id comes, in relation to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(Vec<(u32, u32)>);

impl Default for Mix {
    fn default() -> Mix {
        Mix(DEFAULT_MIX.to_vec())
    }
}

impl FromStr for Mix {
    type Err = MixError;

    /// Reads `4624=300,4625=60`; ids that are not named do not come.
    fn from_str(text: &str) -> Result<Mix, MixError> {
        let mut weights = Vec::new();
        for part in text.split(',') {
            let (id, weight) = part
                .split_once('=')
                .and_then(|(id, weight)| {
                    Some((id.trim().parse().ok()?, weight.trim().parse::<u16>().ok()?))
                })
                .ok_or_else(|| MixError::Part(part.to_owned()))?;
            if !TEMPLATES.iter().any(|template| template.event_id == id) {
                return Err(MixError::Unknown(id));
            }
            weights.push((id, u32::from(weight)));
        }
        if weights.iter().all(|&(_, weight)| weight == 0) {
            return Err(MixError::Empty);
        }
        Ok(Mix(weights))
    }
}

/// The logs that the fleet writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Security, by far the busiest.
    Security,
    /// System.
    System,
    /// Application.
    Application,
}

impl Channel {
    /// All of them, in the order of [`Channel::index`].
    pub const ALL: [Channel; 3] = [Channel::Security, Channel::System, Channel::Application];

    /// The channel's name, as Windows writes it.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Security => "Security",
            Channel::System => "System",
            Channel::Application => "Application",
        }
    }

    /// Its place in [`Channel::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The channel of that name, case ignored as Windows does.
    pub fn named(name: &str) -> Option<Channel> {
        Channel::ALL
            .into_iter()
            .find(|channel| channel.name().eq_ignore_ascii_case(name))
    }
}

/// Whether texts that somebody could choose are harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hostility {
    /// They are.
    #[default]
    Plain,
    /// In every fourth event they are not.
    Hostile,
}

/// The machines and their domain.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The domain's NetBIOS name.
    domain: String,
    dns_domain_upper: String,
    users: Vec<(String, String)>,
    machines: Vec<Machine>,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its fully qualified name: what it calls itself, and the common name of its certificate.
    pub name: String,
    netbios: String,
    seed: u64,
}

impl Machine {
    /// The seed of all that this machine does.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The process identifier of one of its system processes.
    fn process(&self, which: u64) -> u64 {
        4 * (120 + 90 * which + below(derive(self.seed, which), 80))
    }
}

impl Fleet {
    /// A fleet of `machines` named `srv0001.corp.example` and so on.
    pub fn new(seed: u64, machines: usize) -> Fleet {
        let names = (1..=machines).map(|number| format!("srv{number:04}.corp.example"));
        Fleet::with_names(seed, names)
    }

    /// A fleet of the machines with these fully qualified names.
    pub fn with_names(seed: u64, names: impl IntoIterator<Item = String>) -> Fleet {
        let domain_sid = (
            derive(seed, 1) >> 33,
            derive(seed, 2) >> 33,
            derive(seed, 3) >> 33,
        );
        let (a, b, c) = domain_sid;
        let user = |index| {
            (
                user_name(index),
                format!("S-1-5-21-{a}-{b}-{c}-{}", 1104 + index),
            )
        };
        let machine = |(index, name): (u64, String)| {
            let first = name.split('.').next().unwrap_or(&name);
            let netbios = first.chars().take(15).collect::<String>().to_uppercase();
            Machine {
                netbios,
                name,
                seed: derive(seed, 1000 + index),
            }
        };
        Fleet {
            domain: "CORP".to_owned(),
            dns_domain_upper: "CORP.EXAMPLE".to_owned(),
            users: (0..USERS).map(user).collect(),
            machines: (0..).zip(names).map(machine).collect(),
        }
    }

    /// The machines.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    fn user(&self, index: u64) -> &(String, String) {
        let index = usize::try_from(index).unwrap_or(0);
        &self.users[index % self.users.len()]
    }
}

/// Which event: of which machine, from which log, with which record id and time.
#[derive(Clone, Copy, Debug)]
pub struct EventKey<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The log.
    pub channel: Channel,
    /// The record id.
    pub record: u64,
    /// When it was written, in 100-nanosecond ticks since 1970.
    pub ticks: u64,
}

/// Every shape of the mix, ready to be filled.
#[derive(Debug)]
pub struct Catalogue {
    channels: [Shapes; 3],
    hostility: Hostility,
    long_value: String,
}

/// The shapes of a channel, and where each one's weights end.
#[derive(Debug, Default)]
struct Shapes {
    total: u64,
    shapes: Vec<(u64, Shape)>,
}

#[derive(Debug)]
struct Shape {
    event_id: u32,
    /// Up to the end of the payload.
    event: Text,
    /// `RenderingInfo`.
    rendering: Text,
}

/// A literal, then a slot, and so on.
#[derive(Debug)]
struct Text(Vec<(Box<str>, Option<Slot>)>);

impl Catalogue {
    /// The shapes of `mix`.
    pub fn new(mix: &Mix, hostility: Hostility) -> Catalogue {
        let mut channels: [Shapes; 3] = Default::default();
        for &(id, weight) in &mix.0 {
            let of_id = || TEMPLATES.iter().filter(|template| template.event_id == id);
            let shares: u32 = of_id().map(|template| template.share).sum();
            for template in of_id() {
                let part = 1000 * u64::from(weight) * u64::from(template.share);
                let shapes = &mut channels[template.channel.index()];
                shapes.total += part / u64::from(shares.max(1));
                shapes.shapes.push((shapes.total, Shape::new(template)));
            }
        }
        let long_value = "A long value, with ünïcode. "
            .chars()
            .cycle()
            .take(LONG_VALUE)
            .collect();
        Catalogue {
            channels,
            hostility,
            long_value,
        }
    }

    /// The channel that `value`, a scattered number, falls on by the mix.
    pub fn channel(&self, value: u64) -> Channel {
        let total = self.channels.iter().map(|shapes| shapes.total).sum();
        let mut rest = below(value, total);
        for channel in Channel::ALL {
            let part = self.channels[channel.index()].total;
            if rest < part {
                return channel;
            }
            rest -= part;
        }
        Channel::Security
    }

    fn shape(&self, channel: Channel, value: u64) -> Option<&Shape> {
        let shapes = &self.channels[channel.index()];
        let point = below(value, shapes.total);
        shapes
            .shapes
            .iter()
            .find(|(end, _)| point < *end)
            .map(|(_, shape)| shape)
    }
}

/// Writes events as text. One a task: it remembers the second it last wrote.
#[derive(Debug)]
pub struct Renderer<'a> {
    fleet: &'a Fleet,
    catalogue: &'a Catalogue,
    second: u64,
    second_text: String,
}

/// Numbers of the draws that are the renderer's own; the slots' are small.
const DRAW_SHAPE: u64 = 1 << 32;
const DRAW_HOSTILE: u64 = DRAW_SHAPE + 1;
const DRAW_CUT: u64 = DRAW_SHAPE + 2;
const DRAW_HOSTILE_VALUES: u64 = DRAW_SHAPE + 1000;

impl<'a> Renderer<'a> {
    /// A renderer of the fleet's events.
    pub fn new(fleet: &'a Fleet, catalogue: &'a Catalogue) -> Renderer<'a> {
        Renderer {
            fleet,
            catalogue,
            second: u64::MAX,
            second_text: String::new(),
        }
    }

    /// Appends the event's text and answers its event id, or `None` if the mix has no event of
    /// this channel.
    pub fn render(
        &mut self,
        key: &EventKey<'_>,
        content: ContentFormat,
        out: &mut String,
    ) -> Option<u32> {
        let seed = derive(derive(key.machine.seed, key.channel as u64), key.record);
        let shape = self
            .catalogue
            .shape(key.channel, derive(seed, DRAW_SHAPE))?;
        let hostile = self.catalogue.hostility == Hostility::Hostile
            && derive(seed, DRAW_HOSTILE).is_multiple_of(4);
        let values = Values {
            fleet: self.fleet,
            machine: key.machine,
            seed,
        };
        self.fill(&shape.event, &values, key, hostile, out);
        if content == ContentFormat::RenderedText {
            let start = out.len();
            self.fill(&shape.rendering, &values, key, hostile, out);
            let cut = derive(seed, DRAW_CUT);
            if hostile && cut.is_multiple_of(8) {
                cut_short(start, cut, out);
                return Some(shape.event_id);
            }
        }
        out.push_str(END);
        Some(shape.event_id)
    }

    fn fill(
        &mut self,
        text: &Text,
        values: &Values<'_>,
        key: &EventKey<'_>,
        hostile: bool,
        out: &mut String,
    ) {
        for (literal, slot) in &text.0 {
            out.push_str(literal);
            match slot {
                None => {}
                Some(Slot::Time) => self.push_time(key.ticks, out),
                Some(Slot::Record) => push_decimal(key.record, out),
                Some(slot) if hostile && slot.is_free_text() => {
                    out.push_str(self.hostile_value(values.seed, *slot));
                }
                Some(slot) => values.write(*slot, out),
            }
        }
    }

    fn hostile_value(&self, seed: u64, slot: Slot) -> &'a str {
        let draw = derive(seed, DRAW_HOSTILE_VALUES + slot as u64);
        if below(draw, HOSTILE.len() as u64 + 1) == 0 {
            return &self.catalogue.long_value;
        }
        let index = usize::try_from(below(draw, HOSTILE.len() as u64)).unwrap_or(0);
        HOSTILE[index]
    }

    /// `2026-11-21T10:00:00.1234567Z`.
    fn push_time(&mut self, ticks: u64, out: &mut String) {
        let second = ticks / TICKS_PER_SECOND;
        if second != self.second {
            let time = i64::try_from(second)
                .ok()
                .and_then(|second| jiff::Timestamp::from_second(second).ok())
                .unwrap_or_default();
            self.second = second;
            self.second_text.clear();
            // Writing to a String cannot fail.
            let _ = write!(self.second_text, "{time:.0}");
            self.second_text.pop();
        }
        out.push_str(&self.second_text);
        out.push('.');
        push_padded(ticks % TICKS_PER_SECOND, 7, out);
        out.push('Z');
    }
}

/// Cuts the RenderingInfo that was written after `start` somewhere inside, as Windows does with
/// rendered texts that are too long for it. Its name stays: without it nobody can tell what was cut.
fn cut_short(start: usize, draw: u64, out: &mut String) {
    let start = start + "<RenderingInfo ".len();
    let length = out.len().saturating_sub(start);
    let mut end = start + usize::try_from(below(draw, length as u64)).unwrap_or(0);
    while !out.is_char_boundary(end) {
        end += 1;
    }
    out.truncate(end);
}

impl Shape {
    fn new(template: &Template) -> Shape {
        Shape {
            event_id: template.event_id,
            event: Text::parse(&event_text(template)),
            rendering: Text::parse(&rendering_text(template)),
        }
    }
}

impl Text {
    /// Cuts `text` at the slots in brackets; brackets around anything else are text.
    fn parse(text: &str) -> Text {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('[') {
            literal.push_str(before);
            let named = after
                .split_once(']')
                .and_then(|(name, after)| Some((Slot::named(name)?, after)));
            rest = match named {
                Some((slot, after)) => {
                    parts.push((std::mem::take(&mut literal).into_boxed_str(), Some(slot)));
                    after
                }
                None => {
                    literal.push('[');
                    after
                }
            };
        }
        literal.push_str(rest);
        parts.push((literal.into_boxed_str(), None));
        Text(parts)
    }
}

/// The template as Windows renders it, up to the end of the payload: no white space, attributes
/// in single quotes.
fn event_text(template: &Template) -> String {
    let qualifiers = template
        .qualifiers
        .map(|q| format!(" Qualifiers='{q}'"))
        .unwrap_or_default();
    let (process, thread) = template.execution;
    let Template {
        event_id,
        version,
        level,
        task,
        keywords,
        correlation,
        security,
        ..
    } = template;
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider {provider}/><EventID{qualifiers}>{event_id}</EventID><Version>{version}</Version>\
         <Level>{level}</Level><Task>{task}</Task><Opcode>0</Opcode><Keywords>{keywords}</Keywords>\
         <TimeCreated SystemTime='[time]'/><EventRecordID>[record]</EventRecordID>{correlation}\
         <Execution ProcessID='{process}' ThreadID='{thread}'/><Channel>{channel}</Channel>\
         <Computer>[computer]</Computer>{security}</System>{payload}",
        provider = template.provider.attributes,
        channel = template.channel.name(),
        payload = payload_text(&template.payload),
    )
}

fn payload_text(payload: &Payload) -> String {
    let named = |items: &[(&str, &str)]| -> String {
        items
            .iter()
            .map(|(name, value)| format!("<Data Name='{name}'>{value}</Data>"))
            .collect()
    };
    match payload {
        Payload::Named(items) => format!("<EventData>{}</EventData>", named(items)),
        Payload::Unnamed(items) => {
            let data: String = items
                .iter()
                .map(|value| format!("<Data>{value}</Data>"))
                .collect();
            format!("<EventData>{data}</EventData>")
        }
        Payload::NamedAndBinary(items, binary) => {
            format!(
                "<EventData>{}<Binary>{binary}</Binary></EventData>",
                named(items)
            )
        }
        Payload::User(element, namespace, leaves) => {
            let leaves: String = leaves
                .iter()
                .map(|(name, value)| format!("<{name}>{value}</{name}>"))
                .collect();
            format!("<UserData><{element} xmlns='{namespace}'>{leaves}</{element}></UserData>")
        }
    }
}

fn rendering_text(template: &Template) -> String {
    let lines: Vec<(String, &str)> = match &template.payload {
        Payload::Named(items) | Payload::NamedAndBinary(items, _) | Payload::User(_, _, items) => {
            items
                .iter()
                .map(|&(name, value)| (name.to_owned(), value))
                .collect()
        }
        Payload::Unnamed(items) => (1..)
            .zip(*items)
            .map(|(n, &v)| (format!("Value {n}"), v))
            .collect(),
    };
    let mut message = format!("{}\r\n\r\nDetails:", template.title);
    for (name, value) in lines {
        message.push_str("\r\n\t");
        message.push_str(&name);
        message.push_str(":\t\t");
        message.push_str(value);
    }
    message.push_str("\r\n\r\n");
    message.push_str(NOTES);
    let task = match template.task_name {
        "None" => "<Task></Task>".to_owned(),
        name => format!("<Task>{name}</Task>"),
    };
    format!(
        "<RenderingInfo Culture='en-US'><Message>{message}</Message><Level>{level}</Level>{task}\
         <Opcode>Info</Opcode><Channel>{channel}</Channel><Provider>{provider}</Provider>\
         <Keywords><Keyword>{keyword}</Keyword></Keywords></RenderingInfo>",
        level = template.level_name,
        channel = template.channel.name(),
        provider = template.provider.display,
        keyword = template.keyword_name,
    )
}
