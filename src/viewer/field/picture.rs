//! The picture of the scene: drawn off screen when it changes, and copied into the window.

use super::interface::FieldInput;
use crate::gpu::GpuError;
use crate::gpu::field::{
    ArrowPlace, Blit, BlitPicture, Detail, FieldScene, PictureReadback, Renderer, Tally,
};
use crate::vector_field::{FieldKind, Ranges};
use eframe::egui;
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState};
use eframe::wgpu;

/// How one frame is drawn.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// Width and height in pixels.
    pub(super) size: [u32; 2],
    /// Pixels per point of the screen.
    pub(super) scale: f32,
    /// Whether the picture has exactly the window's pixels.
    pub(super) exact: bool,
    pub(super) detail: Detail,
}

/// The renderer with its picture in the window.
#[derive(Default)]
pub(super) struct Picture {
    renderer: Option<Renderer>,
    drawn: Option<Drawn>,
    restart: bool,
    tallies: Vec<Tally>,
}

struct Drawn {
    blit: Blit,
    view: wgpu::TextureView,
    picture: BlitPicture,
    frame: Frame,
}

impl Drawn {
    fn new(gpu: &RenderState, view: &wgpu::TextureView, frame: Frame) -> Result<Self, GpuError> {
        let blit = Blit::new(&gpu.device, gpu.target_format)?;
        Ok(Self {
            picture: blit.picture(&gpu.device, view, frame.exact)?,
            blit,
            view: view.clone(),
            frame,
        })
    }
}

/// Copies the picture during egui's render pass.
struct Paint(BlitPicture);

impl CallbackTrait for Paint {
    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &CallbackResources,
    ) {
        self.0.draw(pass);
    }
}

impl Picture {
    /// Whether particles have steps left to take.
    pub(super) fn running(&self) -> bool {
        self.renderer.as_ref().is_some_and(Renderer::running)
    }

    /// Whether all particles have taken their steps and are counted; `None` before the first frame.
    pub(super) fn settled(&self) -> Option<bool> {
        self.renderer.as_ref().map(Renderer::settled)
    }

    /// The particle counts of each pane.
    pub(super) fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// The limits of the colour ramps; `None` before the first frame.
    pub(super) fn ranges(&self) -> Option<Ranges> {
        self.renderer.as_ref().map(Renderer::ranges)
    }

    pub(super) fn renderer(&self) -> Option<&Renderer> {
        self.renderer.as_ref()
    }

    /// Moves the particles back to their starts, in the next frame.
    pub(super) fn restart(&mut self) {
        self.restart = true;
    }

    /// Prepares a scene on the device, with the photo's pixels if it shows them. Returns whether the
    /// picture changes.
    pub(super) fn update(
        &mut self,
        gpu: &RenderState,
        scene: &FieldScene,
        input: &FieldInput<'_>,
    ) -> Result<bool, GpuError> {
        let renderer = match &mut self.renderer {
            Some(renderer) => renderer,
            none => none.insert(Renderer::new(&gpu.device, &gpu.queue)?),
        };
        if std::mem::take(&mut self.restart) {
            renderer.restart()?;
        }
        let layers = &scene.layers;
        let brushed: &[bool] = match layers.cloud {
            Some(_) => input.brushed,
            None => &[],
        };
        let shown = layers.cloud.is_some()
            || FieldKind::has_network(&scene.view.panes)
            || layers.arrows.is_some_and(|a| a.place == ArrowPlace::Cloud);
        let cloud = input.cloud.as_ref().filter(|_| shown);
        renderer.update(scene, cloud, brushed)
    }

    /// Advances the particles by up to `steps` steps, and draws the scene unless the picture is up to
    /// date.
    pub(super) fn draw(
        &mut self,
        gpu: &RenderState,
        scene: &FieldScene,
        input: &FieldInput<'_>,
        frame: Frame,
        steps: u32,
    ) -> Result<(), GpuError> {
        let mut changed = self.update(gpu, scene, input)?;
        let Some(renderer) = &mut self.renderer else {
            return Ok(());
        };
        if steps > 0 {
            changed |= renderer.advance(steps)?;
        }
        self.tallies = renderer.tallies();
        let drawn = self.drawn.as_ref().map(|drawn| drawn.frame);
        if drawn == Some(frame) && !changed {
            return Ok(());
        }
        let view = renderer.draw(frame.size, frame.scale, frame.detail)?;
        let mut drawn = match self.drawn.take() {
            Some(drawn) => drawn,
            None => Drawn::new(gpu, view, frame)?,
        };
        if drawn.view != *view || drawn.frame.exact != frame.exact {
            drawn.view = view.clone();
            drawn.picture = drawn.blit.picture(&gpu.device, view, frame.exact)?;
        }
        self.drawn = Some(Drawn { frame, ..drawn });
        Ok(())
    }

    /// The paint callback for the picture; `None` before the first frame.
    pub(super) fn callback(&self, area: egui::Rect) -> Option<egui::PaintCallback> {
        let picture = self.drawn.as_ref()?.picture.clone();
        Some(Callback::new_paint_callback(area, Paint(picture)))
    }

    /// Draws a scene at any size with `over` on top, and starts copying it from the device.
    pub(super) fn export(
        &mut self,
        size: [u32; 2],
        scale: f32,
        over: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::TextureView),
    ) -> Result<PictureReadback, GpuError> {
        match &mut self.renderer {
            Some(renderer) => renderer.picture_with(size, scale, over),
            None => Err(GpuError {
                what: "exporting a picture",
                reason: "nothing has been drawn yet".to_owned(),
                remedy: "show the field first",
            }),
        }
    }
}
