//! What stands between the header of an event and its payload (EVENT_HEADER_EXTENDED_DATA_ITEM, evntcons.h).

use crate::guid::Guid;
use crate::input::{Input, Short};

/// The items that have a meaning here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extended<'a> {
    /// The activity from which that of the event came.
    pub related_activity: Option<Guid>,
    /// The account on whose behalf it was written, as a binary SID.
    pub sid: Option<&'a [u8]>,
    /// The session of remote desktops.
    pub session: Option<u32>,
    /// The schema of a self-describing event.
    pub schema: Option<&'a [u8]>,
    /// What a self-describing provider says of itself.
    pub traits: Option<&'a [u8]>,
    /// A number of the process that is not used again.
    pub process_start_key: Option<u64>,
    /// Bytes of the call stack.
    pub stack_bytes: usize,
    /// Items of other kinds.
    pub others: u32,
}

impl<'a> Extended<'a> {
    /// Reads the items. Each is preceded by the size of item and padding, its kind, whether another follows, and the size of
    /// what it holds, eight bytes in all: their number is bounded by the event's size.
    pub(super) fn read(input: &mut Input<'a>) -> Result<Extended<'a>, Short> {
        let mut extended = Extended::default();
        loop {
            let (size, kind) = (usize::from(input.u16()?), input.u16()?);
            let (more, length) = (input.u16()? & 1 != 0, usize::from(input.u16()?));
            let mut item = Input::new(input.take(size.saturating_sub(8).max(length))?);
            extended.take(kind, item.take(length)?)?;
            if !more {
                return Ok(extended);
            }
        }
    }

    fn take(&mut self, kind: u16, bytes: &'a [u8]) -> Result<(), Short> {
        let mut input = Input::new(bytes);
        match kind {
            1 => self.related_activity = Some(input.guid()?),
            2 => self.sid = Some(bytes),
            3 => self.session = Some(input.u32()?),
            5 | 6 => self.stack_bytes += bytes.len(),
            11 => self.schema = Some(bytes),
            12 => self.traits = Some(bytes),
            13 => self.process_start_key = Some(input.u64()?),
            _ => self.others += 1,
        }
        Ok(())
    }

    /// The name that a self-describing provider gives itself: UTF-8 behind the size of all traits.
    #[must_use]
    pub fn provider(&self) -> Option<&'a str> {
        let name = Input::new(self.traits?.get(2..)?).until_zero();
        std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.is_empty())
    }
}
