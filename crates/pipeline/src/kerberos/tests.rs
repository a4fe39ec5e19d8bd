//! Both ends against each other, without a KDC: the ticket is made with the service's own key.

use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::client::Ticket;
use super::wire::keytab::{Entry, encode};
use super::wire::{gss, spnego};
use super::*;

const NOW: i64 = 1_795_349_730;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A service with a key of each encryption.
fn service() -> (Server, Keytab, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keytab");
    let entry = |etype: i64, bytes: usize| Entry {
        principal: Principal::parse("HTTP/c.corp.example@CORP.EXAMPLE").unwrap(),
        kvno: 3,
        whole_kvno: true,
        etype,
        key: Zeroizing::new(vec![etype as u8; bytes]),
    };
    let entries = [entry(17, 16), entry(18, 32), entry(19, 16), entry(20, 32)];
    std::fs::write(&path, &*encode(&entries)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::new(&path, Vec::new(), Accounts::Machines).unwrap();
    let keytab = Keytab::load(&path).unwrap();
    (server, keytab, folder)
}

fn machine(name: &str) -> Principal {
    Principal::parse(&format!("{name}@Corp.Example")).unwrap()
}

#[test]
fn every_encryption_and_both_schemes() {
    let (server, keytab, _folder) = service();
    for key in keytab.keys() {
        for scheme in [Scheme::Kerberos, Scheme::Negotiate] {
            let ticket = Ticket::made_with(key, &machine("ws00001$"), now()).unwrap();
            let initiation = ticket.initiate(scheme, now()).unwrap();
            let accepted = server.accept(scheme, &initiation.token, now()).unwrap();
            assert_eq!(accepted.client, "WS00001$@CORP.EXAMPLE");
            let (mut client, mut session) = (
                initiation.finish(&accepted.token).unwrap(),
                accepted.session,
            );
            let mut message = Vec::new();
            client.seal(b"text", &mut message).unwrap();
            let range = session.unseal(&mut message).unwrap();
            assert_eq!(&message[range], b"text");
        }
    }
}

#[test]
fn only_machines_are_let_in() {
    let (server, keytab, _folder) = service();
    let accept = |name: &str| {
        let ticket = Ticket::made_with(&keytab.keys()[0], &machine(name), now()).unwrap();
        let initiation = ticket.initiate(Scheme::Kerberos, now()).unwrap();
        let accepted = server.accept(Scheme::Kerberos, &initiation.token, now());
        accepted.map(|accepted| accepted.client)
    };
    assert_eq!(accept("ws1$").unwrap(), "WS1$@CORP.EXAMPLE");
    assert_eq!(
        accept("host/a.example").unwrap(),
        "HOST/A.EXAMPLE@CORP.EXAMPLE"
    );
    for name in ["alice", "alice/admin", "HTTP/c.corp.example"] {
        assert!(
            matches!(accept(name), Err(Refused::NotMachine { .. })),
            "{name}"
        );
    }
}

#[test]
fn an_answer_of_somebody_else_is_noticed() {
    let (server, keytab, _folder) = service();
    let ticket = |now| Ticket::made_with(&keytab.keys()[1], &machine("ws1$"), now).unwrap();
    let one = ticket(now()).initiate(Scheme::Kerberos, now()).unwrap();
    let other = ticket(now()).initiate(Scheme::Kerberos, now()).unwrap();
    let answer = server
        .accept(Scheme::Kerberos, &other.token, now())
        .unwrap();
    assert!(one.finish(&answer.token).is_err());
    // The answer to an earlier authenticator with the same ticket.
    let ticket = ticket(now());
    let earlier = ticket.initiate(Scheme::Kerberos, now()).unwrap();
    let answer = server
        .accept(Scheme::Kerberos, &earlier.token, now())
        .unwrap();
    let later = ticket.initiate(Scheme::Kerberos, Timestamp::from_second(NOW + 1).unwrap());
    assert!(later.unwrap().finish(&answer.token).is_err());
}

#[test]
fn what_is_offered_beside_kerberos_is_told_apart() {
    let (server, ..) = service();
    let accept = |scheme, token: &[u8]| server.accept(scheme, token, now()).map(drop).unwrap_err();
    let ntlm = b"NTLMSSP\0\x01\0\0\0";
    assert_eq!(accept(Scheme::Negotiate, ntlm), Refused::Ntlm);
    assert_eq!(accept(Scheme::Kerberos, ntlm), Refused::Ntlm);
    assert!(matches!(
        accept(Scheme::Kerberos, b""),
        Refused::Malformed { .. }
    ));
    let large = vec![0; 50_000];
    assert!(matches!(
        accept(Scheme::Kerberos, &large),
        Refused::Malformed { .. }
    ));
    let empty = spnego::offer(&gss::wrap(gss::AP_REQ, b""));
    assert!(matches!(
        accept(Scheme::Negotiate, &empty),
        Refused::Malformed { .. }
    ));
}

#[test]
fn no_name_becomes_another_one() {
    let (server, keytab, _folder) = service();
    for name in ["f\u{131}lesrv$", "file\u{17f}rv$"] {
        let ticket = Ticket::made_with(&keytab.keys()[1], &machine(name), now()).unwrap();
        let initiation = ticket.initiate(Scheme::Kerberos, now()).unwrap();
        let accepted = server.accept(Scheme::Kerberos, &initiation.token, now());
        let client = accepted.unwrap().client;
        assert_ne!(client, "FILESRV$@CORP.EXAMPLE");
        assert!(!client.is_ascii());
    }
}

#[test]
fn only_keys_and_people_that_are_taken_away_matter_to_who_was_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = |name: &str, versions: &[u32], accounts| {
        let path = folder.path().join(name);
        let entry = |kvno: &u32| Entry {
            principal: Principal::parse("HTTP/c.corp.example@CORP.EXAMPLE").unwrap(),
            kvno: *kvno,
            whole_kvno: true,
            etype: 18,
            key: Zeroizing::new(vec![*kvno as u8; 32]),
        };
        let entries: Vec<Entry> = versions.iter().map(entry).collect();
        std::fs::write(&path, &*encode(&entries)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Server::new(&path, Vec::new(), accounts).unwrap()
    };
    let machines = server("old", &[1], Accounts::Machines);
    assert!(server("added", &[1, 2], Accounts::Machines).takes_all_of(&machines));
    assert!(!server("taken", &[2], Accounts::Machines).takes_all_of(&machines));
    let everybody = server("all", &[1], Accounts::All);
    assert!(everybody.takes_all_of(&machines));
    assert!(!machines.takes_all_of(&everybody));
}

proptest! {
    /// Nothing of a token may be another, and whatever it is, it does no harm.
    #[test]
    fn an_altered_token_is_refused(
        negotiate in any::<bool>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let (server, keytab, _folder) = service();
        let scheme = if negotiate { Scheme::Negotiate } else { Scheme::Kerberos };
        let ticket = Ticket::made_with(&keytab.keys()[1], &machine("ws1$"), now()).unwrap();
        let mut token = ticket.initiate(scheme, now()).unwrap().token;
        let at = at.index(token.len());
        token[at] ^= 1 << bit;
        // Some of what is around the ticket is a hint: the names' kinds, who else was offered.
        if let Ok(accepted) = server.accept(scheme, &token, now()) {
            prop_assert_eq!(accepted.client, "WS1$@CORP.EXAMPLE");
        }
        token.truncate(at);
        prop_assert!(server.accept(scheme, &token, now()).is_err());
    }
}
