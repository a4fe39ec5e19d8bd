//! What the service manager (systemd) is told: ready, reloading, stopping, and signs of life.
//!
//! A sign of life is given only while everything is at work without which no event is accepted: a program that hangs
//! is started again, one that merely waits for a receiver is not.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::Service;

/// Ready to take events.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Taking up a new configuration; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "cannot say that a reload begins"),
    }
}

/// On the way down.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}

/// Gives signs of life until `shutdown`, twice in the time after which the manager would act.
pub(super) async fn keep_alive(service: Service, time: Duration, shutdown: CancellationToken) {
    let mut beat = tokio::time::interval(time / 2);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = beat.tick() => {}
        }
        // A check that hangs is itself the sign: none is given then.
        let checked = tokio::select! {
            () = shutdown.cancelled() => return,
            checked = tokio::time::timeout(time, service.check_alive()) => checked,
        };
        match checked {
            Ok(Ok(())) => tell(&[NotifyState::Watchdog]),
            Ok(Err(dead)) => tracing::error!("no sign of life to the service manager: {dead}"),
            Err(_) => tracing::error!(
                "no sign of life to the service manager: the journal's writer does not answer"
            ),
        }
    }
}
