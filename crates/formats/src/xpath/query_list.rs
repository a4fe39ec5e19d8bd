//! QueryList: channels and the expressions for them, as XML (Windows Event Log, Query
//! schema).
//!
//! ```text
//! <QueryList><Query Id="0" Path="Security">
//!   <Select>*[System[EventID=4624]]</Select>
//!   <Suppress>*[EventData[Data[@Name='LogonType']=3]]</Suppress>
//! </Query></QueryList>
//! ```

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::error::{FilterError, FilterFault, excerpt};
use crate::limits::{QUERY_LIST_BYTES_MAX, QUERY_LIST_SELECTORS_MAX};
use crate::places::PlacedText;

/// What a QueryList says, its expressions as text.
#[derive(Debug, Default)]
pub(crate) struct RawQuery {
    pub(crate) id: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) selectors: Vec<RawSelector>,
    /// Its bytes in the XML without the tag that ends it.
    pub(crate) at: Range<usize>,
}

/// A Select or a Suppress.
#[derive(Debug)]
pub(crate) struct RawSelector {
    pub(crate) kind: Kind,
    pub(crate) path: Option<String>,
    pub(crate) text: PlacedText,
    /// Its bytes in the XML.
    pub(super) at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Select,
    Suppress,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Select => "Select",
            Kind::Suppress => "Suppress",
        }
    }
}

impl RawSelector {
    /// The bytes of the XML that bytes of the expression come from.
    pub(super) fn place_of(&self, at: &Range<usize>) -> Range<usize> {
        let place = self.text.place_of(at);
        place.unwrap_or(self.at.start..self.at.start)
    }
}

/// Reads a QueryList.
pub(crate) fn read(xml: &str) -> Result<Vec<RawQuery>, FilterError> {
    if xml.len() > QUERY_LIST_BYTES_MAX {
        return Err(at(FilterFault::TooLong, 0..xml.len()));
    }
    let mut walk = Walk {
        reader: Reader::from_str(xml),
        stage: Stage::Outside,
        queries: Vec::new(),
        open: None,
        selectors: 0,
    };
    while walk.step(xml)? {}
    let mut selectors = walk.queries.iter().flat_map(|query| &query.selectors);
    if !selectors.any(|selector| selector.kind == Kind::Select) {
        return Err(at(FilterFault::NoSelect, 0..xml.len()));
    }
    Ok(walk.queries)
}

fn at(fault: FilterFault, at: Range<usize>) -> FilterError {
    FilterError { fault, at }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Outside,
    List,
    Query,
    Selector,
    After,
}

struct Walk<'a> {
    reader: Reader<&'a [u8]>,
    stage: Stage,
    queries: Vec<RawQuery>,
    open: Option<RawSelector>,
    selectors: usize,
}

impl Walk<'_> {
    /// Reads one piece of the document; false at its end.
    fn step(&mut self, xml: &str) -> Result<bool, FilterError> {
        let place =
            |position: u64| usize::try_from(position).map_or(xml.len(), |at| at.min(xml.len()));
        let start = place(self.reader.buffer_position());
        let event = match self.reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                let start = place(self.reader.error_position());
                return Err(at(FilterFault::Xml(error.to_string()), start..start));
            }
        };
        let span = start..place(self.reader.buffer_position());
        match event {
            Event::Start(element) => self.open(&element, span)?,
            Event::Empty(element) => {
                self.open(&element, span.clone())?;
                self.close(span)?;
            }
            Event::End(_) => self.close(span)?,
            Event::Text(text) => self.text(&text, span)?,
            Event::CData(text) => self.text(&text, span.start + "<![CDATA[".len()..span.end)?,
            Event::GeneralRef(reference) => {
                let raw = format!("&{};", &*reference);
                match quick_xml::escape::unescape(&raw) {
                    Ok(text) => self.text(&text, span)?,
                    Err(error) => return Err(at(FilterFault::Xml(error.to_string()), span)),
                }
            }
            Event::DocType(_) => return Err(at(FilterFault::DocType, span)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if self.stage == Stage::After => return Ok(false),
            Event::Eof => return Err(at(FilterFault::CutOff, span)),
        }
        Ok(true)
    }

    fn open(&mut self, element: &BytesStart<'_>, span: Range<usize>) -> Result<(), FilterError> {
        let name = element.local_name();
        let name: &str = name.as_ref();
        let path = attribute(element, "Path", &span)?;
        let expected = match (self.stage, name) {
            (Stage::Outside, "QueryList") => {
                self.stage = Stage::List;
                return Ok(());
            }
            (Stage::List, "Query") => {
                self.stage = Stage::Query;
                self.queries.push(RawQuery {
                    id: attribute(element, "Id", &span)?,
                    path,
                    selectors: Vec::new(),
                    at: span,
                });
                return Ok(());
            }
            (Stage::Query, "Select") => return self.open_selector(Kind::Select, path, span),
            (Stage::Query, "Suppress") => return self.open_selector(Kind::Suppress, path, span),
            (Stage::Outside, "Subscription") => return Err(at(FilterFault::Subscription, span)),
            (Stage::Outside, _) => "<QueryList>",
            (Stage::List, _) => "<Query>",
            (Stage::Query, _) => "<Select> or <Suppress>",
            (Stage::Selector, _) => "an XPath",
            (Stage::After, _) => "the end",
        };
        let name = excerpt(name);
        Err(at(FilterFault::Element { name, expected }, span))
    }

    fn open_selector(
        &mut self,
        kind: Kind,
        path: Option<String>,
        span: Range<usize>,
    ) -> Result<(), FilterError> {
        self.selectors += 1;
        if self.selectors > QUERY_LIST_SELECTORS_MAX {
            return Err(at(FilterFault::TooManySelectors, span));
        }
        self.stage = Stage::Selector;
        self.open = Some(RawSelector {
            kind,
            path,
            text: PlacedText::default(),
            at: span,
        });
        Ok(())
    }

    fn close(&mut self, span: Range<usize>) -> Result<(), FilterError> {
        if let (Stage::Query, Some(query)) = (self.stage, self.queries.last_mut()) {
            query.at.end = query.at.end.max(span.start);
        }
        self.stage = match self.stage {
            Stage::Selector => Stage::Query,
            Stage::Query => Stage::List,
            Stage::List | Stage::Outside | Stage::After => Stage::After,
        };
        let Some(mut selector) = self.open.take() else {
            return Ok(());
        };
        selector.at.end = span.end;
        if selector.text.as_str().trim_ascii().is_empty() {
            let fault = FilterFault::EmptySelector(selector.kind.name());
            return Err(at(fault, selector.at));
        }
        if let Some(query) = self.queries.last_mut() {
            query.selectors.push(selector);
        }
        Ok(())
    }

    fn text(&mut self, text: &str, span: Range<usize>) -> Result<(), FilterError> {
        match &mut self.open {
            Some(selector) => {
                selector.text.push(text, span);
                Ok(())
            }
            None if text.trim_ascii().is_empty() => Ok(()),
            None => Err(at(FilterFault::Text, span)),
        }
    }
}

/// An attribute that is not empty; others than Path and Id say nothing here.
fn attribute(
    element: &BytesStart<'_>,
    name: &str,
    span: &Range<usize>,
) -> Result<Option<String>, FilterError> {
    let xml = |error: String| at(FilterFault::Xml(error), span.clone());
    let mut found = None;
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| xml(error.to_string()))?;
        if AsRef::<str>::as_ref(&attribute.key) == name {
            let value = quick_xml::escape::unescape(&attribute.value);
            let value = value.map_err(|error| xml(error.to_string()))?;
            found = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    Ok(found)
}
