//! Entity group transactions: up to a hundred operations on one partition, done together or not at all.

use super::answer::{Refusal, refusal};
use super::key::key_in_path;
use super::multipart::{boundary, head, header, parts};
use super::{Entity, EntityError};
use crate::limits::{AZURE_BATCH_BYTES_MAX, AZURE_BATCH_OPERATIONS_MAX};

/// What is done with an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is put there, in the place of the one that was there: done again it changes nothing.
    InsertOrReplace,
    /// It is taken away, whatever is in it.
    Delete,
}

/// A batch that is being made.
#[derive(Debug)]
pub struct Batch {
    /// Where the table is, with its name.
    table_url: String,
    boundary: String,
    partition_key: Option<String>,
    row_keys: Vec<String>,
    body: Vec<u8>,
    is_repeatable: bool,
}

/// An operation that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The batch has as many operations or bytes as it may: send it, and begin another one.
    #[error("the batch is full")]
    Full,
    /// It is of another partition: send this one, and begin another one.
    #[error("the entity is of another partition")]
    OtherPartition,
    /// There is one of this RowKey in it already.
    #[error("the batch has an entity of this RowKey already")]
    Again,
    /// The service would refuse the entity.
    #[error(transparent)]
    Entity(#[from] EntityError),
}

/// An answer from which it is not known what was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchAnswerError {
    /// It is not the multipart answer to a batch.
    #[error("the answer to a batch is none that the service gives")]
    Form,
    /// It tells of fewer operations, or of more.
    #[error("the answer tells of {told} operations, and {sent} were sent")]
    Count {
        /// Those it tells of.
        told: usize,
        /// Those that were sent.
        sent: usize,
    },
}

impl Batch {
    /// An empty batch for the table of this URL, such as `https://acme.table.core.windows.net/WADLogsTable`. The mark makes
    /// the boundaries, and must not be foreseeable by whoever chooses the contents.
    pub fn new(table_url: &str, mark: &str) -> Batch {
        Batch {
            table_url: table_url.to_owned(),
            boundary: mark.to_owned(),
            partition_key: None,
            row_keys: Vec::new(),
            body: Vec::new(),
            is_repeatable: true,
        }
    }

    /// Operations in it.
    pub fn len(&self) -> usize {
        self.row_keys.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.row_keys.is_empty()
    }

    /// Where its table is.
    pub fn table_url(&self) -> &str {
        &self.table_url
    }

    /// Whether the whole of it done again changes nothing and is no refusal: what is taken away is there once only.
    pub fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    /// The Content-Type of its body.
    pub fn content_type(&self) -> String {
        format!("multipart/mixed; boundary=batch_{}", self.boundary)
    }

    /// Adds an operation.
    ///
    /// # Errors
    /// It does not fit: the batch is as it was.
    pub fn push(&mut self, operation: Operation, entity: &Entity<'_>) -> Result<(), BatchError> {
        let partition = self.partition_key.as_deref();
        if partition.is_some_and(|partition| partition != entity.partition_key) {
            return Err(BatchError::OtherPartition);
        }
        if self.row_keys.len() >= AZURE_BATCH_OPERATIONS_MAX {
            return Err(BatchError::Full);
        }
        if self.row_keys.iter().any(|key| *key == entity.row_key) {
            return Err(BatchError::Again);
        }
        entity.check()?;
        let before = self.body.len();
        self.write(operation, entity);
        if self.body.len() + self.tail().len() > AZURE_BATCH_BYTES_MAX && before > 0 {
            self.body.truncate(before);
            return Err(BatchError::Full);
        }
        self.partition_key = Some(entity.partition_key.clone().into_owned());
        self.row_keys.push(entity.row_key.clone().into_owned());
        self.is_repeatable &= operation == Operation::InsertOrReplace;
        Ok(())
    }

    fn write(&mut self, operation: Operation, entity: &Entity<'_>) {
        let (boundary, key) = (
            &self.boundary,
            key_in_path(&entity.partition_key, &entity.row_key),
        );
        if self.body.is_empty() {
            let head = format!(
                "--batch_{boundary}\r\nContent-Type: multipart/mixed; boundary=changeset_{boundary}\r\n\r\n"
            );
            self.body.extend_from_slice(head.as_bytes());
        }
        let (verb, headers) = match operation {
            Operation::InsertOrReplace => (
                "PUT",
                "Accept: application/json;odata=minimalmetadata\r\nContent-Type: application/json\r\nDataServiceVersion: 3.0;\r\n",
            ),
            Operation::Delete => (
                "DELETE",
                "Accept: application/json;odata=minimalmetadata\r\nIf-Match: *\r\nDataServiceVersion: 3.0;\r\n",
            ),
        };
        let head = format!(
            "--changeset_{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             {verb} {}{key} HTTP/1.1\r\n{headers}\r\n",
            self.table_url
        );
        self.body.extend_from_slice(head.as_bytes());
        if operation == Operation::InsertOrReplace {
            entity.write_json(&mut self.body);
        }
        self.body.extend_from_slice(b"\r\n");
    }

    fn tail(&self) -> String {
        let boundary = &self.boundary;
        format!("--changeset_{boundary}--\r\n--batch_{boundary}--\r\n")
    }

    /// The body of the request.
    pub fn body(&self) -> Vec<u8> {
        [&self.body[..], self.tail().as_bytes()].concat()
    }
}

/// Reads the answer to a batch of so many operations, of which the status was 202. What was refused is refused as a whole.
///
/// # Errors
/// What was done is not known: the batch is to be sent again.
pub fn answered(
    content_type: &str,
    body: &[u8],
    sent: usize,
) -> Result<Result<(), Refusal>, BatchAnswerError> {
    let form = BatchAnswerError::Form;
    let body = std::str::from_utf8(body).map_err(|_| form.clone())?;
    let outer = boundary(content_type).ok_or(form.clone())?;
    let outer = parts(body, outer, 1).ok_or(form.clone())?;
    let &[outer] = &outer[..] else {
        return Err(form);
    };
    let (headers, inner) = head(outer);
    let changes = header(headers, "Content-Type")
        .and_then(boundary)
        .ok_or(form.clone())?;
    let answers = parts(inner, changes, AZURE_BATCH_OPERATIONS_MAX).ok_or(form.clone())?;
    let mut told = 0;
    for answer in answers {
        let (status, body) = of_operation(answer).ok_or(form.clone())?;
        if !(200..300).contains(&status) {
            return Ok(Err(refusal(status, body.as_bytes())));
        }
        told += 1;
    }
    match told == sent {
        true => Ok(Ok(())),
        // One that was refused as a whole may come without a word about it.
        false => Err(BatchAnswerError::Count { told, sent }),
    }
}

/// The status and the body of one operation's answer.
fn of_operation(answer: &str) -> Option<(u16, &str)> {
    let (_, http) = head(answer);
    let line = http.lines().next()?;
    let status = line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, head(http).1))
}
