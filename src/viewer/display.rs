//! Checks for a display to open a window on and an adapter to draw it with, and explains what is
//! missing.

use crate::device::DeviceError;
use crate::panics::panic_message;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Alternatives to the window.
const INSTEAD: &str =
    "`flowseg segment` writes masks without a window, and `flowseg --help` lists all commands";

/// Environment variables that name a display on systems without a built-in desktop.
const DISPLAYS: [&str; 3] = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"];

/// Whether environment variables name the displays of this system.
const NAMED: bool = cfg!(all(unix, not(any(target_os = "macos", target_os = "ios"))));

/// The display that the windowing library will connect to, as `NAME=VALUE`.
fn named() -> Option<String> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut named = DISPLAYS
        .iter()
        .filter_map(|name| Some((name, value(name)?)));
    named.next().map(|(name, value)| format!("{name}={value}"))
}

/// Checks that a display is named, before a device is opened.
///
/// # Errors
/// One line with an alternative.
pub(super) fn check() -> Result<(), String> {
    match named() {
        None if NAMED => Err(format!(
            "there is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set): \
             {INSTEAD}"
        )),
        _ => Ok(()),
    }
}

/// Explains why the window cannot be drawn. A CPU can compute masks, but not draw a window.
pub(super) fn cannot_draw(error: DeviceError) -> String {
    let driver =
        "install a driver for the graphics card, or a software one such as Mesa's lavapipe";
    match error {
        DeviceError::NoAdapter => {
            format!("no graphics adapter was found to draw the window: {driver}; {INSTEAD}")
        }
        DeviceError::Refused { adapter, reason } => format!(
            "the adapter {adapter} cannot draw the window ({reason}): update its driver; {INSTEAD}"
        ),
        other => other.to_string(),
    }
}

/// Opens and runs a window, and sets `opened` once it is open.
///
/// The windowing libraries panic if the system lacks a library or an extension that they need. Until
/// the window is open, such a panic becomes an error of one line; afterwards it is reported as usual
/// and becomes an error as well.
///
/// # Errors
/// One line: why there is no window, or why it closed.
pub(super) fn run(
    opened: &Arc<AtomicBool>,
    window: impl FnOnce() -> eframe::Result,
) -> Result<(), String> {
    let before = Arc::new(take_hook());
    let reason = Arc::new(Mutex::new(None));
    let (of_hook, panicked, opening) = (before.clone(), reason.clone(), opened.clone());
    let thread = std::thread::current().id();
    set_hook(Box::new(move |panic| {
        *panicked.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(panic_message(panic.payload()));
        if opening.load(Ordering::Relaxed) || std::thread::current().id() != thread {
            of_hook(panic);
        }
    }));
    let ended = catch_unwind(AssertUnwindSafe(window));
    set_hook(Box::new(move |panic| before(panic)));
    let panicked = reason.lock().unwrap_or_else(PoisonError::into_inner).take();
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => {
            let reason = panicked.unwrap_or_default();
            Err(if opened.load(Ordering::Relaxed) {
                format!("the window closed because of a bug ({reason})")
            } else {
                format!("the window cannot open ({reason}): {INSTEAD}")
            })
        }
    }
}

fn failed(error: &eframe::Error) -> String {
    match error {
        // Their messages contain source paths of the build machine.
        eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => {
            let display = named().map_or_else(String::new, |display| format!(" ({display})"));
            format!("the display{display} does not respond: check that it is running; {INSTEAD}")
        }
        other => format!("the window cannot open ({other}): check the graphics driver; {INSTEAD}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_library_before_the_window_opens_becomes_one_line() {
        let opened = Arc::new(AtomicBool::new(false));
        let error = run(&opened, || {
            panic!("Library libxkbcommon.so\ncould not be loaded")
        });
        let error = error.unwrap_err();
        assert!(
            error.contains("Library libxkbcommon.so could not be loaded"),
            "{error}"
        );
        assert!(
            error.contains("flowseg segment") && !error.contains('\n'),
            "{error}"
        );
    }

    #[test]
    fn advice_for_the_window_is_not_to_compute_on_the_processor() {
        let refused = DeviceError::Refused {
            adapter: "a card".to_owned(),
            reason: "out of memory".to_owned(),
        };
        for error in [DeviceError::NoAdapter, refused] {
            let text = cannot_draw(error);
            assert!(!text.contains("--device cpu"), "{text}");
            assert!(
                text.contains("adapter") && text.contains("flowseg segment"),
                "{text}"
            );
        }
    }
}
