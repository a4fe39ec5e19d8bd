//! How the service says no.

use serde_json::Value as Json;

use crate::limits::AZURE_TOLD_CHARS_MAX;

/// What the service refused, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the HTTP answer.
    pub status: u16,
    /// The service's code, such as `EntityAlreadyExists`; empty where it gave none.
    pub code: String,
    /// What it says, without identifiers of the request, cut.
    pub message: String,
    /// Of a batch: the place of the operation, from 0 on.
    pub place: Option<usize>,
}

/// Reads the body of an answer that is no success: JSON of the tables, or XML of the blobs and of what stands before both.
/// It is somebody else's text: cut, and without what could move a cursor.
pub fn refusal(status: u16, body: &[u8]) -> Refusal {
    let body = String::from_utf8_lossy(body);
    let (code, message) = of_json(&body).or_else(|| of_xml(&body)).unwrap_or_default();
    let (place, message) = placed(&message);
    // The identifiers of the request follow on lines of their own.
    let message = message.lines().next().unwrap_or_default();
    Refusal {
        status,
        code: told(&code),
        message: told(message),
        place,
    }
}

fn of_json(body: &str) -> Option<(String, String)> {
    let json: Json = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
    let error = json.get("odata.error").or_else(|| json.get("error"))?;
    let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
    let message = error.get("message");
    let message = message.and_then(|message| message.get("value")).or(message);
    Some((text(error.get("code")), text(message)))
}

fn of_xml(body: &str) -> Option<(String, String)> {
    let element = |names: &[&str]| {
        names.iter().find_map(|name| {
            let begin = body.find(&format!("<{name}"))?;
            let begin = begin + body[begin..].find('>')? + 1;
            let end = begin + body[begin..].find(&format!("</{name}>"))?;
            Some(body[begin..end].to_owned())
        })
    };
    let code = element(&["Code", "m:code", "code"])?;
    let message = element(&["Message", "m:message", "message"]);
    Some((code, message.unwrap_or_default()))
}

/// A batch's message begins with the place of the operation that was refused: `3:The specified entity already exists.`
fn placed(message: &str) -> (Option<usize>, &str) {
    let found = message.split_once(':').and_then(|(place, rest)| {
        let place = place.parse().ok()?;
        Some((Some(place), rest))
    });
    found.unwrap_or((None, message))
}

fn told(text: &str) -> String {
    let text: String = text.trim().chars().take(AZURE_TOLD_CHARS_MAX).collect();
    crate::text::visible(&text).into_owned()
}
