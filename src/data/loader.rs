//! Batches, prepared ahead of the training loop.
//!
//! The batch of a step is a pure function of seed, step and data set ([`batch_at`]). Threads only
//! affect when it is computed: each of n threads computes every n-th step and sends it through its own
//! bounded channel, so the order is fixed and memory stays bounded.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::augment::{Augment, augment_into, fit_into};
use super::balance::Rare;
use super::dataset::Dataset;
use super::error::DataError;
use super::fingerprint::Fingerprint;
use super::sample::Sample;

/// Capacity of each thread's channel, in batches.
const AHEAD: usize = 2;
/// Time between two checks whether a batch is still wanted.
const PATIENCE: Duration = Duration::from_millis(50);
/// Purposes of random streams; two purposes must never share a stream.
const ORDER: u64 = 1;
const VIEW: u64 = 2;
const BALANCE: u64 = 3;
const PART_ORDER: u64 = 4;
/// The parts of a data set count upwards from [`PART_ORDER`].
const FIXED_VIEW: u64 = 1 << 32;
const VIEW_CHOICE: u64 = FIXED_VIEW + 1;

/// Settings of batches.
#[derive(Debug, Clone, PartialEq)]
pub struct LoaderConfig {
    /// `[height, width]` of a training image.
    pub size: [usize; 2],
    pub batch_size: usize,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// Random views, or `None` for the whole photo fitted to `size`.
    pub augment: Option<Augment>,
    /// Number of views of each photo: they are drawn once and then repeated, one per epoch. 0 draws
    /// a new view every time.
    pub views: u64,
    /// Bytes of decoded samples to cache in memory; others are decoded every time.
    pub cache_bytes: usize,
    /// Number of threads that prepare batches; at least 1.
    pub workers: usize,
}

impl Default for LoaderConfig {
    /// Batches of 8 at 96x128, augmented, one thread, 1 GiB of cache.
    fn default() -> Self {
        Self {
            size: [96, 128],
            batch_size: 8,
            seed: 0,
            augment: Some(Augment::default()),
            views: 0,
            cache_bytes: 1 << 30,
            workers: 1,
        }
    }
}

/// The input of one training step.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub step: u64,
    /// `[len, 3, height, width]` in [-1, 1].
    pub images: Vec<f32>,
    /// `[len, height, width]`, class indices or [`IGNORE`](crate::labels::IGNORE).
    pub labels: Vec<u16>,
    /// `[height, width]`.
    pub size: [usize; 2],
    /// Samples in the batch.
    pub len: usize,
    pub names: Vec<String>,
    /// The number of each sample's view among all views of the data set, below
    /// [`LoaderConfig::views`] times the number of photos; empty if every view is new.
    pub views: Vec<u64>,
}

impl Batch {
    /// The photos of a range of samples, `[share, 3, height, width]`.
    ///
    /// # Panics
    /// A range past the end of the batch.
    pub fn images_of(&self, share: Range<usize>) -> &[f32] {
        let numbers = 3 * self.size[0] * self.size[1];
        &self.images[share.start * numbers..share.end * numbers]
    }

    /// The labels of a range of samples, `[share, height, width]`.
    ///
    /// # Panics
    /// A range past the end of the batch.
    pub fn labels_of(&self, share: Range<usize>) -> &[u16] {
        let pixels = self.size[0] * self.size[1];
        &self.labels[share.start * pixels..share.end * pixels]
    }
}

/// Computes the batch of `step` from its arguments only.
///
/// Sample `j` of step `s` is number `s * batch_size + j` of an endless sequence that goes through the
/// data set once per epoch, each time in another order. A data set with a weight contributes its number
/// of photos times the weight: with 0.5, a photo is seen every other epoch. A share of the samples,
/// [`Augment::balance`], is replaced by photos with a rare class. With [`LoaderConfig::views`] the
/// n-th epoch shows the view n modulo that number of every photo; the same share of a photo's views
/// is made around a rare class.
///
/// # Errors
/// The data set or the batch is empty, or a sample cannot be loaded.
pub fn batch_at(dataset: &Dataset, config: &LoaderConfig, step: u64) -> Result<Batch, DataError> {
    let never = AtomicBool::new(false);
    let shared = Shared::new(
        dataset,
        LoaderConfig {
            cache_bytes: 0,
            ..config.clone()
        },
    )?;
    shared.batch(dataset, step, &never)
}

/// Identifies the views that [`LoaderConfig::views`] draws: it differs if any of them may, also where a photo
/// was replaced by one of the same size in bytes, which its modification time tells.
pub fn view_fingerprint(dataset: &Dataset, config: &LoaderConfig) -> String {
    let LoaderConfig {
        size,
        seed,
        augment,
        views,
        ..
    } = config;
    let mut fingerprint = Fingerprint::default();
    let by_labels = augment.is_some_and(|augment| augment.balance > 0.0 || augment.tint > 0.0);
    // Where they do not choose the views, what labels mean is left out: tokens of views take hours.
    fingerprint.text(&if by_labels {
        dataset.fingerprint()
    } else {
        dataset.files_fingerprint()
    });
    fingerprint.text(&format!("{size:?} {seed} {augment:?} {views}"));
    for photo in (0..dataset.len()).filter_map(|i| dataset.image_path(i)) {
        fingerprint.time(photo);
    }
    // Views around rare classes, and classes in tints, depend on what the labels mean.
    if by_labels {
        fingerprint.text(&format!("{:?}", dataset.class_pixels()));
    }
    // Which classes are rare has come to depend on weights; without them, tokens of older views stay valid.
    let weights: Vec<f64> = dataset.parts().iter().map(|part| part.weight).collect();
    if augment.is_some_and(|augment| augment.balance > 0.0)
        && weights.iter().any(|weight| *weight != weights[0])
    {
        let rare: Vec<u16> = Rare::of(dataset).classes().collect();
        fingerprint.text(&format!("{rare:?}"));
    }
    fingerprint.finish()
}

/// Yields the batches of a range of steps, strictly in order. Dropping it stops its threads.
#[derive(Debug)]
pub struct Loader {
    name: String,
    next: u64,
    first: u64,
    last: u64,
    receivers: Vec<Receiver<Result<Batch, DataError>>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Loader {
    /// Starts preparing the batches of the steps `first_step..last_step` (the last one excluded).
    ///
    /// # Errors
    /// The data set is empty, the batch or image size is 0, or a thread cannot be started.
    pub fn new(
        dataset: Arc<Dataset>,
        config: LoaderConfig,
        first_step: u64,
        last_step: u64,
    ) -> Result<Self, DataError> {
        let steps = last_step.saturating_sub(first_step);
        let workers = (config.workers.max(1) as u64).min(steps);
        let name = dataset.name().to_owned();
        let shared = Arc::new(Shared::new(&dataset, config)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (receivers, threads) = (Vec::new(), Vec::new());
        let (next, first, last) = (first_step, first_step, last_step);
        let mut loader = Self {
            name,
            next,
            first,
            last,
            receivers,
            threads,
            stop,
        };
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(AHEAD);
            let (dataset, shared) = (dataset.clone(), shared.clone());
            let stop = loader.stop.clone();
            let steps = (first_step + worker..last_step).step_by(workers as usize);
            let thread = Builder::new()
                .name(format!("flowseg-data-{worker}"))
                .spawn(move || prepare(&dataset, &shared, steps, &sender, &stop))
                .map_err(|error| loader.stopped(format!("no thread could start: {error}")))?;
            loader.receivers.push(receiver);
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// [`next`](Iterator::next), unless `stop` returns true, which is checked often enough not to wait
    /// for a slow disk. `None` is then not the end: the batch is still to come.
    pub fn next_unless(&mut self, stop: &dyn Fn() -> bool) -> Option<Result<Batch, DataError>> {
        if self.next < self.last {
            let worker = (self.next - self.first) as usize % self.receivers.len();
            loop {
                if stop() {
                    return None;
                }
                match self.receivers[worker].recv_timeout(PATIENCE) {
                    Ok(batch) => {
                        self.next += 1;
                        return Some(batch);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    // Its thread has ended; `next` reports it.
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        }
        self.next()
    }

    fn stopped(&self, reason: impl Into<String>) -> DataError {
        DataError::Loader {
            name: self.name.clone(),
            reason: reason.into(),
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    /// Waits for the batch of the next step; `None` after the last one. A sample that fails to load is
    /// the error of its batch; later steps still follow.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.last {
            return None;
        }
        let worker = (self.next - self.first) as usize % self.receivers.len();
        let received = self.receivers[worker].recv();
        self.next += 1;
        Some(received.unwrap_or_else(|_| {
            // Its thread has ended, so nothing can follow.
            self.next = self.last;
            Err(self.stopped("a data thread ended unexpectedly; resume from the last checkpoint"))
        }))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Dropping the receivers unblocks threads that are sending.
        self.receivers.clear();
        for thread in self.threads.drain(..) {
            // A panic has already been reported.
            let _ = thread.join();
        }
    }
}

/// The body of a data thread.
fn prepare(
    dataset: &Dataset,
    shared: &Shared,
    steps: impl Iterator<Item = u64>,
    sender: &SyncSender<Result<Batch, DataError>>,
    stop: &AtomicBool,
) {
    for step in steps {
        let batch = shared.batch(dataset, step, stop);
        if stop.load(Ordering::Relaxed) || sender.send(batch).is_err() {
            return;
        }
    }
}

/// State shared by the threads. It affects only cost, never a result.
struct Shared {
    config: LoaderConfig,
    cache: Mutex<Cache>,
    /// Rare classes, for balanced crops.
    rare: Option<Rare>,
    epoch: Epoch,
    /// The orders of the most recent epochs: threads are usually in at most two.
    orders: Mutex<Vec<(u64, Arc<Vec<usize>>)>>,
}

#[derive(Default)]
struct Cache {
    samples: HashMap<usize, Arc<Sample>>,
    bytes: usize,
}

impl Shared {
    fn new(dataset: &Dataset, config: LoaderConfig) -> Result<Self, DataError> {
        let reason = match () {
            () if dataset.is_empty() => "it has no samples",
            () if config.batch_size == 0 => "a batch of 0 samples was requested",
            () if config.size.contains(&0) => "an image size of 0 was requested",
            () => {
                let balanced = config.augment.is_some_and(|augment| augment.balance > 0.0);
                return Ok(Self {
                    rare: balanced.then(|| Rare::of(dataset)),
                    config,
                    epoch: Epoch::of(dataset),
                    cache: Mutex::default(),
                    orders: Mutex::default(),
                });
            }
        };
        Err(DataError::Loader {
            name: dataset.name().to_owned(),
            reason: reason.to_owned(),
        })
    }

    fn batch(&self, dataset: &Dataset, step: u64, stop: &AtomicBool) -> Result<Batch, DataError> {
        let LoaderConfig {
            size,
            batch_size: len,
            seed,
            augment,
            views: fixed,
            ..
        } = &self.config;
        let pixels = size[0] * size[1];
        let mut images = vec![0.0; len * 3 * pixels];
        let mut labels = vec![0; len * pixels];
        let mut names = Vec::with_capacity(*len);
        let mut views = Vec::new();
        let slots = images
            .chunks_exact_mut(3 * pixels)
            .zip(labels.chunks_exact_mut(pixels));
        for (j, (image, labels)) in slots.enumerate() {
            if stop.load(Ordering::Relaxed) {
                break; // the loader was dropped
            }
            // u128, since step * batch_size may overflow u64 for absurd steps.
            let position = u128::from(step) * *len as u128 + j as u128;
            let length = self.epoch.len() as u128;
            let epoch = (position / length) as u64;
            let index = self.order(epoch)[(position % length) as usize];
            let mut luck = stream(*seed, BALANCE, step, j as u64);
            let chosen = match (&self.rare, augment) {
                (Some(rare), Some(augment)) => rare.choose(augment.balance, &mut luck),
                _ => None,
            };
            let index = chosen.map_or(index, |chosen| chosen.sample);
            let sample = self.sample(dataset, index)?;
            match augment {
                Some(augment) if *fixed > 0 => {
                    let view = match chosen {
                        // Photos of rare classes come more than once per epoch.
                        Some(_) => {
                            stream(*seed, VIEW_CHOICE, step, j as u64).random_range(0..*fixed)
                        }
                        None => epoch % *fixed,
                    };
                    views.push(index as u64 * *fixed + view);
                    let mut rng = stream(*seed, FIXED_VIEW, index as u64, view);
                    let rare = self.rare.as_ref();
                    let chosen = rare.and_then(|r| r.within(index, augment.balance, &mut rng));
                    let focus = chosen.and_then(|chosen| chosen.pixel(&sample.labels, &mut rng));
                    augment_into(&sample, *size, augment, focus, &mut rng, image, labels);
                }
                Some(augment) => {
                    let mut rng = stream(*seed, VIEW, step, j as u64);
                    let focus = chosen.and_then(|chosen| chosen.pixel(&sample.labels, &mut luck));
                    augment_into(&sample, *size, augment, focus, &mut rng, image, labels);
                }
                None => fit_into(&sample, *size, image, labels),
            }
            names.push(sample.name.clone());
        }
        Ok(Batch {
            step,
            images,
            labels,
            size: *size,
            len: *len,
            names,
            views,
        })
    }

    /// The order of an epoch. Other threads wait while it is computed instead of repeating the work.
    fn order(&self, epoch: u64) -> Arc<Vec<usize>> {
        const KEPT: usize = 2;
        let mut orders = lock(&self.orders);
        if let Some((_, order)) = orders.iter().find(|(known, _)| *known == epoch) {
            return order.clone();
        }
        let order = Arc::new(self.epoch.order(self.config.seed, epoch));
        if orders.len() >= KEPT {
            orders.remove(0);
        }
        orders.push((epoch, order.clone()));
        order
    }

    /// A sample, from the cache if it fits. The lock is not held while a file is decoded.
    fn sample(&self, dataset: &Dataset, index: usize) -> Result<Arc<Sample>, DataError> {
        if let Some(sample) = lock(&self.cache).samples.get(&index) {
            return Ok(sample.clone());
        }
        let sample = Arc::new(dataset.load(index)?);
        let bytes = sample.image.as_raw().len() + 2 * sample.labels.data.len();
        let mut cache = lock(&self.cache);
        if cache.bytes + bytes <= self.config.cache_bytes
            && cache.samples.insert(index, sample.clone()).is_none()
        {
            cache.bytes += bytes;
        }
        Ok(sample)
    }
}

/// The number of samples from every part of a data set in an epoch.
struct Epoch(Vec<Quota>);

struct Quota {
    /// Index of the part's first sample.
    first: usize,
    /// Its number of samples.
    len: usize,
    /// Number of samples per epoch; with repetitions if it exceeds `len`.
    taken: usize,
}

impl Epoch {
    fn of(dataset: &Dataset) -> Self {
        let mut first = 0;
        let mut quotas: Vec<Quota> = Vec::new();
        for part in dataset.parts() {
            let len = part.data.len();
            let share = (len as f64 * part.weight).round() as usize;
            // At least one, so that only the weight 0 leaves a data set out.
            let taken = if part.weight > 0.0 { share.max(1) } else { 0 };
            quotas.push(Quota { first, len, taken });
            first += len;
        }
        if quotas.iter().all(|quota| quota.taken == quota.len) {
            let len = dataset.len();
            quotas = vec![Quota {
                first: 0,
                len,
                taken: len,
            }];
        }
        Self(quotas)
    }

    /// Number of samples per epoch.
    fn len(&self) -> usize {
        self.0.iter().map(|quota| quota.taken).sum()
    }

    /// The samples of an epoch. Every part continues its own sequence, which shows all of its samples
    /// before repeating one.
    fn order(&self, seed: u64, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::with_capacity(self.len());
        match self.0.as_slice() {
            [whole] if whole.taken == whole.len => order.extend(0..whole.len),
            parts => {
                for (number, part) in parts.iter().enumerate() {
                    part.take(seed, number as u64, epoch, &mut order);
                }
            }
        }
        order.shuffle(&mut stream(seed, ORDER, epoch, 0));
        order
    }
}

impl Quota {
    fn take(&self, seed: u64, number: u64, epoch: u64, order: &mut Vec<usize>) {
        // u128, since absurd epochs overflow u64.
        let mut at = u128::from(epoch) * self.taken as u128;
        let end = at + self.taken as u128;
        while at < end {
            let round = at / self.len as u128;
            let mut own: Vec<usize> = (self.first..self.first + self.len).collect();
            own.shuffle(&mut stream(seed, PART_ORDER + number, round as u64, 0));
            let start = (at % self.len as u128) as usize;
            let count = (self.len - start).min((end - at) as usize);
            order.extend(&own[start..start + count]);
            at += count as u128;
        }
    }
}

/// The caches have no invariant that a panic elsewhere could break.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An independent random stream for each (seed, purpose, a, b).
fn stream(seed: u64, purpose: u64, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, number) in key.chunks_exact_mut(8).zip([seed, purpose, a, b]) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
