//! The picture of the scene in the window: drawn off screen where something changed, and copied.

use super::{FieldInput, FieldLab};
use crate::gpu::GpuError;
use crate::gpu::field::{ArrowPlace, Detail, FieldKind, Renderer, Scene, Show, Shown};
use eframe::egui;
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState};
use eframe::wgpu;

/// Potential evaluations (steps x particles x N x panes) that a software adapter takes on in one
/// frame of a run, and that a graphics card does.
const WORK: [f64; 2] = [4e6, 1e9];

/// The picture in the window, with what it was drawn at.
pub struct Picture {
    show: Show,
    shown: Shown,
    frame: Frame,
}

/// How one frame is drawn.
#[derive(Clone, Copy, PartialEq)]
pub struct Frame {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Pixels a point of the screen.
    pub scale: f32,
    /// Whether every pixel of the window has one of its own.
    pub exact: bool,
    /// How well.
    pub detail: Detail,
}

/// Paints the picture within egui's own pass.
struct Paint(Shown);

impl CallbackTrait for Paint {
    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &CallbackResources,
    ) {
        self.0.paint(pass);
    }
}

impl Picture {
    /// What egui paints in its place.
    pub fn callback(&self, area: egui::Rect) -> egui::PaintCallback {
        Callback::new_paint_callback(area, Paint(self.shown.clone()))
    }
}

/// Brings a scene, and what of the photo it shows, to the device. Says whether the picture changes.
pub fn update(
    lab: &mut FieldLab,
    gpu: &RenderState,
    scene: &Scene,
    input: &FieldInput<'_>,
) -> Result<bool, GpuError> {
    let renderer = match &mut lab.renderer {
        Some(renderer) => renderer,
        none => none.insert(Renderer::new(&gpu.device, &gpu.queue)?),
    };
    if std::mem::take(&mut lab.restart) {
        renderer.restart(scene)?;
    }
    let brushed: &[bool] = match scene.cloud {
        Some(_) => input.brushed,
        None => &[],
    };
    let shown = scene.cloud.is_some()
        || scene.panes.contains(&FieldKind::Network)
        || scene.arrows.is_some_and(|a| a.place == ArrowPlace::Cloud);
    let cloud = input.cloud.as_ref().filter(|_| shown);
    renderer.update(scene, cloud, brushed)
}

/// Takes a run's next steps and draws the scene where the picture is not it already.
pub fn draw(
    lab: &mut FieldLab,
    gpu: &RenderState,
    scene: &Scene,
    input: &FieldInput<'_>,
    software: bool,
    frame: Frame,
) -> Result<(), GpuError> {
    let mut changed = update(lab, gpu, scene, input)?;
    let Some(renderer) = &mut lab.renderer else {
        return Ok(());
    };
    if lab.playing && renderer.running() {
        let particles = scene.particles.as_ref().map_or(0, |p| p.seeds.len());
        let evaluations = particles * scene.table.centroids.len() * scene.panes.len();
        let most = WORK[usize::from(!software)] / evaluations.max(1) as f64;
        let wanted = if lab.hurry { 200 } else { lab.settings.speed };
        changed |= renderer.advance(wanted.min(most as u32).max(1))?;
    }
    lab.tallies = renderer.tallies();
    let drawn = lab.texture.as_ref().map(|picture| picture.frame);
    if drawn == Some(frame) && !changed {
        return Ok(());
    }
    let view = renderer.draw(frame.size, frame.scale, frame.detail)?;
    let same = drawn.is_some_and(|drawn| {
        // The renderer keeps its texture as long as size and samples stay.
        drawn.size == frame.size
            && drawn.exact == frame.exact
            && drawn.detail.fine == frame.detail.fine
    });
    lab.texture = Some(match lab.texture.take() {
        Some(picture) if same => Picture { frame, ..picture },
        before => {
            let show = match before {
                Some(picture) => picture.show,
                None => Show::new(&gpu.device, gpu.target_format)?,
            };
            let shown = show.picture(&gpu.device, view, frame.exact)?;
            Picture { show, shown, frame }
        }
    });
    Ok(())
}
