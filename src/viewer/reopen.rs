//! A window whose graphics device is lost closes, and is opened again with what it showed.

use super::options::{Front, Options};
use super::photo_list::PhotoList;
use crate::device::Choice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a window is opened again within [`PERIOD`]: a card that fails for good would lose every one.
const MOST: usize = 3;
/// Losses that are further apart have nothing to do with each other: a driver may be reset whenever the
/// machine wakes up.
const PERIOD: Duration = Duration::from_secs(600);

/// What a window showed when its device was lost.
pub(super) struct Kept {
    pub(super) photos: PhotoList,
    /// The name or path of the model that the user chose, if any.
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
/// its options, where to leave what it showed, and what the one before it showed. `now` tells the time.
///
/// At the second loss within [`PERIOD`] the CPU takes the place of an adapter that computes. A device
/// that only computes goes on: the adapter that draws is another one.
///
/// # Errors
/// That of the last window; or the device was lost too often.
pub(super) fn until_closed(
    mut options: Options,
    now: impl Fn() -> Instant,
    mut open: impl FnMut(&Options, Handover, Option<Shown>) -> Result<(), String>,
) -> Result<(), String> {
    let mut shown = None;
    let mut losses: Vec<Instant> = Vec::new();
    loop {
        let handover = Handover::default();
        let ended = open(&options, handover.clone(), shown.take());
        let Some(kept) = handover.take() else {
            return ended;
        };
        ended?;
        let lost = now();
        losses.retain(|before| lost.duration_since(*before) < PERIOD);
        losses.push(lost);
        if losses.len() > MOST {
            return Err(format!(
                "the graphics device was lost {} times within {} minutes, at last because of: {}; update \
                 the graphics driver, or draw on another adapter with --device wgpu:N (`flowseg devices` \
                 lists them). Settings and corrections are kept",
                losses.len(),
                PERIOD.as_secs() / 60,
                kept.reason
            ));
        }
        let then = if losses.len() > 1 && options.device.draws() {
            options.device = Choice::Cpu;
            "The CPU is used from now on."
        } else {
            "Settings and corrections are kept. A race or an export that was running has ended; a \
             training that was running goes on."
        };
        let notice = format!(
            "The graphics device was lost ({}), and the window was opened again. {then}",
            kept.reason
        );
        options = Options {
            model: kept.model,
            paths: Vec::new(),
            front: Front::Photo,
            ..options
        };
        // What the command line asks for was used and remembered, and other choices may have followed. Nothing is
        // chosen or remembered in a window for a screenshot.
        if options.screenshot.is_none() {
            (options.solver, options.steps, options.language) = (None, None, None);
            (options.theme, options.size) = (None, None);
        }
        shown = Some(Shown {
            photos: kept.photos,
            notice,
        });
    }
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
    use crate::sampler::Solver;
    use crate::texts::Language;
    use crate::viewer::options::Theme;
    use std::cell::Cell;
    use std::path::PathBuf;

    fn options() -> Options {
        Options {
            device: Choice::Auto,
            front: Front::Race { pause_after: 3 },
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
        let ended = until_closed(options(), Instant::now, |options, handover, shown| {
            devices.push(options.device.clone());
            match devices.len() {
                1 => {
                    assert!(shown.is_none());
                    assert_eq!(options.front, Front::Race { pause_after: 3 });
                }
                number => {
                    let shown = shown.unwrap();
                    assert_eq!(shown.photos.place().0, 2);
                    assert_eq!(options.model.as_deref(), Some("scenes"));
                    assert_eq!(options.front, Front::Photo);
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
    fn what_was_chosen_since_the_command_line_holds_in_the_next_window() {
        let first = || Options {
            solver: Some(Solver::Heun),
            steps: Some(7),
            language: Some(Language::German),
            theme: Some(Theme::Light),
            size: Some([800.0, 600.0]),
            ..options()
        };
        let asked = |options: &Options| {
            let Options {
                solver,
                steps,
                language,
                theme,
                size,
                ..
            } = options;
            (*solver, *steps, *language, *theme, *size)
        };
        let screenshot = Some(PathBuf::from("window.png"));
        for (screenshot, expected) in [
            (None, (None, None, None, None, None)),
            (screenshot, asked(&first())),
        ] {
            let first = Options {
                screenshot,
                ..first()
            };
            let mut windows = Vec::new();
            let ended = until_closed(first, Instant::now, |options, handover, _| {
                windows.push(asked(options));
                if windows.len() == 1 {
                    lose(&handover);
                }
                Ok(())
            });
            assert_eq!(ended, Ok(()));
            assert_eq!(windows[1], expected);
        }
    }

    #[test]
    fn a_card_that_fails_for_good_ends_the_program() {
        let mut count = 0;
        let ended = until_closed(options(), Instant::now, |_, handover, _| {
            count += 1;
            lose(&handover);
            Ok(())
        });
        let error = ended.unwrap_err();
        assert!(
            error.contains("4 times within 10 minutes") && error.contains("--device wgpu:N"),
            "{error}"
        );
        // The CPU computes already.
        assert!(!error.contains("--device cpu"), "{error}");
        assert_eq!(count, MOST + 1);
    }

    /// The devices that compute in windows that are all lost but the last, each `apart` after the one
    /// before it.
    fn computing(first: Choice, windows: usize, apart: Duration) -> Vec<Choice> {
        let time = Cell::new(Instant::now());
        let mut devices = Vec::new();
        let options = Options {
            device: first,
            ..options()
        };
        let ended = until_closed(
            options,
            || time.get(),
            |options, handover, _| {
                devices.push(options.device.clone());
                if devices.len() < windows {
                    time.set(time.get() + apart);
                    lose(&handover);
                }
                Ok(())
            },
        );
        assert_eq!(ended, Ok(()));
        devices
    }

    #[test]
    fn losses_far_apart_change_nothing() {
        let devices = computing(Choice::Auto, 9, PERIOD);
        assert_eq!(devices, vec![Choice::Auto; 9]);
        let devices = computing(Choice::Auto, 3, PERIOD / 2);
        assert_eq!(devices[2], Choice::Cpu);
    }

    #[test]
    fn a_device_that_only_computes_goes_on() {
        for device in [Choice::Cuda(1), Choice::Cpu] {
            let devices = computing(device.clone(), 4, Duration::ZERO);
            assert_eq!(devices, vec![device; 4]);
        }
        let devices = computing(Choice::Wgpu(Some(1)), 4, Duration::ZERO);
        assert_eq!(
            devices[1..],
            [Choice::Wgpu(Some(1)), Choice::Cpu, Choice::Cpu]
        );
    }

    #[test]
    fn another_error_is_returned() {
        let ended = until_closed(options(), Instant::now, |_, _, _| {
            Err("no display".to_owned())
        });
        assert_eq!(ended, Err("no display".to_owned()));
    }
}
