//! The interface of a layer: one kind of visible item.

use super::context::{Gpu, Phase, Pipeline};
use super::globals::Globals;
use super::pixels::Cloud;
use super::view::FieldView;
use crate::gpu::GpuError;

/// The level of detail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detail {
    /// Draw several samples per pixel.
    pub fine: bool,
    /// The fraction of particles and of the cloud's points that is drawn, 0..=1.
    pub points: f32,
    /// The fraction of arrows, streamlines and trails that is drawn, 0..=1.
    pub strokes: f32,
}

impl Detail {
    /// Everything, with several samples per pixel.
    pub const FULL: Self = Self {
        fine: true,
        points: 1.0,
        strokes: 1.0,
    };

    /// Number of arrows or lines to draw. They are in random order, so the first ones are a fair
    /// sample.
    pub(super) fn strokes_of(&self, count: u32) -> u32 {
        (count as f32 * self.strokes).ceil() as u32
    }
}

/// Input of [`Layer::prepare`], apart from the layer's own settings.
pub(super) struct Frame<'a> {
    pub gpu: &'a Gpu,
    pub view: &'a FieldView,
    pub globals: &'a Globals,
    pub cloud: Option<&'a Cloud<'a>>,
    /// Whether each pixel of the cloud is brushed; empty if none is.
    pub brushed: &'a [bool],
}

/// One phase of drawing in one pane. The viewport and the global bind group are set already.
pub(super) struct Draw<'a, 'p> {
    pub gpu: &'a Gpu,
    pub view: &'a FieldView,
    pub pane: usize,
    /// Opaque items of all layers are drawn before blended ones.
    pub phase: Phase,
    pub detail: Detail,
    pub pass: &'a mut wgpu::RenderPass<'p>,
}

impl Draw<'_, '_> {
    pub(super) fn vertices(&mut self, pipeline: &Pipeline, own: &wgpu::BindGroup, count: u32) {
        pipeline.draw(self.pass, self.detail.fine, own, count);
    }
}

/// One kind of visible item: its pipelines, and its buffers as of the last `prepare`. A layer
/// without settings is not drawn.
pub(super) trait Layer {
    type Settings;

    /// The source of its shader, which has the name of the layer's file in `shaders/field`.
    const WGSL: &'static str;

    /// Computes and uploads what has changed since the last call.
    fn prepare(&mut self, settings: &Self::Settings, frame: &Frame<'_>) -> Result<(), GpuError>;

    fn draw(&self, settings: &Self::Settings, draw: &mut Draw<'_, '_>);
}
