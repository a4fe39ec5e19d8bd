//! Any bytes as what a client, a KDC or a keytab says: nothing breaks, and what is read and can be
//! written is read as the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windrow_fuzz::kerberos::kdc::{Answer, Content, Service};
use windrow_fuzz::kerberos::messages::{
    ApReq, Authenticator, EncApRepPart, EncTicketPart, parse_ap_rep,
};
use windrow_fuzz::kerberos::{gss, keytab, spnego};

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    match kind % 8 {
        0 => token(data),
        1 => {
            if let Ok(part) = EncTicketPart::parse(data) {
                let again = EncTicketPart::parse(&part.encode()).expect("our own");
                assert_eq!(format!("{part:?}"), format!("{again:?}"));
            }
        }
        2 => {
            if let Ok(authenticator) = Authenticator::parse(data) {
                let encoded = authenticator.encode();
                let again = Authenticator::parse(&encoded).expect("our own");
                assert_eq!(format!("{authenticator:?}"), format!("{again:?}"));
            }
        }
        3 => {
            if let Ok(part) = EncApRepPart::parse(data) {
                let again = EncApRepPart::parse(&part.encode()).expect("our own");
                assert_eq!(format!("{part:?}"), format!("{again:?}"));
            }
        }
        4 => {
            if let Ok(entries) = keytab::parse(data) {
                let again = keytab::parse(&keytab::encode(&entries)).expect("our own");
                assert_eq!(format!("{entries:?}"), format!("{again:?}"));
            }
        }
        5 => {
            for service in [Service::Authentication, Service::TicketGranting] {
                let _ = Answer::parse(data, service);
            }
        }
        6 => {
            for service in [Service::Authentication, Service::TicketGranting] {
                let _ = Content::parse(data, service);
            }
        }
        _ => {
            let _ = parse_ap_rep(data);
            let _ = spnego::read_answer(data);
        }
    }
});

/// What a client shows first.
fn token(data: &[u8]) {
    let token = match spnego::read_offer(data) {
        Ok(spnego::Offer::Kerberos { mechanism, token }) => {
            let answer = spnego::accept(mechanism, data);
            assert_eq!(spnego::read_answer(&answer), Ok(data));
            token
        }
        _ => data,
    };
    let request = gss::unwrap(gss::AP_REQ, token).unwrap_or(data);
    if let Ok(request) = ApReq::parse(request) {
        let ticket = request.ticket.encode();
        let again = ApReq::encode(request.options, &ticket, &request.authenticator);
        let again = ApReq::parse(&again).expect("our own");
        assert_eq!(format!("{request:?}"), format!("{again:?}"));
    }
}
