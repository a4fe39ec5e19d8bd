//! What the system says while nobody listens.

use super::*;
use crate::journal::Start;
use crate::sinks::syslog::destination::{Destination, Transport};
use crate::sinks::syslog::sender::tests::store;

/// As after a long run of events that are not sent.
#[tokio::test(start_paused = true)]
async fn nothing_is_confirmed_over_a_refusal_that_has_come_and_was_not_read() {
    let listener = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = "127.0.0.1".to_owned();
    let destination = Destination::new("siem".to_owned(), host, port, Transport::Udp);
    let (_dir, journal) = store().await;
    let cursor = journal.cursor("siem", Start::Oldest).unwrap();
    let mut sender = Sender::quiet(destination, cursor);
    let mut link = Link::open(&mut sender, 0).await.unwrap();
    drop(listener);
    link.socket.send(b"event").await.unwrap();
    link.window.push(0, 1, 1, Instant::now());
    tokio::time::advance(DATAGRAM_SETTLE * 2).await;

    let said = confirm(&mut sender, &mut link);
    assert!(
        matches!(said, Err(Ended::Failed(LinkError::Broken(_)))),
        "{said:?}"
    );
    assert_eq!(sender.cursor.position(), 0);
}
