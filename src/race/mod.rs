//! A race: two small networks train side by side from the same first weights and on the same batches,
//! and differ only in what they are trained towards.
//!
//! | files | contents |
//! |---|---|
//! | `config` | the settings |
//! | `side`, `control` | the two trainings and how they are steered |
//! | `scenes`, `gradient`, `traversals`, `slice` | what is measured, and on which scenes |
//! | `record` | the measurements so far |
//! | `picture`, `chart`, `output` | pictures, animations and tables of it |
//!
//! Each side runs [`crate::train::trainer::Trainer`] on a thread of its own. A third thread loads the
//! batches, sends each to both sides and decides when they are measured, so that the sides never are
//! more than two steps apart.

mod chart;
mod config;
mod control;
mod error;
mod gradient;
mod output;
mod picture;
mod record;
mod scenes;
mod side;
mod slice;
#[cfg(test)]
mod tests;
mod traversals;

pub use config::{CLASSES, NetworkSizes, RaceConfig, Side};
pub use error::RaceError;
pub use gradient::{BINS, GradientByDistance, WIDTH};
pub use output::{FILES, animation, curves_csv, summary};
pub use picture::{curves, frame};
pub use record::{Frame, Point, Record};
pub use scenes::{HeldOut, Snapshot};
pub use slice::{Arrow, CELLS, HALF_THICKNESS, REACH, Slice};
pub use traversals::Traversals;

use crate::data::{DataError, Dataset, Loader};
use crate::train;
use burn::tensor::Device;
use control::{Control, Next};
use side::{SideWorker, Work};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Events that wait for whoever watches.
const WAITING: usize = 16;
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
            options,
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

/// Sends a value once there is room for it; false if the race is stopped first, or if nobody listens
/// any more.
fn send<T>(sender: &SyncSender<T>, value: T, control: &Control) -> bool {
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

/// The thread that loads batches and directs both sides.
struct Coordinator {
    config: RaceConfig,
    device: Device,
    options: StartOptions,
    control: Arc<Control>,
    events: SyncSender<Event>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// A side's thread.
struct SideThread {
    work: SyncSender<Work>,
    thread: JoinHandle<Result<(), RaceError>>,
}

impl Coordinator {
    fn run(&self) -> Result<(), RaceError> {
        let held_out = Arc::new(HeldOut::open(&self.config)?);
        let data = Arc::new(Dataset::open(&self.config.path(), "training")?);
        self.check_memory(&held_out, &data)?;
        send(&self.events, Event::Ready(held_out.clone()), &self.control);
        (self.wake)();
        let mut loader = Loader::new(data.clone(), self.config.batches(), 0, self.config.steps)?;
        let sides = [
            self.side(0, &held_out, &data)?,
            self.side(1, &held_out, &data)?,
        ];
        let fed = self.feed(&mut loader, &sides);
        // Without a sender a side ends once it has done what it was sent.
        let threads = sides.map(|side| side.thread);
        for thread in threads {
            let panicked = |_| RaceError::Thread("a side ended unexpectedly".into());
            thread.join().map_err(panicked)??;
        }
        fed.map_err(RaceError::from)
    }

    /// Refuses a race that the device has no memory for.
    fn check_memory(&self, held_out: &HeldOut, data: &Dataset) -> Result<(), RaceError> {
        const GIB: f64 = (1u64 << 30) as f64;
        let mut needed = 0;
        let mut available = None;
        for side in [&self.config.a, &self.config.b] {
            let plan = self.config.training(side).plan()?;
            let (peak, limit) = train::peak_memory(&plan, data, &self.device).map_err(Box::new)?;
            needed += peak + held_out.bytes();
            available = available.or(limit);
        }
        match available {
            Some(available) if needed > available => Err(RaceError::Memory {
                needed: needed as f64 / GIB,
                available: available as f64 / GIB,
            }),
            _ => Ok(()),
        }
    }

    fn side(
        &self,
        side: usize,
        held_out: &Arc<HeldOut>,
        data: &Arc<Dataset>,
    ) -> Result<SideThread, RaceError> {
        let (work, received) = sync_channel(1);
        let settings = [&self.config.a, &self.config.b][side];
        let worker = SideWorker {
            side,
            title: self.config.titles()[side].clone(),
            config: self.config.training(settings),
            held_out: held_out.clone(),
            data: data.clone(),
            device: self.device.clone(),
            low_priority: self.options.low_priority,
            work: received,
            events: self.events.clone(),
            control: self.control.clone(),
            wake: self.wake.clone(),
        };
        let name = ["flowseg-race-a", "flowseg-race-b"][side];
        let thread = Builder::new().name(name.into()).spawn(move || worker.run());
        let thread = thread.map_err(|error| RaceError::Thread(error.to_string()))?;
        Ok(SideThread { work, thread })
    }

    /// Sends batches to both sides until the race is over.
    fn feed(&self, loader: &mut Loader, sides: &[SideThread; 2]) -> Result<(), DataError> {
        let stopped = || self.control.stopped();
        let both = |work: &Work| {
            let sent = |side: &SideThread| send(&side.work, work.clone(), &self.control);
            sides.iter().all(sent)
        };
        let mut clock = Clock::default();
        let mut last = Instant::now();
        let (mut step, mut measured) = (0, true);
        while step < self.config.steps {
            if self
                .config
                .seconds
                .is_some_and(|limit| clock.seconds() >= limit)
            {
                break;
            }
            let single = match self.control.next(measured, last) {
                Next::Stop => return Ok(()),
                Next::Measure => {
                    clock.pause();
                    measured = true;
                    let seconds = clock.seconds();
                    if both(&Work::Measure { seconds }) {
                        continue;
                    }
                    return Ok(());
                }
                Next::Step { single } => single,
            };
            last = Instant::now();
            clock.run();
            let Some(batch) = loader.next_unless(&stopped) else {
                return Ok(());
            };
            self.control.count_step();
            if !both(&Work::Train(Arc::new(batch?))) {
                return Ok(());
            }
            step += 1;
            measured = single || step.is_multiple_of(self.config.measure_every);
            if measured {
                let seconds = clock.seconds();
                if !both(&Work::Measure { seconds }) {
                    return Ok(());
                }
            }
            if single {
                clock.pause();
            }
            if self.options.pause_at == Some(step) {
                self.control.pause(true);
            }
        }
        if !measured {
            let seconds = clock.seconds();
            both(&Work::Measure { seconds });
        }
        Ok(())
    }
}

/// Seconds of training, pauses left out.
#[derive(Default)]
struct Clock {
    before: f64,
    since: Option<Instant>,
}

impl Clock {
    fn run(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn pause(&mut self) {
        self.before = self.seconds();
        self.since = None;
    }

    fn seconds(&self) -> f64 {
        let running = self
            .since
            .map_or(0.0, |since| since.elapsed().as_secs_f64());
        self.before + running
    }
}
