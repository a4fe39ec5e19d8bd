//! The QueryList of a subscription: the XML that tells a Windows machine which events to send (Windows Event Log,
//! Query Schema). Checked as far as a machine would refuse it outright; the XPath inside is the machine's business.

use std::fmt::Write as _;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::limits::{MAX_QUERY_BYTES, MAX_QUERY_SELECTS};

/// What a QueryList looks like, for messages.
pub(super) const FORM: &str =
    "<QueryList><Query Id=\"0\"><Select Path=\"Security\">*</Select></Query></QueryList>";

/// What is wrong with a QueryList, and which bytes of it are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

/// The QueryList that asks for every event of some channels.
pub(super) fn of_channels(channels: &[String]) -> String {
    let mut xml = String::from("<QueryList><Query Id=\"0\">");
    for channel in channels {
        let path = quick_xml::escape::escape(channel.as_str());
        // Writing to a String does not fail.
        let _ = write!(xml, "<Select Path=\"{path}\">*</Select>");
    }
    xml.push_str("</Query></QueryList>");
    xml
}

/// Checks that `xml` is well-formed and has the shape QueryList > Query > Select or Suppress, with at least one Select
/// that is not empty.
pub(super) fn check(xml: &str) -> Result<(), Fault> {
    if xml.len() > MAX_QUERY_BYTES {
        let message = format!("the query is larger than {MAX_QUERY_BYTES} bytes");
        return Err(Fault {
            message,
            span: 0..0,
        });
    }
    let mut walk = Walk {
        xml,
        reader: Reader::from_str(xml),
        open: Vec::new(),
        selects: 0,
        seen_root: false,
    };
    while walk.step()? {}
    if walk.selects == 0 {
        return Err(walk.fault(
            "the query selects nothing: it has no <Select> with an XPath",
            0..0,
        ));
    }
    Ok(())
}

struct Walk<'a> {
    xml: &'a str,
    reader: Reader<&'a [u8]>,
    /// Names of the elements that are open, and whether text was met in the innermost.
    open: Vec<(String, bool)>,
    selects: usize,
    seen_root: bool,
}

impl Walk<'_> {
    /// Reads one piece of the document; false at its end.
    fn step(&mut self) -> Result<bool, Fault> {
        let start = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        let event = match self.reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                let at = usize::try_from(self.reader.error_position()).unwrap_or(start);
                return Err(
                    self.fault(format!("the query is not well-formed XML: {error}"), at..at)
                );
            }
        };
        let end = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        match event {
            Event::Start(element) => self.open(&element, start..end)?,
            Event::Empty(element) => {
                self.open(&element, start..end)?;
                self.close(start..end)?;
            }
            Event::End(_) => self.close(start..end)?,
            Event::Text(text) => self.text(&text, start..end)?,
            Event::CData(_) | Event::GeneralRef(_) => self.text("*", start..end)?,
            Event::DocType(_) => return Err(self.fault("a query has no document type", start..end)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if self.open.is_empty() && self.seen_root => return Ok(false),
            Event::Eof => {
                return Err(self.fault(
                    "the query ends before its last element is closed",
                    start..end,
                ));
            }
        }
        Ok(true)
    }

    fn open(&mut self, element: &BytesStart<'_>, span: Range<usize>) -> Result<(), Fault> {
        let name = element.local_name();
        let allowed: &[&str] = match self.open.len() {
            0 if !self.seen_root => &["QueryList"],
            1 => &["Query"],
            2 => &["Select", "Suppress"],
            _ => &[],
        };
        let name: &str = name.as_ref();
        if !allowed.contains(&name) {
            let message = match allowed {
                _ if name == "Subscription" => {
                    "this is a whole subscription: keep the <QueryList> inside its <Query> alone"
                        .to_owned()
                }
                [] => format!("<{name}> has no place here"),
                _ => format!("<{name}> where <{}> has to be", allowed.join("> or <")),
            };
            return Err(self.fault(message, span));
        }
        for attribute in element.attributes() {
            if let Err(error) = attribute {
                return Err(self.fault(format!("the query is not well-formed XML: {error}"), span));
            }
        }
        self.seen_root = true;
        self.open.push((name.to_owned(), false));
        Ok(())
    }

    fn close(&mut self, span: Range<usize>) -> Result<(), Fault> {
        let Some((name, has_text)) = self.open.pop() else {
            return Err(self.fault("the query is not well-formed XML", span));
        };
        if name == "Select" || name == "Suppress" {
            if !has_text {
                let message = format!("<{name}> is empty: it needs an XPath, `*` for everything");
                return Err(self.fault(message, span));
            }
            self.selects += usize::from(name == "Select");
            if self.selects > MAX_QUERY_SELECTS {
                return Err(self.fault(
                    format!("more than {MAX_QUERY_SELECTS} selects in one query"),
                    span,
                ));
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str, span: Range<usize>) -> Result<(), Fault> {
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        match self.open.last_mut() {
            Some((name, has_text)) if name == "Select" || name == "Suppress" => {
                *has_text = true;
                Ok(())
            }
            _ => Err(self.fault("text where an element has to be", span)),
        }
    }

    fn fault(&self, message: impl Into<String>, span: Range<usize>) -> Fault {
        let end = self.xml.len();
        Fault {
            message: message.into(),
            span: span.start.min(end)..span.end.min(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(xml: &str) -> String {
        let fault = check(xml).unwrap_err();
        format!("{} at {:?}", fault.message, fault.span)
    }

    #[test]
    fn takes_what_windows_takes() {
        assert_eq!(check(FORM), Ok(()));
        let list = of_channels(&["Security".into(), "A & \"B\"/Operational".into()]);
        assert_eq!(check(&list), Ok(()));
        insta::assert_snapshot!(list, @r#"<QueryList><Query Id="0"><Select Path="Security">*</Select><Select Path="A &amp; &quot;B&quot;/Operational">*</Select></Query></QueryList>"#);
        let long = "<?xml version=\"1.0\"?>\n<QueryList>\n <!-- logons -->\n <Query Id='0' Path='Security'>\n  \
            <Select Path='Security'>*[System[(EventID=4624 or EventID=4625) and TimeCreated[timediff(@SystemTime) &lt;= 1]]]</Select>\n  \
            <Suppress Path='Security'><![CDATA[*[EventData[Data='x']]]]></Suppress>\n </Query>\n</QueryList>";
        assert_eq!(check(long), Ok(()));
    }

    #[test]
    fn names_what_windows_would_refuse() {
        insta::assert_snapshot!(fault("<QueryList><Query>"), @"the query ends before its last element is closed at 18..18");
        insta::assert_snapshot!(fault("<QueryList><Query></QueryList>"), @"the query is not well-formed XML: ill-formed document: expected `</Query>`, but `</QueryList>` was found at 18..18");
        insta::assert_snapshot!(fault("<QueryList><Select>*</Select></QueryList>"), @"<Select> where <Query> has to be at 11..19");
        insta::assert_snapshot!(fault("<QueryList><Query><Select/></Query></QueryList>"), @"<Select> is empty: it needs an XPath, `*` for everything at 18..27");
        insta::assert_snapshot!(fault("<QueryList><Query>*</Query></QueryList>"), @"text where an element has to be at 18..19");
        insta::assert_snapshot!(fault("<QueryList></QueryList>"), @"the query selects nothing: it has no <Select> with an XPath at 0..0");
        insta::assert_snapshot!(fault("<Subscription></Subscription>"), @"this is a whole subscription: keep the <QueryList> inside its <Query> alone at 0..14");
        insta::assert_snapshot!(fault("<QueryList><Query><Select a=1>*</Select></Query></QueryList>"), @r#"the query is not well-formed XML: position 9: attribute value must be enclosed in `"` or `'` at 18..30"#);
        insta::assert_snapshot!(fault("<QueryList/><QueryList/>"), @"<QueryList> has no place here at 12..24");
        insta::assert_snapshot!(fault(""), @"the query ends before its last element is closed at 0..0");
        insta::assert_snapshot!(fault("Security"), @"text where an element has to be at 0..8");
    }
}
