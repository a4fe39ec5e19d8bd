//! Event queries in settings, as text or as a file: read here, checked by `windrow_formats::xpath`, and what is wrong with
//! one is shown where it stands.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use windrow_formats::limits::QUERY_LIST_BYTES_MAX;
use windrow_formats::xpath::FilterError;

use super::ConfigError;
use super::check::Source;

/// What a QueryList looks like, for messages.
pub(super) const LIST_FORM: &str =
    "<QueryList><Query Id=\"0\"><Select Path=\"Security\">*</Select></Query></QueryList>";

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

/// A query that stands in the settings themselves; `form` is what it should look like.
pub(super) fn inline<T>(
    source: Source<'_>,
    query: Spanned<String>,
    form: &str,
    check: impl Fn(&str) -> Result<T, FilterError>,
) -> Result<String, ConfigError> {
    let text = query.get_ref();
    let Err(error) = check(text) else {
        return Ok(query.into_inner());
    };
    let span = query.span();
    // As long as TOML has nothing escaped in it, each byte of the query is one of the file.
    let written = source.text.get(span.clone()).unwrap_or_default();
    let begin = written.find(text.as_str()).filter(|_| !text.is_empty());
    let error = match begin.map(|begin| begin + span.start) {
        Some(begin) => {
            let place = begin + error.at.start..begin + error.at.end;
            source.error(error.fault.to_string(), place)
        }
        None => {
            let place = place_in(text, &error.at);
            let message = format!("{} ({place} of the query)", error.fault);
            source.error(message, span)
        }
    };
    Err(error.expected(form))
}

/// A query that stands in a file of its own.
pub(super) fn in_file<T>(
    source: Source<'_>,
    file: Spanned<PathBuf>,
    form: &str,
    check: impl Fn(&str) -> Result<T, FilterError>,
) -> Result<String, ConfigError> {
    let span = file.span();
    let path = source.resolve(file.into_inner());
    let text = read(&path).map_err(|message| source.error(message, span))?;
    match check(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let message = error.fault.to_string();
            Err(ConfigError::at(message, &path, &text, error.at).expected(form))
        }
    }
}

/// The text of a file with a query.
///
/// # Errors
/// It cannot be read, or is larger than any query; in words.
pub fn read(path: &Path) -> Result<String, String> {
    let most = QUERY_LIST_BYTES_MAX as u64;
    if fs_err::metadata(path).is_ok_and(|found| found.len() > most) {
        return Err(format!(
            "{} is larger than {QUERY_LIST_BYTES_MAX} bytes",
            path.display()
        ));
    }
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// A place in a query, for people: `line 3, column 12`; without the line where it has only one.
#[must_use]
pub fn place_in(query: &str, at: &Range<usize>) -> String {
    let before = query.get(..at.start).unwrap_or(query);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    if query.trim_end().contains('\n') {
        format!("line {line}, column {column}")
    } else {
        format!("column {column}")
    }
}

#[cfg(test)]
mod tests {
    use windrow_formats::xpath::check_query_list;

    use super::*;

    #[test]
    fn channels_make_a_query_that_windows_takes() {
        assert_eq!(check_query_list(LIST_FORM), Ok(()));
        let list = of_channels(&["Security".into(), "A & \"B\"/Operational".into()]);
        assert_eq!(check_query_list(&list), Ok(()));
        insta::assert_snapshot!(list, @r#"<QueryList><Query Id="0"><Select Path="Security">*</Select><Select Path="A &amp; &quot;B&quot;/Operational">*</Select></Query></QueryList>"#);
    }

    #[test]
    fn a_place_is_told_in_lines_and_characters() {
        assert_eq!(place_in("äb", &(2..3)), "column 2");
        assert_eq!(place_in("a\nbü\nc", &(5..5)), "line 2, column 3");
        assert_eq!(place_in("a\n", &(9..9)), "column 1");
    }
}
