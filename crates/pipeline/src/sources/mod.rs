//! Where events come from.

pub mod wef;
