//! Where events come from.

pub mod directory;
pub mod evtx;
pub mod wef;
