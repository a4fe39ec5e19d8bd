//! Asking again.

use std::future::Future;
use std::time::Duration;

use super::AzureError;

/// Times that something is asked for which the service is too busy, or too far away, to give.
const ATTEMPTS: u32 = 8;

/// The first pause between them; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Asks for what may be asked for twice, for some minutes while the service is busy or away.
///
/// # Errors
/// What it says at last.
pub async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, AzureError>
where
    F: Future<Output = Result<T, AzureError>>,
{
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match ask().await {
            Err(error @ (AzureError::Busy { .. } | AzureError::Away { .. })) => {
                tracing::warn!(%error, "asking again");
                tokio::time::sleep(error.after().unwrap_or(pause).min(LONGEST_PAUSE)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            answer => return answer,
        }
    }
    ask().await
}
