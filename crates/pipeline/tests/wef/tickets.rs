//! Tickets of a real KDC at our acceptor: which are taken, which are not, and why. The clock is a
//! parameter.

use jiff::{SignedDuration, Timestamp};
use windrow_pipeline::kerberos::client::{ClientError, Secret, Ticket, log_in};
use windrow_pipeline::kerberos::crypto::Etype;
use windrow_pipeline::kerberos::wire::gss::wants;
use windrow_pipeline::kerberos::{Accounts, Refused, Scheme, Server, Session};

use crate::kdc::{COLLECTOR, MACHINE, Realm, principal};

const SCHEMES: [Scheme; 2] = [Scheme::Kerberos, Scheme::Negotiate];

fn later(seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(seconds)
}

/// What becomes of a ticket that is shown now.
fn show(server: &Server, ticket: &Ticket, scheme: Scheme) -> Result<(Session, Session), Refused> {
    let now = Timestamp::now();
    let initiation = ticket.initiate(scheme, now).unwrap();
    let accepted = server.accept(scheme, &initiation.token, now)?;
    let client = initiation.finish(&accepted.token).unwrap();
    Ok((client, accepted.session))
}

fn refused(server: &Server, ticket: &Ticket) -> Refused {
    show(server, ticket, Scheme::Kerberos)
        .map(drop)
        .unwrap_err()
}

fn exchange(from: &mut Session, to: &mut Session) {
    for text in [&b""[..], b"text", &[7; 70_000]] {
        let mut message = Vec::new();
        from.seal(text, &mut message).unwrap();
        let range = to.unseal(&mut message).unwrap();
        assert_eq!(&message[range], text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_of_the_kdc_makes_a_session() {
    let Some(realm) = Realm::start() else { return };
    let server = realm.server();
    let first = realm.log_in(MACHINE).await;
    for service in [
        COLLECTOR,
        "HOST/wec.corp.example",
        // Machines ask for it in whatever case their configuration has it.
        "HTTP/small.corp.example",
        "HTTP/new.corp.example",
    ] {
        let ticket = realm.ticket_by(&first, service).await;
        for scheme in SCHEMES {
            let now = Timestamp::now();
            let initiation = ticket.initiate(scheme, now).unwrap();
            let accepted = server.accept(scheme, &initiation.token, now).unwrap();
            assert_eq!(accepted.client, "WS00001$@CORP.EXAMPLE", "{service}");
            assert!(accepted.ends_at > later(3_600));
            let mut client = initiation.finish(&accepted.token).unwrap();
            let mut session = accepted.session;
            exchange(&mut client, &mut session);
            exchange(&mut session, &mut client);
        }
    }
    // The session key may be of another encryption than the ticket.
    for etype in Etype::ALL {
        let service = principal(COLLECTOR).name;
        let (kdc, etypes) = (realm.kdc(), [etype]);
        let ticket = first.for_service(&kdc, &service, &etypes, Timestamp::now());
        if let Ok(ticket) = ticket.await {
            let (mut client, mut session) = show(&server, &ticket, Scheme::Kerberos).unwrap();
            exchange(&mut client, &mut session);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_ticket_is_said() {
    let Some(realm) = Realm::start() else { return };
    let server = realm.server();
    let first = realm.log_in(MACHINE).await;
    let ticket = |service| realm.ticket_by(&first, service);
    let said = |refused: Refused| refused.to_string();

    let other = said(refused(&server, &ticket("HTTP/other.corp.example").await));
    assert!(
        other.starts_with("the ticket is for HTTP/other.corp.example@CORP.EXAMPLE, and this collector is HTTP/wec.corp.example@CORP.EXAMPLE, "),
        "{other}"
    );
    insta::assert_snapshot!(
            said(refused(&server, &ticket("HTTP/old.corp.example").await)),
    @"the ticket for HTTP/old.corp.example@CORP.EXAMPLE is encrypted with rc4-hmac, which is not safe"
        );

    // The account got another password: the key of the ticket is newer than the keytab's.
    realm.administer("cpw -randkey HOST/wec.corp.example");
    insta::assert_snapshot!(
        said(refused(&server, &ticket("HOST/wec.corp.example").await)),
        @"the ticket for HOST/wec.corp.example@CORP.EXAMPLE is encrypted with key version 3 and aes256-cts-hmac-sha1-96, and the keytab has version 2 with aes128-cts-hmac-sha1-96, version 2 with aes256-cts-hmac-sha1-96"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_and_repetitions_are_judged() {
    let Some(realm) = Realm::start() else { return };
    let server = realm.server();
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let shown_at = |client: i64, service: i64| {
        let initiation = ticket.initiate(Scheme::Kerberos, later(client)).unwrap();
        server
            .accept(Scheme::Kerberos, &initiation.token, later(service))
            .map(drop)
    };
    for (client, service) in [(0, 0), (290, 0), (0, 290)] {
        assert_eq!(shown_at(client, service), Ok(()), "{client} {service}");
    }
    for (client, service) in [(600, 0), (0, 600), (86_400, 0)] {
        let Err(Refused::Skew { ahead_seconds, .. }) = shown_at(client, service) else {
            panic!("{client} {service}");
        };
        assert!((ahead_seconds - (client - service)).abs() <= 2);
    }
    let skew = Refused::Skew {
        client: "WS1$@R".to_owned(),
        ahead_seconds: -600,
    };
    insta::assert_snapshot!(skew, @"the clock of WS1$@R is 600 s behind ours, and 300 s are allowed");
    // Both clocks agree, and the ticket is over, or not yet begun.
    let days = 2 * 86_400;
    assert!(matches!(shown_at(days, days), Err(Refused::Expired { .. })));
    assert!(matches!(
        shown_at(-days, -days),
        Err(Refused::NotYetValid { .. })
    ));

    // The same bytes again, also where another server follows upon this one.
    let initiation = ticket.initiate(Scheme::Kerberos, later(0)).unwrap();
    let accept = |server: &Server, token: &[u8]| {
        let accepted = server.accept(Scheme::Kerberos, token, Timestamp::now());
        accepted.map(drop)
    };
    assert_eq!(accept(&server, &initiation.token), Ok(()));
    let client = "WS00001$@CORP.EXAMPLE".to_owned();
    let replayed = Err(Refused::Replayed { client });
    assert_eq!(accept(&server, &initiation.token), replayed);
    assert_eq!(accept(&server.clone(), &initiation.token), replayed);
    let next = realm.server().after(&server);
    assert_eq!(accept(&next, &initiation.token), replayed);
    assert_eq!(accept(&realm.server(), &initiation.token), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rolled_over_without_a_stop() {
    let Some(realm) = Realm::start() else { return };
    let server = realm.server();
    let first = realm.log_in(MACHINE).await;
    let old = realm.ticket_by(&first, COLLECTOR).await;
    // A new key, in the KDC and in the keytab, beside the old one.
    realm.administer(&format!("ktadd -k wec.keytab {COLLECTOR}"));
    let new = realm.ticket_by(&first, COLLECTOR).await;
    // The server has not been told: it looks for itself.
    for ticket in [&old, &new, &old] {
        show(&server, ticket, Scheme::Negotiate).unwrap();
    }
    // The old key is taken out: its tickets are no longer valid for a new server.
    realm.administer(&format!("ktrem -k wec.keytab {COLLECTOR} old"));
    let next = realm.server().after(&server);
    show(&next, &new, Scheme::Kerberos).unwrap();
    assert!(matches!(
        refused(&next, &old),
        Refused::UnknownKey { kvno: Some(2), .. }
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_account_is_noticed() {
    let Some(realm) = Realm::start() else { return };
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    // The keytab names the right principal and version, and was written with another password.
    realm.administer("cpw -randkey HTTP/wec.corp.example");
    realm.administer("ktadd -norandkey -k wrong.keytab HTTP/wec.corp.example");
    let stale = realm.path("wrong.keytab");
    let file = std::fs::read(&stale).unwrap();
    let mut entries = windrow_pipeline::kerberos::wire::keytab::parse(&file).unwrap();
    for entry in &mut entries {
        entry.kvno = 2;
    }
    let file = windrow_pipeline::kerberos::wire::keytab::encode(&entries);
    std::fs::write(&stale, &*file).unwrap();
    let server = Server::new(&stale, Vec::new(), Accounts::Machines).unwrap();
    assert!(matches!(
        refused(&server, &ticket),
        Refused::WrongKey {
            kvno: 2,
            etype: 18,
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_needs_has_to_be_asked_for() {
    let Some(realm) = Realm::start() else { return };
    let server = realm.server();
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    let everything = wants::MUTUAL | wants::CONFIDENTIALITY | wants::INTEGRITY;
    let lacking = |wanted: u32| {
        let now = Timestamp::now();
        let initiation = ticket
            .initiate_wanting(Scheme::Kerberos, wanted, now)
            .unwrap();
        match server.accept(Scheme::Kerberos, &initiation.token, now) {
            Ok(_) => "nothing",
            Err(Refused::Lacking { lacking, .. }) => lacking,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(lacking(everything), "nothing");
    assert_eq!(
        lacking(everything & !wants::MUTUAL),
        "mutual authentication"
    );
    assert_eq!(
        lacking(everything & !wants::CONFIDENTIALITY),
        "confidentiality"
    );
    assert_eq!(lacking(everything & !wants::INTEGRITY), "integrity");
    assert!(lacking(everything | wants::DCE_STYLE).contains("three"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_not_machines_and_prove_themselves_by_password() {
    let Some(realm) = Realm::start() else { return };
    let (alice, now) = (principal("alice"), Timestamp::now());
    let password = |word: &str| Secret::Password(word.to_owned().into());
    let first = log_in(&realm.kdc(), &alice, &password("correct-horse"), now).await;
    let ticket = realm.ticket_by(&first.unwrap(), COLLECTOR).await;
    let client = "alice@CORP.EXAMPLE".to_owned();
    assert_eq!(
        refused(&realm.server(), &ticket),
        Refused::NotMachine { client }
    );
    let all = Server::new(&realm.path("wec.keytab"), Vec::new(), Accounts::All).unwrap();
    show(&all, &ticket, Scheme::Kerberos).unwrap();

    let wrong = log_in(&realm.kdc(), &alice, &password("wrong"), now).await;
    insta::assert_snapshot!(wrong.unwrap_err(), @"the KDC refuses alice@CORP.EXAMPLE: password or key is wrong");
    // Who need not prove itself is answered in its key, and cannot read it with another.
    let bob = principal("bob");
    let wrong = log_in(&realm.kdc(), &bob, &password("wrong"), now).await;
    insta::assert_snapshot!(wrong.unwrap_err(), @"password or key of bob@CORP.EXAMPLE is wrong");
    assert!(
        log_in(&realm.kdc(), &bob, &password("correct-horse"), now)
            .await
            .is_ok()
    );
    let nobody = log_in(&realm.kdc(), &principal("nobody"), &password("wrong"), now).await;
    assert!(matches!(nobody, Err(ClientError::Refused { code: 6, .. })));
    let first = realm.log_in(MACHINE).await;
    let unknown = principal("HTTP/nowhere.corp.example").name;
    let none = first
        .for_service(&realm.kdc(), &unknown, &Etype::ALL, now)
        .await;
    assert!(matches!(none, Err(ClientError::Refused { code: 7, .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_chosen_and_have_to_be_there() {
    let Some(realm) = Realm::start() else { return };
    let keytab = realm.path("wec.keytab");
    let of = |names: &[&str]| {
        let names = names.iter().map(|name| principal(name)).collect();
        Server::new(&keytab, names, Accounts::Machines)
    };
    let server = of(&["HOST/wec.corp.example"]).unwrap();
    assert_eq!(server.principals(), ["HOST/wec.corp.example@CORP.EXAMPLE"]);
    assert_eq!(
        server.skipped(),
        ["HTTP/old.corp.example@CORP.EXAMPLE (version 2, rc4-hmac)"]
    );
    let ticket = realm.ticket(MACHINE, COLLECTOR).await;
    assert!(matches!(
        refused(&server, &ticket),
        Refused::WrongService { .. }
    ));
    let missing = of(&["HTTP/elsewhere.corp.example"])
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("has no AES key of HTTP/elsewhere.corp.example@CORP.EXAMPLE"),
        "{missing}"
    );
    let machines = realm.path("ws.keytab");
    let none = Server::new(&machines, Vec::new(), Accounts::Machines).unwrap_err();
    assert!(
        none.to_string()
            .contains("has no AES key of an HTTP/ or HOST/ principal"),
        "{none}"
    );
    // An RC4 key alone is none, and the ticket says why when its name is given.
    let old = of(&["HTTP/old.corp.example"]).unwrap_err().to_string();
    assert!(old.contains("rc4-hmac"), "{old}");
}

/// MIT's library as the client and as the service, in the form that WinRM seals in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mit_understands_us_and_we_understand_mit() {
    let Some(realm) = Realm::start() else { return };
    let service = "HTTP@wec.corp.example";
    for (kind, scheme) in [("krb5", Scheme::Kerberos), ("spnego", Scheme::Negotiate)] {
        let Some(mut mit) = realm.mit(&["initiate", kind, service]) else {
            return;
        };
        let server = realm.server();
        let accepted = server
            .accept(scheme, &mit.hear(), Timestamp::now())
            .unwrap();
        assert_eq!(accepted.client, "WS00001$@CORP.EXAMPLE");
        mit.say(&accepted.token);
        converse(accepted.session, &mut mit);
        mit.finish();

        let ticket = realm.ticket(MACHINE, COLLECTOR).await;
        let Some(mut mit) = realm.mit(&["accept", kind]) else {
            return;
        };
        let initiation = ticket.initiate(scheme, Timestamp::now()).unwrap();
        mit.say(&initiation.token);
        let session = initiation.finish(&mit.hear()).unwrap();
        assert_eq!(mit.hear(), b"WS00001$@CORP.EXAMPLE");
        converse(session, &mut mit);
        mit.finish();
    }
}

/// Says something several times and hears it again.
fn converse(mut session: Session, mit: &mut crate::kdc::Mit) {
    for text in [
        &b"x"[..],
        b"a text of more than one block of AES",
        &[9; 40_000],
    ] {
        let mut message = session.signature_bytes().to_le_bytes().to_vec();
        session.seal(text, &mut message).unwrap();
        mit.say(&message);
        let mut answer = mit.hear();
        assert_eq!(answer.len(), message.len());
        assert_eq!(answer[..4], message[..4], "the length of the signature");
        let range = session.unseal(&mut answer[4..]).unwrap();
        assert_eq!(&answer[4..][range], text);
    }
}
