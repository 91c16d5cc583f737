//! The renderer: compares scenes, computes what changed, draws.

use super::buffers::{mappable, take};
use super::cloud::{Cloud, CloudBuffers};
use super::draw::{self, LineBuffers};
use super::pane::{Pane, Shared};
use super::particles::{ParticleRun, Tally};
use super::pipelines::{Drawing, Kernels};
use super::range::Ranges;
use super::scene::{ArrowPlace, Scene};
use super::target::Target;
use crate::gpu::{GpuError, guarded};

/// Samples a pixel of a finished picture.
const SAMPLES: u32 = 4;

/// How well to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detail {
    /// Several samples a pixel.
    pub fine: bool,
    /// The share of particles and of the cloud's points that is drawn, 0..=1.
    pub share: f32,
}

/// Draws scenes into a texture of its own.
pub struct Renderer {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) kernels: Kernels,
    pub(super) fine: Drawing,
    pub(super) quick: Drawing,
    pub(super) sampler: wgpu::Sampler,
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
            sampler: guarded(device, "making a sampler", || {
                device.create_sampler(&wgpu::SamplerDescriptor {
                    label: Some("field slice"),
                    mag_filter: wgpu::FilterMode::Linear,
                    min_filter: wgpu::FilterMode::Linear,
                    ..Default::default()
                })
            })?,
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
        self.paint(&target, scale, detail.share)?;
        Ok(&self.target.insert(target).view)
    }

    /// Draws the scene at any size and reads it back: `[height, width, 4]` RGBA bytes.
    ///
    /// # Errors
    /// A size that the device can't hold, or a driver that refuses.
    pub fn picture(&mut self, size: [u32; 2], scale: f32) -> Result<Vec<u8>, GpuError> {
        check_size(&self.device, size)?;
        let what = "exporting a picture";
        let device = self.device.clone();
        let target = guarded(&device, what, || Target::new(&device, size, SAMPLES))?;
        self.paint(&target, scale, 1.0)?;
        // Rows of a copy are padded to a multiple of this many bytes.
        let row = 4 * size[0];
        let padded = row.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = guarded(&device, what, || {
            let staging = mappable(&device, u64::from(padded) * u64::from(size[1]));
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_texture_to_buffer(
                target.colour.as_image_copy(),
                wgpu::TexelCopyBufferInfo {
                    buffer: &staging,
                    layout: wgpu::TexelCopyBufferLayout {
                        offset: 0,
                        bytes_per_row: Some(padded),
                        rows_per_image: None,
                    },
                },
                target.colour.size(),
            );
            self.queue.submit([encoder.finish()]);
            staging
        })?;
        let bytes = take(&device, &staging, what)?;
        Ok(bytes
            .chunks_exact(padded as usize)
            .flat_map(|line| &line[..row as usize])
            .copied()
            .collect())
    }

    fn paint(&self, target: &Target, scale: f32, share: f32) -> Result<(), GpuError> {
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
            sampler: &self.sampler,
            scene,
            shared,
            lines,
            cloud: self.cloud.as_ref(),
            ranges: self.ranges,
            share,
        };
        guarded(&self.device, "drawing", || {
            painter.paint(&self.panes, target, scale)
        })
    }
}

/// Pixels of the largest picture: with four samples each, about 2.5 GiB on the device.
const MOST_PIXELS: u64 = 1 << 26;

fn check_size(device: &wgpu::Device, size: [u32; 2]) -> Result<(), GpuError> {
    let edge = device.limits().max_texture_dimension_2d;
    let pixels = u64::from(size[0]) * u64::from(size[1]);
    if size.contains(&0) || size.iter().any(|&s| s > edge) || pixels > MOST_PIXELS {
        return Err(GpuError {
            what: "making a picture",
            reason: format!(
                "{} x {} pixels; an edge holds 1 to {edge}, the whole at most {MOST_PIXELS}",
                size[0], size[1]
            ),
        });
    }
    Ok(())
}
