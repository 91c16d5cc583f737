//! One side of a race: trains and measures what it is sent, on a thread of its own.

use super::control::Control;
use super::error::RaceError;
use super::event::{Event, send};
use super::scenes::{HeldOut, Snapshot};
use crate::data::{Batch, Dataset};
use crate::device::{Failure, attempt};
use crate::model::tensors::read;
use crate::panics::panic_message;
use crate::train::config::{Config, Stage};
use crate::train::state::TrainState;
use crate::train::supervision::Supervision;
use crate::train::trainer::{StepOutput, Trainer};
use burn::tensor::{Device, Tensor};
use rayon::ThreadPoolBuilder;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::available_parallelism;

/// What a side is to do next.
#[derive(Clone)]
pub(super) enum Work {
    Train(Arc<Batch>),
    /// Measure now; `seconds` of training have passed.
    Measure {
        seconds: f64,
    },
}

pub(super) struct SideWorker {
    /// 0 or 1.
    pub side: usize,
    pub title: String,
    pub config: Config,
    pub held_out: Arc<HeldOut>,
    pub data: Arc<Dataset>,
    pub device: Device,
    pub low_priority: bool,
    pub work: Receiver<Work>,
    /// Receives a message after the first training step.
    pub first_step: SyncSender<()>,
    pub events: SyncSender<Event>,
    pub control: Arc<Control>,
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// The losses since the last snapshot. They stay on the device until they are read.
#[derive(Default)]
struct Losses {
    /// The sum over the steps that changed the weights and whose batches have a labelled pixel, `[1]`, and their
    /// number, `[1]`.
    sums: Option<(Tensor<1>, Tensor<1>)>,
    /// Steps taken whose batches have a labelled pixel.
    taken: u64,
    /// Steps up to the last snapshot that did not change the weights, if none did since.
    skipped: u64,
}

impl Losses {
    fn add(&mut self, output: StepOutput) {
        if !output.weighed {
            return;
        }
        let loss = output.loss.mask_fill(output.finite.clone().bool_not(), 0.0);
        let count = output.finite.float();
        self.taken += 1;
        self.sums = Some(match self.sums.take() {
            Some((losses, counts)) => (losses + loss, counts + count),
            None => (loss, count),
        });
    }

    /// The mean loss of the steps in the sum; `None` if there are none.
    fn take(&mut self) -> Option<f64> {
        let (losses, counts) = self.sums.take()?;
        let number = |sum: Tensor<1>| read(sum).first().copied().map_or(0.0, f64::from);
        let (count, taken) = (number(counts), std::mem::take(&mut self.taken));
        if count > 0.0 {
            self.skipped = 0;
            Some(number(losses) / count)
        } else {
            self.skipped += taken;
            None
        }
    }

    /// Whether the steps up to the last snapshot have changed no weight for too long.
    fn diverged(&self, config: &Config) -> bool {
        self.skipped >= config.train.bad_steps
    }
}

impl SideWorker {
    /// Works until there is no more work or the race is stopped. The side's kernels share the
    /// processor's cores evenly with the other side's.
    pub(super) fn run(self) -> Result<(), RaceError> {
        let cores = available_parallelism().map_or(1, usize::from);
        let letter = ['a', 'b'][self.side.min(1)];
        let low_priority = self.low_priority;
        let pool = ThreadPoolBuilder::new()
            .num_threads((cores / 2).max(1))
            .thread_name(move |i| format!("flowseg-race-{letter}{i}"))
            .start_handler(move |_| {
                if low_priority {
                    lower_priority();
                }
            })
            .build()
            .map_err(|error| RaceError::Thread(error.to_string()))?;
        pool.install(move || worked(|| self.work()))
    }

    fn work(self) -> Result<(), RaceError> {
        let classes = &self.held_out.classes;
        let mut state = TrainState::new(&self.config, self.data.name(), classes, &self.device);
        state.order_classes(&self.config, &self.data)?;
        let stage = Stage {
            number: 1,
            first: 0,
            last: self.config.train.steps,
            config: self.config.clone(),
        };
        let mut trainer = Trainer::new(stage, state, Supervision::default(), &self.device);
        let mut losses = Losses::default();
        self.measure(&trainer, &mut losses, 0.0)?;
        while let Ok(work) = self.work.recv() {
            if self.control.stopped() {
                break;
            }
            match work {
                Work::Train(batch) => {
                    losses.add(trainer.step(&batch));
                    // Nobody waits for later ones.
                    let _ = self.first_step.try_send(());
                }
                Work::Measure { seconds } => self.measure(&trainer, &mut losses, seconds)?,
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        trainer: &Trainer,
        losses: &mut Losses,
        seconds: f64,
    ) -> Result<(), RaceError> {
        let loss = losses.take();
        let step = trainer.state.progress.step;
        if losses.diverged(&self.config) {
            let side = self.title.clone();
            return Err(RaceError::Diverged { side, step });
        }
        let found = self.held_out.measure(trainer, &self.device);
        let snapshot = Snapshot {
            side: self.side,
            step,
            seconds,
            loss,
            miou: found.miou,
            pixel_accuracy: found.pixel_accuracy,
            centroids: Arc::new(found.centroids),
            states: found.states,
            mask: found.mask,
            targets: found.targets,
            gradient: found.gradient,
            traversals: found.traversals,
        };
        send(
            &self.events,
            Event::Snapshot(Arc::new(snapshot)),
            &self.control,
        );
        (self.wake)();
        Ok(())
    }
}

/// The result of a side's work, or the error that its panic is.
fn worked(work: impl FnOnce() -> Result<(), RaceError>) -> Result<(), RaceError> {
    attempt(work).unwrap_or_else(|panic| {
        let failure = Failure::of(&panic_message(&*panic));
        Err(match failure {
            Failure::Memory(_) => RaceError::Full(failure.to_string()),
            Failure::Other(reason) => RaceError::Thread(reason),
        })
    })
}

/// Lowers the priority of the calling thread, where the system has one for each thread.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        /// Difference of niceness: a thread of the usual one gets nine times as much of a core.
        const NICER: libc::c_int = 10;
        // SAFETY: neither call has pointers. On Linux both apply to the calling thread alone. If they
        // fail, the priority stays as it is.
        unsafe {
            let nice = libc::getpriority(libc::PRIO_PROCESS, 0) + NICER;
            libc::setpriority(libc::PRIO_PROCESS, 0, nice.min(19));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_without_a_finite_gradient_are_a_divergence_unless_one_changes_the_weights() {
        let device = Device::flex();
        let step = |loss: f32| StepOutput {
            loss: Tensor::from_floats([loss], &device),
            learning_rate: 1e-3,
            gradient_norm: Tensor::from_floats([loss], &device),
            finite: Tensor::<1>::from_floats([loss], &device).is_finite(),
            weighed: true,
        };
        let config = Config::default();
        let mut losses = Losses::default();
        for _ in 1..config.train.bad_steps {
            losses.add(step(f32::NAN));
        }
        assert_eq!((losses.take(), losses.diverged(&config)), (None, false));
        losses.add(step(f32::INFINITY));
        assert_eq!((losses.take(), losses.diverged(&config)), (None, true));
        losses.add(step(2.0));
        losses.add(step(f32::NAN));
        assert_eq!(
            (losses.take(), losses.diverged(&config)),
            (Some(2.0), false)
        );
    }

    #[test]
    fn a_side_that_fills_the_memory_is_told() {
        let told = |work: fn() -> Result<(), RaceError>| worked(work).unwrap_err().to_string();
        assert_eq!(
            told(|| panic!("can't allocate buffer of size: 1048577")),
            "the device failed (it cannot allocate 2 MiB): lower size, batch_size, held_out or the network's sizes"
        );
        assert_eq!(told(|| Err(RaceError::Cancelled)), "cancelled");
    }
}
