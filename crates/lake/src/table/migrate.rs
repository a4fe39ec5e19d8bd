//! Brings a table of an earlier version to the newest one: its log is told the columns that came since.
//!
//! No data file is touched. Rows of files that do not have a column have no value in it; merging and thinning out write
//! them with it. A windrow of the earlier version that has the table open is refused from then on, as if it opened it; the
//! first version did not look, and goes on without the columns: it has to be ended first.

use arrow::datatypes::Schema;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake::kernel::{Action, Metadata, MetadataExt as _, StructField, StructType};
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTable, DeltaTableError};

use super::{Table, back_off, schema_version, state};
use crate::error::LakeError;
use crate::limits::COMMIT_ATTEMPTS;
use crate::schema::{Definition, SCHEMA_VERSION_KEY};

impl Table {
    /// Tells the log which columns the table has now, in one commit. Done by whoever opens it to write first.
    pub(super) async fn migrate(&self) -> Result<(), LakeError> {
        let definition = self.shared.definition;
        for attempt in 0..COMMIT_ATTEMPTS {
            let mut state = self.newest().await?;
            let found = schema_version(definition, state.table(), self.folder())?;
            if found == definition.version {
                return Ok(());
            }
            let (metadata, fields) = described(definition, found, state.table())
                .map_err(LakeError::table("describe the new columns of"))?;
            let operation = DeltaOperation::AddColumn { fields };
            match state
                .write(vec![Action::Metadata(metadata)], Vec::new(), operation)
                .await
            {
                Ok(version) => {
                    let (table, to) = (self.folder().display(), definition.version);
                    tracing::info!(%table, from = found, to, version, "the table has the columns of a newer version now");
                    return Ok(());
                }
                Err(error) if state::is_overtaken(&error) => {}
                Err(error) => return Err(LakeError::table("add columns to")(error)),
            }
            drop(state);
            back_off(attempt).await;
        }
        Err(LakeError::Contended {
            attempts: COMMIT_ATTEMPTS,
        })
    }
}

/// What the log has to say of the table, and the columns that are new.
fn described(
    definition: &Definition,
    found: i64,
    table: &DeltaTable,
) -> Result<(Metadata, Vec<StructField>), DeltaTableError> {
    let snapshot = table.snapshot()?;
    let newer: StructType = (&Schema::new(definition.columns_since(found))).try_into_kernel()?;
    let newer: Vec<StructField> = newer.fields().cloned().collect();
    let known = snapshot.schema();
    // Somebody may have added one of them by hand, for a reader of his.
    let added = newer
        .iter()
        .filter(|field| known.field(field.name()).is_none())
        .cloned();
    let columns = StructType::try_new(known.fields().cloned().chain(added))?;
    let metadata = snapshot
        .metadata()
        .clone()
        .with_schema(&columns)?
        .add_config_key(
            SCHEMA_VERSION_KEY.to_owned(),
            definition.version.to_string(),
        )?;
    Ok((metadata, newer))
}

#[cfg(test)]
mod tests;
