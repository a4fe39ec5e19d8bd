//! Tests a table, beside the journal: a row is written, read back as it was, and taken away.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windrow_formats::azure::{Batch, BatchError, Entity, Operation, Value};

use crate::azure::{AzureError, Client};

/// The PartitionKey of test rows. It comes before every `0…` of the agent's, so that a reader which asks for the last minutes, or
/// for everything since a moment, does not meet them.
pub const PARTITION: &str = "!windrow-test";

/// What a test of a table found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The table.
    pub table: String,
    /// What could be done, in its order.
    pub done: Vec<Step>,
    /// What could not.
    pub failed: Vec<Failed>,
}

/// One thing that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The table is made, unless it is there.
    Make,
    /// A row is written.
    Write,
    /// It is read back, and is as it was written.
    Read,
    /// It is taken away.
    Remove,
}

/// Something that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What.
    pub step: Step,
    /// Why not, with the cure; never a key.
    pub error: String,
}

/// Tests a table. What a sink needs is making and writing: a signature that may not read is told, and does its work.
pub async fn probe(client: &Client, table: &str) -> Probed {
    let mut probed = Probed {
        table: table.to_owned(),
        done: Vec::new(),
        failed: Vec::new(),
    };
    let key = Uuid::new_v4().simple().to_string();
    let made = client.create_table(table).await;
    probed.note(Step::Make, made.map_err(|error| error.to_string()));
    // One that is there need not be one that may be made.
    if !probed.note(Step::Write, write(client, table, &key).await) {
        return probed;
    }
    probed.note(Step::Read, read(client, table, &key).await);
    let gone = client.delete_entity(table, PARTITION, &key).await;
    let gone = gone.map_err(|error| format!("{error}; the row {PARTITION} {key} stays"));
    probed.note(Step::Remove, gone);
    probed
}

impl Probed {
    /// Whether rows can be written to it.
    #[must_use]
    pub fn takes_rows(&self) -> bool {
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

fn row(key: &str) -> Entity<'_> {
    let text = |text: &'static str| Value::Text(text.into());
    Entity {
        partition_key: PARTITION.into(),
        row_key: key.into(),
        properties: vec![("Message".into(), text("a test of windrow's, no event"))],
    }
}

async fn write(client: &Client, table: &str, key: &str) -> Result<(), String> {
    let mut batch: Batch = client.new_batch(table);
    let pushed = batch.push(Operation::InsertOrReplace, &row(key));
    pushed.map_err(|error: BatchError| error.to_string())?;
    let written = client.batch(table, &batch).await;
    written.map_err(|error: AzureError| error.to_string())
}

async fn read(client: &Client, table: &str, key: &str) -> Result<(), String> {
    let found = client.get_entity(table, PARTITION, key).await;
    let found = found.map_err(|error| error.to_string())?;
    let property = |row: &Entity<'_>| {
        let mut properties = row.properties.iter();
        properties
            .find(|(name, _)| name == "Message")
            .map(|(_, value)| format!("{value:?}"))
    };
    match found {
        Some(found) if property(&found) == property(&row(key)) => Ok(()),
        Some(_) => Err("the row that was written reads otherwise".to_owned()),
        None => Err("the row that was written is not there".to_owned()),
    }
}
