//! What was taken out of the lake, as it is put on record: by the service itself, or for a command.

use serde::{Deserialize, Serialize};
use windrow_formats::own::{OwnEventId, OwnLevel};
use windrow_lake::{Expired, TakenOut};

use super::own::Recorder;
use crate::admin::Actor;

/// Where a command has it put on record with a POST.
pub(crate) const PATH: &str = "/v1/lake/taken";
/// What commands come through, as records say it.
pub(crate) const BY: &str = "windrow lake";

/// What one commit took out of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Taken {
    /// What is kept no longer.
    Expired {
        table: String,
        rows: u64,
        texts: u64,
    },
    /// A damaged file.
    Damaged {
        table: String,
        file: String,
        rows: u64,
        reason: String,
    },
}

impl From<(&'static str, Expired)> for Taken {
    fn from((table, gone): (&'static str, Expired)) -> Taken {
        Taken::Expired {
            table: table.to_owned(),
            rows: gone.rows,
            texts: gone.texts,
        }
    }
}

impl From<TakenOut> for Taken {
    fn from(taken: TakenOut) -> Taken {
        Taken::Damaged {
            table: taken.table.to_owned(),
            file: taken.file.display().to_string(),
            rows: taken.rows,
            reason: taken.reason,
        }
    }
}

impl Recorder {
    /// Something was taken out of the lake, by hand where there is somebody who did it; whether the record is durable.
    pub(crate) async fn taken(&self, taken: &Taken, actor: Option<&Actor>) -> bool {
        let (id, level, verb) = match taken {
            Taken::Expired { .. } => (OwnEventId::LakeExpired, OwnLevel::Information, "expire"),
            Taken::Damaged { .. } => (OwnEventId::LakeFileTakenOut, OwnLevel::Warning, "take-out"),
        };
        let (table, message, mut data) = taken.told();
        if let Some(Actor { who, from, by }) = actor {
            data.push(("Object", format!("lake {table}")));
            let words = [
                ("Verb", verb),
                ("Who", &**who),
                ("From", &**from),
                ("By", *by),
            ];
            data.extend(words.map(|(name, word)| (name, word.to_owned())));
        }
        let data: Vec<(&str, &str)> = data.iter().map(|(name, value)| (*name, &**value)).collect();
        self.record_with(id, level, &message, &data, None).await
    }
}

impl Taken {
    /// The table, what is said of it, and the data of its record.
    fn told(&self) -> (&str, String, Vec<(&'static str, String)>) {
        match self {
            Taken::Expired { table, rows, texts } => {
                let message = format!(
                    "retention took {rows} rows, and the text of {texts} others, out of the lake's table {table}"
                );
                let data = vec![
                    ("Table", table.clone()),
                    ("Rows", rows.to_string()),
                    ("Texts", texts.to_string()),
                ];
                (table, message, data)
            }
            Taken::Damaged {
                table,
                file,
                rows,
                reason,
            } => {
                let message = format!(
                    "a damaged file with up to {rows} rows was taken out of the lake's table {table}: {file}"
                );
                let data = vec![
                    ("Table", table.clone()),
                    ("Rows", rows.to_string()),
                    ("File", file.clone()),
                    ("Reason", reason.clone()),
                ];
                (table, message, data)
            }
        }
    }
}
