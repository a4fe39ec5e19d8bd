//! Where events come from.

pub mod directory;
pub mod evtx;
mod pack;
pub mod wad_storage;
pub mod wef;
