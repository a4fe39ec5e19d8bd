//! A stream that is read in small pieces.
//!
//! hyper begins to read a connection with a buffer of 8 KiB, makes it twice as large whenever a read has
//! filled it, and keeps it for as long as the connection lasts: after one delivery each of some hundred
//! machines has the largest that it may. Where no read fills it, it stays as it is, and a body is put
//! together in memory that is reckoned with.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most that one read gives: less than hyper begins with.
const READ_BYTES_MAX: usize = 8 * 1024 - 1;

/// A stream, and what is read of it comes in small pieces.
#[derive(Debug)]
pub(super) struct Narrow<S>(pub(super) S);

impl<S: AsyncRead + Unpin> AsyncRead for Narrow<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(READ_BYTES_MAX);
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.0).poll_read(context, &mut piece))?;
        let read = piece.filled().len();
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Narrow<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn all_of_it_comes_and_no_more_at_once_than_that() {
        let bytes: Vec<u8> = (0..50_000_u32).map(|number| number as u8).collect();
        let mut narrow = Narrow(bytes.as_slice());
        let (mut read, mut buffer) = (Vec::new(), vec![0; 20_000]);
        loop {
            let count = narrow.read(&mut buffer).await.unwrap();
            assert!(count <= READ_BYTES_MAX);
            if count == 0 {
                break;
            }
            read.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(read, bytes);
        let mut little = [0; 10];
        let mut narrow = Narrow(bytes.as_slice());
        assert_eq!(narrow.read(&mut little).await.unwrap(), 10);
    }
}
