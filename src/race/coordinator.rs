//! The thread that loads the batches, sends each to both sides and decides when they are measured.

use super::config::RaceConfig;
use super::control::{Control, Next, PATIENCE};
use super::error::RaceError;
use super::event::{Event, send};
use super::scenes::HeldOut;
use super::side::{SideWorker, Work};
use crate::data::{DataError, Dataset, Loader};
use crate::train;
use burn::tensor::Device;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

/// The thread that loads batches and directs both sides.
pub(super) struct Coordinator {
    pub config: RaceConfig,
    pub device: Device,
    /// Pause after that many training steps.
    pub pause_at: Option<u64>,
    /// Give way to other threads.
    pub low_priority: bool,
    pub control: Arc<Control>,
    pub events: SyncSender<Event>,
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// A side's thread.
struct SideThread {
    work: SyncSender<Work>,
    /// Receives a message after its first training step.
    begun: Receiver<()>,
    thread: JoinHandle<Result<(), RaceError>>,
}

impl Coordinator {
    pub(super) fn run(&self) -> Result<(), RaceError> {
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
        let (first_step, begun) = sync_channel(1);
        let settings = [&self.config.a, &self.config.b][side];
        let worker = SideWorker {
            side,
            title: self.config.titles()[side].clone(),
            config: self.config.training(settings),
            held_out: held_out.clone(),
            data: data.clone(),
            device: self.device.clone(),
            low_priority: self.low_priority,
            work: received,
            first_step,
            events: self.events.clone(),
            control: self.control.clone(),
            wake: self.wake.clone(),
        };
        let name = ["flowseg-race-a", "flowseg-race-b"][side];
        let thread = Builder::new().name(name.into()).spawn(move || worker.run());
        let thread = thread.map_err(|error| RaceError::Thread(error.to_string()))?;
        Ok(SideThread {
            work,
            begun,
            thread,
        })
    }

    /// Waits until both sides have taken their first step. False if the race is stopped before, or if a side
    /// ends.
    fn begun(&self, sides: &[SideThread; 2]) -> bool {
        sides.iter().all(|side| {
            loop {
                match side.begun.recv_timeout(PATIENCE) {
                    Ok(()) => return true,
                    Err(RecvTimeoutError::Timeout) if !self.control.stopped() => {}
                    Err(_) => return false,
                }
            }
        })
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
        // Whether both sides are measured where they are, and whether the clock stands still as well.
        let (mut measured, mut resting) = (true, true);
        let mut step = 0;
        while step < self.config.steps {
            if self
                .config
                .seconds
                .is_some_and(|limit| clock.seconds() >= limit)
            {
                break;
            }
            let single = match self.control.next(resting, last) {
                Next::Stop => return Ok(()),
                Next::Rest => {
                    clock.pause();
                    resting = true;
                    let seconds = clock.seconds();
                    if std::mem::replace(&mut measured, true) || both(&Work::Measure { seconds }) {
                        continue;
                    }
                    return Ok(());
                }
                Next::Step { single } => single,
            };
            last = Instant::now();
            // The first step includes the start: opening networks, and on a GPU compiling.
            if step > 0 {
                clock.run();
            }
            let Some(batch) = loader.next_unless(&stopped) else {
                return Ok(());
            };
            self.control.count_step();
            if !both(&Work::Train(Arc::new(batch?))) {
                return Ok(());
            }
            if step == 0 && !self.begun(sides) {
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
            resting = single;
            if self.pause_at == Some(step) {
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

/// Seconds of training after the first step, pauses left out.
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
