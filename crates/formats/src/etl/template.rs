//! What the fields of a payload are, and the reading of a payload by it.

use super::value::{self, Kind, Length, Named, Out, Value};
use crate::input::{Input, Short};
use crate::limits::{ETL_FIELDS_MAX, ETL_NAMES_BYTES_MAX, ETL_TEMPLATE_DEPTH_MAX, ETL_VALUES_MAX};

/// The fields of an event, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Template {
    pub(super) fields: Vec<Field>,
}

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) out: Out,
    pub(super) count: Count,
    pub(super) length: Size,
    /// Of a struct.
    pub(super) children: Vec<Field>,
}

/// How many values a field has.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Count {
    One,
    Fixed(usize),
    /// As many as two bytes before them say.
    Before,
    /// As many as an earlier field of this name says.
    Of(String),
}

/// How long each value of a field is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Size {
    /// As its type says.
    Own,
    Fixed(usize),
    /// As an earlier field of this name says.
    Of(String),
}

/// Why a payload, or its schema, cannot be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It ends too early.
    #[error("{field}: {short}")]
    Short {
        /// The field that is not whole.
        field: String,
        /// What is missing.
        short: Short,
    },
    /// A count or length that no earlier field has.
    #[error("{field}: no number {of:?} comes before it")]
    Reference {
        /// The field.
        field: String,
        /// What it names.
        of: String,
    },
    /// It has more values than are taken.
    #[error("more than {ETL_VALUES_MAX} values, or {ETL_NAMES_BYTES_MAX} bytes of their names")]
    TooMany,
    /// Its schema is cut off or of no known form.
    #[error("its schema is wrong: {0}")]
    Schema(&'static str),
}

/// What was read, and why not all where that is so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    /// The fields, in their order.
    pub fields: Vec<Named>,
    /// Why the others are not there.
    pub error: Option<PayloadError>,
    /// Bytes behind the last field.
    pub rest: usize,
}

impl Template {
    /// Reads a payload.
    pub(super) fn read(&self, payload: &[u8], pointer_bytes: u8) -> Fields {
        let mut reader = Payload {
            input: Input::new(payload),
            pointer_bytes,
            values_left: ETL_VALUES_MAX,
            names_left: ETL_NAMES_BYTES_MAX,
        };
        let mut fields = Vec::new();
        let error = reader.fields(&self.fields, &mut fields, 0).err();
        Fields {
            fields,
            error,
            rest: reader.input.rest().len(),
        }
    }
}

struct Payload<'a> {
    input: Input<'a>,
    pointer_bytes: u8,
    /// Fields and values that may still come. Those without bytes of their own would else have no end.
    values_left: usize,
    /// Bytes of names that may still come: a structure repeats those of its fields, and needs no byte for it.
    names_left: usize,
}

impl Payload<'_> {
    fn fields(
        &mut self,
        fields: &[Field],
        into: &mut Vec<Named>,
        depth: usize,
    ) -> Result<(), PayloadError> {
        if depth > ETL_TEMPLATE_DEPTH_MAX {
            return Err(PayloadError::Schema("structures in structures without end"));
        }
        for field in fields {
            self.make_room(field.name.len())?;
            let count = match &field.count {
                Count::One => None,
                Count::Fixed(count) => Some(*count),
                Count::Before => Some(usize::from(
                    self.input
                        .u16()
                        .map_err(|short| self::short(field, short))?,
                )),
                Count::Of(name) => Some(number(field, name, into)?),
            };
            let length = match &field.length {
                Size::Own => None,
                Size::Fixed(length) => Some(*length),
                Size::Of(name) => Some(number(field, name, into)?),
            };
            let name = field.name.clone();
            let value = match count {
                None => self.value(field, length, depth)?,
                Some(count) => self.list(field, count, length, depth)?,
            };
            into.push(Named { name, value });
        }
        Ok(())
    }

    fn make_room(&mut self, name_bytes: usize) -> Result<(), PayloadError> {
        let values = self.values_left.checked_sub(1);
        let names = self.names_left.checked_sub(name_bytes);
        let (values, names) = values.zip(names).ok_or(PayloadError::TooMany)?;
        (self.values_left, self.names_left) = (values, names);
        Ok(())
    }

    fn list(
        &mut self,
        field: &Field,
        count: usize,
        length: Length,
        depth: usize,
    ) -> Result<Value, PayloadError> {
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(field, length, depth)?);
        }
        Ok(Value::List(values))
    }

    fn value(
        &mut self,
        field: &Field,
        length: Length,
        depth: usize,
    ) -> Result<Value, PayloadError> {
        self.make_room(0)?;
        if field.kind == Kind::Struct {
            let mut fields = Vec::new();
            self.fields(&field.children, &mut fields, depth + 1)?;
            return Ok(Value::Struct(fields));
        }
        let read = value::read(
            (field.kind, field.out),
            length,
            self.pointer_bytes,
            &mut self.input,
        );
        read.map_err(|short| self::short(field, short))
    }
}

fn short(field: &Field, short: Short) -> PayloadError {
    let field = field.name.clone();
    PayloadError::Short { field, short }
}

/// What an earlier field says.
fn number(field: &Field, of: &str, before: &[Named]) -> Result<usize, PayloadError> {
    let found = before.iter().rev().find(|named| named.name == of);
    let number = match found.map(|named| &named.value) {
        Some(Value::Unsigned(number) | Value::Hex(number)) => usize::try_from(*number).ok(),
        Some(Value::Signed(number)) => usize::try_from(*number).ok(),
        _ => None,
    };
    number.ok_or_else(|| PayloadError::Reference {
        field: field.name.clone(),
        of: of.to_owned(),
    })
}

/// Whether a template may have another field.
pub(super) fn has_room(fields: usize) -> bool {
    fields < ETL_FIELDS_MAX
}
