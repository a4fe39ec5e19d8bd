//! Cuts a stream of syslog into messages (RFC 6587 3.4): octet counting when it begins with a
//! digit, else a line each.

/// Longest message that is looked at; of a longer one only the arrival is counted.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Most digits of a length.
const LENGTH_DIGITS_MAX: usize = 9;

/// What was cut from a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut<'a> {
    /// One message.
    Message(&'a [u8]),
    /// One message, too long to keep.
    TooLong,
    /// The stream is not syslog any more; nothing more comes from it.
    Broken,
}

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Framing {
    state: State,
    /// What has come of the message that is under way.
    message: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing has come yet.
    #[default]
    Fresh,
    /// A line, and whether it is too long already.
    Line { too_long: bool },
    /// The digits of a length.
    Length { value: usize, digits: usize },
    /// So many bytes of a message are still to come.
    Octets { left: usize, too_long: bool },
    /// Not syslog.
    Broken,
}

impl Framing {
    /// Takes what has been read and gives `each` what is whole.
    pub(super) fn read(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Cut<'_>)) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Fresh => self.begin(bytes),
                State::Line { too_long } => self.line(bytes, too_long, each),
                State::Length { value, digits } => self.length(bytes, value, digits, each),
                State::Octets { left, too_long } => self.octets(bytes, left, too_long, each),
                State::Broken => return,
            };
        }
    }

    /// The stream ended: whether it did so between two messages.
    pub(super) fn is_between_messages(&self) -> bool {
        match self.state {
            State::Fresh | State::Length { digits: 0, .. } => true,
            State::Line { too_long } => !too_long && self.message.is_empty(),
            State::Length { .. } | State::Octets { .. } | State::Broken => false,
        }
    }

    fn begin<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.state = match bytes.first() {
            Some(b'1'..=b'9') => State::Length {
                value: 0,
                digits: 0,
            },
            _ => State::Line { too_long: false },
        };
        bytes
    }

    fn line<'b>(
        &mut self,
        bytes: &'b [u8],
        too_long: bool,
        each: &mut impl FnMut(Cut<'_>),
    ) -> &'b [u8] {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let too_long = too_long || self.message.len() + part.len() > MESSAGE_BYTES_MAX;
        if too_long {
            self.message.clear();
        } else {
            self.message.extend_from_slice(part);
        }
        self.state = State::Line { too_long };
        let Some(end) = end else {
            return &[];
        };
        if too_long {
            each(Cut::TooLong);
        } else {
            each(Cut::Message(
                self.message.strip_suffix(b"\r").unwrap_or(&self.message),
            ));
        }
        self.message.clear();
        self.state = State::Line { too_long: false };
        &bytes[end + 1..]
    }

    fn length<'b>(
        &mut self,
        bytes: &'b [u8],
        value: usize,
        digits: usize,
        each: &mut impl FnMut(Cut<'_>),
    ) -> &'b [u8] {
        let Some((&byte, rest)) = bytes.split_first() else {
            return bytes;
        };
        self.state = match byte {
            b'0'..=b'9' if digits < LENGTH_DIGITS_MAX => State::Length {
                value: value * 10 + usize::from(byte - b'0'),
                digits: digits + 1,
            },
            b' ' if value > 0 => State::Octets {
                left: value,
                too_long: value > MESSAGE_BYTES_MAX,
            },
            _ => {
                each(Cut::Broken);
                State::Broken
            }
        };
        rest
    }

    fn octets<'b>(
        &mut self,
        bytes: &'b [u8],
        left: usize,
        too_long: bool,
        each: &mut impl FnMut(Cut<'_>),
    ) -> &'b [u8] {
        let (part, rest) = bytes.split_at(left.min(bytes.len()));
        if !too_long {
            self.message.extend_from_slice(part);
        }
        let left = left - part.len();
        self.state = State::Octets { left, too_long };
        if left == 0 {
            each(if too_long {
                Cut::TooLong
            } else {
                Cut::Message(&self.message)
            });
            self.message.clear();
            self.state = State::Length {
                value: 0,
                digits: 0,
            };
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(parts: &[&[u8]]) -> (Vec<String>, bool) {
        let (mut framing, mut out) = (Framing::default(), Vec::new());
        for part in parts {
            framing.read(part, &mut |cut| {
                out.push(match cut {
                    Cut::Message(message) => String::from_utf8_lossy(message).into_owned(),
                    other => format!("{other:?}"),
                });
            });
        }
        (out, framing.is_between_messages())
    }

    #[test]
    fn what_is_not_syslog_ends_the_stream() {
        assert_eq!(
            cut(&[b"5 hello7x"]),
            (vec!["hello".to_owned(), "Broken".to_owned()], false)
        );
        assert_eq!(cut(&[b"1234567890 a"]).0, ["Broken"]);
    }

    #[test]
    fn a_long_message_is_counted_and_the_next_one_read() {
        let long = vec![b'x'; MESSAGE_BYTES_MAX + 1];
        assert_eq!(
            cut(&[b"<1>", &long, b"\n<2>b\n"]),
            (vec!["TooLong".into(), "<2>b".into()], true)
        );
        let octets = format!("{} ", long.len());
        let parts: [&[u8]; 3] = [octets.as_bytes(), &long, b"1 b"];
        assert_eq!(cut(&parts), (vec!["TooLong".into(), "b".into()], true));
    }

    #[test]
    fn half_a_message_at_the_end_is_noticed() {
        assert!(!cut(&[b"<1>a\n<1>"]).1);
        assert!(!cut(&[b"5 hell"]).1);
        assert!(cut(&[]).1);
    }

    proptest! {
        #[test]
        fn messages_are_the_same_however_they_arrive(
            messages in prop::collection::vec("<[a-z ]{0,20}", 1..10),
            counted: bool,
            size in 1..30_usize,
        ) {
            let stream: String = messages
                .iter()
                .map(|m| if counted { format!("{} {m}", m.len()) } else { format!("{m}\n") })
                .collect();
            let parts: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
            prop_assert_eq!(cut(&parts), (messages, true));
        }
    }
}
