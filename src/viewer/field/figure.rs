//! The view as a picture of any size, with its names, counts and colour bars.

use super::derived::{Effort, SceneOptions};
use super::interface::FieldInput;
use super::panel::FieldPanel;
use super::projection::panes;
use super::style::style;
use super::{legend, overlay};
use crate::gpu::field::{COLOUR, FieldScene, PictureReadback};
use crate::gpu::{GpuError, guarded};
use crate::vector_field::CentroidTable;
use crate::viewer::exports::{Contents, NewFile};
use crate::viewer::theme;
use eframe::egui::{self, Pos2, Rect, Vec2};
use eframe::egui_wgpu::{self, RenderState, RendererOptions, ScreenDescriptor};
use std::sync::Arc;

/// Minimum size of a picture in points, so that headings and bars fit: a larger picture shows the same
/// view with finer pixels.
const LEAST: Vec2 = egui::vec2(760.0, 560.0);

/// Starts exporting the picture, which is part of this frame's output.
pub(super) fn export(
    panel: &mut FieldPanel,
    window: &egui::Context,
    gpu: &RenderState,
    table: &Arc<CentroidTable>,
    input: &FieldInput<'_>,
) {
    match draw(panel, window, gpu, table, input) {
        Ok(picture) => {
            panel.pending.export = Some(NewFile {
                name: "field.png".to_owned(),
                contents: Contents::Picture(picture),
            });
        }
        Err(error) => panel.pending.error = Some(error.to_string()),
    }
}

fn draw(
    panel: &mut FieldPanel,
    window: &egui::Context,
    gpu: &RenderState,
    table: &Arc<CentroidTable>,
    input: &FieldInput<'_>,
) -> Result<PictureReadback, GpuError> {
    let size = panel.settings.export;
    let pixels = egui::vec2(size[0] as f32, size[1] as f32);
    let scale = (pixels / LEAST).min_elem().max(0.25);
    let theme = window.global_style();
    let options = SceneOptions {
        style: style(&theme.visuals),
        highlighted: panel.highlighted,
        effort: Effort::Full,
        over: panel.picture.settled().unwrap_or(false),
    };
    let scene = panel.derived.scene(&panel.settings, input, table, options);
    // At rest on a graphics card, this is the scene shown, and nothing is computed.
    panel.picture.update(gpu, &scene, input)?;
    let area = Rect::from_min_size(Pos2::ZERO, pixels / scale);
    let text = Text::lay_out(panel, theme, &scene, area, scale, input);
    let mut drawn = Ok(());
    let picture = panel.picture.export(size, scale, |encoder, view| {
        drawn = text.draw(gpu, encoder, view, size);
    })?;
    drawn.map(|()| picture)
}

/// What egui draws over the picture.
struct Text {
    textures: egui::TexturesDelta,
    shapes: Vec<egui::ClippedPrimitive>,
    scale: f32,
}

impl Text {
    /// Lays out the text drawn over the picture in the window, in a separate egui context.
    fn lay_out(
        panel: &mut FieldPanel,
        style: Arc<egui::Style>,
        scene: &FieldScene,
        area: Rect,
        scale: f32,
        input: &FieldInput<'_>,
    ) -> Self {
        let context = egui::Context::default();
        theme::apply(&context);
        context.set_global_style(style);
        let mut raw = egui::RawInput {
            screen_rect: Some(area),
            ..Default::default()
        };
        raw.viewports
            .entry(egui::ViewportId::ROOT)
            .or_default()
            .native_pixels_per_point = Some(scale);
        let panes = panes(area, scene.view.panes.len());
        // That context has no pointer and would clear the highlighted class.
        let highlighted = panel.highlighted;
        let output = context.run_ui(raw, |ui| {
            overlay::show(panel, ui, scene, &panes, input);
            legend::show(panel, ui, scene, area);
        });
        panel.highlighted = highlighted;
        Self {
            shapes: context.tessellate(output.shapes, output.pixels_per_point),
            scale: output.pixels_per_point,
            textures: output.textures_delta,
        }
    }

    fn draw(
        &self,
        gpu: &RenderState,
        encoder: &mut wgpu::CommandEncoder,
        view: &wgpu::TextureView,
        size_in_pixels: [u32; 2],
    ) -> Result<(), GpuError> {
        let (device, queue) = (&gpu.device, &gpu.queue);
        let screen = ScreenDescriptor {
            size_in_pixels,
            pixels_per_point: self.scale,
        };
        guarded(device, "drawing text into a picture", || {
            let options = RendererOptions {
                dithering: false,
                ..Default::default()
            };
            let mut renderer = egui_wgpu::Renderer::new(device, COLOUR, options);
            for (id, deltas) in &self.textures.set {
                for delta in deltas {
                    renderer.update_texture(device, queue, *id, delta);
                }
            }
            renderer.update_buffers(device, queue, encoder, &self.shapes, &screen);
            let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("field names"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Load,
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            });
            renderer.render(&mut pass.forget_lifetime(), &self.shapes, &screen);
        })
    }
}
