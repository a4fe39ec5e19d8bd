//! What an answer that is no success means.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use windrow_formats::azure::{Refusal, refusal};
use windrow_formats::text::visible;

use super::account::{Account, Opens};
use super::error::{AzureError, Business, Denial, Place, Unreadable};
use super::limits::{PAUSE_MAX, SKEW_MAX, TOLD_CHARS_MAX};

/// When something was answered, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) ours: Timestamp,
    pub(super) theirs: Option<Timestamp>,
}

impl Moment {
    pub(super) fn of(ours: Timestamp, headers: &HeaderMap) -> Moment {
        let date = headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok());
        Moment {
            ours,
            theirs: date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok()),
        }
    }
}

/// Somebody else's words, cut, and without what could move a cursor.
pub(super) fn told(text: &str) -> String {
    let text: String = text.chars().take(TOLD_CHARS_MAX).collect();
    visible(&text).into_owned()
}

/// The refusal that an answer is. An answer without a body has its code in a header.
pub(super) fn refusal_of(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    hide: impl Fn(String) -> String,
) -> Refusal {
    // Before its words are cut, and after what JSON and XML escape is no longer escaped.
    let body = hide(String::from_utf8_lossy(body).into_owned());
    let mut refusal = refusal(status.as_u16(), body.as_bytes());
    if refusal.code.is_empty() {
        let code = headers
            .get("x-ms-error-code")
            .and_then(|code| code.to_str().ok());
        refusal.code = told(code.unwrap_or_default());
    }
    refusal.code = hide(refusal.code);
    refusal.message = hide(refusal.message);
    refusal
}

/// What a refusal means to whoever asked.
pub(super) fn verdict(
    place: Box<Place>,
    account: &Account,
    refusal: Refusal,
    headers: &HeaderMap,
    moment: Moment,
) -> AzureError {
    let busy = |why| AzureError::Busy {
        place: place.clone(),
        why,
        after: pause(headers, moment),
    };
    match (refusal.status, &*refusal.code) {
        (status @ 300..=399, _) => AzureError::Unreadable {
            place,
            why: Unreadable::Redirect { status },
        },
        (409, "TableBeingDeleted" | "ContainerBeingDeleted") => busy(Business::BeingDeleted),
        (409, "AccountBeingCreated") | (408 | 429 | 500..=599, _) => {
            busy(Business::Told { refusal })
        }
        (401 | 403, _) | (_, "AuthenticationFailed" | "InvalidAuthenticationInfo") => {
            AzureError::Denied {
                place,
                why: denial(account, refusal, moment),
            }
        }
        _ => AzureError::Refused { place, refusal },
    }
}

/// How long the service asks to wait: seconds, or a moment by its own clock (RFC 9110 10.2.3).
fn pause(headers: &HeaderMap, moment: Moment) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTimeParser::new().parse_timestamp(text).ok()?;
            let now = moment.theirs.unwrap_or(moment.ours);
            Duration::try_from(until.duration_since(now)).unwrap_or_default()
        }
    };
    Some(pause.min(PAUSE_MAX))
}

fn denial(account: &Account, refusal: Refusal, moment: Moment) -> Denial {
    match &*refusal.code {
        "AuthorizationPermissionMismatch" => {
            let permissions = match account.opens() {
                Opens::Sas(sas) => sas.permissions.clone(),
                Opens::Key(_) => return Denial::Other { refusal },
            };
            return Denial::SasPermission { permissions };
        }
        "AuthorizationServiceMismatch" => return Denial::SasService,
        "AuthorizationResourceTypeMismatch" => return Denial::SasResource,
        "AuthorizationSourceIPMismatch" => return Denial::SasAddress,
        "AuthorizationProtocolMismatch" => return Denial::SasProtocol,
        "KeyBasedAuthenticationNotPermitted" => return Denial::KeysForbidden,
        "AccountIsDisabled" => return Denial::Disabled,
        _ => {}
    }
    // The service has one code for several reasons, so what is wrong is looked for here. It judges by its own clock.
    let judged = moment.theirs.unwrap_or(moment.ours);
    let is_firewall = refusal.code == "AuthorizationFailure";
    match account.opens() {
        Opens::Sas(sas) => match (sas.begins, sas.ends) {
            (_, Some(at)) if at <= judged => Denial::SasEnded { at },
            (Some(at), _) if at > judged => Denial::SasNotBegun { at },
            _ if is_firewall => Denial::Firewall,
            _ if refusal.code.is_empty() => Denial::Other { refusal },
            _ => Denial::Sas,
        },
        Opens::Key(_) => {
            let ahead = moment
                .theirs
                .map(|theirs| moment.ours.duration_since(theirs));
            match ahead {
                Some(ahead) if is_too_far(ahead) => Denial::Clock { ahead },
                _ if is_firewall => Denial::Firewall,
                _ if is_about_the_key(&refusal.code) => Denial::Key,
                _ => Denial::Other { refusal },
            }
        }
    }
}

fn is_too_far(apart: SignedDuration) -> bool {
    apart.unsigned_abs() > SKEW_MAX
}

fn is_about_the_key(code: &str) -> bool {
    matches!(
        code,
        "AuthenticationFailed" | "InvalidAuthenticationInfo" | "NoAuthenticationInformation"
    )
}
