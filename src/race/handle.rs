//! A running race, as whoever watches holds it.

use super::config::RaceConfig;
use super::control::Control;
use super::coordinator::Coordinator;
use super::error::RaceError;
use super::event::Event;
use burn::tensor::Device;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// Events that wait for whoever watches.
const WAITING: usize = 16;

/// How a race is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartOptions {
    /// Pause by itself after that many training steps.
    pub pause_at: Option<u64>,
    /// Give way to other threads, such as those that draw a window.
    pub low_priority: bool,
}

/// A running race. Dropping it stops it.
pub struct Race {
    control: Arc<Control>,
    events: Receiver<Event>,
}

impl Race {
    /// Starts a race on a device. `wake` is called from its threads after every event.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub fn start(
        config: RaceConfig,
        device: &Device,
        options: StartOptions,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (events, received) = sync_channel(WAITING);
        let control = Arc::new(Control::default());
        let coordinator = Coordinator {
            config,
            device: device.clone(),
            pause_at: options.pause_at,
            low_priority: options.low_priority,
            control: control.clone(),
            events,
            wake: Arc::new(wake),
        };
        Builder::new().name("flowseg-race".into()).spawn(move || {
            let outcome = coordinator.run();
            // Waits for room even if the race was stopped. Fails if nobody listens any more.
            let _ = coordinator.events.send(Event::Ended(outcome));
            (coordinator.wake)();
        })?;
        Ok(Self {
            control,
            events: received,
        })
    }

    /// The next event, if there is one.
    pub fn poll(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// The next event, waited for up to `patience`. `Err` if nothing can follow.
    ///
    /// # Errors
    /// After the end.
    pub fn wait(&self, patience: Duration) -> Result<Option<Event>, RaceError> {
        match self.events.recv_timeout(patience) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(RaceError::Thread("it has ended".into())),
        }
    }

    /// Pauses or continues. Both sides are measured where they pause.
    pub fn pause(&self, paused: bool) {
        self.control.pause(paused);
    }

    /// Whether it is paused, by whatever.
    pub fn paused(&self) -> bool {
        self.control.paused()
    }

    /// Takes one training step, measures, and pauses.
    pub fn single_step(&self) {
        self.control.single_step();
    }

    /// Limits the training steps per second; `None` for as fast as possible.
    pub fn set_pace(&self, pace: Option<f32>) {
        self.control.set_pace(pace);
    }

    /// Training steps started so far.
    pub fn steps(&self) -> u64 {
        self.control.steps()
    }

    /// Asks the race to end; [`Event::Ended`] follows.
    pub fn stop(&self) {
        self.control.stop();
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        self.control.stop();
    }
}
