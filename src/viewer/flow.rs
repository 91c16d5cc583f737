//! The flow of a photo in the window: the states so far on the host and in graphics memory.
//!
//! Graphics memory is a cache that drawing updates, hence the cells.

use super::canvas_renderer::CanvasRenderer;
use super::mask_store::LabelPicture;
use super::worker_events::{FlowEvent, Host, OpenedPhoto, Thumbnails};
use crate::data::Truth;
use crate::encoding::Centroids;
use crate::gpu::GpuError;
use crate::gpu::canvas::{Pipelines, Sources, Values};
use crate::gpu::textures::{LabelTexture, Photo};
use crate::job::FlowSettings;
use image::RgbImage;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Limit on the graphics memory of states, in bytes; beyond it, the least recently shown ones remain on
/// the host and are uploaded again when shown.
pub(super) const BUDGET: usize = 256 << 20;

pub(super) struct StoredState {
    /// Its time, 0 to 1.
    pub t: f32,
    /// Its numbers, or `None` while they are still being read back from the device.
    pub host: Option<Host>,
    pub thumbnails: Option<Thumbnails>,
    /// Its copy in graphics memory, unless it was evicted.
    values: RefCell<Option<Arc<Values>>>,
    /// When it was last drawn, as a count of drawn pictures.
    shown: Cell<u64>,
}

impl StoredState {
    fn is_resident(&self) -> bool {
        self.values.borrow().is_some()
    }
}

/// A number that is unique in this process.
fn another() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(super) struct Flow {
    pub name: String,
    pub photo: Arc<RgbImage>,
    /// See [`digest`](super::mask_store::digest).
    pub digest: u64,
    /// The photo in graphics memory.
    pub picture: Option<Arc<Photo>>,
    /// Its labels, if known.
    pub truth: Option<Arc<Truth>>,
    /// Its labels in graphics memory, uploaded when they are drawn if they were replaced.
    truth_picture: RefCell<Option<Arc<LabelTexture>>>,
    /// `[height, width]` of the states.
    pub size: [usize; 2],
    /// How it was computed; `None` if that is not compared with other settings.
    pub settings: Option<FlowSettings>,
    pub states: Vec<StoredState>,
    /// The step from which each pixel keeps its class, once the flow is complete.
    pub settled: Option<Vec<u16>>,
    /// Of every step, the share of pixels, 0 to 1, whose predicted target (equation 4) has their final class;
    /// empty until the flow is complete.
    pub foreseen: Vec<f32>,
    /// Its mask, whose outlines follow the photo, once the flow is complete.
    pub mask: Option<Arc<LabelPicture>>,
    /// Limit on the graphics memory of the states, in bytes.
    pub budget: usize,
    pub id: u64,
    /// Changes whenever a state arrives; unique across flows.
    pub generation: u64,
    decoded: RefCell<Option<(DecodedKey, Arc<LabelTexture>)>>,
    drawn: Cell<u64>,
}

type DecodedKey = (u64, usize, usize, u32);

/// The id of a flow, the index of the stored state before, and the bits of the fraction beyond it.
pub(super) type MixKey = (u64, usize, u32);

/// The numbers of a state at a position: linear between two stored states, which is exact for Euler.
#[derive(Clone)]
pub(super) struct Mix {
    pub key: MixKey,
    /// `[d, H, W]` each.
    before: Arc<Vec<f32>>,
    after: Arc<Vec<f32>>,
    share: f32,
}

impl Mix {
    pub(super) fn position(&self) -> f32 {
        self.key.1 as f32 + self.share
    }

    /// Whether it is a stored state.
    pub(super) fn is_stored(&self) -> bool {
        self.share == 0.0
    }

    /// `[d, H, W]`
    pub(super) fn state(&self) -> Cow<'_, [f32]> {
        if self.is_stored() {
            return Cow::Borrowed(&self.before);
        }
        let both = self.before.iter().zip(self.after.iter());
        both.map(|(a, b)| a + (b - a) * self.share).collect()
    }

    /// The nearest class of every pixel, `[H, W]`.
    pub(super) fn labels(&self, centroids: &Centroids) -> Vec<u16> {
        centroids.decode_between(&self.before, &self.after, self.share)
    }
}

impl Flow {
    pub(super) fn new(name: String, opened: OpenedPhoto) -> Self {
        Self {
            name,
            photo: opened.photo,
            digest: opened.digest,
            picture: opened.picture,
            truth: opened.truth,
            truth_picture: RefCell::new(opened.truth_picture),
            size: opened.size,
            settings: None,
            states: Vec::new(),
            settled: None,
            foreseen: Vec::new(),
            mask: None,
            budget: BUDGET,
            id: another(),
            generation: another(),
            decoded: RefCell::default(),
            drawn: Cell::new(0),
        }
    }

    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Size of a state in graphics memory, in bytes.
    pub(super) fn bytes_of_state(&self) -> usize {
        let first = self.states.first().and_then(|state| state.host.as_ref());
        first.map_or(12 * self.pixels(), |host| 4 * host.x.len())
    }

    /// Takes what is new about it.
    pub(super) fn apply(&mut self, event: FlowEvent) {
        match event {
            FlowEvent::State { t, values } => self.push(t, values),
            FlowEvent::Numbers {
                step,
                host,
                thumbnails,
            } => self.read(step, host, thumbnails),
            FlowEvent::Finished {
                settled,
                foreseen,
                mask,
            } => {
                self.settled = Some(settled);
                self.foreseen = foreseen;
                self.mask = mask.map(Arc::new);
            }
        }
    }

    /// Adds a state for drawing.
    pub(super) fn push(&mut self, t: f32, values: Option<Arc<Values>>) {
        self.states.push(StoredState {
            t,
            host: None,
            thumbnails: None,
            values: RefCell::new(values),
            shown: self.drawn.clone(),
        });
        self.generation = another();
    }

    /// Adds the numbers of state `step`.
    pub(super) fn read(&mut self, step: usize, host: Host, thumbnails: Option<Thumbnails>) {
        if let Some(state) = self.states.get_mut(step) {
            state.host = Some(host);
            state.thumbnails = thumbnails;
            self.generation = another();
        }
    }

    /// Drops the states from the first one on whose numbers have not been read back.
    pub(super) fn drop_unread(&mut self) {
        let unread = self.states.iter().position(|state| state.host.is_none());
        if let Some(unread) = unread {
            self.states.truncate(unread);
            self.generation = another();
        }
    }

    /// The indices of the states before and after `position`, and the fraction between them, 0 to 1.
    pub(super) fn around(&self, position: f32) -> Option<(usize, usize, f32)> {
        let last = self.states.len().checked_sub(1)?;
        let low = (position.max(0.0) as usize).min(last);
        let high = (low + 1).min(last);
        let share = if high == low {
            0.0
        } else {
            (position - low as f32).clamp(0.0, 1.0)
        };
        Some((low, high, share))
    }

    /// The stored state nearest to `position`, with its numbers.
    pub(super) fn nearest(&self, position: f32) -> Option<(usize, &Host)> {
        let last = self.states.len().checked_sub(1)?;
        let at = (position.max(0.0).round() as usize).min(last);
        Some((at, self.states[at].host.as_ref()?))
    }

    /// The numbers at `position`: those of the nearest stored state until both of those around it have been
    /// read back.
    pub(super) fn mix(&self, position: f32) -> Option<Mix> {
        let (low, high, share) = self.around(position)?;
        let host = |step: usize| self.states[step].host.as_ref();
        let (step, before, after, share) = match (host(low), host(high)) {
            (Some(before), Some(after)) => (low, before, after, share),
            _ => {
                let (step, host) = self.nearest(position)?;
                (step, host, host, 0.0)
            }
        };
        Some(Mix {
            key: (self.id, step, share.to_bits()),
            before: before.x.clone(),
            after: after.x.clone(),
            share,
        })
    }

    pub(super) fn time(&self, position: f32) -> f32 {
        self.around(position).map_or(0.0, |(low, high, share)| {
            let (a, b) = (self.states[low].t, self.states[high].t);
            a + (b - a) * share
        })
    }

    /// The position of a time, interpolated between the states around it.
    pub(super) fn position_at(&self, t: f32) -> f32 {
        let after = self.states.partition_point(|state| state.t < t);
        let Some(low) = after.checked_sub(1) else {
            return 0.0;
        };
        let Some(high) = self.states.get(after) else {
            return low as f32;
        };
        let before = self.states[low].t;
        low as f32 + (t - before) / (high.t - before).max(f32::EPSILON)
    }

    /// Whether a time, 0 to 1, is that of a state or between two: later ones are still to be computed.
    pub(super) fn reaches(&self, t: f32) -> bool {
        let last = self.states.last();
        self.settled.is_some() || last.is_some_and(|state| state.t >= t)
    }

    /// A pixel's state at `position`: linear between two stored states, which is exact for Euler.
    pub(super) fn state_of(&self, pixel: usize, position: f32) -> Option<Vec<f32>> {
        let (low, high, share) = self.around(position)?;
        let a = self.states[low].host.as_ref()?.at(pixel);
        let b = self.states[high].host.as_ref()?.at(pixel);
        Some(a.iter().zip(b).map(|(a, b)| a + (b - a) * share).collect())
    }

    /// A pixel's velocity over the step at `position`: the difference quotient of the two states.
    pub(super) fn velocity_of(&self, pixel: usize, position: f32) -> Option<Vec<f32>> {
        let last = self.states.len().checked_sub(2)?;
        let low = (position.max(0.0) as usize).min(last);
        let (before, after) = (&self.states[low], &self.states[low + 1]);
        let (a, b) = (
            before.host.as_ref()?.at(pixel),
            after.host.as_ref()?.at(pixel),
        );
        let h = (after.t - before.t).max(f32::EPSILON);
        Some(a.iter().zip(b).map(|(a, b)| (b - a) / h).collect())
    }

    /// The stored states of a pixel, as far as they have been read back.
    pub(super) fn path_of(&self, pixel: usize) -> Vec<Vec<f32>> {
        self.states
            .iter()
            .map_while(|state| Some(state.host.as_ref()?.at(pixel)))
            .collect()
    }

    /// The inputs for drawing the flow at `position`, or `None` before the first state.
    ///
    /// # Errors
    /// The graphics driver fails, or there is not enough graphics memory.
    pub(super) fn sources(
        &self,
        renderer: &CanvasRenderer,
        position: f32,
    ) -> Result<Option<Sources>, GpuError> {
        let (Some((low, high, share)), Some(photo), Some(classes)) = (
            self.around(position),
            self.picture.clone(),
            renderer.classes(),
        ) else {
            return Ok(None);
        };
        self.drawn.set(self.drawn.get() + 1);
        let (Some(before), Some(after)) =
            (self.values(renderer, low)?, self.values(renderer, high)?)
        else {
            return Ok(None);
        };
        self.evict(low, high);
        let key = (renderer.classes_version(), low, high, share.to_bits());
        let mut cache = self.decoded.borrow_mut();
        let labels = match &*cache {
            Some((decoded, labels)) if *decoded == key => labels.clone(),
            _ => {
                let host = |step: usize| self.states[step].host.as_ref().map(|host| &host.x);
                let labels = match (renderer.software(), host(low), host(high)) {
                    // The adapter is this processor, and slower at it.
                    (Some(centroids), Some(before), Some(after)) => {
                        let labels = centroids.decode_between(before, after, share);
                        renderer.pipelines().decoded(self.size, labels)?
                    }
                    _ => {
                        let pipelines = renderer.pipelines();
                        pipelines.decode(&classes, self.size, &before, &after, share)?
                    }
                };
                let labels = Arc::new(labels);
                *cache = Some((key, labels.clone()));
                labels
            }
        };
        Ok(Some(Sources {
            photo,
            truth: self.truth_picture(renderer.pipelines())?,
            corrected: None,
            size: self.size,
            before,
            after,
            share,
            labels,
            doubt: None,
            second: None,
        }))
    }

    /// Replaces its labels, such as by corrected ones that were saved.
    pub(super) fn set_truth(&mut self, truth: Truth) {
        self.truth = Some(Arc::new(truth));
        self.truth_picture = RefCell::default();
    }

    /// Its labels in graphics memory, if it has any and they fit a texture.
    fn truth_picture(&self, pipelines: &Pipelines) -> Result<Option<Arc<LabelTexture>>, GpuError> {
        let mut picture = self.truth_picture.borrow_mut();
        let longest = pipelines.longest_side() as usize;
        if picture.is_none()
            && let Some(labels) = self.truth.as_ref().map(|truth| &truth.labels)
            && labels.width.max(labels.height) <= longest
        {
            let size = [labels.height, labels.width];
            *picture = Some(Arc::new(pipelines.labels(size, &labels.data)?));
        }
        Ok(picture.clone())
    }

    /// The state `at` in graphics memory, uploaded again if it was evicted.
    fn values(
        &self,
        renderer: &CanvasRenderer,
        at: usize,
    ) -> Result<Option<Arc<Values>>, GpuError> {
        let state = &self.states[at];
        state.shown.set(self.drawn.get());
        let mut values = state.values.borrow_mut();
        if values.is_none()
            && let Some(host) = &state.host
        {
            *values = Some(Arc::new(renderer.pipelines().state(&host.x)?));
        }
        Ok(values.clone())
    }

    /// Drops the least recently shown states from graphics memory until it is within the budget.
    fn evict(&self, low: usize, high: usize) {
        let bytes = self.bytes_of_state();
        let most = (self.budget / bytes.max(1)).max(2);
        let held = self.resident();
        let mut order: Vec<usize> = (0..self.states.len())
            .filter(|&i| i != low && i != high)
            .filter(|&i| self.states[i].is_resident() && self.states[i].host.is_some())
            .collect();
        order.sort_by_key(|&i| self.states[i].shown.get());
        for i in order.into_iter().take(held.saturating_sub(most)) {
            self.states[i].values.take();
        }
    }

    /// The copy of a state in graphics memory, unless it was evicted.
    pub(super) fn on_device(&self, step: usize) -> Option<Arc<Values>> {
        self.states.get(step)?.values.borrow().clone()
    }

    /// The number of states in graphics memory.
    pub(super) fn resident(&self) -> usize {
        let states = self.states.iter();
        states.filter(|state| state.is_resident()).count()
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A flow of a black photo with a state for each label map, whose pixels are at their centroids.
    pub(crate) fn flow(
        centroids: &Centroids,
        states: &[impl AsRef<[u16]>],
        size: [usize; 2],
    ) -> Flow {
        let [height, width] = size.map(|side| side as u32);
        let mut flow = Flow::new(
            "test".to_owned(),
            OpenedPhoto {
                photo: Arc::new(RgbImage::new(width, height)),
                digest: 0,
                picture: None,
                truth: None,
                truth_picture: None,
                size,
            },
        );
        let steps = states.len().saturating_sub(1).max(1) as f32;
        for (step, labels) in states.iter().enumerate() {
            let labels = labels.as_ref().to_vec();
            let host = Host {
                x: Arc::new(centroids.encode(&labels)),
                shares: crate::labels::shares(&labels, centroids.len()),
                labels: Arc::new(labels),
                speed: None,
            };
            flow.push(step as f32 / steps, None);
            flow.read(step, host, None);
        }
        flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_between_two_states_are_those_of_each_pixel() {
        let centroids = Centroids::kronecker(3);
        let flow = testing::flow(&centroids, &[[0u16, 1], [2, 1], [1, 0]], [1, 2]);
        for position in [0.0, 0.25, 1.0, 1.75, 2.0, 5.0] {
            let mix = flow.mix(position).unwrap();
            assert_eq!(mix.position(), position.min(2.0));
            let state = mix.state();
            for pixel in 0..2 {
                let x: Vec<f32> = state.iter().skip(pixel).step_by(2).copied().collect();
                assert_eq!(Some(x), flow.state_of(pixel, position));
            }
        }
        let [first, other] = [0.25, 0.75].map(|position| flow.mix(position).unwrap().key);
        assert_ne!(first, other);
    }

    #[test]
    fn a_flow_reaches_the_time_of_its_last_state() {
        let centroids = Centroids::kronecker(3);
        let mut flow = testing::flow(&centroids, &[[0u16, 1], [2, 1], [1, 0]], [1, 2]);
        flow.states.truncate(2);
        assert_eq!(
            [0.0, 0.5, 0.75, 1.0].map(|t| flow.reaches(t)),
            [true, true, false, false]
        );
        // Solvers may end a rounding error before 1.
        flow.settled = Some(vec![0, 0]);
        assert!(flow.reaches(1.0));
        flow.states.clear();
        flow.settled = None;
        assert!(!flow.reaches(0.0));
    }

    #[test]
    fn a_state_without_numbers_is_not_mixed() {
        let centroids = Centroids::kronecker(3);
        let mut flow = testing::flow(&centroids, &[[0u16, 1]], [1, 2]);
        flow.push(1.0, None);
        assert!(flow.mix(0.25).unwrap().is_stored());
        assert!(flow.mix(0.75).is_none());
    }
}
