//! Self-describing events: the schema that stands beside the header (TraceLoggingProvider.h, "_tlgEventMetadata").

use super::template::{Count, Field, PayloadError, Size, Template, has_room};
use super::value::{Kind, Out};
use crate::input::{Input, Short};
use crate::limits::ETL_TEMPLATE_DEPTH_MAX;

/// The count of a field stands in the schema.
const FIXED_COUNT: u8 = 0x20;
/// The count of a field stands in the payload.
const COUNT_BEFORE: u8 = 0x40;
/// A type of its own: bytes behind their size, and a description behind the field.
const CUSTOM: u8 = 0x60;
/// Another byte follows.
const CHAIN: u8 = 0x80;

/// Name of the event, and its fields.
pub(super) fn schema(bytes: &[u8]) -> Result<(String, Template), PayloadError> {
    read(bytes).map_err(|wrong| match wrong {
        Wrong::Cut => PayloadError::Schema("it is cut off"),
        Wrong::What(what) => PayloadError::Schema(what),
    })
}

enum Wrong {
    Cut,
    What(&'static str),
}

impl From<Short> for Wrong {
    fn from(_: Short) -> Wrong {
        Wrong::Cut
    }
}

fn read(bytes: &[u8]) -> Result<(String, Template), Wrong> {
    let mut input = Input::new(bytes);
    let size = usize::from(input.u16()?);
    let mut input = Input::new(bytes.get(2..size).ok_or(Wrong::Cut)?);
    chain(&mut input)?;
    let name = text(&mut input);
    let mut taken = 0;
    let mut template = Template::default();
    while !input.rest().is_empty() {
        template.fields.push(field(&mut input, 0, &mut taken)?);
    }
    Ok((name, template))
}

fn field(input: &mut Input<'_>, depth: usize, taken: &mut usize) -> Result<Field, Wrong> {
    if !has_room(*taken) {
        return Err(Wrong::What("too many fields"));
    }
    *taken += 1;
    if depth > ETL_TEMPLATE_DEPTH_MAX {
        return Err(Wrong::What("structures in structures without end"));
    }
    let name = text(input);
    let kind = input.u8()?;
    let mut out = 0;
    if kind & CHAIN != 0 {
        out = input.u8()?;
        if out & CHAIN != 0 {
            chain(input)?;
        }
    }
    let out = out & !CHAIN;
    let mut count = match kind & CUSTOM {
        FIXED_COUNT => Count::Fixed(usize::from(input.u16()?)),
        COUNT_BEFORE => Count::Before,
        _ => Count::One,
    };
    let mut known = Kind::numbered(kind & 0x1f).ok_or(Wrong::What("a type of no known number"))?;
    if kind & CUSTOM == CUSTOM {
        let description = usize::from(input.u16()?);
        input.take(description)?;
        (known, count) = (Kind::CountedBinary, Count::One);
    }
    let mut children = Vec::new();
    if known == Kind::Struct {
        for _ in 0..out {
            children.push(field(input, depth + 1, taken)?);
        }
    }
    Ok(Field {
        name,
        kind: known,
        out: Out::numbered(out),
        count,
        length: Size::Own,
        children,
    })
}

/// Bytes of which each but the last says that another follows: tags, which mean nothing here.
fn chain(input: &mut Input<'_>) -> Result<(), Short> {
    while input.u8()? & CHAIN != 0 {}
    Ok(())
}

fn text(input: &mut Input<'_>) -> String {
    String::from_utf8_lossy(input.until_zero()).into_owned()
}
