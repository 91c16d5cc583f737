//! A mask, drawn over the canvas: the queue's while the flow is computed, and instead of the last state
//! the queue's if several passes or tiles made it, or else the flow's own with outlines that follow
//! the photo.

use super::app_state::AppState;
use super::mask_queue::MaskState;
use super::mask_store::LabelPicture;
use crate::gpu::canvas::Layer;
use crate::votes::Outlines;
use eframe::egui::{
    self, Color32, ColorImage, Pos2, Rect, TextureHandle, TextureOptions, Vec2, pos2, vec2,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Opacity of the other classes while one is highlighted, as in `shaders/canvas.wgsl`.
const UNLIT: u8 = 38;

/// What a texture was made from.
struct Made {
    picture: Arc<LabelPicture>,
    colours: Vec<[u8; 3]>,
    hidden: BTreeSet<usize>,
    /// The highlighted class.
    lit: Option<usize>,
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
        let model = app.model.as_ref()?;
        let (picture, [width, height]) = shown(app)?;
        let (hidden, lit) = (&app.selection.hidden, app.hover.class);
        let is_made = |made: &Made| {
            Arc::ptr_eq(&made.picture, &picture)
                && made.colours == model.colours
                && made.hidden.iter().eq(hidden.iter())
                && made.lit == lit
        };
        if !self.texture.as_ref().is_some_and(|(made, _)| is_made(made)) {
            let rgba = picture.rgba(&model.colours, |class| match lit {
                _ if hidden.contains(&class) => 0,
                Some(lit) if lit != class => UNLIT,
                _ => u8::MAX,
            });
            let image = ColorImage::from_rgba_unmultiplied(picture.size, &rgba);
            let texture = context.load_texture("mask", image, TextureOptions::NEAREST);
            let made = Made {
                picture: picture.clone(),
                colours: model.colours.clone(),
                hidden: hidden.iter().copied().collect(),
                lit,
            };
            self.texture = Some((made, texture));
        }
        let (_, texture) = self.texture.as_ref()?;
        Some(ReadyMask {
            texture: texture.clone(),
            photo: vec2(width as f32, height as f32),
            opacity: app.settings.view.opacity,
        })
    }
}

/// The mask to draw now, and the width and height of its photo.
fn shown(app: &AppState) -> Option<(Arc<LabelPicture>, [u32; 2])> {
    let flow = app.flow.as_ref();
    // A comparison is of states, and the canvas draws corrections.
    if app.second.is_some() || flow.is_some_and(|flow| app.correct.draws(flow.id)) {
        return None;
    }
    let settings = app.settings.masks;
    let last = (app.state_count() - 1) as f32;
    let is_last = app.playhead.position >= last;
    let differs = settings.differs(&app.model.as_ref()?.card);
    let is_own = !differs && is_last;
    if let (true, Outlines::Photo, Some(flow)) = (is_own, settings.outlines, flow)
        && let Some(picture) = &flow.mask
    {
        return Some((picture.clone(), [flow.photo.width(), flow.photo.height()]));
    }
    let reachable = app.reachable();
    let wanted = if differs {
        reachable < last || is_last
    } else {
        reachable == 0.0
    };
    let (at, _) = app.photos.place();
    match app.masks.state(at) {
        MaskState::Done(mask) if wanted => Some((app.masks.picture(at)?.clone(), mask.size)),
        _ => None,
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
