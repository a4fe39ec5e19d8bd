//! A connection's bytes between TLS or TCP and hyper: read in small pieces, and noted when some come.
//!
//! hyper begins to read a connection with a buffer of 8 KiB, makes it twice as large whenever a read has
//! filled it, and keeps it for as long as the connection lasts: after one delivery each of some hundred
//! machines has the largest that it may. Where no read fills it, it stays as it is, and a body is put
//! together in memory that is reckoned with.
//!
//! Whether anything came since the last answer tells a connection that is idle from one that has begun
//! a request and goes no further.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most that one read gives: less than hyper begins with.
const READ_BYTES_MAX: usize = 8 * 1024 - 1;

/// Whether anything came. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    /// Nothing yet.
    pub(super) fn is_nothing(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// What came is answered.
    pub(super) fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A stream that is read in small pieces.
#[derive(Debug)]
pub(super) struct Stream<S> {
    inner: S,
    heard: Heard,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, heard: Heard) -> Stream<S> {
        Stream { inner, heard }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(READ_BYTES_MAX);
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut piece))?;
        let read = piece.filled().len();
        buffer.advance(read);
        if read > 0 {
            self.heard.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn all_of_it_comes_and_no_more_at_once_than_that() {
        let bytes: Vec<u8> = (0..50_000_u32).map(|number| number as u8).collect();
        let heard = Heard::default();
        let mut stream = Stream::new(bytes.as_slice(), heard.clone());
        assert!(heard.is_nothing());
        let (mut read, mut buffer) = (Vec::new(), vec![0; 20_000]);
        loop {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count <= READ_BYTES_MAX);
            if count == 0 {
                break;
            }
            read.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(read, bytes);
        assert!(!heard.is_nothing());
        heard.forget();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
        assert!(heard.is_nothing(), "an end is nothing");
        let mut little = [0; 10];
        let mut stream = Stream::new(bytes.as_slice(), heard);
        assert_eq!(stream.read(&mut little).await.unwrap(), 10);
    }
}
