//! What a race reports, and how its threads send.

use super::control::Control;
use super::error::RaceError;
use super::scenes::{HeldOut, Snapshot};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

/// Pause between two attempts to send.
const PATIENCE: Duration = Duration::from_millis(2);

/// What happens in a race.
#[derive(Debug)]
pub enum Event {
    /// The data is open.
    Ready(Arc<HeldOut>),
    Snapshot(Arc<Snapshot>),
    /// Nothing follows. `Ok` for a race that came to its end or was stopped.
    Ended(Result<(), RaceError>),
}

/// Sends a value once there is room for it; false if the race is stopped first, or if nobody listens
/// any more.
pub(super) fn send<T>(sender: &SyncSender<T>, value: T, control: &Control) -> bool {
    let mut value = value;
    loop {
        match sender.try_send(value) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(_)) if control.stopped() => return false,
            Err(TrySendError::Full(back)) => value = back,
        }
        std::thread::sleep(PATIENCE);
    }
}
