//! A line while a GPU compiles: without it, a first photo that takes a quarter of a minute looks like a
//! program that hangs.

use crate::device;
use crate::terminal::err;
use burn::tensor::Device;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How long a first result may take without a word.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits for the first result of a device, which is there once this is dropped.
pub(super) struct Compiling {
    _waiting: SyncSender<()>,
}

impl Compiling {
    /// Prints a line if the first result of a GPU takes longer than two seconds; `None` for a CPU, which
    /// compiles nothing.
    pub(super) fn on(device: &Device) -> Option<Self> {
        if device::on_cpu(device) {
            return None;
        }
        Self::new(PATIENCE, || {
            err!(
                "compiling the network for this GPU; this can take a minute, and most drivers keep the \
                 result for the next start"
            );
        })
    }

    fn new(patience: Duration, say: impl FnOnce() + Send + 'static) -> Option<Self> {
        let (_waiting, dropped) = sync_channel(1);
        let wait = move || {
            if dropped.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                say();
            }
        };
        let thread = thread::Builder::new().name("flowseg-compiling".into());
        // Without a thread there is no line, and nothing else is lost.
        thread.spawn(wait).ok().map(|_| Self { _waiting })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_only_while_the_first_result_is_missing() {
        let (send, said) = sync_channel(2);
        let slow = send.clone();
        let compiling = Compiling::new(Duration::ZERO, move || slow.send("slow").unwrap());
        assert_eq!(said.recv(), Ok("slow"));
        drop(compiling);
        drop(Compiling::new(Duration::from_secs(3600), move || {
            send.send("quick").unwrap();
        }));
        // The thread has ended without a word.
        assert!(said.recv().is_err());
        assert!(Compiling::on(&Device::flex()).is_none());
    }
}
