//! Events as syslog messages with a CEF payload: the prefix a receiver reads time and host
//! from, and the framing that tells it where a message ends.
//!
//! Invariant: one event becomes exactly one frame. Neither the prefix nor the payload can
//! hold a line break, and a counted frame's length is that of the bytes that follow.

mod prefix;

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use crate::batch::Header;
use crate::cef;
use crate::event::Event;
use crate::limits;

/// What stands before the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// `<PRI>Mmm dd hh:mm:ss host ` (RFC 3164 4.1). It has neither year nor zone: receivers
    /// guess both, so the zone is UTC unless set otherwise.
    #[default]
    Rfc3164,
    /// `<PRI>2018-05-17T23:59:28.123456Z host `: RFC 3164 with an RFC 3339 time, always six
    /// digits after the point.
    Rfc3164Iso,
    /// `<PRI>1 time host windrow - event-id - ` (RFC 5424 6).
    Rfc5424,
    /// Nothing: for files, and for receivers that want bare CEF.
    None,
    /// `2018:05:17:-23:59:28 -07:00 host ` and the version `CEF:0.0`: as the document of 2018
    /// prints it. No receiver reads its time or host, and over a stream one that expects octet
    /// counting takes the year for a length.
    LegacyAzureStack,
}

/// How a receiver finds the end of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// A line feed after each (RFC 6587 3.4.2).
    #[default]
    LineFeed,
    /// The length and a space before each (RFC 6587 3.4.1, RFC 5425 4.3).
    OctetCounting,
    /// Nothing: the datagram is the message (RFC 5426 3.1).
    Datagram,
}

/// How frames look.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What stands before the payload.
    pub prefix: Prefix,
    /// How a message ends.
    pub framing: Framing,
    /// The zone of the prefix's time.
    pub zone: TimeZone,
    /// The payload.
    pub cef: cef::Settings,
    /// Most bytes of one message, its prefix included, its framing not; raised to
    /// [`limits::SYSLOG_MESSAGE_MIN`] if less.
    pub message_bytes_max: usize,
}

impl Default for Settings {
    /// RFC 3164 in UTC, line feeds, and as many bytes as rsyslog takes by default.
    fn default() -> Settings {
        Settings {
            prefix: Prefix::default(),
            framing: Framing::default(),
            zone: TimeZone::UTC,
            cef: cef::Settings::default(),
            message_bytes_max: limits::SYSLOG_MESSAGE_DEFAULT,
        }
    }
}

/// What a frame has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    Whole,
    /// So many bytes of its values, to fit the size allowed.
    Cut(usize),
}

/// Turns events into frames, reusing its scratch space.
#[derive(Debug)]
pub struct Encoder {
    settings: Settings,
    cef: cef::Encoder,
}

impl Encoder {
    /// An encoder for frames that look like `settings`.
    #[must_use]
    pub fn new(mut settings: Settings) -> Encoder {
        settings.message_bytes_max = settings.message_bytes_max.max(limits::SYSLOG_MESSAGE_MIN);
        if settings.prefix == Prefix::LegacyAzureStack {
            // The two make up the form.
            settings.cef.version = cef::Version::ZeroPointZero;
        }
        Encoder {
            cef: cef::Encoder::new(settings.cef),
            settings,
        }
    }

    /// Most bytes of one message, as in force.
    #[must_use]
    pub fn message_bytes_max(&self) -> usize {
        self.settings.message_bytes_max
    }

    /// Appends `event` to `out` as one frame.
    ///
    /// # Errors
    /// When it cannot be cut to the size allowed; `out` is then as it was.
    pub fn encode(
        &mut self,
        event: Event<'_>,
        header: &Header,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, cef::TooLong> {
        let start = out.len();
        let severity = severity(self.settings.cef.severity(event, header));
        prefix::write(
            self.settings.prefix,
            &self.settings.zone,
            severity,
            event,
            header,
            out,
        );
        let room = self
            .settings
            .message_bytes_max
            .saturating_sub(out.len() - start);
        let removed = self
            .cef
            .encode(event, header, room, out)
            .inspect_err(|_| out.truncate(start))?;
        frame(self.settings.framing, start, out);
        Ok(match removed {
            0 => Outcome::Whole,
            removed => Outcome::Cut(removed),
        })
    }
}

/// Makes a frame of the message `out[start..]`.
fn frame(framing: Framing, start: usize, out: &mut Vec<u8>) {
    match framing {
        Framing::Datagram => {}
        Framing::LineFeed => out.push(b'\n'),
        Framing::OctetCounting => {
            let end = out.len();
            cef::number::decimal((end - start) as u64, out);
            out.push(b' ');
            // The length is known only now: it is written behind the message and turned to
            // its front, so the message itself is written once.
            out[start..].rotate_left(end - start);
        }
    }
}

/// Syslog severity of a CEF severity. For Windows events in profile `azure-stack` it is the
/// table that Azure Local documents by level (its facility always 10, RFC 3164 4.1.1:
/// security/authorization); by CEF severity it also says what alerts and endpoint events get.
#[must_use]
pub fn severity(cef: u8) -> u8 {
    match cef {
        9.. => 2,
        7 | 8 => 3,
        4..=6 => 4,
        1..=3 => 6,
        0 => 7,
    }
}
