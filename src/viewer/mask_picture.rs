//! The queue's mask, drawn over the canvas: while the flow is computed, and instead of the last state
//! if several looks or windows made the mask.

use super::app_state::AppState;
use super::mask_queue::MaskState;
use super::mask_store::LabelPicture;
use crate::gpu::canvas::Layer;
use eframe::egui::{
    self, Color32, ColorImage, Pos2, Rect, TextureHandle, TextureOptions, Vec2, pos2, vec2,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a texture was made from.
struct Made {
    picture: Arc<LabelPicture>,
    colours: Vec<[u8; 3]>,
    hidden: BTreeSet<usize>,
}

#[derive(Default)]
pub(super) struct MaskPicture {
    texture: Option<(Made, TextureHandle)>,
}

/// A mask that is ready to be drawn.
pub(super) struct ReadyMask {
    texture: TextureHandle,
    /// Width and height of the photo.
    pub photo: Vec2,
    opacity: f32,
}

impl MaskPicture {
    /// The mask to draw now, if there is one.
    pub(super) fn ready(&mut self, app: &AppState, context: &egui::Context) -> Option<ReadyMask> {
        let (at, _) = app.photos.place();
        let (picture, model) = (app.masks.picture(at)?, app.model.as_ref()?);
        let MaskState::Done(mask) = app.masks.state(at) else {
            return None;
        };
        let last = app.sampling.steps as f32;
        let wanted = if app.settings.masks.differs(&model.card) {
            app.reachable() < last || app.playhead.position >= last
        } else {
            app.reachable() == 0.0
        };
        if !wanted {
            return None;
        }
        let hidden = &app.selection.hidden;
        let is_made = |made: &Made| {
            Arc::ptr_eq(&made.picture, picture)
                && made.colours == model.colours
                && made.hidden.iter().eq(hidden.iter())
        };
        if !self.texture.as_ref().is_some_and(|(made, _)| is_made(made)) {
            let rgba = picture.rgba(&model.colours, |class| hidden.contains(&class));
            let image = ColorImage::from_rgba_unmultiplied(picture.size, &rgba);
            let texture = context.load_texture("mask", image, TextureOptions::NEAREST);
            let made = Made {
                picture: picture.clone(),
                colours: model.colours.clone(),
                hidden: hidden.iter().copied().collect(),
            };
            self.texture = Some((made, texture));
        }
        let (_, texture) = self.texture.as_ref()?;
        let [width, height] = mask.size;
        Some(ReadyMask {
            texture: texture.clone(),
            photo: vec2(width as f32, height as f32),
            opacity: app.settings.view.opacity,
        })
    }
}

impl ReadyMask {
    /// Whether it replaces a layer.
    pub(super) fn covers(layer: Layer) -> bool {
        matches!(layer, Layer::Map | Layer::Overlay)
    }

    /// Draws it at the photo's place in a pane, or `alone` on the background.
    pub(super) fn paint(&self, ui: &egui::Ui, layer: Layer, clip: Rect, target: Rect, alone: bool) {
        let share = match layer {
            Layer::Overlay if !alone => self.opacity,
            _ => 1.0,
        };
        let painter = ui.painter().with_clip_rect(clip);
        if layer == Layer::Map || alone {
            painter.rect_filled(target, 0.0, Color32::from_gray(51));
        }
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        let tint = Color32::WHITE.gamma_multiply(share);
        painter.image(self.texture.id(), target, whole, tint);
    }
}
