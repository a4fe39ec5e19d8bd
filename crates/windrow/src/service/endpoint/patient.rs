//! A connection to the endpoint that is not waited for without end: it ends when its place is wanted by somebody else, before
//! it is known who it is, and when what is answered is not taken.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The stream of such a connection. Above it may be one that keeps what is written; itself it keeps nothing, so that it
/// sees each time something is taken.
pub(crate) struct Patient<S> {
    stream: S,
    wanted: Pin<Box<WaitForCancellationFutureOwned>>,
    write_timeout: Duration,
    /// From the first write that was not taken after one that was.
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
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        if self.wanted.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        let stalled = stalled.as_mut().poll(cx);
        stalled.map(|()| Err(io::ErrorKind::TimedOut.into()))
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter, duplex};

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
    async fn it_ends_when_its_place_is_wanted_while_it_writes() {
        let (ours, _theirs) = duplex(1);
        let wanted = CancellationToken::new();
        let mut patient = Patient::new(ours, wanted.clone(), LONG);
        let writing = tokio::spawn(async move { patient.write_all(b"two").await });
        wanted.cancel();
        let ended = writing.await.unwrap().unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn it_ends_when_nothing_it_writes_is_taken() {
        let (ours, _theirs) = duplex(1);
        let timeout = Duration::from_millis(20);
        let mut patient = Patient::new(ours, CancellationToken::new(), timeout);
        let stalled = patient.write_all(b"two").await.unwrap_err();
        assert_eq!(stalled.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_time_is_from_the_last_byte_that_was_taken() {
        let (ours, mut theirs) = duplex(1);
        let patient = Patient::new(ours, CancellationToken::new(), LONG);
        // As TLS above it: all of it is taken at once, and a single flush hands it on.
        let mut above = BufWriter::new(patient);
        above.write_all(b"four").await.unwrap();
        let mut ends = Vec::new();
        for _ in 0..3 {
            {
                let flush = pin!(above.flush());
                let mut cx = Context::from_waker(Waker::noop());
                assert!(flush.poll(&mut cx).is_pending());
            }
            let stalled = above.get_ref().stalled.as_ref();
            ends.push(stalled.unwrap().deadline());
            theirs.read_u8().await.unwrap();
        }
        assert!(ends.is_sorted_by(|one, next| one < next), "{ends:?}");
        above.flush().await.unwrap();
        assert!(above.get_ref().stalled.is_none());
    }
}
