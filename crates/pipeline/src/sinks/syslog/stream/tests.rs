//! What a receiver says while nobody listens.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

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
        let (_dir, mut sender, mut link, mut peer) = one_sent(destination, &listener).await;
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

/// A destination that has sent one event, which its receiver has read.
async fn one_sent(
    destination: Destination,
    listener: &TcpListener,
) -> (tempfile::TempDir, Sender, Link, TcpStream) {
    let (dir, journal) = store().await;
    let cursor = journal.cursor("siem", Start::Oldest).unwrap();
    let sender = Sender::quiet(destination, cursor);
    let mut link = Link {
        connection: Connection::open(&sender.destination).await.unwrap(),
        window: Window::default(),
        outbox: Outbox::default(),
        confirmation: sender.destination.confirmation,
        proof: Trust::new().proof(&sender.destination.limits),
    };
    let (mut peer, _) = listener.accept().unwrap();
    link.connection.send(b"event\n").await.unwrap();
    link.window
        .push(link.connection.written(), 1, 1, Instant::now());
    peer.read_exact(&mut [0; 6]).unwrap();
    (dir, sender, link, peer)
}

/// A task that may read no more in its turn comes back all the same, whether the receiver has
/// talked or ended. In a runtime that is left behind if it does not.
#[test]
fn a_receiver_that_talks_or_ends_does_not_keep_a_task_busy() {
    for ends in [false, true] {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (answered, answer) = std::sync::mpsc::sync_channel(1);
        runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let (name, host) = ("siem".to_owned(), "127.0.0.1".to_owned());
            let mut destination = Destination::new(name, host, port, Transport::Tcp);
            destination.confirmation = Confirmation::Sent;
            let (_dir, mut sender, mut link, mut peer) = one_sent(destination, &listener).await;
            if ends {
                peer.shutdown(std::net::Shutdown::Write).unwrap();
            } else {
                peer.write_all(b"?").unwrap();
            }
            // Until the runtime has noticed, so that nothing has to be waited for.
            link.connection.tcp_readable().await;
            while poll_immediate(tokio::task::consume_budget())
                .await
                .is_some()
            {}
            let said = confirm(&mut sender, &mut link).await;
            answered
                .send(said.map_err(|error| error.to_string()))
                .unwrap();
        });
        let said = answer.recv_timeout(Duration::from_secs(20));
        runtime.shutdown_background();
        let said = said.expect("it does not come back");
        let closed = Err(LinkError::ClosedByPeer.to_string());
        assert_eq!(said, if ends { closed } else { Ok(()) });
    }
}
