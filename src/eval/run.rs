//! Runs a model over a data set: photos are decoded in parallel ahead of the device, run in batches of
//! one size, and scored at every requested number of solver steps.

use super::confusion::{mean, own_scores};
use super::error::{EvalError, same_classes};
use super::{Boundary, Calibration, Confusion};
use crate::data::{DataError, Dataset, Sample};
use crate::encoding::Centroids;
use crate::inference::{self, Look, Sampling, SegmentError, Segmented, Tiling, Viewing};
use crate::model::{self, Model};
use crate::random::Draw;
use crate::sampler::Solver;
use crate::votes::{Outlines, Votes};
use burn::tensor::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// Limit on samples that wait for others of their size, in batches.
const WAITING: usize = 4;
/// How long to wait for photos before checking for cancellation again.
const PATIENCE: Duration = Duration::from_millis(50);

/// The resolution at which predictions are compared with labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// The labels' own size; predictions are scaled up to it.
    #[default]
    Label,
    /// The network's input size; labels are scaled down to it, by nearest neighbour.
    Network,
}

impl Resolution {
    /// `label` or `network`.
    pub fn name(self) -> &'static str {
        match self {
            Resolution::Label => "label",
            Resolution::Network => "network",
        }
    }
}

/// What to run and what to score.
#[derive(Clone, Debug, PartialEq)]
pub struct Scoring {
    pub solver: Solver,
    /// Where the steps are, 0.001 to 1000, see [`times`](crate::sampler::times).
    pub shift: f64,
    /// The numbers of solver steps, each scored.
    pub steps: Vec<usize>,
    /// The resolutions, each scored.
    pub resolutions: Vec<Resolution>,
    /// The looks at every photo, whose votes are added up; at least one.
    pub looks: Vec<Look>,
    /// How each look divides a photo into windows.
    pub tiling: Tiling,
    pub outlines: Outlines,
    /// Photos per batch; the scores don't depend on it.
    pub batch: usize,
    /// Seed of the noise, if the flow starts at noise: a photo's noise depends on it and on the photo's
    /// index.
    pub seed: u64,
    /// Number of photos to score, spread evenly over the data set; 0 scores all.
    pub samples: usize,
}

impl Scoring {
    /// How a photo is seen at a number of steps, with a seed of its own.
    pub fn viewing(&self, steps: usize, seed: u64) -> Viewing {
        Viewing {
            looks: self.looks.clone(),
            tiling: self.tiling,
            sampling: Sampling {
                solver: self.solver,
                shift: self.shift,
                steps,
                seed,
                ..Sampling::default()
            },
            outlines: self.outlines,
            ignore_below: 0.0,
        }
    }

    /// The seed of the noise of the photo with this index: one that does not depend on the batch.
    pub fn seed_of(&self, index: usize) -> u64 {
        let photo = index as u64;
        Draw::ScoredNoise { photo }.noise_seed(self.seed)
    }
}

impl Default for Scoring {
    /// [`model::STEPS`] Euler steps, at the labels' own size, the whole data set, with the network's own
    /// outlines.
    fn default() -> Self {
        Self {
            solver: Solver::Euler,
            shift: 1.0,
            steps: vec![model::STEPS],
            resolutions: vec![Resolution::Label],
            looks: vec![Look::default()],
            tiling: Tiling::Off,
            outlines: Outlines::Network,
            batch: 8,
            seed: 0,
            samples: 0,
        }
    }
}

/// The scores of one number of steps at one resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub steps: usize,
    pub resolution: Resolution,
    /// Pixels by true and predicted class.
    pub confusion: Confusion,
    /// Pixels in the bands along the outlines.
    pub boundary: Boundary,
    /// Pixels by the probability of their class.
    pub calibration: Calibration,
    /// The mIoU of every photo with a labelled pixel, 0 to 1, in the order of scoring.
    pub photos: Vec<f64>,
}

impl Outcome {
    /// Counts a photo of `size`, `[height, width]`: true and predicted classes, and the probabilities
    /// of the latter.
    fn add(&mut self, truth: &[u16], prediction: &[u16], probability: &[f32], size: [usize; 2]) {
        let classes = self.confusion.classes();
        let own = own_scores(truth, prediction, self.confusion.known());
        self.confusion.add(truth, prediction);
        self.boundary.add(truth, prediction, size);
        self.calibration
            .add(truth, prediction, probability, classes);
        self.photos.extend(own.map(|own| own.miou));
    }

    /// The mean of the photos' own mIoU, 0 to 1; `None` without a photo that has labels.
    pub fn mean_of_photos(&self) -> Option<f64> {
        mean(self.photos.iter())
    }
}

/// A scored photo, at one number of steps.
pub struct ScoredPhoto<'a> {
    pub index: usize,
    pub steps: usize,
    pub sample: &'a Sample,
    /// Which classes labels of the data set can have; the others have no scores.
    pub known: &'a [bool],
    /// `[height, width]` of the first look's network input; of all windows together.
    pub size: [usize; 2],
    /// The predicted class of every pixel of that input.
    pub prediction: &'a [u16],
    /// The mask that all scores are computed from, with its votes.
    pub segmented: &'a Segmented,
}

impl ScoredPhoto<'_> {
    /// The prediction at the size of the labels.
    pub fn at_label_size(&self) -> Vec<u16> {
        let own = [self.sample.labels.height, self.sample.labels.width];
        self.segmented.labels(own)
    }

    /// The labels at the size of the prediction.
    pub fn labels_at_network_size(&self) -> Vec<u16> {
        self.sample.labels.scaled(self.size)
    }
}

/// Scores a model on a data set. `seen` is called for every photo at every number of steps; photos of
/// one size come in the order of the data set. `stop` is checked before every solver step and while
/// waiting for photos.
///
/// # Errors
/// The class tables differ, a sample can't be loaded, or [`EvalError::Stopped`].
pub fn score(
    model: &Model,
    data: &Dataset,
    scoring: &Scoring,
    seen: &mut dyn FnMut(&ScoredPhoto),
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Outcome>, EvalError> {
    same_classes(&model.card.classes, &data.classes().names)?;
    let indices = spread(data.len(), scoring.samples);
    let batch = scoring.batch.max(1);
    let known = data.known_classes();
    let mut run = Run {
        model,
        centroids: model.centroids(),
        scoring,
        known: known.clone(),
        outcomes: scoring
            .steps
            .iter()
            .flat_map(|&steps| {
                let known = &known;
                scoring.resolutions.iter().map(move |&resolution| Outcome {
                    steps,
                    resolution,
                    confusion: Confusion::of(known.clone()),
                    boundary: Boundary::of(known.clone()),
                    calibration: Calibration::default(),
                    photos: Vec::new(),
                })
            })
            .collect(),
        seen,
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, samples) = sync_channel(1);
        let over = &over;
        let decode = move || {
            for chunk in indices.chunks(batch) {
                let decoded: Vec<Decoded> = chunk
                    .par_iter()
                    .take_any_while(|_| !over.load(Ordering::Relaxed))
                    .map(|&index| Ok((index, data.load(index)?)))
                    .collect();
                // Without a receiver, the scoring has ended.
                if sender.send(decoded).is_err() {
                    return;
                }
            }
        };
        Builder::new()
            .name("flowseg-eval-data".into())
            .spawn_scoped(scope, decode)
            .map_err(EvalError::Thread)?;
        let scored = run.all(samples, batch, stop);
        // The scope joins the thread, which should not decode photos that nobody scores.
        over.store(true, Ordering::Relaxed);
        scored
    })?;
    Ok(run.outcomes)
}

type Decoded = Result<(usize, Sample), DataError>;

/// Waits for the next photos, unless `stop` returns true. `None` after the last ones.
fn next(
    decoded: &Receiver<Vec<Decoded>>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<Decoded>>, EvalError> {
    loop {
        if stop() {
            return Err(EvalError::Stopped);
        }
        match decoded.recv_timeout(PATIENCE) {
            Ok(samples) => return Ok(Some(samples)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

/// `count` of `len` indices, evenly spread and ascending; all of them for 0.
pub(crate) fn spread(len: usize, count: usize) -> Vec<usize> {
    match count {
        0 => (0..len).collect(),
        count => {
            let count = count.min(len);
            (0..count).map(|i| i * len / count).collect()
        }
    }
}

struct Run<'a> {
    model: &'a Model,
    centroids: Centroids,
    scoring: &'a Scoring,
    /// Which classes labels of the data set can have.
    known: Vec<bool>,
    outcomes: Vec<Outcome>,
    seen: &'a mut dyn FnMut(&ScoredPhoto),
}

impl Run<'_> {
    /// Groups samples by the size of the network's input, and runs full groups.
    fn all(
        &mut self,
        decoded: Receiver<Vec<Decoded>>,
        batch: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        let mut waiting: BTreeMap<[usize; 2], Vec<(usize, Sample)>> = BTreeMap::new();
        while let Some(samples) = next(&decoded, stop)? {
            for sample in samples {
                let (index, sample) = sample?;
                let size = self.size(&sample);
                let group = waiting.entry(size).or_default();
                group.push((index, sample));
                let full = (group.len() >= batch).then_some(size);
                // Photos of many sizes must not keep the whole data set in memory.
                let crowded = waiting.values().map(Vec::len).sum::<usize>() >= WAITING * batch;
                let largest = || waiting.iter().max_by_key(|(_, group)| group.len());
                let due = full.or_else(|| crowded.then(largest).flatten().map(|(size, _)| *size));
                if let Some(size) = due
                    && let Some(group) = waiting.remove(&size)
                {
                    self.batch(&group, stop)?;
                }
            }
        }
        for group in waiting.into_values() {
            self.batch(&group, stop)?;
        }
        Ok(())
    }

    fn size(&self, sample: &Sample) -> [usize; 2] {
        self.size_at(
            sample,
            self.scoring.looks.first().copied().unwrap_or_default(),
        )
    }

    fn size_at(&self, sample: &Sample, look: Look) -> [usize; 2] {
        let labels = &sample.labels;
        inference::network_size(self.model, labels.width, labels.height, look.scale)
    }

    fn batch(
        &mut self,
        group: &[(usize, Sample)],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), EvalError> {
        if stop() {
            return Err(EvalError::Stopped);
        }
        // Windows are computed photo by photo, whole photos in batches. Votes are many times the size of
        // states: each photo is scored before the next has any.
        let batched = self.scoring.tiling == Tiling::Off;
        // The votes of a single look are what its photo needs at least, and are not refused.
        if batched && self.scoring.looks.len() > 1 {
            for (_, sample) in group {
                self.check_votes(sample)?;
            }
        }
        let views = if batched {
            self.views(group)
        } else {
            Vec::new()
        };
        for (number, &steps) in self.scoring.steps.iter().enumerate() {
            let states = if batched {
                self.states(group.len(), &views, steps, stop)?
            } else {
                Vec::new()
            };
            for (member, (index, sample)) in group.iter().enumerate() {
                let segmented = match states.get(member) {
                    Some(states) => self.whole(&views, states, sample),
                    None => Some(self.in_windows(*index, sample, steps, stop)?),
                };
                if let Some(segmented) = segmented {
                    self.add(number, *index, sample, &segmented);
                }
            }
        }
        Ok(())
    }

    /// Checks that the votes of all looks at a whole photo fit into memory.
    fn check_votes(&self, sample: &Sample) -> Result<(), EvalError> {
        let looks = self.scoring.looks.iter();
        let sizes = looks.map(|&look| self.size_at(sample, look));
        let checked = inference::check_votes(sizes, self.centroids.len());
        checked.map_err(|source| EvalError::Windows {
            name: sample.name.clone(),
            source,
        })
    }

    /// Scores a photo at a number of steps, which is given by its position in the list.
    fn add(&mut self, number: usize, index: usize, sample: &Sample, segmented: &Segmented) {
        let size = segmented.size;
        let (prediction, probability) = segmented.decide(size);
        let seen = ScoredPhoto {
            index,
            steps: self.scoring.steps[number],
            sample,
            known: &self.known,
            size,
            prediction: &prediction,
            segmented,
        };
        let resolutions = self.scoring.resolutions.len();
        for outcome in &mut self.outcomes[number * resolutions..(number + 1) * resolutions] {
            match outcome.resolution {
                Resolution::Network => {
                    let truth = seen.labels_at_network_size();
                    outcome.add(&truth, &prediction, &probability, size);
                }
                Resolution::Label => {
                    let truth = &sample.labels;
                    let size = [truth.height, truth.width];
                    let (prediction, probability) = segmented.decide(size);
                    outcome.add(&truth.data, &prediction, &probability, size);
                }
            }
        }
        (self.seen)(&seen);
    }

    /// A group at every look.
    fn views(&self, group: &[(usize, Sample)]) -> Vec<View> {
        // Photos of one size at the first look have similar shapes, but may have different sizes at
        // other looks.
        let mut views = Vec::new();
        for &look in &self.scoring.looks {
            let mut sizes: BTreeMap<[usize; 2], Vec<usize>> = BTreeMap::new();
            for (i, (_, sample)) in group.iter().enumerate() {
                sizes.entry(self.size_at(sample, look)).or_default().push(i);
            }
            for (size, members) in sizes {
                views.push(self.view(group, members, size, look));
            }
        }
        views
    }

    /// The last states of all looks at whole photos: for each of `photos`, the numbers of its views and
    /// its states there, `[d, H, W]`.
    fn states(
        &self,
        photos: usize,
        views: &[View],
        steps: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<LastStates>, EvalError> {
        let mut states: Vec<LastStates> = Vec::new();
        states.resize_with(photos, Vec::new);
        for (number, view) in views.iter().enumerate() {
            let last = self.last_states(view, steps, stop)?;
            for (&member, state) in view.members.iter().zip(last) {
                states[member].push((number, state));
            }
        }
        Ok(states)
    }

    /// The votes of all looks at a whole photo.
    fn whole(
        &self,
        views: &[View],
        states: &[(usize, Vec<f32>)],
        sample: &Sample,
    ) -> Option<Segmented> {
        let radius = self.model.card.filter_radius();
        let radius = self.scoring.outlines.radius(radius);
        let looks = states.iter().map(|(number, state)| {
            let view = &views[*number];
            view.look.votes(&self.centroids, state, view.size)
        });
        Votes::sum(looks).map(|votes| Segmented::whole(votes.along(&sample.image, radius)))
    }

    /// The votes of all looks at the windows of a photo.
    fn in_windows(
        &self,
        index: usize,
        sample: &Sample,
        steps: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Segmented, EvalError> {
        let viewing = self.scoring.viewing(steps, self.scoring.seed_of(index));
        let photo = &sample.image;
        let segmented = inference::segment(self.model, &self.centroids, photo, &viewing, stop);
        segmented.map_err(|error| match error {
            SegmentError::NotFinite(error) => EvalError::NotFinite(error),
            SegmentError::Stopped => EvalError::Stopped,
            source @ SegmentError::TooWide(_) => EvalError::Windows {
                name: sample.name.clone(),
                source,
            },
        })
    }

    /// Some photos of a group as network input at a look.
    fn view(
        &self,
        group: &[(usize, Sample)],
        members: Vec<usize>,
        size: [usize; 2],
        look: Look,
    ) -> View {
        let photos: Vec<_> = members.iter().map(|&i| &group[i].1.image).collect();
        let input = look.input(&photos, size, &self.model.network.device());
        // Noise depends on the photo's index, not on its batch.
        let seeds = members.iter().map(|&i| self.scoring.seed_of(group[i].0));
        View {
            source: self.model.sources(None, &input, seeds),
            photos: inference::Encoded::by(self.model, input),
            members,
            size,
            look,
        }
    }

    /// The last state of every photo of a view, `[d, H, W]` each.
    fn last_states(
        &self,
        view: &View,
        steps: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Vec<f32>>, EvalError> {
        let sampling = Sampling {
            solver: self.scoring.solver,
            shift: self.scoring.shift,
            steps,
            ..Sampling::default()
        };
        let (source, photos) = (view.source.clone(), view.photos.clone());
        let last = inference::last_states(self.model, source, photos, sampling, stop)?;
        last.ok_or(EvalError::Stopped)
    }
}

/// The last states of a photo, `[d, H, W]` each, with the numbers of their views.
type LastStates = Vec<(usize, Vec<f32>)>;

struct View {
    /// Their indices in the group.
    members: Vec<usize>,
    source: Tensor<4>,
    photos: inference::Encoded,
    size: [usize; 2],
    look: Look,
}
