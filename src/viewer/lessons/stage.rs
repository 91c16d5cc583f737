//! How each card arranges the window.

use super::card::Card;
use crate::gpu::canvas::Layer;
use crate::inference::Sampling;
use crate::job::FlowSettings;
use crate::sampler::Solver;
use crate::viewer::app_state::AppState;
use crate::viewer::dock;
use crate::viewer::field::{CONTROLS, FieldPanel, FieldSettings, Preset};
use crate::viewer::panels::PanelKind;
use crate::viewer::view::{Arrangement, View};
use eframe::egui::Rect;
use egui_tiles::Tree;

/// Solver steps during the lessons: enough to see the path, however few the model recommends.
const STEPS: usize = 10;
/// Particles of the cards about the field.
const PARTICLES: u32 = 400;

/// How flows are computed during the lessons.
pub(super) fn flow_settings(app: &AppState) -> FlowSettings {
    let model = app.model.as_ref();
    FlowSettings {
        sampling: Sampling {
            solver: Solver::Euler,
            steps: model.map_or(STEPS, |model| model.card.flow_steps(STEPS)),
            ..Sampling::default()
        },
        ..FlowSettings::default()
    }
}

/// Whether a card is about the field around the centroids rather than the photo.
pub(super) fn shows_field(card: Card) -> bool {
    matches!(card, Card::Gradient | Card::Traversal | Card::Reshaped)
}

/// Which panels a card shows.
pub(super) fn layout(card: Card) -> Tree<PanelKind> {
    use PanelKind::{Canvas, Charts, Field, Network, Pixel};
    match card {
        Card::Mask | Card::Path => dock::lesson_tree(Canvas, &[Pixel, Charts, Network]),
        Card::Gradient | Card::Traversal | Card::Reshaped => dock::lesson_tree(Field, &[]),
        Card::Prediction => dock::lesson_tree(Canvas, &[Charts, Pixel, Network]),
    }
}

/// The canvas of a card.
pub(super) fn view(card: Card) -> View {
    let layers = match card {
        Card::Prediction => [Layer::Photo, Layer::Map],
        _ => [Layer::Raw, Layer::Map],
    };
    let View { layers: others, .. } = View::default();
    View {
        arrangement: Arrangement::SideBySide,
        layers: [layers[0], layers[1], others[2], others[3]],
        ..View::default()
    }
}

/// The position of the playhead at which a card begins, of `last`, the last state's.
pub(super) fn position(card: Card, last: f32) -> f32 {
    match card {
        Card::Path | Card::Prediction => 0.0,
        _ => last,
    }
}

/// Shows the field of a card about it. Particles run to their end at once if `hurry`.
pub(super) fn field(card: Card, panel: &mut FieldPanel, hurry: bool) {
    // The same classes for everybody, so that all students see the same numbers.
    panel.settings = FieldSettings {
        models_table: false,
        ..FieldSettings::default()
    };
    let preset = match card {
        Card::Gradient => Preset::Fig1c,
        Card::Traversal => Preset::Fig1a,
        Card::Reshaped => Preset::Fig1b,
        Card::Mask | Card::Path | Card::Prediction => return,
    };
    panel.show_preset(preset, hurry);
    panel.settings.compare = card != Card::Traversal;
    match card {
        // At 1, the reshaped gradient fades in proportion as well.
        Card::Gradient => panel.settings.potential.temperature = 2.0,
        _ => panel.settings.count = PARTICLES,
    }
}

/// The number of pictures of a card's animation.
pub(super) fn pictures(card: Card, app: &AppState) -> usize {
    match card {
        Card::Mask | Card::Path | Card::Prediction => {
            let states = app.flow.as_ref().map_or(0, |flow| flow.states.len());
            (2 * states).saturating_sub(1)
        }
        Card::Gradient => TEMPERATURES.len(),
        Card::Traversal | Card::Reshaped => FieldSettings::default().classes,
    }
}

/// The temperatures in the animation of the gradient.
const TEMPERATURES: [f64; 12] = [
    0.5, 0.6, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0,
];

/// Arranges the window for a picture of a card's animation, counted from 0: a position of the playhead,
/// a temperature, or a target.
pub(super) fn arrange(card: Card, picture: usize, app: &mut AppState, panel: &mut FieldPanel) {
    match card {
        Card::Mask | Card::Path | Card::Prediction => app.go_to(picture as f32 / 2.0),
        Card::Gradient => {
            let temperature = TEMPERATURES[picture.min(TEMPERATURES.len() - 1)];
            panel.settings.potential.temperature = temperature;
        }
        Card::Traversal | Card::Reshaped => {
            let kept = panel.settings.clone();
            field(card, panel, true);
            panel.settings.potential = kept.potential;
            panel.settings.target = picture;
        }
    }
}

/// The part of the window that an animation shows: the panel in front without its controls.
/// The canvas has a toolbar of the height `bar`, in points.
pub(super) fn area(card: Card, bar: f32, layout: &Tree<PanelKind>) -> Option<Rect> {
    let panel = if shows_field(card) {
        PanelKind::Field
    } else {
        PanelKind::Canvas
    };
    let mut area = layout.tiles.rect(layout.tiles.find_pane(&panel)?)?;
    if shows_field(card) {
        area.max.x -= CONTROLS;
    } else {
        area.min.y += bar;
    }
    area.is_positive().then_some(area)
}
