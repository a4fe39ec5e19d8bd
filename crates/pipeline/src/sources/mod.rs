//! Where events come from.

pub mod evtx;
pub mod wef;
