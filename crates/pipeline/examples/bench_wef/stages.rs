//! What each stage of reading a delivery costs by itself.

use std::hint::black_box;

use windrow_formats::batch::{self, Flags, Kind};
use windrow_formats::event::{self, Event, Index};
use windrow_formats::identity::identity;
use windrow_formats::sldc::Decoder;
use windrow_formats::wsman::{self, Body, Text};
use windrow_pipeline::kerberos::client::Ticket;
use windrow_pipeline::kerberos::{Accounts, Keytab, Principal, Scheme, Server};

use super::pki::make_keytab;
use super::{BATCH, cpu_seconds};

/// What each stage of reading costs by itself.
pub(super) fn stages(body: &[u8]) {
    let mut decoder = Decoder::new();
    let mut text = Text::new();
    let mut index = Index::new();
    let limit = 8 << 20;
    measure("wef: SLDC", || {
        black_box(decoder.decode(body, limit).unwrap()).len()
    });
    let clear = decoder.decode(body, limit).unwrap().to_vec();
    measure("wef: UTF-16", || {
        text.decode(&clear, None);
        black_box(text.as_str()).len()
    });
    measure("wef: SOAP", || match wsman::parse(&text).unwrap().body {
        Body::Events { events, .. } => black_box(events).len(),
        _ => 0,
    });
    let message = wsman::parse(&text).unwrap();
    let Body::Events { events, .. } = message.body else {
        panic!("no delivery")
    };
    measure("wef: events", || {
        for event in &events {
            event::parse(&event.text, &mut index).unwrap();
            black_box(&index);
        }
        0
    });
    measure("wef: events, identity", || {
        for event in &events {
            event::parse(&event.text, &mut index).unwrap();
            black_box(identity(
                "ws1.corp.example",
                Event::new(&event.text, &index),
            ));
        }
        0
    });
    let header = batch::Header {
        kind: Kind::Wef,
        source: "ws1.corp.example".to_owned(),
        address: None,
        subscription: None,
        received_at: jiff::Timestamp::now(),
    };
    measure("wef: events, batch", || {
        let mut encoder = batch::Encoder::new(&header);
        for event in &events {
            event::parse(&event.text, &mut index).unwrap();
            encoder.push(&event.text, Flags::of(&index), &index);
        }
        black_box(encoder.finish()).len()
    });
}

/// What it costs that a body is sealed.
pub(super) fn unsealing(body: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keytab");
    make_keytab(&path);
    let server = Server::new(&path, Vec::new(), Accounts::Machines).unwrap();
    let keytab = Keytab::load(&path).unwrap();
    let machine = Principal::parse("WS1$@CORP.EXAMPLE").unwrap();
    let now = jiff::Timestamp::now();
    let ticket = Ticket::made_with(&keytab.keys()[0], &machine, now).unwrap();
    let initiation = ticket.initiate(Scheme::Kerberos, now).unwrap();
    let mut accepted = server
        .accept(Scheme::Kerberos, &initiation.token, now)
        .unwrap();
    let mut client = initiation.finish(&accepted.token).unwrap();
    let mut sealed = Vec::new();
    measure("wef: sealing, for comparison", || {
        sealed.clear();
        client.seal(body, &mut sealed).unwrap();
        sealed.len()
    });
    measure("wef: sealing and unsealing", || {
        sealed.clear();
        client.seal(body, &mut sealed).unwrap();
        black_box(accepted.session.unseal(&mut sealed).unwrap()).len()
    });
}

fn measure(what: &str, mut batch: impl FnMut() -> usize) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = cpu_seconds();
        for _ in 0..200 {
            black_box(batch());
        }
        best = best.min(cpu_seconds() - start);
    }
    let seconds = best * 1e6 / (200 * BATCH) as f64;
    println!("  {seconds:6.3} s per million  {what}");
}
