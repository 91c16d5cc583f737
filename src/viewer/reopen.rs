//! A window whose graphics device is lost closes, and is opened again with what it showed.

use super::options::Options;
use super::photo_list::PhotoList;
use crate::device::Choice;
use std::sync::{Arc, Mutex, PoisonError};

/// How often a window is opened again: a card that fails for good would lose every one.
const MOST: usize = 3;

/// What a window showed when its device was lost.
pub(super) struct Kept {
    pub(super) photos: PhotoList,
    /// The name or path of the model, if one was open.
    pub(super) model: Option<String>,
    /// Why the device was lost.
    pub(super) reason: String,
}

/// Where a window leaves what the next one is to show.
#[derive(Clone, Default)]
pub(super) struct Handover(Arc<Mutex<Option<Kept>>>);

impl Handover {
    pub(super) fn leave(&self, kept: Kept) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    fn take(&self) -> Option<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Opens windows with `open` until one closes for another reason than a lost device. Every window gets
/// its options, where to leave what it showed, and what the one before it showed.
///
/// # Errors
/// That of the last window; or the device was lost too often.
pub(super) fn until_closed(
    mut options: Options,
    mut open: impl FnMut(&Options, Handover, Option<Shown>) -> Result<(), String>,
) -> Result<(), String> {
    let mut shown = None;
    for losses in 1.. {
        let handover = Handover::default();
        let ended = open(&options, handover.clone(), shown.take());
        let Some(kept) = handover.take() else {
            return ended;
        };
        ended?;
        if losses > MOST {
            return Err(format!(
                "the graphics device was lost {losses} times, at last because of: {}; update the \
                 graphics driver, or try `flowseg view --device cpu`. Settings and corrections are kept",
                kept.reason
            ));
        }
        let on_cpu = losses > 1 && options.device != Choice::Cpu;
        let then = if on_cpu {
            options.device = Choice::Cpu;
            "The CPU is used from now on."
        } else {
            "Settings and corrections are kept; a race or an export that was running has ended."
        };
        let notice = format!(
            "The graphics device was lost ({}), and the window was opened again. {then}",
            kept.reason
        );
        options = Options {
            model: kept.model,
            paths: Vec::new(),
            field: None,
            race: None,
            lesson: None,
            ..options
        };
        shown = Some(Shown {
            photos: kept.photos,
            notice,
        });
    }
    Ok(())
}

/// What a window that is opened again shows.
pub(super) struct Shown {
    pub(super) photos: PhotoList,
    /// What happened.
    pub(super) notice: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            device: Choice::Auto,
            race: Some(3),
            ..Options::default()
        }
    }

    fn lose(handover: &Handover) {
        handover.leave(Kept {
            photos: PhotoList::samples(2),
            model: Some("scenes".to_owned()),
            reason: "a reset".to_owned(),
        });
    }

    #[test]
    fn a_lost_window_is_opened_again_with_what_it_showed() {
        let mut devices = Vec::new();
        let ended = until_closed(options(), |options, handover, shown| {
            devices.push(options.device.clone());
            match devices.len() {
                1 => assert!(shown.is_none() && options.race == Some(3)),
                number => {
                    let shown = shown.unwrap();
                    assert_eq!(shown.photos.place().0, 2);
                    assert_eq!(options.model.as_deref(), Some("scenes"));
                    assert!(options.race.is_none());
                    assert!(shown.notice.contains("(a reset)"), "{}", shown.notice);
                    assert_eq!(shown.notice.contains("The CPU is used"), number == 3);
                }
            }
            if devices.len() < 3 {
                lose(&handover);
            }
            Ok(())
        });
        assert_eq!(ended, Ok(()));
        assert_eq!(devices, [Choice::Auto, Choice::Auto, Choice::Cpu]);
    }

    #[test]
    fn a_card_that_fails_for_good_ends_the_program() {
        let mut count = 0;
        let ended = until_closed(options(), |_, handover, _| {
            count += 1;
            lose(&handover);
            Ok(())
        });
        let error = ended.unwrap_err();
        assert!(
            error.contains("4 times") && error.contains("--device cpu"),
            "{error}"
        );
        assert_eq!(count, MOST + 1);
    }

    #[test]
    fn another_error_is_returned() {
        let ended = until_closed(options(), |_, _, _| Err("no display".to_owned()));
        assert_eq!(ended, Err("no display".to_owned()));
    }
}
