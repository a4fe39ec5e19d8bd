use std::net::Ipv4Addr;

use tokio::io::AsyncWriteExt;

use super::*;

fn line(record: u64) -> String {
    format!(
        "<14>Nov 21 20:00:00 c CEF:0|V|P|1|s|n|0|MasChannel=Security MasComputer=a.example MasEventRecordID={record}\n"
    )
}

struct Running {
    handle: Handle,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn start(transport: Transport) -> Running {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let receiver = Receiver::bind(transport, address, 2).await.unwrap();
    let (handle, shutdown) = (receiver.handle(), CancellationToken::new());
    let task = tokio::spawn(receiver.run(shutdown.clone()));
    Running {
        handle,
        shutdown,
        task,
    }
}

impl Running {
    /// Waits until the count of messages is `messages`.
    async fn wait_for(&self, messages: u64) -> Received {
        while self.handle.messages() < messages {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.handle.received()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn lines_over_tcp_are_counted_by_record() {
    let running = start(Transport::Tcp).await;
    let mut stream = TcpStream::connect(running.handle.address()).await.unwrap();
    for record in [1, 2, 3, 5, 5] {
        stream.write_all(line(record).as_bytes()).await.unwrap();
    }
    stream.write_all(b"no cef\n").await.unwrap();
    let received = running.wait_for(6).await;
    assert_eq!(
        received.records[&LogName::new("a.example", "Security")].ranges(),
        [(1, 3), (5, 5)]
    );
    assert_eq!(
        (received.again, received.unnamed, received.connections),
        (1, 1, 1)
    );
    assert_eq!(received.last, [line(5).trim_end(), "no cef"]);
    running.stop().await;
}

#[tokio::test]
async fn datagrams_are_messages() {
    let running = start(Transport::Udp).await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket
        .send_to(line(9).trim_end().as_bytes(), running.handle.address())
        .await
        .unwrap();
    let received = running.wait_for(1).await;
    assert!(received.records[&LogName::new("a.example", "Security")].contains(9));
    running.stop().await;
}

#[tokio::test]
async fn a_receiver_that_refuses_closes_and_comes_back() {
    let running = start(Transport::Tcp).await;
    let address = running.handle.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(line(1).as_bytes()).await.unwrap();
    running.wait_for(1).await;

    running.handle.behave(Behaviour::Refuse);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    running.handle.behave(Behaviour::Read);
    let mut stream = loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            break stream;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    stream.write_all(line(2).as_bytes()).await.unwrap();
    running.wait_for(2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_receiver_that_stalls_takes_connections_and_reads_later() {
    let running = start(Transport::Tcp).await;
    running.handle.behave(Behaviour::Stall);
    let mut stream = TcpStream::connect(running.handle.address()).await.unwrap();
    stream.write_all(line(1).as_bytes()).await.unwrap();
    while running.handle.received().connections == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(running.handle.messages(), 0);
    running.handle.behave(Behaviour::ReadSlowly {
        bytes_per_second: 4_000,
    });
    running.wait_for(1).await;
    running.stop().await;
}
