//! Values that are numbers, and `true` and `false`.

use super::{Facet, Kind, Privacy, Scalar, Value};

impl Value for bool {
    const KIND: Kind = Kind {
        expected: "true or false",
        scalar: Scalar::Boolean,
        base: "xs:boolean",
        facet: Facet::None,
        privacy: Privacy::Public,
    };

    fn read(text: &str) -> Option<Self> {
        match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    const KIND: Kind = Kind::number(
        "a whole number from 0 to 4294967295",
        "xs:unsignedInt",
        Facet::None,
    );

    fn read(text: &str) -> Option<Self> {
        integer(text)?.try_into().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for i32 {
    const KIND: Kind = Kind::number(
        "a whole number from -2147483648 to 2147483647",
        "xs:int",
        Facet::None,
    );

    fn read(text: &str) -> Option<Self> {
        integer(text)?.try_into().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// `+5`, `-0` and `007` are numbers too (XML Schema, 3.3.13).
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// A share of the quota, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentage(pub u8);

impl Value for Percentage {
    const KIND: Kind = Kind::number(
        "a whole number from 0 to 100",
        "xs:integer",
        Facet::Range(0, 100),
    );

    fn read(text: &str) -> Option<Self> {
        let number = integer(text)?.try_into().ok();
        number.filter(|percent| *percent <= 100).map(Self)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// Keywords of ETW of which an event has to have one; 0 is every event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeywordFilter(pub u64);

impl Value for KeywordFilter {
    const KIND: Kind = Kind::text(
        "a number of 64 bits, as 0x8000 or 32768",
        Facet::Pattern("(0[xX][0-9a-fA-F]+)|([0-9]+)"),
    );

    fn read(text: &str) -> Option<Self> {
        let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        let is_number = digits.bytes().all(|digit| digit.is_ascii_alphanumeric());
        let number = is_number.then(|| u64::from_str_radix(digits, radix).ok());
        number.flatten().map(Self)
    }

    fn write(&self) -> String {
        match self.0 {
            0 => "0".to_owned(),
            keywords => format!("{keywords:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_schema_has_them() {
        assert_eq!(u32::read("+007"), Some(7));
        assert_eq!(u32::read("-0"), Some(0));
        assert_eq!(i32::read("-5"), Some(-5));
        for text in ["", "+", "-1", "4294967296", "1.0", " 1", "٣", "1_0"] {
            assert_eq!(u32::read(text), None, "{text}");
        }
        assert_eq!(Percentage::read("100"), Some(Percentage(100)));
        assert_eq!(Percentage::read("101"), None);
        assert_eq!(bool::read("True"), None);
    }

    #[test]
    fn keywords_are_hexadecimal_or_not() {
        assert_eq!(KeywordFilter::read("0xFf"), Some(KeywordFilter(255)));
        assert_eq!(KeywordFilter::read("16"), Some(KeywordFilter(16)));
        for text in ["", "0x", "+1", "FF", "0x10000000000000000"] {
            assert_eq!(KeywordFilter::read(text), None, "{text}");
        }
    }
}
