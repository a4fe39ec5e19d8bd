//! Events as messages of the Common Event Format (ArcSight CEF, implementation standard
//! rev 27): `CEF:version|vendor|product|device version|signature|name|severity|extensions`.
//!
//! Invariants: the message is one line of UTF-8 without control characters; all seven pipes
//! are always there, also before an empty extension; a key occurs once; keys are
//! alphanumeric; a message never exceeds the size it was given.

mod azure_stack;
mod escape;
mod fields;
mod message;
pub(crate) mod number;
mod own;
mod standard;
mod truncate;

#[cfg(test)]
pub(crate) mod parse;
#[cfg(test)]
mod tests;

use crate::batch::{Header, Kind};
use crate::event::Event;
use message::Message;
use truncate::Slot;

/// The number after `CEF:`. The format's document asks for an integer; Azure Stack's for
/// `0.0`, which several receivers refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `CEF:0`: read by every receiver tried.
    #[default]
    Zero,
    /// `CEF:0.0`: as the Azure Stack documentation prints it.
    ZeroPointZero,
    /// `CEF:1`: specification 1.x.
    One,
}

/// Which fields of an event go under which keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Device `Microsoft|Microsoft Azure Stack|1.0`, or a later product's name, and the 23 `Mas`
    /// extensions.
    #[default]
    AzureStack,
    /// Device `Microsoft|Microsoft Windows|1.0` and the keys of the CEF dictionary.
    Standard,
}

/// Whose name profile [`Profile::AzureStack`] gives as the device product: the mapping is the
/// same for the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    /// `Microsoft Azure Stack`.
    #[default]
    Stack,
    /// `Microsoft Azure Stack Hub`.
    StackHub,
    /// `Microsoft Azure Local`.
    Local,
}

impl Product {
    fn name(self) -> &'static str {
        match self {
            Product::Stack => "Microsoft Azure Stack",
            Product::StackHub => "Microsoft Azure Stack Hub",
            Product::Local => "Microsoft Azure Local",
        }
    }

    /// Vendor, product and version as they stand in a message.
    fn device(self) -> &'static str {
        match self {
            Product::Stack => "Microsoft|Microsoft Azure Stack|1.0",
            Product::StackHub => "Microsoft|Microsoft Azure Stack Hub|1.0",
            Product::Local => "Microsoft|Microsoft Azure Local|1.0",
        }
    }
}

/// What becomes of a tab in a value. CEF has no escape for it, and receivers take a tab
/// before `word=` for the start of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tabs {
    /// A space instead.
    #[default]
    Space,
    /// As it is.
    Keep,
}

/// How messages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The number after `CEF:`.
    pub version: Version,
    /// The mapping.
    pub profile: Profile,
    /// The device product, in profile [`Profile::AzureStack`].
    pub product: Product,
    /// What becomes of tabs in values.
    pub tabs: Tabs,
}

/// The message cannot be cut to the size allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message needs {needed} bytes with its values cut, and {max} are allowed")]
pub struct TooLong {
    /// The least it could be cut to, in bytes.
    pub needed: usize,
    /// What was allowed, in bytes.
    pub max: usize,
}

/// Turns events into messages. Holds only scratch space: one encoder serves a whole stream
/// without allocating.
#[derive(Debug, Default)]
pub struct Encoder {
    settings: Settings,
    slots: Vec<Slot>,
}

impl Encoder {
    /// An encoder for messages that look like `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Encoder {
        Encoder {
            settings,
            slots: Vec::new(),
        }
    }

    /// Appends `event` to `out` as one message of at most `max` bytes, without a line end,
    /// and returns how many bytes of its values had to be cut (0: it is whole).
    ///
    /// # Errors
    /// When even its keys do not fit in `max`; `out` is then as it was.
    pub fn encode(
        &mut self,
        event: Event<'_>,
        header: &Header,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, TooLong> {
        let start = out.len();
        self.slots.clear();
        let mut message = Message::new(self.settings, out, &mut self.slots);
        let product = self.settings.product;
        match (self.settings.profile, own::Record::of(event, header)) {
            (Profile::AzureStack, None) => azure_stack::write(event, product, &mut message),
            (Profile::AzureStack, Some(record)) => {
                own::azure_stack(&record, event, product, &mut message);
            }
            (Profile::Standard, None) => standard::write(event, header, &mut message),
            (Profile::Standard, Some(record)) => {
                own::standard(&record, event, header, &mut message);
            }
        }
        let loss = message.loss();
        truncate::fit(out, start, &mut self.slots, loss, max).map_err(|error| {
            out.truncate(start);
            TooLong {
                needed: error.needed,
                max,
            }
        })
    }
}

impl Settings {
    /// The severity that a message about `event` says, 0 to 10.
    #[must_use]
    pub fn severity(&self, event: Event<'_>, header: &Header) -> u8 {
        match self.profile {
            Profile::Standard if header.kind != Kind::Own => standard::severity(event),
            Profile::AzureStack | Profile::Standard => severity(event.level()),
        }
    }
}

/// CEF severity of a Windows event level (Azure Stack syslog forwarding, "Severity table for
/// Windows events"). Levels the table does not know are as undefined as level 0.
#[must_use]
pub fn severity(level: Option<u32>) -> u8 {
    match level {
        Some(1) => 10,
        Some(2) => 8,
        Some(3) => 5,
        Some(4) => 2,
        _ => 0,
    }
}
