//! A row of `WADDirectoriesTable`: which file is in which container.

use jiff::Timestamp;

use super::keys::{Counter, Origin, Partition};
use super::{column, text};
use crate::azure::{Entity, Value, ticks};

/// A file that was put into a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryFile<'a> {
    /// The watched folder.
    pub root: &'a str,
    /// The file from there on, with `/`.
    pub path: &'a str,
    /// The container.
    pub container: &'a str,
    /// The blob in it.
    pub blob: &'a str,
}

/// The row of a file that was put there at this moment. `RelativePath` is the name of the blob, by which a reader finds it.
pub fn directory<'a>(
    file: &DirectoryFile<'a>,
    origin: &Origin<'a>,
    at: Timestamp,
    partition: &Partition,
    counter: Counter,
) -> Entity<'a> {
    let root = file.root.trim_end_matches('/');
    Entity {
        partition_key: partition.to_string().into(),
        row_key: origin.row_key(counter).into(),
        properties: vec![
            column("EventTickCount", Value::Long(ticks(at))),
            column("DeploymentId", text(origin.deployment_id)),
            column("Role", text(origin.role)),
            column("RoleInstance", text(origin.role_instance)),
            column("AbsolutePath", text(format!("{root}/{}", file.path))),
            column("RelativePath", text(file.blob)),
            column("Container", text(file.container)),
            column("RootDirectory", text(file.root)),
        ],
    }
}
