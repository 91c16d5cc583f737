//! The renderer: compares scenes, computes what changed, draws.

use super::cloud::{Cloud, CloudBuffers};
use super::draw::{self, LineBuffers};
use super::pane::{Pane, Shared};
use super::particles::{ParticleRun, Tally};
use super::picture::check_size;
use super::pipelines::{Drawing, Kernels};
use super::range::Ranges;
use super::scene::{ArrowPlace, Scene};
use super::target::Target;
use crate::gpu::{GpuError, guarded};

/// Samples a pixel of a finished picture.
pub(super) const SAMPLES: u32 = 4;

/// How well to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detail {
    /// Several samples a pixel.
    pub fine: bool,
    /// The share of particles and of the cloud's points that is drawn, 0..=1.
    pub points: f32,
    /// The share of arrows, streamlines and trails that is drawn, 0..=1.
    pub strokes: f32,
}

impl Detail {
    /// Everything, with several samples a pixel.
    pub const FULL: Self = Self {
        fine: true,
        points: 1.0,
        strokes: 1.0,
    };
}

/// Draws scenes into a texture of its own.
pub struct Renderer {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) kernels: Kernels,
    pub(super) fine: Drawing,
    pub(super) quick: Drawing,
    pub(super) target: Option<Target>,
    pub(super) scene: Option<Scene>,
    pub(super) shared: Option<Shared>,
    pub(super) panes: Vec<Pane>,
    pub(super) cloud: Option<CloudBuffers>,
    pub(super) cloud_generation: Option<u64>,
    pub(super) brushed: Vec<bool>,
    pub(super) lines: Option<LineBuffers>,
    pub(super) ranges: Ranges,
}

impl Renderer {
    /// Compiles the shaders.
    ///
    /// # Errors
    /// A driver that refuses one of them.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Self, GpuError> {
        Ok(Self {
            kernels: Kernels::new(device)?,
            fine: Drawing::new(device, SAMPLES)?,
            quick: Drawing::new(device, 1)?,
            device: device.clone(),
            queue: queue.clone(),
            target: None,
            scene: None,
            shared: None,
            panes: Vec::new(),
            cloud: None,
            cloud_generation: None,
            brushed: Vec::new(),
            lines: None,
            ranges: Ranges {
                magnitude: [-1.0, 0.0],
                phi: 1.0,
            },
        })
    }

    /// What the ramps span.
    pub fn ranges(&self) -> Ranges {
        self.ranges
    }

    /// Takes a new scene and cloud, and computes what is no longer true of the last. Says whether
    /// there is anything new to draw. `brushed` has an entry a pixel, or none.
    ///
    /// # Errors
    /// A driver that refuses, or has no memory left.
    pub fn update(
        &mut self,
        scene: &Scene,
        cloud: Option<&Cloud<'_>>,
        brushed: &[bool],
    ) -> Result<bool, GpuError> {
        let cloud = cloud.filter(|cloud| cloud.is_whole());
        let generation = cloud.map(|cloud| cloud.generation);
        let before = self.scene.take();
        let same_cloud = self.cloud_generation == generation;
        if before.as_ref() == Some(scene) && same_cloud && self.brushed == brushed {
            self.scene = before;
            return Ok(false);
        }
        let old = before.as_ref();
        let field = old.is_none_or(|old| {
            old.table != scene.table
                || old.potential != scene.potential
                || old.target != scene.target
                || old.correction != scene.correction
                || old.neighbourhood != scene.neighbourhood
                || old.panes != scene.panes
        });
        let device = self.device.clone();
        if field {
            guarded(&device, "preparing the field", || self.prepare_field(scene))?;
        }
        if !same_cloud || old.is_none() {
            guarded(&device, "showing the photo's points", || {
                self.cloud = cloud.map(|cloud| CloudBuffers::new(&device, cloud, brushed));
            })?;
        } else if self.brushed != brushed
            && let (Some(buffers), Some(cloud)) = (&mut self.cloud, cloud)
        {
            buffers.brush(&self.queue, cloud, brushed);
        }
        let plane = old.and_then(|old| old.slice).map(|s| s.plane) != scene.slice.map(|s| s.plane);
        let at_cloud = scene.arrows.is_some_and(|a| a.place == ArrowPlace::Cloud);
        if field
            || old.is_none_or(|old| old.arrows != scene.arrows)
            || (plane && scene.arrows.is_some_and(|a| a.place == ArrowPlace::Slice))
            || (at_cloud && !same_cloud)
        {
            self.place_arrows(scene, cloud)?;
        }
        guarded(&device, "preparing the slice", || {
            self.prepare_slice(scene, old, field, plane);
        })?;
        let run = |scene: &Scene| {
            scene
                .particles
                .as_ref()
                .map(|p| (p.seeds.clone(), p.integration, p.trails))
        };
        if field || old.map(run) != Some(run(scene)) {
            self.restart(scene)?;
        }
        if plane || old.is_none_or(|old| old.look != scene.look || old.lines != scene.lines) {
            self.lines = Some(guarded(&device, "preparing lines", || {
                LineBuffers::new(&device, scene)
            })?);
        }
        self.cloud_generation = generation;
        self.brushed = brushed.to_vec();
        self.scene = Some(scene.clone());
        Ok(true)
    }

    /// Puts the particles of every pane back to their starts.
    ///
    /// # Errors
    /// A driver that refuses.
    pub fn restart(&mut self, scene: &Scene) -> Result<(), GpuError> {
        let device = &self.device;
        let panes = &mut self.panes;
        guarded(device, "placing particles", || {
            for pane in panes {
                let wanted = scene.particles.as_ref();
                pane.particles = wanted.map(|p| ParticleRun::new(device, scene, p));
            }
        })
    }

    /// A cloud's state in memory, as [`Cloud::read`].
    ///
    /// # Errors
    /// A device that fails.
    pub fn read<'a>(&self, cloud: &'a Cloud<'_>) -> Result<std::borrow::Cow<'a, [f32]>, GpuError> {
        cloud.read(&self.device, &self.queue)
    }

    /// Takes up to `steps` more steps with the particles of every pane. Says whether it did.
    ///
    /// # Errors
    /// A driver that refuses.
    pub fn advance(&mut self, steps: u32) -> Result<bool, GpuError> {
        let Some(shared) = &self.shared else {
            return Ok(false);
        };
        if !self.running() {
            return Ok(false);
        }
        let (device, queue, kernels) = (&self.device, &self.queue, &self.kernels);
        let panes = &mut self.panes;
        guarded(device, "advancing particles", || {
            for pane in panes {
                if let Some(run) = &mut pane.particles {
                    let field = [&pane.field, &shared.centroids];
                    run.advance(device, queue, kernels, field, steps);
                }
            }
        })?;
        Ok(true)
    }

    /// Whether particles have steps left to take.
    pub fn running(&self) -> bool {
        let mut runs = self.panes.iter().filter_map(|pane| pane.particles.as_ref());
        runs.any(ParticleRun::running)
    }

    /// Whether all particles are at the end of their steps, and counted.
    pub fn settled(&self) -> bool {
        let mut runs = self.panes.iter().filter_map(|pane| pane.particles.as_ref());
        runs.all(ParticleRun::finished)
    }

    /// The counts of every pane, as far as they have come back. Never waits.
    pub fn tallies(&mut self) -> Vec<Option<Tally>> {
        // Lets the device report what has been read; an error would come back with the next work.
        let _ = self.device.poll(wgpu::PollType::Poll);
        let (device, queue) = (&self.device, &self.queue);
        self.panes
            .iter_mut()
            .map(|pane| {
                pane.particles
                    .as_mut()
                    .map(|run| run.tally(device, queue).clone())
            })
            .collect()
    }

    /// Draws the scene at this size in pixels. `scale` is the pixels a point of the screen.
    ///
    /// # Errors
    /// A size that the device can't hold, or a driver that refuses.
    pub fn draw(
        &mut self,
        size: [u32; 2],
        scale: f32,
        detail: Detail,
    ) -> Result<&wgpu::TextureView, GpuError> {
        let samples = if detail.fine { SAMPLES } else { 1 };
        let device = self.device.clone();
        let fits = self
            .target
            .as_ref()
            .filter(|t| t.size == size && t.samples == samples);
        if fits.is_none() {
            check_size(&device, size)?;
            self.target = None;
        }
        let target = match self.target.take() {
            Some(target) => target,
            None => guarded(&device, "making a picture", || {
                Target::new(&device, size, samples)
            })?,
        };
        self.paint(&target, scale, detail)?;
        Ok(&self.target.insert(target).view)
    }

    pub(super) fn paint(
        &self,
        target: &Target,
        scale: f32,
        detail: Detail,
    ) -> Result<(), GpuError> {
        let (Some(scene), Some(shared), Some(lines)) = (&self.scene, &self.shared, &self.lines)
        else {
            return Ok(());
        };
        let drawing = if target.samples == self.fine.samples {
            &self.fine
        } else {
            &self.quick
        };
        let painter = draw::Painter {
            device: &self.device,
            queue: &self.queue,
            drawing,
            scene,
            shared,
            lines,
            cloud: self.cloud.as_ref(),
            ranges: self.ranges,
            detail,
        };
        guarded(&self.device, "drawing", || {
            painter.paint(&self.panes, target, scale)
        })
    }
}
