//! The renderer: uploads scenes to the device and draws them off screen.

use super::context::{Gpu, Phase, SAMPLES};
use super::globals::{self, Globals};
use super::layer::{Detail, Draw, Frame};
use super::layers::{FieldScene, Layers};
use super::particles::Tally;
use super::pixels::Cloud;
use super::readback::PictureReadback;
use super::target::Target;
use crate::gpu::{GpuError, guarded};
use crate::vector_field::{FieldKind, Ranges};
use std::borrow::Cow;

const COMPILING: &str = "compiling the field's shaders";

/// Draws scenes into its own texture.
pub struct Renderer {
    gpu: Gpu,
    globals: Globals,
    layers: Layers,
    shown: Option<Shown>,
    target: Option<Target>,
}

struct Shown {
    scene: FieldScene,
    cloud: Option<u64>,
    brushed: Vec<bool>,
}

impl Renderer {
    /// Compiles the shaders.
    ///
    /// # Errors
    /// If the driver rejects one of them.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Self, GpuError> {
        guarded(device, COMPILING, || {
            let gpu = Gpu::new(device, queue, &globals::SLOTS);
            Self {
                globals: Globals::new(&gpu),
                layers: Layers::new(&gpu),
                gpu,
                shown: None,
                target: None,
            }
        })
    }

    /// The ranges of the colour ramps.
    pub(crate) fn ranges(&self) -> Ranges {
        self.globals.ranges
    }

    /// Prepares a scene and a cloud, computing only what has changed. Returns whether the picture
    /// changes. `brushed` has one entry per pixel or is empty.
    ///
    /// # Errors
    /// If the driver rejects a resource or runs out of memory.
    pub fn update(
        &mut self,
        scene: &FieldScene,
        cloud: Option<&Cloud<'_>>,
        brushed: &[bool],
    ) -> Result<bool, GpuError> {
        let cloud = cloud.filter(|cloud| cloud.is_whole());
        let generation = cloud.map(|cloud| cloud.generation);
        // Kept only if everything succeeds.
        let before = self.shown.take();
        let same_cloud = before.as_ref().is_some_and(|old| old.cloud == generation);
        let view = &scene.view;
        let same = |old: &Shown| same_cloud && old.scene == *scene && old.brushed == brushed;
        if before.as_ref().is_some_and(same) {
            self.shown = before;
            return Ok(false);
        }
        let same_fields = |old: &Shown| old.scene.view.same_fields(view);
        let same_fields = before.as_ref().is_some_and(same_fields);
        if !same_fields {
            guarded(&self.gpu.device, "preparing the field", || {
                self.globals.set_fields(&self.gpu, view);
            })?;
        }
        let same_colours =
            |old: &Shown| same_fields && old.scene.view.table.colours == view.table.colours;
        if same_fields && !before.as_ref().is_some_and(same_colours) {
            guarded(&self.gpu.device, "colouring the classes", || {
                self.globals.set_colours(&self.gpu, view);
            })?;
        }
        if !same_fields || (FieldKind::has_network(&view.panes) && !same_cloud) {
            self.globals.measure(view, cloud);
        }
        if scene.layers.particles.is_none() {
            self.layers.particles.clear();
        }
        let frame = Frame {
            gpu: &self.gpu,
            view,
            globals: &self.globals,
            cloud,
            brushed,
        };
        if let Err(error) = self.layers.prepare(&scene.layers, &frame) {
            // Layers may still hold resources of the failed call.
            let compile = || Layers::new(&self.gpu);
            self.layers = guarded(&self.gpu.device, COMPILING, compile)?;
            return Err(error);
        }
        self.shown = Some(Shown {
            scene: scene.clone(),
            cloud: generation,
            brushed: brushed.to_vec(),
        });
        Ok(true)
    }

    /// Moves the particles of every pane back to their starting points.
    ///
    /// # Errors
    /// If the driver rejects a resource or runs out of memory.
    pub fn restart(&mut self) -> Result<(), GpuError> {
        guarded(&self.gpu.device, "placing particles", || {
            self.layers.particles.restart(&self.gpu);
        })
    }

    /// Takes up to `steps` more steps with the particles of every pane. Returns whether there were
    /// steps left to take.
    ///
    /// # Errors
    /// If the driver rejects the commands.
    pub fn advance(&mut self, steps: u32) -> Result<bool, GpuError> {
        if !self.running() {
            return Ok(false);
        }
        guarded(&self.gpu.device, "advancing particles", || {
            self.layers
                .particles
                .advance(&self.gpu, &self.globals.panes, steps);
        })?;
        Ok(true)
    }

    pub(crate) fn running(&self) -> bool {
        self.layers.particles.running()
    }

    /// Whether all particles have taken their steps and are counted.
    pub(crate) fn settled(&self) -> bool {
        self.layers.particles.settled()
    }

    /// The latest counts of every pane; empty without particles. Does not block.
    pub(crate) fn tallies(&mut self) -> Vec<Tally> {
        // Lets the device report finished read-backs; errors surface with the next operation.
        let _ = self.gpu.device.poll(wgpu::PollType::Poll);
        self.layers.particles.tallies(&self.gpu)
    }

    /// See [`Cloud::read`].
    pub(crate) fn read<'a>(&self, cloud: &'a Cloud<'_>) -> Result<Cow<'a, [f32]>, GpuError> {
        cloud.read(&self.gpu.device, &self.gpu.queue)
    }

    /// Draws the prepared scene at this size in pixels; `scale` is in pixels per point of the
    /// screen.
    ///
    /// # Errors
    /// If the device cannot hold a picture of this size, or the driver rejects the commands.
    pub fn draw(
        &mut self,
        size: [u32; 2],
        scale: f32,
        detail: Detail,
    ) -> Result<&wgpu::TextureView, GpuError> {
        let samples = if detail.fine { SAMPLES } else { 1 };
        let fits = |target: &Target| target.size == size && target.samples == samples;
        // Frees the old textures before allocating new ones.
        let target = match self.target.take().filter(fits) {
            Some(target) => target,
            None => Target::new(&self.gpu.device, size, samples)?,
        };
        self.paint(&target, scale, detail)?;
        Ok(&self.target.insert(target).view)
    }

    /// Draws the prepared scene at any size, lets `over` draw on the picture, and starts copying it
    /// from the device. `scale` is in pixels per point of the screen.
    ///
    /// # Errors
    /// If the device cannot hold a picture of this size, or the driver rejects the commands.
    pub(crate) fn picture_with(
        &mut self,
        size: [u32; 2],
        scale: f32,
        over: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::TextureView),
    ) -> Result<PictureReadback, GpuError> {
        let (device, queue) = (&self.gpu.device, &self.gpu.queue);
        let target = Target::new(device, size, SAMPLES)?;
        self.paint(&target, scale, Detail::FULL)?;
        PictureReadback::start(device, queue, &target, over)
    }

    /// Draws all panes side by side.
    fn paint(&self, target: &Target, scale: f32, detail: Detail) -> Result<(), GpuError> {
        let Some(Shown { scene, .. }) = &self.shown else {
            return Ok(());
        };
        let panes = &self.globals.panes;
        let width = (target.size[0] / panes.len().max(1) as u32).max(1);
        let height = target.size[1];
        let size = [width as f32, height as f32];
        guarded(&self.gpu.device, "drawing the field", || {
            self.globals.set_scene(&self.gpu, &scene.view, size, scale);
            self.gpu.submit(|encoder| {
                let mut pass = target.begin(encoder, scene.view.style.background);
                for (index, pane) in panes.iter().enumerate() {
                    let left = index as u32 * width;
                    pass.set_viewport(left as f32, 0.0, size[0], size[1], 0.0, 1.0);
                    pass.set_scissor_rect(left, 0, width, height);
                    pass.set_bind_group(0, &pane.group, &[]);
                    for phase in [Phase::Opaque, Phase::Blended] {
                        let mut draw = Draw {
                            gpu: &self.gpu,
                            view: &scene.view,
                            pane: index,
                            phase,
                            detail,
                            pass: &mut pass,
                        };
                        self.layers.draw(&scene.layers, &mut draw);
                    }
                }
            });
        })
    }
}
