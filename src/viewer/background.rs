//! The background of panels, painted once by a minimal shader.

use crate::gpu::GpuError;
use crate::gpu::fill::Fill;
use eframe::egui::{self, Color32, Rect};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState};

/// Prepares the shader for a window. Without it, egui paints the backgrounds.
///
/// # Errors
/// The graphics driver fails.
pub(super) fn install(context: &egui::Context, state: &RenderState) -> Result<(), GpuError> {
    let fill = Fill::new(&state.device, state.target_format)?;
    state.renderer.write().callback_resources.insert(fill);
    context.data_mut(|data| data.insert_temp(installed(), true));
    Ok(())
}

fn installed() -> egui::Id {
    egui::Id::unique("background shader")
}

struct Paint([u8; 3]);

impl CallbackTrait for Paint {
    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(fill) = resources.get::<Fill>() {
            fill.paint(pass, self.0);
        }
    }
}

/// Paints a large area in one opaque colour.
pub(super) fn paint(ui: &egui::Ui, rect: Rect, colour: Color32) {
    let ready = ui.data(|data| data.get_temp(installed()));
    match ready {
        Some(true) => {
            let [r, g, b, _] = colour.to_array();
            let callback = Callback::new_paint_callback(rect, Paint([r, g, b]));
            ui.painter().add(callback);
        }
        _ => {
            ui.painter().rect_filled(rect, 0.0, colour);
        }
    }
}

/// The frame of a panel whose background is already painted.
pub(super) fn bare(ui: &egui::Ui) -> egui::Frame {
    egui::Frame::side_top_panel(ui.style()).fill(Color32::TRANSPARENT)
}
