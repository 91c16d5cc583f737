//! The loss of a graphics device: its driver was reset, or the card is gone.

use super::backend_of;
use burn::backend::{CubeDevice, DispatchDevice};
use burn::tensor::Device;
use burn::tensor::wgpu::wgpu;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{Builder, ThreadId};
use std::time::Duration;

/// The environment variable by which tests lose a device: the path of a file. Once there is one, the
/// first device is lost.
const LOSE: &str = "FLOWSEG_LOSE_DEVICE";
/// How often the file is looked for.
const LOOK: Duration = Duration::from_millis(50);

type Wake = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    reason: OnceLock<String>,
    wake: OnceLock<Wake>,
    errors: Mutex<Errors>,
}

/// Errors that no error scope caught on the window's thread.
#[derive(Default)]
struct Errors {
    /// All of them, each once: what fails in a frame fails in every frame.
    seen: Vec<String>,
    /// How many of them were taken.
    taken: usize,
}

/// The devices that compute and draw.
static SHARED: Mutex<Vec<(CubeDevice, Weak<State>)>> = Mutex::new(Vec::new());

/// Why a device that computes for a window and draws it was lost; `None` while it is not, and for other
/// devices, of which Burn knows by itself.
fn reason(device: &Device) -> Option<String> {
    let DispatchDevice::Cube(device) = backend_of(device) else {
        return None;
    };
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, state) = shared.iter().find(|(known, _)| known == device)?;
    state.upgrade()?.reason.get().cloned()
}

/// To be called after a read: what is read from a lost device has no meaning.
///
/// # Panics
/// If a device that computes for a window and draws it was lost, as Burn does for other devices. The
/// panic is not reported: the window tells of the loss.
pub(crate) fn unwind_if_lost(device: &Device) {
    if let Some(reason) = reason(device) {
        resume_unwind(Box::new(format!("the graphics device was lost: {reason}")));
    }
}

/// Whether a device is lost, and what its driver has refused.
#[derive(Clone, Default)]
pub struct Loss(Arc<State>);

impl Loss {
    /// Watches a device that draws on this thread.
    ///
    /// Errors on this thread are collected instead of ending it. On other threads wgpu's default stays:
    /// a panic, which the worker turns into an error of its work. Once the device is lost, errors mean
    /// nothing.
    pub(super) fn watch(device: &wgpu::Device) -> Self {
        let loss = Self::default();
        let state = loss.0.clone();
        device.set_device_lost_callback(move |_, message| {
            let message = message.replace('\n', " ");
            let message = message.trim().trim_end_matches('.');
            tracing::warn!("the graphics device is lost: {message}");
            let reason = if message.is_empty() {
                "no reason given"
            } else {
                message
            };
            // Only the first loss counts.
            let _ = state.reason.set(reason.to_owned());
            state.wake();
        });
        let state = loss.0.clone();
        let window = std::thread::current().id();
        device.on_uncaptured_error(Arc::new(move |error| state.uncaptured(window, &error)));
        loss
    }

    /// From now on [`unwind_if_lost`] knows of the loss of this device, which computes as well. wgpu tells only the
    /// last one who asks, so Burn is not told any more.
    pub(super) fn tell_of(&self, device: &Device) {
        if let DispatchDevice::Cube(device) = backend_of(device) {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            shared.retain(|(_, state)| state.strong_count() > 0);
            shared.push((device.clone(), Arc::downgrade(&self.0)));
        }
    }

    /// From now on, a loss or an error is followed by a call of `wake`, from any thread.
    pub fn wake_by(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.wake.set(Box::new(wake));
    }

    /// Why the device was lost; `None` while it is not.
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.get().map(String::as_str)
    }

    /// The errors that are new since the last call, one line each.
    pub fn take_errors(&self) -> Vec<String> {
        let mut errors = self.0.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let new = errors.seen[errors.taken..].to_vec();
        errors.taken = errors.seen.len();
        new
    }
}

impl State {
    fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    fn uncaptured(&self, window: ThreadId, error: &wgpu::Error) {
        if self.reason.get().is_some() {
            tracing::debug!("error of a lost device: {error}");
            return;
        }
        assert!(
            std::thread::current().id() == window,
            "the graphics driver reports: {error}"
        );
        let text = error.to_string();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        tracing::error!("{line}");
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if !errors.seen.contains(&line) {
            errors.seen.push(line);
            drop(errors);
            self.wake();
        }
    }
}

/// Loses the first device when the environment says so, as a reset of the driver would.
pub(super) fn simulate(device: &wgpu::Device) {
    static ONCE: OnceLock<()> = OnceLock::new();
    let Some(signal) = std::env::var_os(LOSE).map(PathBuf::from) else {
        return;
    };
    if ONCE.set(()).is_err() {
        return;
    }
    let device = device.clone();
    let lose = move || {
        while !signal.exists() {
            std::thread::sleep(LOOK);
        }
        device.destroy();
        // A driver's reset is noticed by the next command; a destroyed device has to be asked.
        let _ = device.poll(wgpu::PollType::Poll);
    };
    if let Err(error) = Builder::new().name("flowseg-lose".into()).spawn(lose) {
        tracing::error!("cannot start a thread: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Choice;
    use crate::panics::panic_message;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Instant;

    fn wait(condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_destroyed_device_is_lost_and_its_errors_are_not_reported() {
        let opened = pollster::block_on(crate::device::open_for_window(Choice::Cpu));
        let (_, graphics) = opened.unwrap();
        let woken = Arc::new(OnceLock::new());
        let by = woken.clone();
        graphics.loss.wake_by(move || {
            let _ = by.set(());
        });
        // An error while the device works: a buffer that is larger than all limits.
        let huge = wgpu::BufferDescriptor {
            label: None,
            size: u64::MAX / 8 * 4,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        };
        let _ = graphics.device.create_buffer(&huge);
        let _ = graphics.device.create_buffer(&huge);
        assert_eq!(graphics.loss.take_errors().len(), 1);
        let _ = graphics.device.create_buffer(&huge);
        assert!(graphics.loss.take_errors().is_empty());
        assert!(graphics.loss.reason().is_none() && woken.get().is_some());

        graphics.device.destroy();
        wait(|| {
            let _ = graphics.device.poll(wgpu::PollType::Poll);
            graphics.loss.reason().is_some()
        });
        let _ = graphics.device.create_buffer(&huge);
        assert!(graphics.loss.take_errors().is_empty());
    }

    #[test]
    fn nothing_is_read_from_a_lost_device() {
        let opened = pollster::block_on(crate::device::open_for_window(Choice::Wgpu(None)));
        let (opened, graphics) = opened.unwrap();
        unwind_if_lost(&opened.device);
        graphics.device.destroy();
        wait(|| {
            let _ = graphics.device.poll(wgpu::PollType::Poll);
            graphics.loss.reason().is_some()
        });
        let read = || unwind_if_lost(&opened.device);
        let panic = catch_unwind(AssertUnwindSafe(read)).unwrap_err();
        assert!(panic_message(&*panic).starts_with("the graphics device was lost: "));
        unwind_if_lost(&Device::flex());
    }
}
