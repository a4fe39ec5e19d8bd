//! The wiring behind `windrow run`.

use crate::config::{Loader, checked};
use crate::exit;

/// Runs the service until it is told to stop.
///
/// # Errors
/// What keeps it from starting or running.
pub async fn run(_config: checked::Config, _loader: Loader) -> anyhow::Result<exit::Code> {
    anyhow::bail!("the service is not wired yet")
}
