//! A connection to the endpoint that is not waited for without end: it ends when its place is wanted by somebody else, before
//! it is known who it is, and when what is answered is not taken.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The stream of such a connection.
pub(crate) struct Patient<S> {
    stream: S,
    wanted: Pin<Box<WaitForCancellationFutureOwned>>,
    write_timeout: Duration,
    /// Since the last write that was taken, while one is not.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Ends with `wanted`, and when nothing of what is written is taken for `write_timeout`.
    pub(super) fn new(stream: S, wanted: CancellationToken, write_timeout: Duration) -> Patient<S> {
        Patient {
            stream,
            wanted: Box::pin(wanted.cancelled_owned()),
            write_timeout,
            stalled: None,
        }
    }

    /// What a write has come to, unless it waits for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.wanted.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, ended)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn it_ends_when_its_place_is_wanted() {
        let (ours, mut theirs) = duplex(64);
        let wanted = CancellationToken::new();
        let mut patient = Patient::new(ours, wanted.clone(), LONG);
        theirs.write_all(b"a").await.unwrap();
        assert_eq!(patient.read_u8().await.unwrap(), b'a');
        let reading = tokio::spawn(async move { patient.read_u8().await });
        wanted.cancel();
        let ended = reading.await.unwrap().unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn it_ends_when_nothing_it_writes_is_taken() {
        let (ours, mut theirs) = duplex(1);
        let never = CancellationToken::new();
        let mut patient = Patient::new(ours, never.clone(), Duration::from_millis(20));
        let stalled = patient.write_all(b"two").await.unwrap_err();
        assert_eq!(stalled.kind(), io::ErrorKind::TimedOut);
        // One that takes what is written may take it slowly.
        let mut patient = Patient::new(patient.stream, never, LONG);
        let writing = tokio::spawn(async move { patient.write_all(b"four").await });
        let mut taken = [0; 5];
        theirs.read_exact(&mut taken).await.unwrap();
        writing.await.unwrap().unwrap();
        assert_eq!(&taken, b"tfour");
    }
}
