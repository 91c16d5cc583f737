//! A photo's flow as the window holds it: the states so far on the host and in graphics memory.

use super::canvas_renderer::CanvasRenderer;
use super::worker_events::{Host, Opened, Thumbnails};
use crate::data::LabelMap;
use crate::gpu::GpuError;
use crate::gpu::canvas::{Sources, Values};
use crate::gpu::textures::{Photo, Truth};
use image::RgbImage;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of graphics memory that states may take; beyond it the least recently shown ones stay on
/// the host alone and are uploaded again when they are shown.
pub const BUDGET: usize = 256 << 20;

/// One stored state.
pub struct StoredState {
    /// Its time, 0 to 1.
    pub t: f32,
    /// Its numbers; none while they are still being read back from the device.
    pub host: Option<Host>,
    /// Small pictures of it.
    pub thumbnails: Option<Thumbnails>,
    values: Option<Arc<Values>>,
    /// When it was last shown, in pictures drawn.
    shown: u64,
}

/// A number that no flow has had before.
fn another() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A flow in memory.
pub struct Flow {
    /// What the photo is called.
    pub name: String,
    /// The photo, upright.
    pub photo: Arc<RgbImage>,
    /// The photo in graphics memory.
    pub picture: Option<Arc<Photo>>,
    /// Its labels, where they are known.
    pub truth: Option<Arc<LabelMap>>,
    /// Its labels in graphics memory.
    pub truth_picture: Option<Arc<Truth>>,
    /// Height and width of the states.
    pub size: [usize; 2],
    /// The states so far.
    pub states: Vec<StoredState>,
    /// The step from which on every pixel keeps its class, once all states are there.
    pub settled: Option<Vec<u16>>,
    /// Bytes of graphics memory that the states may take.
    pub budget: usize,
    /// Another number for another flow.
    pub id: u64,
    /// Another number whenever something on the screen would differ; no two flows share one.
    pub generation: u64,
    decoded: Option<(DecodedKey, Arc<wgpu::Buffer>)>,
    drawn: u64,
}

type DecodedKey = (u64, usize, usize, u32);

impl Flow {
    /// A flow without states.
    pub fn new(name: String, opened: Opened) -> Self {
        Self {
            name,
            photo: opened.photo,
            picture: opened.picture,
            truth: opened.truth,
            truth_picture: opened.truth_picture,
            size: opened.size,
            states: Vec::new(),
            settled: None,
            budget: BUDGET,
            id: another(),
            generation: another(),
            decoded: None,
            drawn: 0,
        }
    }

    /// Pixels of a state.
    pub fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Adds a state that can be shown.
    pub fn push(&mut self, t: f32, values: Option<Arc<Values>>) {
        self.states.push(StoredState {
            t,
            host: None,
            thumbnails: None,
            values,
            shown: self.drawn,
        });
        self.generation = another();
    }

    /// Adds the numbers of state `step`.
    pub fn read(&mut self, step: usize, host: Host, thumbnails: Option<Thumbnails>) {
        if let Some(state) = self.states.get_mut(step) {
            state.host = Some(host);
            state.thumbnails = thumbnails;
            self.generation = another();
        }
    }

    /// The number of the state at or before `position`, the one after it, and where between them.
    pub fn around(&self, position: f32) -> Option<(usize, usize, f32)> {
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
    pub fn nearest(&self, position: f32) -> Option<(usize, &Host)> {
        let last = self.states.len().checked_sub(1)?;
        let at = (position.max(0.0).round() as usize).min(last);
        Some((at, self.states[at].host.as_ref()?))
    }

    /// The time at `position`.
    pub fn time(&self, position: f32) -> f32 {
        self.around(position).map_or(0.0, |(low, high, share)| {
            let (a, b) = (self.states[low].t, self.states[high].t);
            a + (b - a) * share
        })
    }

    /// A pixel's state at `position`: linear between two stored states, which is exact for Euler.
    pub fn state_of(&self, pixel: usize, position: f32) -> Option<[f32; 3]> {
        let (low, high, share) = self.around(position)?;
        let a = self.states[low].host.as_ref()?.at(pixel);
        let b = self.states[high].host.as_ref()?.at(pixel);
        Some(std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share))
    }

    /// A pixel's velocity over the step at `position`: the difference quotient of the two states.
    pub fn velocity_of(&self, pixel: usize, position: f32) -> Option<[f32; 3]> {
        let last = self.states.len().checked_sub(2)?;
        let low = (position.max(0.0) as usize).min(last);
        let (before, after) = (&self.states[low], &self.states[low + 1]);
        let (a, b) = (
            before.host.as_ref()?.at(pixel),
            after.host.as_ref()?.at(pixel),
        );
        let h = (after.t - before.t).max(f32::EPSILON);
        Some(std::array::from_fn(|c| (b[c] - a[c]) / h))
    }

    /// The stored states of a pixel, as far as they were read.
    pub fn path_of(&self, pixel: usize) -> Vec<[f32; 3]> {
        self.states
            .iter()
            .map_while(|state| Some(state.host.as_ref()?.at(pixel)))
            .collect()
    }

    /// What a picture at `position` is drawn from; none before the first state.
    ///
    /// # Errors
    /// A driver that refuses, or not enough graphics memory.
    pub fn sources(
        &mut self,
        screen: &CanvasRenderer,
        position: f32,
    ) -> Result<Option<Sources>, GpuError> {
        let (Some((low, high, share)), Some(photo), Some(classes)) = (
            self.around(position),
            self.picture.clone(),
            screen.classes(),
        ) else {
            return Ok(None);
        };
        self.drawn += 1;
        let (Some(before), Some(after)) = (self.values(screen, low)?, self.values(screen, high)?)
        else {
            return Ok(None);
        };
        self.evict(low, high);
        let key = (screen.classes_version(), low, high, share.to_bits());
        let labels = match &self.decoded {
            Some((decoded, labels)) if *decoded == key => labels.clone(),
            _ => {
                let pixels = self.pixels();
                let labels = screen
                    .pipelines()
                    .decode(&classes, pixels, &before, &after, share)?;
                let labels = Arc::new(labels);
                self.decoded = Some((key, labels.clone()));
                labels
            }
        };
        Ok(Some(Sources {
            photo,
            truth: self.truth_picture.clone(),
            size: self.size,
            before,
            after,
            share,
            labels,
        }))
    }

    /// The state `at` in graphics memory, uploaded again where it was evicted.
    pub fn values(
        &mut self,
        screen: &CanvasRenderer,
        at: usize,
    ) -> Result<Option<Arc<Values>>, GpuError> {
        let drawn = self.drawn;
        let state = &mut self.states[at];
        state.shown = drawn;
        if state.values.is_none()
            && let Some(host) = &state.host
        {
            state.values = Some(Arc::new(screen.pipelines().state(&host.x)?));
        }
        Ok(state.values.clone())
    }

    /// Drops the least recently shown states from graphics memory until the budget holds.
    fn evict(&mut self, low: usize, high: usize) {
        let bytes = 12 * self.pixels();
        let most = (self.budget / bytes.max(1)).max(2);
        let held = self.resident();
        let mut order: Vec<usize> = (0..self.states.len())
            .filter(|&i| i != low && i != high)
            .filter(|&i| self.states[i].values.is_some() && self.states[i].host.is_some())
            .collect();
        order.sort_by_key(|&i| self.states[i].shown);
        for i in order.into_iter().take(held.saturating_sub(most)) {
            self.states[i].values = None;
        }
    }

    /// Where a state lies in graphics memory: buffer and byte offset.
    pub fn location(&self, step: usize) -> Option<(&wgpu::Buffer, u64)> {
        Some(self.states.get(step)?.values.as_deref()?.location())
    }

    /// States in graphics memory.
    pub fn resident(&self) -> usize {
        let held = self.states.iter().filter(|m| m.values.is_some());
        held.count()
    }
}
