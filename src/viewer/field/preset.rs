//! Preset views, each with a sentence on what to look at.

use super::settings::{Cut, FieldSettings};
use crate::gpu::field::ArrowPlace;
use crate::vector_field::seeds::Seeding;
use crate::vector_field::{Camera, FieldKind};
use serde::{Deserialize, Serialize};

/// A preset view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Figure 1 (a): the vanilla field in a slice through three centroids.
    Fig1a,
    /// Figure 1 (b): the reshaped field in the same slice.
    Fig1b,
    /// Figure 1 (c): the length of the gradient from the centroid to the decision boundary.
    Fig1c,
    /// The photo's pixels on their way to their centroids.
    Cloud,
}

impl Preset {
    /// All presets, in the order of their buttons.
    pub(super) const ALL: [Preset; 4] =
        [Preset::Fig1a, Preset::Fig1b, Preset::Fig1c, Preset::Cloud];

    pub(super) fn name(self) -> &'static str {
        match self {
            Preset::Fig1a => "Fig. 1a",
            Preset::Fig1b => "Fig. 1b",
            Preset::Fig1c => "Fig. 1c",
            Preset::Cloud => "Photo",
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Preset::Fig1a => "The vanilla field in a slice through the target and its neighbours",
            Preset::Fig1b => "The reshaped field in the same slice",
            Preset::Fig1c => "The gradient from the target's centroid to its decision boundary",
            Preset::Cloud => "Every pixel of the open photo as a point on its way to its centroid",
        }
    }

    /// Applies this view to the settings. The centroids, the potential and the target are kept.
    pub(super) fn apply(self, settings: &mut FieldSettings) {
        let kept = settings.clone();
        *settings = FieldSettings {
            models_table: kept.models_table,
            classes: kept.classes,
            axes: kept.axes,
            target: kept.target,
            potential: kept.potential,
            annealed: kept.annealed,
            time: kept.time,
            neighbourhood: kept.neighbourhood,
            export: kept.export,
            seed: kept.seed,
            ..FieldSettings::default()
        };
        match self {
            Preset::Fig1a | Preset::Fig1b => {
                settings.compare = false;
                settings.kind = if self == Preset::Fig1a {
                    FieldKind::Reconstructive
                } else {
                    FieldKind::Reshaped
                };
                in_the_slice(settings);
                settings.layers.particles.settings.discs = false;
                settings.count = 48;
                settings.seeding = Seeding::Slice;
            }
            Preset::Fig1c => {
                in_the_slice(settings);
                settings.layers.particles.shown = false;
                settings.curve = true;
            }
            Preset::Cloud => {
                settings.compare = false;
                settings.layers.arrows.shown = false;
                settings.layers.particles.shown = false;
                settings.layers.cloud.shown = true;
            }
        }
    }
}

fn in_the_slice(settings: &mut FieldSettings) {
    settings.cut = Cut::Neighbours;
    let layers = &mut settings.layers;
    layers.slice.shown = true;
    layers.slice.settings.iso_lines = false;
    layers.slice.settings.opacity = 1.0;
    layers.arrows.shown = false;
    layers.arrows.settings.place = ArrowPlace::Slice;
    settings.camera = Camera {
        perspective: false,
        extent: 1.5,
        ..Camera::default()
    };
}

/// What to look at, in one or two sentences.
pub(super) fn caption(settings: &FieldSettings, photo: bool) -> &'static str {
    if settings.layers.cloud.shown && !photo {
        return "Open a photo to see its pixels here, each a point at its colour.";
    }
    if settings.layers.cloud.shown {
        return "Every pixel starts at its colour and flows to the centroid of its class. Drag with \
                Shift to brush points: the same pixels light up in the photo.";
    }
    if settings.curve {
        return "Vanilla's gradient is the distance itself: it fades to nothing at the centroid. The \
                correction multiplies it; from a temperature of 2 on it stays long until within \
                sqrt(ε) of the centroid.";
    }
    match (settings.compare, settings.kind) {
        (true, _) if settings.layers.particles.shown => {
            "From the same starts, vanilla cuts straight through foreign neighbourhoods (orange) \
             and slows down; the reshaped field goes around them and arrives sooner."
        }
        (true, _) => {
            "Left, the pull fades towards the target and ignores the other classes; right, it stays \
             strong and bends away from them."
        }
        (false, FieldKind::Reconstructive) => {
            "Vanilla: the field fades towards the target and runs straight through foreign \
             neighbourhoods, where trails turn red."
        }
        (false, FieldKind::Correction) => {
            "The correction alone: pulled by the target, pushed away by every other centroid, \
             nearest first."
        }
        (false, FieldKind::Reshaped) => {
            "Reshaped: long arrows up to the target, and streamlines that bend around foreign \
             centroids instead of crossing them."
        }
        (false, FieldKind::Network) => {
            "What the network has learnt: its velocity at the photo's pixels, at the timeline's time."
        }
    }
}
