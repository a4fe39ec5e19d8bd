//! Appends of somebody who knows what the application was brought to before: of two who go by one name, neither passes for
//! the other.

use super::{Appended, Changes, Commit, Table, Txn, back_off, paths};
use crate::error::LakeError;
use crate::limits::COMMIT_ATTEMPTS;
use crate::rows::Rows;

impl Table {
    /// Adds these rows as one commit where the application is at the version before it. Once it is at the new one it is
    /// done.
    pub(crate) async fn append_after(
        &self,
        rows: Rows,
        txn: Txn<'_>,
        after: Option<i64>,
    ) -> Result<Appended, LakeError> {
        if let Turn::Done = self.turn(txn, after).await? {
            return Ok(Appended::Already { position: txn.1 });
        }
        let count = rows.len() as u64;
        let adds = self.write_files(rows).await?;
        let bytes = adds.iter().map(|add| u64::try_from(add.size).unwrap_or(0));
        let (bytes, paths) = (bytes.sum(), paths(&adds));
        let committed = self.commit_after(Changes::append(adds), txn, after).await;
        match &committed {
            Ok(Commit::Version(_)) => {}
            Ok(Commit::Already(_)) | Err(LakeError::Another { .. }) => {
                self.remove_unless_named(&paths).await;
            }
            Err(_) => self.take_back(&paths).await,
        }
        Ok(match committed? {
            Commit::Version(version) => Appended::Committed {
                version,
                rows: count,
                bytes,
            },
            Commit::Already(position) => Appended::Already { position },
        })
    }

    async fn commit_after(
        &self,
        changes: Changes,
        txn: Txn<'_>,
        after: Option<i64>,
    ) -> Result<Commit, LakeError> {
        for attempt in 0..COMMIT_ATTEMPTS {
            let at = match self.turn(txn, after).await? {
                Turn::Done => return Ok(Commit::Already(txn.1)),
                Turn::Due(at) => at,
            };
            if let Some(commit) = self.commit_upon(changes.clone(), &[txn], at).await? {
                return Ok(commit);
            }
            back_off(attempt).await;
        }
        Err(LakeError::Contended {
            attempts: COMMIT_ATTEMPTS,
        })
    }

    /// Whether the application is where this transaction begins, or where it ends.
    async fn turn(&self, txn: Txn<'_>, after: Option<i64>) -> Result<Turn, LakeError> {
        let (app_id, version) = txn;
        let mut newest = self.newest().await?;
        let found = newest.position(app_id).await?;
        if found == Some(version) {
            newest.assure().await?;
            return Ok(Turn::Done);
        }
        match found == after {
            true => Ok(Turn::Due(newest.table().version())),
            false => Err(LakeError::Another {
                found,
                brought: after,
            }),
        }
    }
}

/// What of a transaction is to be done.
enum Turn {
    /// All of it, upon this version of the table.
    Due(Option<u64>),
    /// Nothing.
    Done,
}
