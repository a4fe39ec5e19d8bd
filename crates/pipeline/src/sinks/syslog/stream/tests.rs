//! What a receiver says while nobody listens.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use socket2::SockRef;

use super::*;
use crate::journal::Start;
use crate::sinks::syslog::destination::{Destination, Transport};
use crate::sinks::syslog::sender::tests::store;

/// As after a long run of events that are not sent: what was written before is old enough to count,
/// and the end of the connection has come meanwhile.
#[tokio::test]
async fn nothing_is_confirmed_over_an_error_that_has_come_and_was_not_read() {
    for confirmation in [Confirmation::Sent, Confirmation::TcpAcked] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut destination = Destination::new(
            "siem".to_owned(),
            "127.0.0.1".to_owned(),
            port,
            Transport::Tcp,
        );
        destination.confirmation = confirmation;
        let (_dir, journal) = store().await;
        let cursor = journal.cursor("siem", Start::Oldest).unwrap();
        let mut sender = Sender::quiet(destination, cursor);
        let mut link = Link {
            connection: Connection::open(&sender.destination).await.unwrap(),
            window: Window::default(),
            outbox: Outbox::default(),
            confirmation,
            proof: Trust::new().proof(&sender.destination.limits),
        };
        let (mut peer, _) = listener.accept().unwrap();
        link.connection.send(b"event\n").await.unwrap();
        link.window
            .push(link.connection.written(), 1, 1, Instant::now());
        peer.read_exact(&mut [0; 6]).unwrap();
        peer.write_all(b"no").unwrap();
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(peer);

        let said = confirm(&mut sender, &mut link).await;
        assert!(matches!(said, Err(LinkError::Broken(_))), "{said:?}");
        assert_eq!(sender.cursor.position(), 0, "{confirmation}");
    }
}
