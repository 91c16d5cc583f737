//! How a command responds to the signals that it receives.

use std::time::{Duration, Instant};

/// Signals closer together than this count as one: a bouncing key, or a wrapper that forwards what the
/// terminal has already sent to the whole process group.
const DEBOUNCE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C or Ctrl-Break.
    Interrupt,
    /// SIGTERM, which only Unix has.
    #[cfg_attr(not(unix), allow(dead_code))]
    Terminate,
    /// The terminal was closed.
    HangUp,
}

impl Signal {
    /// The exit status of a command that the signal ended: 128 plus the signal's number on Unix, as a
    /// shell reports it.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// How to respond to a signal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Stop,
    Leave,
    Nothing,
}

/// The signals that a command has received.
#[derive(Default)]
pub(crate) struct Signals {
    first: Option<Instant>,
}

impl Signals {
    /// How to respond to a signal that is received `now`.
    pub(crate) fn on_signal(&mut self, signal: Signal, now: Instant) -> Answer {
        match (self.first, signal) {
            (None, _) => {
                self.first = Some(now);
                Answer::Stop
            }
            // A closing terminal sends several hang-ups, which don't mean urgency.
            (Some(_), Signal::HangUp) => Answer::Nothing,
            (Some(first), _) if now.duration_since(first) >= DEBOUNCE => Answer::Leave,
            (Some(_), _) => Answer::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_signals_at_once_count_as_one_and_a_later_one_as_a_second() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut signals = Signals::default();
        assert_eq!(signals.on_signal(Signal::Interrupt, start), Answer::Stop);
        assert_eq!(
            signals.on_signal(Signal::Interrupt, after(20)),
            Answer::Nothing
        );
        assert_eq!(
            signals.on_signal(Signal::Terminate, after(999)),
            Answer::Nothing
        );
        assert_eq!(
            signals.on_signal(Signal::HangUp, after(5000)),
            Answer::Nothing
        );
        assert_eq!(
            signals.on_signal(Signal::Interrupt, after(5001)),
            Answer::Leave
        );
    }

    #[test]
    fn a_hang_up_asks_to_stop_and_never_to_hurry() {
        let start = Instant::now();
        let mut signals = Signals::default();
        assert_eq!(signals.on_signal(Signal::HangUp, start), Answer::Stop);
        let later = start + Duration::from_secs(9);
        assert_eq!(signals.on_signal(Signal::HangUp, later), Answer::Nothing);
        assert_eq!(signals.on_signal(Signal::Terminate, later), Answer::Leave);
    }
}
