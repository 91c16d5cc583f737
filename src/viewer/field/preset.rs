//! Preset views, each with a sentence on what to look at.

use super::settings::{Cut, FieldSettings};
use crate::flow::Source;
use crate::gpu::field::{ArrowPlace, ParticleColours, Particles};
use crate::potential::Operator;
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
    /// Figure 1 (c): the field magnitude from the centroid to the decision boundary.
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
            Preset::Fig1c => {
                "The field magnitude from the target's centroid to its decision boundary"
            }
            Preset::Cloud => "Every pixel of the open photo as a point on its way to its centroid",
        }
    }

    /// Applies this view to the settings. The centroids, the potential and the target are kept.
    pub(super) fn apply(self, settings: &mut FieldSettings) {
        *settings = anew(settings);
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

/// The default view of the same field: centroids, target, potential and objective are kept, and so are the
/// neighbourhood, the random starts and the size of an exported picture.
pub(super) fn anew(kept: &FieldSettings) -> FieldSettings {
    FieldSettings {
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

/// What the gradient curve from the target says about the reshaped field.
#[derive(Clone, Copy)]
pub(super) struct OfCurve {
    /// How many times the magnitude of vanilla the reshaped field has, at the target's decision boundary and a
    /// tenth of that distance from its centroid.
    pub(super) times: [f64; 2],
    /// Whether it is longest on the boundary, so that it fades all the way to the centroid.
    pub(super) fades: bool,
}

/// What to look at, in a few sentences. `curve` is `None` without a gradient curve. `source` is where the open
/// photo's flow starts, `None` without a photo.
pub(super) fn caption(
    settings: &FieldSettings,
    source: Option<Source>,
    curve: Option<OfCurve>,
) -> String {
    if settings.layers.cloud.shown {
        let start = match source {
            None => {
                let text = "Open a photo to see its pixels here, each a point at its colour.";
                return text.to_owned();
            }
            Some(Source::Image) => "its colour",
            Some(Source::Noise) => "noise",
        };
        return format!(
            "Every pixel starts at {start} and flows to the centroid of its class. Shift-drag to \
             brush points: the same pixels light up in the photo."
        );
    }
    let reshaped = reshaped(settings, curve.map(|curve| curve.times));
    let particles = settings.layers.particles;
    let particles = particles
        .shown()
        .filter(|_| !FieldKind::has_network(&settings.panes()));
    let by_traversal = |settings: Particles| settings.colours == ParticleColours::Traversal;
    let turn = match particles.filter(|settings| by_traversal(*settings)) {
        Some(_) => ", where trails turn red",
        None => "",
    };
    if settings.curve {
        let fades = curve.is_some_and(|curve| curve.fades) && settings.correction() != 0.0;
        let potential = settings.potential;
        let helps = potential.operator == Operator::Log && potential.temperature < UNFADING;
        let fades = match (fades, helps) {
            (false, _) => "",
            (true, true) => " At this temperature the reshaped one fades as well: try 2.",
            (true, false) => " At this temperature the reshaped one fades as well.",
        };
        return format!(
            "Vanilla's gradient is the distance itself: it fades to nothing at the centroid.{fades} \
             {reshaped}"
        );
    }
    match (settings.compare, settings.kind) {
        (true, _) => format!(
            "Left, the pull fades towards the target and ignores the other classes: paths run straight \
             through their neighbourhoods{turn}. {reshaped}"
        ),
        (false, FieldKind::Reconstructive) => format!(
            "Vanilla: the field fades towards the target and runs straight through other \
             classes' neighbourhoods{turn}."
        ),
        (false, FieldKind::Correction) if settings.correction() == 0.0 => NOTHING.to_owned(),
        (false, FieldKind::Correction) => {
            "The correction alone: pulled by the target, pushed away by every other centroid."
                .to_owned()
        }
        (false, FieldKind::Reshaped) => reshaped,
        (false, FieldKind::Network) => {
            let hidden = if settings.layers.arrows.shown {
                ""
            } else {
                " Tick Arrows to see it."
            };
            format!(
                "What the network has learnt: its mean velocity over the timeline's step, at the photo's \
                 pixels.{hidden}"
            )
        }
    }
}

/// A temperature at which the reshaped gradient of the logarithm hardly fades on the way to the centroid.
const UNFADING: f64 = 2.0;

const NOTHING: &str = "At t = 0 the annealed correction is zero.";

/// What the reshaped field does with these settings.
fn reshaped(settings: &FieldSettings, times: Option<[f64; 2]>) -> String {
    if settings.correction() == 0.0 {
        return format!("{NOTHING} The reshaped field is the vanilla one.");
    }
    let bends = "Reshaped, every other centroid repels, so that paths bend away from it";
    let Some(times) = times else {
        return format!("{bends}.");
    };
    let [boundary, near] = times.map(factor);
    format!(
        "{bends}; the field has {boundary} times the magnitude of vanilla at the decision boundary and \
         {near} times at a tenth of that distance from the centroid."
    )
}

/// How many times, with two digits.
fn factor(times: f64) -> String {
    let decimals = usize::from(times < 10.0);
    format!("{times:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::super::panel::FieldPanel;
    use super::*;
    use crate::encoding::Centroids;

    /// A panel's caption and times with these settings, among the default classes.
    fn with(change: impl FnOnce(&mut FieldSettings)) -> (String, [f64; 2]) {
        let mut settings = FieldSettings::default();
        change(&mut settings);
        let mut panel = FieldPanel::new(None, settings);
        let curve = panel.of_curve(&Centroids::kronecker(11)).unwrap();
        (caption(&panel.settings, None, Some(curve)), curve.times)
    }

    /// Numbers of equations 7 to 12, computed by another program.
    #[test]
    fn captions_say_how_much_longer_the_reshaped_field_is() {
        for (operator, temperature, expected) in [
            (Operator::Log, 1.0, [13.26, 10.9]),
            (Operator::Log, 2.0, [7.26, 39.7]),
            (Operator::Log, 0.25, [49.5, 1.0]),
            (Operator::Sqrt, 1.0, [3.93, 19.1]),
        ] {
            let (text, times) = with(|settings| {
                settings.potential.operator = operator;
                settings.potential.temperature = temperature;
            });
            for (found, expected) in times.into_iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
            }
            let said = format!("{} times the magnitude", factor(times[0]));
            assert!(text.contains(&said), "{text}");
        }
    }

    #[test]
    fn the_curves_caption_says_where_the_reshaped_gradient_fades_as_well() {
        for (temperature, curve, said) in [
            (1.0, true, true),
            (2.0, true, false),
            // Beside the field, no curve is seen.
            (1.0, false, false),
        ] {
            let (text, _) = with(|settings| {
                settings.potential.temperature = temperature;
                settings.curve = curve;
            });
            let found = text.contains("fades as well: try 2.");
            assert_eq!(found, said, "{temperature}: {text}");
        }
    }

    #[test]
    fn without_a_correction_no_caption_tells_of_one() {
        let none = |kind: Option<FieldKind>, curve: bool| {
            let (text, times) = with(|settings| {
                (settings.annealed, settings.time) = (true, 0.0);
                (settings.compare, settings.curve) = (kind.is_none(), curve);
                settings.kind = kind.unwrap_or_default();
            });
            assert_eq!(times, [1.0, 1.0]);
            assert!(text.contains(NOTHING) && !text.contains("repels"), "{text}");
        };
        none(None, false);
        none(None, true);
        none(Some(FieldKind::Reshaped), false);
        none(Some(FieldKind::Correction), false);
    }

    #[test]
    fn the_photos_caption_says_where_its_pixels_start() {
        let mut settings = FieldSettings::default();
        Preset::Cloud.apply(&mut settings);
        for (source, start) in [
            (Some(Source::Image), "starts at its colour"),
            (Some(Source::Noise), "starts at noise"),
            (None, "Open a photo"),
        ] {
            let text = caption(&settings, source, None);
            assert!(text.contains(start), "{text}");
        }
    }

    #[test]
    fn a_new_view_keeps_the_field() {
        let mut settings = FieldSettings {
            annealed: true,
            time: 0.25,
            seed: 9,
            export: [640, 480],
            target: 2,
            ..FieldSettings::default()
        };
        settings.neighbourhood.cells = true;
        let kept = settings.clone();
        settings.compare = false;
        settings.layers.cloud.shown = true;
        assert_eq!(anew(&settings), kept);
    }

    /// In the slice's views, arrows are hidden.
    #[test]
    fn the_networks_caption_says_how_to_see_it() {
        for shown in [false, true] {
            let (text, _) = with(|settings| {
                Preset::Fig1a.apply(settings);
                settings.kind = FieldKind::Network;
                settings.layers.arrows.shown = shown;
            });
            assert_eq!(text.contains("Tick Arrows"), !shown, "{text}");
        }
    }

    #[test]
    fn captions_tell_of_trails_only_where_there_are_some() {
        for preset in [Preset::Fig1a, Preset::Fig1b, Preset::Fig1c] {
            let (text, _) = with(|settings| preset.apply(settings));
            assert!(!text.contains("arrows"), "{text}");
            assert_eq!(text.contains("trails"), preset == Preset::Fig1a, "{text}");
        }
    }
}
