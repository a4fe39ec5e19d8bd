//! One request at the endpoint: who asks, whether that may be, what is answered.

use std::sync::Arc;
use std::time::Instant;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;

use super::super::http::{Body, Peer};
use super::super::{Service, WeakService, fleet};
use super::door::Remote;
use super::terms::Terms;
use super::{BY, Endpoint, Fault, Refused, Who, limits, lock, record_session, shortened};
use crate::access::{self, Account, Role};
use crate::admin::routes::{self, Malformed};
use crate::admin::{Actor, Refusal, RefusalKind, Verb};
use crate::fleet::PATH;
use crate::service::answer;
use windrow_formats::own::EndpointAction;

const TEXT: &str = "text/plain; charset=utf-8";
/// How whoever is not known says who he is (RFC 6750 3).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"windrow\"");
/// With every answer. There is no Strict-Transport-Security: it would be about every port of this machine.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Answers one request.
pub(super) async fn respond(
    request: Request<Incoming>,
    endpoint: Arc<Endpoint>,
    service: WeakService,
) -> Response<Body> {
    let peer = request.extensions().get().cloned();
    let (Some(service), Some(Peer::Remote(remote))) = (service.upgrade(), peer) else {
        return finished(answer(
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            "windrow stops\n",
        ));
    };
    let verb = request.uri().path().to_owned();
    let (who, denied) = match let_in(&request, &endpoint, &remote, &service).await {
        Ok(account) => match allowed(&request, &account) {
            Ok(()) => {
                let answered = done(request, &account, &remote, &service).await;
                remote.connection.done(&account.who, Instant::now());
                return finished(match answered {
                    Ok(answered) => answered,
                    Err(malformed) => {
                        let (reason, detail) = on_record(&verb, &malformed);
                        let refused = Refused {
                            who: Who::Account(&account.who),
                            from: remote.from,
                            verb: &verb,
                            reason,
                            detail,
                            fault: Fault::Other,
                        };
                        endpoint.refused(refused, &service).await;
                        malformed.answer()
                    }
                });
            }
            Err(denied) => (Some(account.who), denied),
        },
        Err(denied) => (None, denied),
    };
    let refused = Refused {
        who: match (&who, &denied.who) {
            (Some(who), _) => Who::Account(who),
            (None, Some(who)) => Who::Claimed(who),
            (None, None) => Who::Unknown,
        },
        from: remote.from,
        verb: &verb,
        reason: &denied.refusal.message,
        detail: None,
        fault: denied.fault,
    };
    endpoint.refused(refused, &service).await;
    routes::let_go(request).await;
    finished(denied.answer())
}

/// Why a request could not be read, for the record: a reason of ours, by which it is counted, and what was wrong with
/// it. That may repeat what could not be read, and a request for one verb has a password in it.
fn on_record<'a>(path: &str, malformed: &'a Malformed) -> (&'static str, Option<&'a str>) {
    let reason = match malformed.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "the request is too large",
        StatusCode::REQUEST_TIMEOUT => "the request is too slow",
        StatusCode::METHOD_NOT_ALLOWED => "the request has another method",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "the request has another type",
        _ => "the request cannot be read",
    };
    let is_secret = Verb::of_path(path) == Some(Verb::ClientSet);
    (reason, (!is_secret).then_some(&malformed.refusal.message))
}

/// A request that is not answered.
struct Denied {
    status: StatusCode,
    refusal: Refusal,
    /// Who says to ask.
    who: Option<String>,
    /// Seconds to wait.
    wait: Option<u64>,
    fault: Fault,
}

impl Denied {
    fn new(status: StatusCode, kind: RefusalKind, reason: impl Into<String>) -> Denied {
        Denied {
            status,
            refusal: Refusal::new(kind, reason),
            who: None,
            wait: None,
            fault: Fault::Other,
        }
    }

    /// A token that is none.
    fn guess(reason: &str) -> Denied {
        Denied {
            fault: Fault::Guess,
            ..Denied::unknown(reason)
        }
    }

    fn unknown(reason: &str) -> Denied {
        Denied::new(
            StatusCode::UNAUTHORIZED,
            RefusalKind::Unauthenticated,
            reason,
        )
    }

    fn forbidden(reason: impl Into<String>) -> Denied {
        Denied::new(StatusCode::FORBIDDEN, RefusalKind::Forbidden, reason)
    }

    fn hint(mut self, hint: impl Into<String>) -> Denied {
        self.refusal = self.refusal.hint(hint);
        self
    }

    fn answer(self) -> Response<Body> {
        let mut answered = routes::json(self.status, &self.refusal);
        let headers = answered.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(wait) = self.wait {
            headers.insert(header::RETRY_AFTER, wait.into());
        }
        // Whoever is not let in keeps no connection.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        answered
    }
}

/// Who asks. Nothing of what is asked was looked at before, and no body is read.
async fn let_in(
    request: &Request<Incoming>,
    endpoint: &Endpoint,
    remote: &Remote,
    service: &Service,
) -> Result<Account, Denied> {
    if let Some(wait) = endpoint.throttle.waits(remote.from, Instant::now()) {
        let reason = "this address was refused too often: wait";
        let mut denied = Denied::new(
            StatusCode::TOO_MANY_REQUESTS,
            RefusalKind::Throttled,
            reason,
        );
        denied.wait = Some(wait.as_secs() + 1);
        return Err(denied);
    }
    let terms = endpoint.terms();
    let headers = request.headers();
    from_no_browser(headers)?;
    if !called(request).is_some_and(|host| terms.is_named(host, remote.reached)) {
        let reason = "the endpoint has another name than the one it was called by";
        let denied = Denied::new(
            StatusCode::MISDIRECTED_REQUEST,
            RefusalKind::Forbidden,
            reason,
        );
        return Err(denied.hint("call it by a name in its certificate, or by its address"));
    }
    let account = match shown_token(headers)? {
        Some(token) => {
            let known = lock(endpoint.tokens()).account(token, Timestamp::now());
            known.ok_or_else(|| {
                Denied::guess("the token is not known, or has expired").hint(
                    "`windrow admin token list`, on the endpoint's machine, shows those there are",
                )
            })?
        }
        None => of_certificate(remote, &terms)?,
    };
    remote.place.is_known();
    let opened = remote.connection.used_by(&account.who, Instant::now());
    let Ok(opened) = opened else {
        let reason = "there are too many sessions";
        return Err(Denied::new(
            StatusCode::SERVICE_UNAVAILABLE,
            RefusalKind::Throttled,
            reason,
        ));
    };
    if let Some(session) = opened {
        let action = EndpointAction::PrivilegedEndpointAccessed;
        record_session(action, &session, service.recorder()).await;
    }
    Ok(account)
}

/// The name that the endpoint was called by; none where there is not one. A target in absolute form has it, whatever `Host`
/// says (RFC 9112 3.2.2), and there only one that says the same is taken.
fn called<B>(request: &Request<B>) -> Option<&str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, None) = (hosts.next()?.to_str().ok()?, hosts.next()) else {
        return None;
    };
    match request.uri().authority() {
        None => Some(host),
        Some(authority) => authority
            .as_str()
            .eq_ignore_ascii_case(host)
            .then_some(host),
    }
}

/// A browser says for which page it asks, and no page has business here. One that shows a certificate of its user's for any
/// page that asks is kept out by this, by the media type, and by nobody being told that another site may read an answer.
fn from_no_browser(headers: &HeaderMap) -> Result<(), Denied> {
    let of_browsers = [header::ORIGIN, HeaderName::from_static("sec-fetch-site")];
    match of_browsers.iter().any(|name| headers.contains_key(name)) {
        true => Err(Denied::forbidden(
            "pages in a browser have no business here",
        )),
        false => Ok(()),
    }
}

/// The token that a request shows (RFC 6750 2.1), if it shows any.
fn shown_token(headers: &HeaderMap) -> Result<Option<&str>, Denied> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(first), None) = (shown.next(), shown.next()) else {
        return match headers.contains_key(header::AUTHORIZATION) {
            true => Err(Denied::guess("more than one token is shown")),
            false => Ok(None),
        };
    };
    let text = first.to_str().ok();
    let text = text.filter(|text| text.len() <= limits::AUTHORIZATION_BYTES);
    let token = text.and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match token {
        Some(token) => Ok(Some(token)),
        None => Err(Denied::guess("expected `Authorization: Bearer TOKEN`")),
    }
}

fn of_certificate(remote: &Remote, terms: &Terms) -> Result<Account, Denied> {
    let Some((name, until)) = &remote.certificate else {
        let hint = "`windrow admin token add`, on the endpoint's machine, makes a token";
        return Err(Denied::unknown("neither a token nor a certificate is shown").hint(hint));
    };
    let who = access::who(name, "certificate");
    // A connection may outlive what it was let in by.
    let has_expired = until.is_none_or(|until| until < Timestamp::now());
    if has_expired || !terms.believes_as(&remote.terms) {
        let mut denied = Denied::unknown(
            "the certificate has expired, or the authorities were changed, since this connection began",
        );
        denied.who = Some(who);
        return Err(denied.hint("connect anew"));
    }
    match terms.role(name) {
        Some(role) => Ok(Account { who, role }),
        None => {
            let denied = Denied::unknown("no role is given to the name in the certificate");
            let mut denied =
                denied.hint("[admin.certificates] in windrow.toml gives roles to names");
            denied.who = Some(who);
            Err(denied)
        }
    }
}

/// Whether an account may do what it asks for.
fn allowed(request: &Request<Incoming>, account: &Account) -> Result<(), Denied> {
    let path = request.uri().path();
    let needed = Verb::of_path(path).map_or(Role::Viewer, Verb::role);
    if account.role.may(needed) {
        return Ok(());
    }
    Err(Denied::forbidden(format!(
        "{} needs the role {needed}, and this account is {}",
        shortened(path),
        account.role
    )))
}

/// Does what an account asks for, which may.
///
/// # Errors
/// What it asks for cannot be read.
async fn done(
    request: Request<Incoming>,
    account: &Account,
    remote: &Remote,
    service: &Service,
) -> Result<Response<Body>, Malformed> {
    let Some(verb) = Verb::of_path(request.uri().path()) else {
        return Ok(read_only(&request, service).await);
    };
    if request.method() != Method::POST {
        let (status, message) = (StatusCode::METHOD_NOT_ALLOWED, "POST is understood here");
        return Err(Malformed::new(status, message));
    }
    if !is_json(request.headers()) {
        let (status, message) = (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected `Content-Type: application/json`",
        );
        routes::let_go(request).await;
        return Err(Malformed::new(status, message));
    }
    let actor = Actor {
        who: account.who.clone(),
        from: remote.from.to_string(),
        by: BY,
    };
    routes::respond(request, verb, actor, service).await
}

/// What changes nothing and is no verb of settings.
async fn read_only(request: &Request<Incoming>, service: &Service) -> Response<Body> {
    let path = request.uri().path();
    if !matches!(path, "/v1/status" | PATH | "/healthz") {
        let said =
            "there are /v1/syslog/…, /v1/subscription/…, /v1/status, /v1/sources and /healthz\n";
        return answer(StatusCode::NOT_FOUND, TEXT, said);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "GET is understood here\n",
        );
    }
    match path {
        "/healthz" => super::super::web::health(&service.health()),
        PATH => fleet::respond(request.uri().query().unwrap_or_default(), service).await,
        _ => routes::json(StatusCode::OK, &service.status_with_lag().await),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let said = headers
        .get(header::CONTENT_TYPE)
        .and_then(|said| said.to_str().ok());
    let kind = said.and_then(|said| said.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn finished(mut answered: Response<Body>) -> Response<Body> {
    for (name, value) in HEADERS {
        answered.headers_mut().insert(name, value);
    }
    answered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn one_token_is_shown_and_in_one_way() {
        let shown = |value| {
            let headers = headers(&[("authorization", value)]);
            shown_token(&headers)
                .map(|token| token.map(str::to_owned))
                .ok()
        };
        assert_eq!(shown("Bearer abc"), Some(Some("abc".to_owned())));
        assert_eq!(shown("bearer  abc "), Some(Some("abc".to_owned())));
        assert_eq!(shown("Basic abc"), None);
        assert_eq!(shown("abc"), None);
        assert!(matches!(shown_token(&HeaderMap::new()), Ok(None)));
        let mut two = headers(&[("authorization", "Bearer a")]);
        two.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert!(shown_token(&two).is_err());
        let long = HeaderValue::try_from(format!("Bearer {}", "a".repeat(300))).unwrap();
        two.insert(header::AUTHORIZATION, long);
        assert!(shown_token(&two).is_err());
    }

    #[test]
    fn the_endpoint_is_called_by_one_name() {
        let called = |target: &str, hosts: &[&'static str]| {
            let mut request = Request::new(());
            *request.uri_mut() = target.parse().unwrap();
            for host in hosts {
                request
                    .headers_mut()
                    .append(header::HOST, HeaderValue::from_static(host));
            }
            super::called(&request).map(str::to_owned)
        };
        let wec = Some("wec:9443".to_owned());
        assert_eq!(called("/v1/status", &["wec:9443"]), wec);
        assert_eq!(called("https://WEC:9443/v1/status", &["wec:9443"]), wec);
        assert_eq!(
            called("https://evil.example/v1/status", &["wec:9443"]),
            None
        );
        assert_eq!(
            called("https://wec:9443/v1/status", &["evil.example"]),
            None
        );
        assert_eq!(called("http://user@wec:9443/", &["wec:9443"]), None);
        assert_eq!(called("/v1/status", &["wec:9443", "evil.example"]), None);
        assert_eq!(called("/v1/status", &[]), None);
    }

    #[test]
    fn what_a_page_sends_is_refused() {
        assert!(from_no_browser(&headers(&[("origin", "null")])).is_err());
        assert!(from_no_browser(&headers(&[("sec-fetch-site", "none")])).is_err());
        assert!(from_no_browser(&headers(&[("user-agent", "windrow")])).is_ok());
        assert!(is_json(&headers(&[(
            "content-type",
            "application/json; charset=utf-8"
        )])));
        // What a form can send.
        for form in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "text/plain;application/json",
        ] {
            assert!(!is_json(&headers(&[("content-type", form)])), "{form}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
