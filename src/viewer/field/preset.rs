//! Ready-made views, with what to look at in a sentence.

use super::settings::{Cut, FieldSettings};
use crate::gpu::field::seeds::Seeding;
use crate::gpu::field::{ArrowPlace, Camera, CloudColours, FieldKind, ParticleColours, Quantity};
use serde::{Deserialize, Serialize};

/// A ready-made view.
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
    /// All of them.
    pub const ALL: [Preset; 4] = [Preset::Fig1a, Preset::Fig1b, Preset::Fig1c, Preset::Cloud];

    /// Its name on a button.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Fig1a => "Fig. 1a",
            Preset::Fig1b => "Fig. 1b",
            Preset::Fig1c => "Fig. 1c",
            Preset::Cloud => "Photo",
        }
    }

    /// What it shows, for a tooltip.
    pub fn help(self) -> &'static str {
        match self {
            Preset::Fig1a => "The vanilla field in a slice through the target and its neighbours",
            Preset::Fig1b => "The reshaped field in the same slice",
            Preset::Fig1c => "The gradient from the target's centroid to its decision boundary",
            Preset::Cloud => "Every pixel of the open photo as a point on its way to its centroid",
        }
    }

    /// The settings with this view. The table, the potential and the target stay as they are.
    pub fn apply(self, settings: &mut FieldSettings) {
        let kept = settings.clone();
        *settings = FieldSettings {
            models_table: kept.models_table,
            classes: kept.classes,
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
                settings.trails = 48;
                settings.count = 48;
                settings.discs = false;
                settings.seeding = Seeding::Slice;
            }
            Preset::Fig1c => {
                in_the_slice(settings);
                settings.particles = false;
                settings.arrows = false;
                settings.curve = true;
            }
            Preset::Cloud => {
                settings.compare = false;
                settings.arrows = false;
                settings.particles = false;
                settings.cloud = true;
                settings.cloud_colours = CloudColours::State;
            }
        }
    }
}

fn in_the_slice(settings: &mut FieldSettings) {
    settings.slice = true;
    settings.cut = Cut::Neighbours;
    settings.quantity = Quantity::Magnitude;
    settings.iso_lines = false;
    settings.arrow_place = ArrowPlace::Slice;
    settings.arrows = false;
    settings.opacity = 1.0;
    settings.particle_colours = ParticleColours::Traversal;
    settings.camera = Camera {
        perspective: false,
        extent: 1.5,
        ..Camera::default()
    };
}

/// What to look at, in a sentence or two.
pub fn caption(settings: &FieldSettings, photo: bool) -> &'static str {
    if settings.cloud && !photo {
        return "Open a photo to see its pixels here, each a point at its colour.";
    }
    if settings.cloud {
        return "Every pixel starts at its colour and flows to the centroid of its class. Drag with \
                Shift to brush points: the same pixels light up in the photo.";
    }
    if settings.curve {
        return "Vanilla's gradient is the distance itself: it fades to nothing at the centroid. The \
                correction multiplies it; from a temperature of 2 on it stays long until within \
                sqrt(ε) of the centroid.";
    }
    match (settings.compare, settings.kind) {
        (true, _) if settings.particles => {
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
