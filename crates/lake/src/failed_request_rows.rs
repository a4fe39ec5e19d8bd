//! Traces of failed requests to rows of `failed_requests`.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use jiff::Timestamp;
use windrow_formats::batch::file::FileReference;
use windrow_formats::event::{self, Event, Index};
use windrow_formats::freb::{FailedRequest, Status};
use windrow_formats::identity::failed_request;

use crate::rows::Rows;
use crate::schema::{DATE, FAILED_REQUESTS};
use crate::values::{self, Days, Values};

/// What `source` says of each request.
const SOURCE: &str = "freb";

/// Collects failed requests as rows.
pub(crate) struct FailedRequestBuilder {
    values: Vec<Values>,
    received_at: Timestamp,
    days: Days,
    done: Vec<RecordBatch>,
}

/// What the events of a trace say of it.
#[derive(Default)]
struct Told {
    time: Option<Timestamp>,
    computer: Option<String>,
    /// Who set the status, in which notification, and with which error.
    module: Option<String>,
    notification: Option<String>,
    error_code: Option<String>,
}

impl FailedRequestBuilder {
    pub(crate) fn new(received_at: Timestamp) -> FailedRequestBuilder {
        FailedRequestBuilder {
            values: values::of(&FAILED_REQUESTS),
            received_at,
            days: Days::default(),
            done: Vec::new(),
        }
    }

    /// Adds the request of a file. What follows a fault within it is left out, and the trace says so itself.
    ///
    /// # Errors
    /// It is none; in words.
    pub(crate) fn push(
        &mut self,
        machine: &str,
        reference: &FileReference,
        bytes: &[u8],
    ) -> Result<(), String> {
        let is_whole = (reference.whole).is_some_and(|whole| whole.bytes == bytes.len() as u64);
        if !is_whole {
            return Err("the trace is too large to be read".to_owned());
        }
        let text = String::from_utf8_lossy(bytes);
        let request = FailedRequest::read(&text).map_err(|error| error.to_string())?;
        let told = Told::of(&request, &text);
        let file = reference.path.rsplit('/').next().unwrap_or_default();
        let time = told.time.map(Timestamp::as_microsecond);
        let received = self.received_at.as_microsecond();
        let date = self.days.of(time, received);
        for (column, values) in FAILED_REQUESTS.columns.iter().zip(&mut self.values) {
            match column.name {
                "request_key" => values.key(failed_request(machine, bytes).0),
                DATE => values.text(Some(date)),
                "time" => values.time(time),
                "received_at" => values.time(Some(received)),
                "source" => values.text(Some(SOURCE)),
                "file" => values.text(Some(file)),
                "computer" => values.text(Some(told.computer.as_deref().unwrap_or(machine))),
                "process_id" => values.number(request.process_id.map(i64::from)),
                "status_code" => values.number(request.status.map(|it| i64::from(it.code))),
                "sub_status" => {
                    let sub = request.status.and_then(|status| status.sub);
                    values.number(sub.map(i64::from));
                }
                "time_taken" => {
                    values.number(request.time_taken_ms.and_then(|ms| ms.try_into().ok()));
                }
                "trace" => values.text(Some(&text)),
                name => values.text(said(name, &request, &told).as_deref()),
            }
        }
        self.done
            .push(values::finish(&FAILED_REQUESTS, &mut self.values));
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Rows {
        Rows::from_batches(std::mem::take(&mut self.done))
    }
}

/// What a trace says of a column of text.
fn said<'a>(name: &str, request: &'a FailedRequest, told: &'a Told) -> Option<Cow<'a, str>> {
    let text = |text: &'a str| (!text.is_empty()).then_some(Cow::Borrowed(text));
    let maybe = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
    match name {
        "activity_id" => request.activity_id.map(|id| id.to_string().into()),
        "url" => text(&request.url),
        "site_id" => request.site_id.map(|id| id.to_string().into()),
        "app_pool" => text(&request.app_pool),
        "verb" => text(&request.verb),
        "authentication_type" => maybe(&request.authentication),
        "remote_user" => maybe(&request.remote_user),
        "user_name" => maybe(&request.user),
        "token_user" => maybe(&request.token_user),
        "failure_reason" => text(&request.failure_reason),
        "trigger_status" => request.trigger_status.map(|status| shown(status).into()),
        "error_code" => maybe(&told.error_code),
        "module" => maybe(&told.module),
        "notification" => maybe(&told.notification),
        _ => None,
    }
}

fn shown(status: Status) -> String {
    match status.sub {
        Some(sub) => format!("{}.{sub}", status.code),
        None => status.code.to_string(),
    }
}

impl Told {
    fn of(request: &FailedRequest, text: &str) -> Told {
        let mut told = Told::default();
        let mut index = Index::default();
        for text in request.events(text) {
            // Of one that is cut off, what can be read is in the index.
            let _ = event::parse(text, &mut index);
            told.step(Event::new(text, &index));
        }
        told
    }

    fn step(&mut self, event: Event<'_>) {
        self.time = self.time.or_else(|| event.time_created());
        if self.computer.is_none() {
            self.computer = event.computer().map(Cow::into_owned);
        }
        // MODULE_SET_RESPONSE_ERROR_STATUS: of several, the last one's status is the answer's.
        if let Some(module) = event.data_value("ModuleName")
            && event.data_value("HttpStatus").is_some()
        {
            let of = |name: &str| event.data_value(name).map(Cow::into_owned);
            self.module = Some(module.into_owned());
            let notification = rendered(event.text(), "Notification");
            self.notification = notification.or_else(|| of("Notification"));
            self.error_code = of("ErrorCode");
        }
    }
}

/// The name that the server spelled out for a number (`freb:Description`), where it did.
fn rendered(text: &str, name: &str) -> Option<String> {
    let begin = format!("<freb:Description Data=\"{name}\">");
    let (_, rest) = text.split_once(&begin)?;
    let (name, _) = rest.split_once('<')?;
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (is_name && !name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
