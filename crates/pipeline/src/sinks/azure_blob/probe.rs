//! Tests a container, beside the journal: a blob is put there, read back as it was, and taken away.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::azure_table::probe::{Failed, Step};
use crate::azure::Client;

/// What names of test blobs begin with: no deployment is called so.
pub const FOLDER: &str = "!windrow-test";

const TEXT: &[u8] = b"a test of windrow's, no file\n";

/// What a test of a container found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The container.
    pub container: String,
    /// What could be done, in its order.
    pub done: Vec<Step>,
    /// What could not.
    pub failed: Vec<Failed>,
}

/// Tests a container. What a sink needs is making, writing and, after a failure, reading.
pub async fn probe(client: &Client, container: &str) -> Probed {
    let mut probed = Probed {
        container: container.to_owned(),
        done: Vec::new(),
        failed: Vec::new(),
    };
    let blob = format!("{FOLDER}/{}", Uuid::new_v4().simple());
    let made = client.create_container(container).await;
    // One that is there need not be one that may be made.
    probed.note(Step::Make, made.map_err(|error| error.to_string()));
    let put = client.put_block_blob(container, &blob, Bytes::from_static(TEXT), "text/plain");
    if !probed.note(Step::Write, put.await.map_err(|error| error.to_string())) {
        return probed;
    }
    let found = client.get_blob_range(container, &blob, 0, TEXT.len(), None);
    let found = match found.await {
        Ok(found) if found.bytes == TEXT => Ok(()),
        Ok(_) => Err("the blob that was put there reads otherwise".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    probed.note(Step::Read, found);
    let gone = client.delete_blob(container, &blob, None).await;
    let gone = gone.map_err(|error| format!("{error}; the blob {blob} stays"));
    probed.note(Step::Remove, gone);
    probed
}

impl Probed {
    /// Whether files can be put there.
    #[must_use]
    pub fn takes_files(&self) -> bool {
        self.done.contains(&Step::Write)
    }

    fn note<T>(&mut self, step: Step, done: Result<T, String>) -> bool {
        match done {
            Ok(_) => self.done.push(step),
            Err(ref error) => self.failed.push(Failed {
                step,
                error: error.clone(),
            }),
        }
        done.is_ok()
    }
}
