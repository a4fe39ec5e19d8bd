//! A request, and what opens the account in it: a signature in its head, or one in its address.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use secrecy::ExposeSecret as _;
use windrow_formats::azure::{in_query, key_of_blob, lite_of_table};
use zeroize::Zeroizing;

use super::account::{Account, Endpoint, Opens};
use super::error::{Place, Unfit, What};
use super::{Client, VERSION};

/// One of an account's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Tables,
    Blobs,
}

/// Whether a request may be sent a second time when the first one's answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Done twice it is the same, and is answered the same.
    Safe,
    /// The second time it would be refused, or do something more.
    Unsafe,
}

/// What is asked of a service.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) service: Service,
    pub(super) method: Method,
    /// After the account's address, as it stands in a URL.
    pub(super) path: String,
    /// Names, and values without the encoding of a URL.
    pub(super) query: Vec<(&'static str, Vec<u8>)>,
    /// Names in small letters.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    pub(super) repeat: Repeat,
    /// Bytes that the answer will have where they were asked for; they take their time.
    pub(super) expected: usize,
    pub(super) what: What,
}

impl Ask {
    pub(super) fn new(service: Service, method: Method, path: String, what: What) -> Ask {
        let repeat = match method == Method::GET || method == Method::HEAD {
            true => Repeat::Safe,
            false => Repeat::Unsafe,
        };
        Ask {
            service,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            repeat,
            expected: 0,
            what,
        }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Ask {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Ask {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Ask {
        self.body = body.into();
        self
    }

    pub(super) fn repeat(mut self, repeat: Repeat) -> Ask {
        self.repeat = repeat;
        self
    }

    pub(super) fn expecting(mut self, bytes: usize) -> Ask {
        self.expected = bytes;
        self
    }
}

/// A request as it is sent, and what of it no error may show.
pub(super) struct Signed {
    pub(super) request: Request<Full<Bytes>>,
    pub(super) signature: Option<Zeroizing<String>>,
}

impl Client {
    pub(super) fn endpoint(&self, service: Service) -> &Endpoint {
        match service {
            Service::Tables => self.0.account.tables(),
            Service::Blobs => self.0.account.blobs(),
        }
    }

    pub(super) fn place(&self, what: What) -> Box<Place> {
        Box::new(Place {
            account: self.0.account.name().to_owned(),
            what,
        })
    }
}

/// Makes the request at this moment.
pub(super) fn signed(
    ask: &Ask,
    account: &Account,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<Signed, Unfit> {
    let none = |what| Unfit::Text { what };
    let date = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .map_err(|_| none("the time of this machine's clock"))?;
    let path = format!("{}{}", endpoint.base, ask.path);
    let mut headers = ask.headers.clone();
    headers.push(("x-ms-version", VERSION.to_owned()));
    headers.push(("x-ms-date", date.clone()));
    if ask.method == Method::PUT || ask.method == Method::POST {
        headers.push(("content-length", ask.body.len().to_string()));
    }
    let mut address = Zeroizing::new(format!("{path}{}", query_of(ask)));
    let mut builder = Request::builder().method(&ask.method);
    let mut signature = None;
    match account.opens() {
        Opens::Sas(sas) => {
            address.push(if ask.query.is_empty() { '?' } else { '&' });
            address.push_str(sas.query.expose_secret());
        }
        Opens::Key(key) => {
            let (scheme, text) = text_to_sign(ask, &headers, account.name(), &path, &date);
            let tag = hmac::sign(key, text.as_bytes());
            let made = Zeroizing::new(BASE64.encode(tag.as_ref()));
            let value = Zeroizing::new(format!("{scheme} {}:{}", account.name(), *made));
            let mut value =
                HeaderValue::try_from(value.as_str()).map_err(|_| none("the signature"))?;
            value.set_sensitive(true);
            builder = builder.header(header::AUTHORIZATION, value);
            signature = Some(made);
        }
    }
    builder = builder
        .uri(address.as_str())
        .header(header::HOST, &endpoint.authority)
        .header(header::USER_AGENT, "windrow");
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).map_err(|_| none(name))?;
        builder = builder.header(HeaderName::from_static(name), value);
    }
    let request = builder
        .body(Full::new(ask.body.clone()))
        .map_err(|_| none("what is asked, because of its length,"))?;
    Ok(Signed { request, signature })
}

/// What the account's key signs, and what that is called.
fn text_to_sign(
    ask: &Ask,
    headers: &[(&'static str, String)],
    account: &str,
    path: &str,
    date: &str,
) -> (&'static str, String) {
    let query: Vec<(&str, String)> = ask
        .query
        .iter()
        .map(|(name, value)| (*name, String::from_utf8_lossy(value).into_owned()))
        .collect();
    match ask.service {
        Service::Tables => {
            let comp = query.iter().find(|(name, _)| *name == "comp");
            let comp = comp.map(|(_, value)| value.as_str());
            ("SharedKeyLite", lite_of_table(date, account, path, comp))
        }
        Service::Blobs => {
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let query: Vec<_> = query
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let text = key_of_blob(ask.method.as_str(), &headers, account, path, &query);
            ("SharedKey", text)
        }
    }
}

fn query_of(ask: &Ask) -> String {
    let mut text = String::new();
    for (name, value) in &ask.query {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.extend([name, "=", &in_query(value)]);
    }
    text
}
