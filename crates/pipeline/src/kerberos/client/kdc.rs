//! Questions to a KDC over TCP, each with a connection of its own (RFC 4120 7.2.2).

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ClientError;
use crate::kerberos::wire::limits::KDC_ANSWER_BYTES_MAX;

/// How long a KDC may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A KDC, by its address.
#[derive(Debug, Clone)]
pub struct Kdc {
    address: String,
}

impl Kdc {
    /// The KDC at `host:port`; Active Directory's port is 88.
    #[must_use]
    pub fn new(address: &str) -> Kdc {
        Kdc {
            address: address.to_owned(),
        }
    }

    /// Asks it.
    pub(super) async fn ask(&self, request: &[u8]) -> Result<Vec<u8>, ClientError> {
        let answer = match timeout(ANSWER_TIMEOUT, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ErrorKind::TimedOut.into()),
        };
        answer.map_err(|source| ClientError::Unreachable {
            kdc: self.address.clone(),
            source,
        })
    }

    async fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let length = u32::try_from(request.len()).map_err(|_| ErrorKind::InvalidInput)?;
        let message = [&length.to_be_bytes(), request].concat();
        stream.write_all(&message).await?;
        let length = stream.read_u32().await? as usize;
        if length > KDC_ANSWER_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}
