//! Further devices that take the same steps as the first, each on its own thread and with its own
//! share of every batch.
//!
//! Every device holds the whole training state. The states start equal, since they depend only on
//! the seed or on files, and stay equal, since all devices apply the same update of the same summed
//! gradient. Only the first device validates, saves and reports.

use super::{PeerLost, Rank};
use crate::data::Batch;
use crate::device::{Failure, attempt};
use crate::panics::panic_message;
use crate::train::TrainError;
use crate::train::restore::Setup;
use crate::train::supervision::Supervision;
use crate::train::trainer::{StepOutput, Trainer};
use burn::tensor::Device;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// All devices of a run; the first one belongs to the caller's thread.
pub(crate) struct WorkerGroup {
    rank: Rank,
    workers: Vec<WorkerHandle>,
}

struct WorkerHandle {
    commands: SyncSender<Command>,
    thread: JoinHandle<Result<(), Failure>>,
}

/// Take a step of the stage with this number, counted from 1.
struct Command {
    stage: usize,
    batch: Arc<Batch>,
}

impl WorkerGroup {
    /// Starts a thread for every device but the first, which is at `step`, and waits until all have their weights;
    /// after that the run folder may change.
    ///
    /// # Errors
    /// If a device cannot start, or starts from another checkpoint than the first.
    pub(crate) fn new(setup: &Setup, devices: &[Device], step: u64) -> Result<Self, TrainError> {
        let mut ranks = Rank::of(devices).into_iter();
        let rank = ranks.next().unwrap_or_else(Rank::alone);
        let mut group = Self {
            rank,
            workers: Vec::new(),
        };
        let (ready, waiting) = sync_channel(devices.len());
        for (number, (rank, device)) in (1..).zip(ranks.zip(&devices[1..])) {
            let (commands, incoming) = sync_channel(1);
            let worker = Worker {
                setup: setup.clone(),
                device: device.clone(),
                rank,
            };
            let ready = ready.clone();
            let thread = Builder::new()
                .name(format!("flowseg-device-{number}"))
                .spawn(move || worked(|| worker.run(ready, &incoming)))
                .map_err(|error| TrainError::Device(error.to_string()))?;
            group.workers.push(WorkerHandle { commands, thread });
        }
        drop(ready);
        for _ in 0..group.workers.len() {
            match waiting.recv() {
                Err(_) => return Err(group.failure()),
                // Their weights would differ until the end of the run.
                Ok(other) if other != step => {
                    let reason =
                        format!("it read the checkpoint of step {other} instead of {step}");
                    return Err(TrainError::Device(reason));
                }
                Ok(_) => {}
            }
        }
        Ok(group)
    }

    /// Takes one step on all devices, with `trainer` on the first; `None` if stopped.
    ///
    /// # Errors
    /// If a device has failed.
    pub(crate) fn step(
        &mut self,
        trainer: &mut Trainer,
        batch: Batch,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<StepOutput>, TrainError> {
        let batch = Arc::new(batch);
        for worker in &self.workers {
            let (stage, batch) = (trainer.stage.number, batch.clone());
            if worker.commands.send(Command { stage, batch }).is_err() {
                return Err(self.failure());
            }
        }
        let output = trainer.step_share(&batch, &self.rank, stop);
        output.map_err(|PeerLost| self.failure())
    }

    /// Ends all threads, and returns why one of them ended early.
    fn failure(&mut self) -> TrainError {
        let ended = || Failure::Other("its thread ended".to_owned());
        TrainError::of_device(&self.end().unwrap_or_else(ended))
    }

    /// Ends all threads. Returns the failure of the first one that failed.
    fn end(&mut self) -> Option<Failure> {
        // Dropping the rank unblocks workers that wait for this device.
        self.rank = Rank::alone();
        let (mut channels, mut threads) = (Vec::new(), Vec::new());
        for WorkerHandle { commands, thread } in self.workers.drain(..) {
            channels.push(commands);
            threads.push(thread);
        }
        drop(channels);
        let ends = threads.into_iter().map(|thread| match thread.join() {
            Ok(worked) => worked.err(),
            Err(panic) => Some(Failure::of(&panic_message(&*panic))),
        });
        // Collected, so that all threads are joined.
        let ends: Vec<Option<Failure>> = ends.collect();
        ends.into_iter().flatten().next()
    }
}

impl Drop for WorkerGroup {
    fn drop(&mut self) {
        self.end();
    }
}

/// Why the work of a further device failed: its error, or its panic.
fn worked(work: impl FnOnce() -> Result<(), TrainError>) -> Result<(), Failure> {
    match attempt(work) {
        Ok(done) => done.map_err(|error| Failure::Other(error.to_string())),
        Err(panic) => Err(Failure::of(&panic_message(&*panic))),
    }
}

/// What the thread of a further device owns.
struct Worker {
    setup: Setup,
    device: Device,
    rank: Rank,
}

impl Worker {
    /// `ready` gets the step of this device's state. It is dropped once this device is, so that waiting for all ends as
    /// soon as one has failed.
    fn run(self, ready: SyncSender<u64>, commands: &Receiver<Command>) -> Result<(), TrainError> {
        let (setup, device) = (&self.setup, &self.device);
        let stages = &setup.plan;
        let supervision = Supervision::open(&stages[0].config, device)?;
        let (state, _) = setup.restore(&supervision, device)?;
        let mut trainer = Trainer::new(stages[0].clone(), state, supervision, device);
        if ready.send(trainer.state.progress.step).is_err() {
            return Ok(());
        }
        drop(ready);
        let mut entered = None;
        while let Ok(Command { stage, batch }) = commands.recv() {
            if entered != Some(stage) {
                let settings = &stages[stage - 1];
                let tokens = setup.folder.tokens(&settings.config);
                trainer.enter(settings, &setup.data, Some(&tokens))?;
                entered = Some(stage);
            }
            if let Err(PeerLost) = trainer.step_share(&batch, &self.rank, &|| false) {
                // The first device has ended the run, or will report which device failed.
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::train::folder::RunFolder;
    use crate::train::testing::config;
    use std::path::Path;

    #[test]
    fn devices_that_start_from_different_steps_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup {
            plan: config("", &["data.path=scenes:3@16x24"]).plan().unwrap(),
            folder: RunFolder::create(folder.path()).unwrap(),
            resume: false,
            data: Arc::new(Dataset::open(Path::new("scenes:3@16x24"), "training").unwrap()),
        };
        let devices = [Device::flex(), Device::flex()];
        assert!(WorkerGroup::new(&setup, &devices, 0).is_ok());
        let error = WorkerGroup::new(&setup, &devices, 7)
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(&error, TrainError::Device(why) if why.contains("step 0 instead of 7")),
            "{error}"
        );
    }

    #[test]
    fn a_further_device_without_memory_is_told_like_the_first() {
        assert_eq!(worked(|| Ok(())), Ok(()));
        let full = worked(|| panic!("can't allocate buffer of size: 1048577"));
        assert_eq!(full, Err(Failure::Memory(Some(1_048_577))));
        let none = TrainError::NoDevice.to_string();
        assert_eq!(
            worked(|| Err(TrainError::NoDevice)),
            Err(Failure::Other(none))
        );
    }
}
