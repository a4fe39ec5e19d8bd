//! What is asked for, as the parameters of `GET /v1/sources`:
//! `?machine=ws*&verdict=failing,silent&offset=1000&limit=1000`.

use std::fmt::Write as _;

use super::report::Verdict;

/// Where it is asked.
pub const PATH: &str = "/v1/sources";
/// Machines of an answer where it is not said how many.
pub(super) const USUAL_LIMIT: usize = 1_000;
/// Machines of an answer at most: some 600 bytes each.
pub const LIMIT_MAX: usize = 10_000;

/// Which machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// A name, or a pattern with `*` and `?`; all when there is none.
    pub machine: Option<String>,
    /// Only those; all when there are none.
    pub verdicts: Vec<Verdict>,
    /// How many to leave out.
    pub offset: usize,
    /// How many to answer with.
    pub limit: Option<usize>,
}

impl Ask {
    /// Reads the parameters of a request; one that is not known is passed over.
    ///
    /// # Errors
    /// Says which value makes no sense.
    pub fn from_parameters(parameters: &str) -> Result<Ask, String> {
        let mut ask = Ask::default();
        for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = || value.parse().map_err(|_| format!("{name} is not a number"));
            match name {
                "machine" => {
                    let text = decoded(value).ok_or("machine is not a name")?;
                    ask.machine = Some(text).filter(|text| !text.is_empty());
                }
                "verdict" => {
                    for word in value.split(',') {
                        let mut all = Verdict::ALL.into_iter();
                        let verdict = all.find(|verdict| verdict.as_str() == word);
                        ask.verdicts.push(verdict.ok_or_else(|| {
                            "verdict is one of failing, never, silent, late, alive".to_owned()
                        })?);
                    }
                }
                "offset" => ask.offset = number()?,
                "limit" => ask.limit = Some(number()?),
                _ => {}
            }
        }
        Ok(ask)
    }

    /// The path that asks for this.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = format!("{PATH}?offset={}", self.offset);
        // Writing to a String does not fail.
        if let Some(limit) = self.limit {
            let _ = write!(path, "&limit={limit}");
        }
        if !self.verdicts.is_empty() {
            let words: Vec<&str> = self.verdicts.iter().map(|one| one.as_str()).collect();
            let _ = write!(path, "&verdict={}", words.join(","));
        }
        if let Some(machine) = &self.machine {
            let _ = write!(path, "&machine={}", encoded(machine));
        }
        path
    }
}

/// Percent-encoding (RFC 3986 2.1).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        let digits = str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_through() {
        let asks = [
            Ask::default(),
            Ask {
                machine: Some("WS*$@CÖRP.EXAMPLE&limit=7%".to_owned()),
                verdicts: vec![Verdict::Failing, Verdict::Alive],
                offset: 3,
                limit: Some(9),
            },
        ];
        for ask in asks {
            let path = ask.path();
            let (before, parameters) = path.split_once('?').unwrap();
            assert_eq!(before, PATH);
            assert_eq!(Ask::from_parameters(parameters), Ok(ask));
        }
        for wrong in [
            "verdict=well",
            "limit=-1",
            "offset=x",
            "machine=%F",
            "machine=%ff",
        ] {
            assert!(Ask::from_parameters(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Ask::from_parameters("&other=1&"), Ok(Ask::default()));
    }
}
