//! The second result of a comparison: the open photo by another model, number of steps or solver.
//!
//! It has its own worker; its network is freed when the comparison is closed.

use super::canvas_renderer::CanvasRenderer;
use super::flow::{Flow, MixKey};
use super::latest::Latest;
use super::open_model::{OpenModel, stamp};
use super::photo_list::Item;
use super::platform;
use super::settings::steps_for;
use super::shown_classes::ShownClasses;
use super::view::View;
use super::worker_events::{EventConverter, FlowEvent, WorkerEvent};
use crate::compare::{self, Comparison, JointClasses, Side};
use crate::data::{Truth, size_of};
use crate::encoding::Centroids;
use crate::files::Stamp;
use crate::flow::Source;
use crate::gpu::GpuError;
use crate::gpu::canvas;
use crate::inference::{self, Sampling, SegmentError};
use crate::job::{FlowSettings, SMALLER_INPUT, Worker};
use crate::sampler::Solver;
use crate::votes::{Outlines, Votes};
use burn::tensor::Device;
use eframe::egui;
use image::RgbImage;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What to compare the open photo's result with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    /// The name of a built-in model, or a path.
    pub model: String,
    /// Solver steps; by default the number that the model recommends.
    pub steps: Option<usize>,
    pub solver: Solver,
}

/// The ids of the two flows, and where outlines run.
type Key = (u64, u64, Outlines);

/// The last state of a flow, and what it is decoded with.
struct Answer {
    centroids: Centroids,
    /// `[d, H, W]`
    x: Arc<Vec<f32>>,
    size: [usize; 2],
    /// See [`Outlines::radius`].
    radius: usize,
}

impl Answer {
    /// `None` before the flow is complete.
    fn of(flow: &Flow, model: &OpenModel, outlines: Outlines) -> Option<Self> {
        flow.settled.as_ref()?;
        let (_, host) = flow.nearest(f32::MAX)?;
        Some(Self {
            centroids: model.centroids.clone(),
            x: host.x.clone(),
            size: flow.size,
            radius: outlines.radius(model.card.filter_radius()),
        })
    }

    /// The mask at the photo's size, as `flowseg compare` writes it.
    ///
    /// # Errors
    /// Votes that do not fit into memory.
    fn labels(&self, photo: &RgbImage) -> Result<Vec<u16>, SegmentError> {
        inference::check_votes([self.size], self.centroids.len())?;
        let votes = Votes::of(&self.centroids, &self.x, self.size);
        Ok(votes.along(photo, self.radius).labels(size_of(photo)))
    }
}

struct Request {
    key: Key,
    answers: [Answer; 2],
    classes: Arc<JointClasses>,
    photo: Arc<RgbImage>,
    /// The labels in the classes of each model.
    truths: [Option<Arc<Truth>>; 2],
}

/// The inputs of the uploaded labels.
#[derive(PartialEq)]
struct Uploaded {
    state: MixKey,
    colours: Vec<[u8; 3]>,
    hidden: BTreeSet<usize>,
}

pub(super) struct Second {
    pub choice: Choice,
    pub model: Option<OpenModel>,
    /// See [`OpenModel::file`].
    pub file: Option<Stamp>,
    pub flow: Option<Flow>,
    /// The classes of both models, once both are open.
    pub classes: Option<Arc<JointClasses>>,
    /// The canvas's settings before the comparison.
    pub before: View,
    /// Where its flow starts; `None` for what its model was trained with.
    source: Option<Source>,
    /// How the open photo was sampled; `None` before that and if it failed.
    sampled: Option<FlowSettings>,
    worker: Worker<WorkerEvent>,
    busy: bool,
    /// Where the outlines of both masks run.
    outlines: Outlines,
    counting: Latest<Request, (Key, Result<Comparison, SegmentError>)>,
    /// The last comparison; without numbers if there was no memory for them.
    counted: Option<(Key, Option<Comparison>)>,
    decoded: ShownClasses,
    uploaded: RefCell<Option<(Uploaded, Arc<canvas::Second>)>>,
}

impl Second {
    /// Starts a worker and opens the model.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(
        context: &egui::Context,
        device: Device,
        choice: Choice,
        before: View,
    ) -> std::io::Result<Self> {
        // Its classes are uploaded when shown, so the worker uploads nothing.
        let mut converter = EventConverter::new(None, None);
        let wake = context.clone();
        let worker = Worker::start(
            device,
            move |message, send| converter.convert(message, send),
            move || wake.request_repaint(),
        )?;
        let file = stamp(&choice.model);
        worker.open_model(platform::load_model(choice.model.clone(), context.clone()));
        let count = |request: Request| (request.key, counts(&request));
        Ok(Self {
            choice,
            model: None,
            file,
            flow: None,
            classes: None,
            before,
            source: None,
            sampled: None,
            worker,
            busy: true,
            outlines: Outlines::default(),
            counting: Latest::start("flowseg-compare", context, count)?,
            counted: None,
            decoded: ShownClasses::start(context)?,
            uploaded: RefCell::default(),
        })
    }

    /// Stops the worker and frees the network without waiting for the current solver step.
    pub(super) fn close(self) {
        platform::drop_aside(self);
    }

    /// Segments a photo with the given settings, but with this result's steps and solver.
    pub(super) fn sample(&mut self, item: &Item, first: FlowSettings) {
        self.flow = None;
        self.sampled = self.settings(first);
        let Some(settings) = self.sampled else { return };
        self.source = settings.sampling.source;
        self.busy = true;
        self.worker.flow(item.photo(), settings);
    }

    /// Segments the photo again unless the settings are those of the result.
    pub(super) fn resample(&mut self, item: &Item, first: FlowSettings) {
        if self.sampled != self.settings(first) {
            self.sample(item, first);
        }
    }

    /// The given settings with this result's steps and solver; `None` before its model is open.
    fn settings(&self, first: FlowSettings) -> Option<FlowSettings> {
        let card = &self.model.as_ref()?.card;
        Some(FlowSettings {
            sampling: Sampling {
                steps: steps_for(card, self.choice.steps),
                solver: self.choice.solver,
                ..first.sampling
            },
            ..first
        })
    }

    /// Matches the classes of both models by name.
    pub(super) fn join(&mut self, first: &OpenModel) {
        let second = self.model.as_ref();
        let joined = second.and_then(|second| {
            JointClasses::new(&first.card.classes, &second.card.classes).map(Arc::new)
        });
        self.classes = joined;
        self.counted = None;
        *self.uploaded.borrow_mut() = None;
    }

    pub(super) fn poll(&self) -> Option<WorkerEvent> {
        self.worker.poll()
    }

    /// Processes an event; returns an error in one line.
    pub(super) fn accept(&mut self, event: WorkerEvent, photo: &str) -> Option<String> {
        match event {
            WorkerEvent::Model(card, centroids) => {
                let name = self.choice.model.clone();
                let mut model = OpenModel::new(name, *card, centroids);
                model.file = self.file.clone();
                self.model = Some(model);
            }
            WorkerEvent::Photo(opened) => self.flow = Some(Flow::new(photo.to_owned(), opened)),
            WorkerEvent::Preparing | WorkerEvent::Mask(..) => {}
            WorkerEvent::Flow(event) => {
                self.busy &= !matches!(event, FlowEvent::Finished { .. });
                if let Some(flow) = &mut self.flow {
                    flow.apply(event);
                }
            }
            WorkerEvent::Failed(text) => {
                self.busy = false;
                self.sampled = None;
                return Some(text);
            }
        }
        None
    }

    /// Compares the masks of both results with these outlines, once both are complete. Returns an error in one line.
    pub(super) fn count(
        &mut self,
        flow: &Flow,
        model: &OpenModel,
        outlines: Outlines,
    ) -> Option<String> {
        self.outlines = outlines;
        let error = self.receive_count();
        self.request_count(flow, model);
        error
    }

    fn receive_count(&mut self) -> Option<String> {
        let (key, comparison) = self.counting.poll()?;
        let (comparison, error) = match comparison {
            Ok(comparison) => (Some(comparison), None),
            Err(error) => {
                let told = error.with_remedy(SMALLER_INPUT);
                (None, Some(format!("not compared: {told}")))
            }
        };
        self.counted = Some((key, comparison));
        error
    }

    fn request_count(&mut self, flow: &Flow, model: &OpenModel) {
        if self.counting.busy() || self.counted_of(flow).is_some() {
            return;
        }
        let (Some(second), Some(of_second), Some(classes)) =
            (&self.flow, &self.model, &self.classes)
        else {
            return;
        };
        let answer = |flow, model| Answer::of(flow, model, self.outlines);
        let (Some(a), Some(b)) = (answer(flow, model), answer(second, of_second)) else {
            return;
        };
        self.counting.ask(Request {
            key: (flow.id, second.id, self.outlines),
            answers: [a, b],
            classes: classes.clone(),
            photo: flow.photo.clone(),
            truths: [flow.truth.clone(), second.truth.clone()],
        });
    }

    /// What came of comparing both results, once that is known.
    fn counted_of(&self, flow: &Flow) -> Option<&Option<Comparison>> {
        let key = (flow.id, self.flow.as_ref()?.id, self.outlines);
        let (known, comparison) = self.counted.as_ref()?;
        (*known == key).then_some(comparison)
    }

    /// The comparison of both results at the photo's size, once it is computed.
    pub(super) fn comparison(&self, flow: &Flow) -> Option<&Comparison> {
        self.counted_of(flow)?.as_ref()
    }

    /// Whether something is still being computed.
    pub(super) fn busy(&self) -> bool {
        self.busy || self.counting.busy()
    }

    /// Whether everything about a flow is computed.
    pub(super) fn settled(&self, flow: &Flow) -> bool {
        !self.busy
            && self.decoded.ready()
            && (self.flow.is_none() || self.classes.is_none() || self.counted_of(flow).is_some())
    }

    /// Its caption in the comparison.
    pub(super) fn caption(&self) -> String {
        let sampled = self.sampled.map(|settings| settings.sampling.steps);
        let steps = sampled.or(self.choice.steps).unwrap_or_default();
        match (&self.model, steps) {
            (None, _) | (_, 0) => self.choice.model.clone(),
            (Some(model), steps) => {
                let name = compare::model_name(&model.name);
                compare::caption(&name, steps, self.choice.solver) + model.origin(self.source)
            }
        }
    }

    /// Whether its state at a time, 0 to 1, is still to be computed.
    pub(super) fn awaits(&self, t: f32) -> bool {
        self.busy && self.flow.as_ref().is_none_or(|flow| !flow.reaches(t))
    }

    /// The joint class at a pixel of the first result's states, whose size is `size`, at a time; `None`
    /// before it has a state at that time.
    pub(super) fn class_at(&self, pixel: usize, size: [usize; 2], t: f32) -> Option<usize> {
        let flow = self.flow.as_ref().filter(|flow| flow.reaches(t))?;
        let classes = self.classes.as_ref()?;
        let centroids = &self.model.as_ref()?.centroids;
        let [row, column] = [pixel / size[1].max(1), pixel % size[1].max(1)];
        // The centre of the pixel, in this flow's pixels.
        let place = |at: usize, from: usize, to: usize| (2 * at + 1) * to / (2 * from.max(1));
        let row = place(row, size[0], flow.size[0]);
        let column = place(column, size[1], flow.size[1]);
        let x = flow.state_of(row * flow.size[1] + column, flow.position_at(t))?;
        let label = *centroids.decode(&x).first()?;
        Some(usize::from(classes.index(Side::B, label)))
    }

    /// Its classes at a time in graphics memory, or `None` before it has a state at that time: an earlier
    /// one would differ from the first result by the time, not by the result.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub(super) fn uploaded(
        &self,
        renderer: &CanvasRenderer,
        first: &OpenModel,
        hidden: &BTreeSet<usize>,
        t: f32,
    ) -> Result<Option<Arc<canvas::Second>>, GpuError> {
        let (Some(flow), Some(model), Some(classes)) = (&self.flow, &self.model, &self.classes)
        else {
            return Ok(None);
        };
        if !flow.reaches(t) {
            return Ok(None);
        }
        let position = flow.position_at(t);
        let Some(shown) = self.decoded.of(flow, &model.centroids, position) else {
            return Ok(None);
        };
        let key = Uploaded {
            state: shown.key,
            colours: classes.colours(&first.colours),
            hidden: hidden.clone(),
        };
        let mut uploaded = self.uploaded.borrow_mut();
        if let Some((known, labels)) = &*uploaded
            && *known == key
        {
            return Ok(Some(labels.clone()));
        }
        let labels = classes.labels(Side::B, shown.labels.to_vec());
        let shown = |class| !hidden.contains(&class);
        let pipelines = renderer.pipelines();
        let labels = Arc::new(pipelines.second(&labels, flow.size, &key.colours, shown)?);
        *uploaded = Some((key, labels.clone()));
        Ok(Some(labels))
    }
}

/// Compares the masks, one after the other: votes are many times the size of labels.
fn counts(request: &Request) -> Result<Comparison, SegmentError> {
    let [a, b] = &request.answers;
    let labels = [a.labels(&request.photo)?, b.labels(&request.photo)?];
    let [of_a, of_b] = Side::BOTH.map(|side| {
        let truth = request.truths[side as usize].as_deref();
        truth.map(|truth| request.classes.truth_of(side, truth))
    });
    let truth = match (of_a, of_b) {
        (Some(of_a), Some(of_b)) => Some(of_a.or(&of_b)),
        (of_a, of_b) => of_a.or(of_b),
    };
    let size = size_of(&request.photo);
    let (comparison, _) = Comparison::of_labels(&request.classes, labels, size, truth.as_ref());
    Ok(comparison)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_that_do_not_fit_into_memory_are_refused() {
        let photo = RgbImage::new(4, 1);
        let answer = |classes: usize, x: Vec<f32>, size| Answer {
            centroids: Centroids::kronecker(classes),
            x: Arc::new(x),
            size,
            radius: 0,
        };
        let x = Centroids::kronecker(2).encode(&[0, 1]);
        assert_eq!(answer(2, x, [1, 2]).labels(&photo), Ok(vec![0, 0, 1, 1]));
        // 4000 MiB; the state is not even read.
        let refused = answer(1000, Vec::new(), [1024, 1024]).labels(&photo);
        assert_eq!(refused, Err(SegmentError::TooWide(4000)));
    }
}
