//! Data-parallel training: further devices that take the same steps as the first, each on a thread
//! of its own and on its own share of every batch.
//!
//! Every device holds weights, average and optimiser whole. They start alike, since a start is a
//! function of the seed or of files, and stay alike, since all take the same update of the same
//! summed gradient. Only the first one validates, saves and reports.

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::config::Stage;
use super::folder::RunFolder;
use super::reduce::{Lost, Rank};
use super::restore::restore;
use super::step::{self, Attempt, Guides};
use crate::data::{Batch, Dataset};
use burn::tensor::Device;
use std::any::Any;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// What every device of a run starts from.
pub(super) struct Start<'a> {
    pub plan: &'a [Stage],
    pub folder: &'a RunFolder,
    pub resume: bool,
    pub data: &'a Arc<Dataset>,
}

/// All devices of a run, the first one's place among them.
pub(super) struct Team {
    rank: Rank,
    helpers: Vec<Helper>,
}

struct Helper {
    orders: SyncSender<Order>,
    thread: JoinHandle<Result<(), TrainError>>,
}

/// A step to take.
struct Order {
    stage: Arc<Stage>,
    batch: Arc<Batch>,
}

impl Team {
    /// Starts a thread for every device but the first, and waits until all have their weights: the
    /// run folder may change after that.
    ///
    /// # Errors
    /// A device that can't start.
    pub(super) fn new(start: &Start, devices: &[Device]) -> Result<Self, TrainError> {
        let mut ranks = Rank::of(devices).into_iter();
        let rank = ranks.next().unwrap_or_else(Rank::alone);
        let mut team = Self {
            rank,
            helpers: Vec::new(),
        };
        let (ready, waiting) = sync_channel(devices.len());
        for (number, (rank, device)) in (1..).zip(ranks.zip(&devices[1..])) {
            let (orders, incoming) = sync_channel(1);
            let helper = Work {
                plan: start.plan.to_vec(),
                folder: start.folder.clone(),
                resume: start.resume,
                data: start.data.clone(),
                device: device.clone(),
                rank,
            };
            let ready = ready.clone();
            let thread = Builder::new()
                .name(format!("flowseg-device-{number}"))
                .spawn(move || helper.run(&ready, &incoming))
                .map_err(|error| TrainError::Device(error.to_string()))?;
            team.helpers.push(Helper { orders, thread });
        }
        drop(ready);
        for _ in 0..team.helpers.len() {
            if waiting.recv().is_err() {
                return Err(team.failure());
            }
        }
        Ok(team)
    }

    /// Takes one step on all devices. See [`step::take_share`].
    ///
    /// # Errors
    /// A device that is gone.
    pub(super) fn take(
        &mut self,
        stage: &Arc<Stage>,
        state: Checkpoint,
        batch: Batch,
        guides: &Guides,
        device: &Device,
        stop: &dyn Fn() -> bool,
    ) -> Result<Attempt, TrainError> {
        let batch = Arc::new(batch);
        for helper in &self.helpers {
            let (stage, batch) = (stage.clone(), batch.clone());
            if helper.orders.send(Order { stage, batch }).is_err() {
                return Err(self.failure());
            }
        }
        step::take_share(stage, state, &batch, guides, device, &self.rank, stop)
            .map_err(|Lost| self.failure())
    }

    /// Ends all threads, and says why one of them ended before.
    fn failure(&mut self) -> TrainError {
        let reason = self.end().unwrap_or_else(|| "its thread ended".to_owned());
        TrainError::Device(reason)
    }

    /// Ends all threads. What the first one failed with, if one did.
    fn end(&mut self) -> Option<String> {
        // Whoever waits for this device is released.
        self.rank = Rank::alone();
        let (mut channels, mut threads) = (Vec::new(), Vec::new());
        for Helper { orders, thread } in self.helpers.drain(..) {
            channels.push(orders);
            threads.push(thread);
        }
        drop(channels);
        let ends = threads.into_iter().map(|thread| match thread.join() {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => Some(reason(&*panic)),
        });
        // All are joined, whichever failed.
        let ends: Vec<Option<String>> = ends.collect();
        ends.into_iter().flatten().next()
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a further device's thread owns.
struct Work {
    plan: Vec<Stage>,
    folder: RunFolder,
    resume: bool,
    data: Arc<Dataset>,
    device: Device,
    rank: Rank,
}

impl Work {
    fn run(self, ready: &SyncSender<()>, orders: &Receiver<Order>) -> Result<(), TrainError> {
        let device = &self.device;
        let mut guides = Guides::open(&self.plan[0].config, device)?;
        let (mut state, _) = restore(
            &self.plan,
            &self.folder,
            self.resume,
            &self.data,
            guides.teacher.as_ref(),
            device,
        )?;
        if ready.send(()).is_err() {
            return Ok(());
        }
        let mut entered = None;
        while let Ok(Order { stage, batch }) = orders.recv() {
            if entered != Some(stage.number) {
                guides.enter(&stage.config, &self.data)?;
                entered = Some(stage.number);
            }
            let rank = &self.rank;
            match step::take_share(&stage, state, &batch, &guides, device, rank, &|| false) {
                Ok(Attempt::Taken(taken)) => state = taken.state,
                // The first device has ended the run, or knows who has.
                Ok(Attempt::Stopped(_)) | Err(Lost) => break,
            }
        }
        Ok(())
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    text.lines().next().unwrap_or_default().to_owned()
}
