//! What a person has chosen in the field lab. Plain data that outlives the window.

use crate::gpu::field::seeds::Seeding;
use crate::gpu::field::{
    ArrowPlace, Camera, CloudColours, FieldKind, Integration, Neighbourhood, ParticleColours,
    Quantity,
};
use crate::potential::{Operator, Potential};
use serde::{Deserialize, Serialize};

/// Where the slice lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// Across an axis (0 red, 1 green, 2 blue) at `FieldSettings::slice_at`.
    Axis(usize),
    /// Through the target and the two classes nearest to it.
    Neighbours,
    /// Through the centroids of three classes.
    Classes([usize; 3]),
}

/// Everything that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldSettings {
    /// The centroids of the open model, instead of those of `classes`.
    pub models_table: bool,
    /// Number of classes N, 2..=1000.
    pub classes: usize,
    /// The target class.
    pub target: usize,
    /// The potential.
    pub potential: Potential,
    /// The annealed target `v - t grad Phi` instead of the static one.
    pub annealed: bool,
    /// The time t of the annealed target, 0..=1.
    pub time: f32,
    /// Vanilla and reshaped side by side, instead of `kind` alone.
    pub compare: bool,
    /// The field of a single pane.
    pub kind: FieldKind,
    /// The camera.
    pub camera: Camera,
    /// Names beside centroids.
    pub labels: bool,
    /// Show arrows.
    pub arrows: bool,
    /// Where they stand.
    pub arrow_place: ArrowPlace,
    /// How many along an edge of the cube.
    pub arrows_per_axis: u32,
    /// Show the slice.
    pub slice: bool,
    /// Where it lies.
    pub cut: Cut,
    /// Coordinate of a slice across an axis.
    pub slice_at: f32,
    /// Its heat map.
    pub quantity: Quantity,
    /// Cell boundaries on the slice.
    pub boundaries: bool,
    /// Lines of equal value on the slice.
    pub iso_lines: bool,
    /// Shade the target's neighbourhood on the slice.
    pub shade: bool,
    /// Streamlines along an edge; 0 for none.
    pub streamlines: u32,
    /// The slice's opacity.
    pub opacity: f32,
    /// What a neighbourhood is.
    pub neighbourhood: Neighbourhood,
    /// Show particles.
    pub particles: bool,
    /// Draw them as discs, beside the trails.
    pub discs: bool,
    /// How many.
    pub count: u32,
    /// Where they start.
    pub seeding: Seeding,
    /// Radius of the sphere of seeds.
    pub sphere: f32,
    /// Seed of the random numbers.
    pub seed: u64,
    /// How they advance.
    pub integration: Integration,
    /// Steps a frame.
    pub speed: u32,
    /// Trails.
    pub trails: u32,
    /// Colours of particles.
    pub particle_colours: ParticleColours,
    /// Draw particles where they started.
    pub at_start: bool,
    /// Show the photo's pixels.
    pub cloud: bool,
    /// Radius of their points.
    pub cloud_radius: f32,
    /// Their colours.
    pub cloud_colours: CloudColours,
    /// Show the photo beside them.
    pub inset: bool,
    /// Show the gradient curve.
    pub curve: bool,
    /// The class towards which the curve goes; the nearest where none is chosen.
    pub towards: Option<usize>,
    /// Width and height of an exported picture.
    pub export: [u32; 2],
}

impl Default for FieldSettings {
    fn default() -> Self {
        Self {
            models_table: true,
            classes: 11,
            target: 4,
            potential: Potential {
                operator: Operator::Log,
                temperature: 1.0,
                epsilon: 0.01,
            },
            annealed: false,
            time: 0.5,
            compare: true,
            kind: FieldKind::Reshaped,
            camera: Camera::default(),
            labels: true,
            arrows: true,
            arrow_place: ArrowPlace::Cube,
            arrows_per_axis: 8,
            slice: false,
            cut: Cut::Neighbours,
            slice_at: 0.0,
            quantity: Quantity::Magnitude,
            boundaries: true,
            iso_lines: true,
            shade: true,
            streamlines: 22,
            opacity: 0.95,
            neighbourhood: Neighbourhood::default(),
            particles: true,
            discs: true,
            count: 20_000,
            seeding: Seeding::Cube,
            sphere: 1.2,
            seed: 1,
            integration: Integration::default(),
            speed: 4,
            trails: 48,
            particle_colours: ParticleColours::Traversal,
            at_start: false,
            cloud: false,
            cloud_radius: 1.6,
            cloud_colours: CloudColours::State,
            inset: true,
            curve: false,
            towards: None,
            export: [2560, 1440],
        }
    }
}

impl FieldSettings {
    /// What `-grad Phi` weighs: 1, or t where the target is annealed.
    pub fn correction(&self) -> f32 {
        if self.annealed { self.time } else { 1.0 }
    }

    /// The panes from left to right.
    pub fn panes(&self) -> Vec<FieldKind> {
        if self.compare {
            vec![FieldKind::Reconstructive, FieldKind::Reshaped]
        } else {
            vec![self.kind]
        }
    }

    /// Brings numbers that a file or another model's table put out of range back into it, for a
    /// table of `classes` centroids.
    pub fn clamp(&mut self, classes: usize) {
        let default = Self::default();
        let last = classes.saturating_sub(1);
        self.classes = self.classes.clamp(2, 1000);
        self.target = self.target.min(last);
        self.towards = self.towards.filter(|&k| k <= last && k != self.target);
        match &mut self.cut {
            Cut::Axis(axis) => *axis = (*axis).min(2),
            Cut::Classes(picked) => *picked = picked.map(|k| k.min(last)),
            Cut::Neighbours => {}
        }
        let p = &mut self.potential;
        p.temperature = finite(p.temperature, 1.0).clamp(0.05, 16.0);
        p.epsilon = finite(p.epsilon, 0.01).clamp(1e-8, 1.0);
        for (value, default, low, high) in [
            (&mut self.time, default.time, 0.0, 1.0),
            (&mut self.slice_at, default.slice_at, -1.0, 1.0),
            (&mut self.opacity, default.opacity, 0.05, 1.0),
            (&mut self.sphere, default.sphere, 0.05, 2.0),
            (&mut self.cloud_radius, default.cloud_radius, 0.5, 6.0),
            (&mut self.neighbourhood.share, 0.6, 0.1, 1.0),
            (&mut self.integration.step, 0.02, 1e-3, 0.2),
            (&mut self.integration.reach, 0.5, 0.05, 1.0),
        ] {
            *value = if value.is_finite() {
                value.clamp(low, high)
            } else {
                default
            };
        }
        self.camera.clamp();
        self.export = self.export.map(|side| side.clamp(16, 16_384));
        self.integration.steps = self.integration.steps.clamp(1, 5000);
        self.arrows_per_axis = self.arrows_per_axis.clamp(2, 32);
        self.streamlines = self.streamlines.min(48);
        self.count = self.count.clamp(1, 200_000);
        self.trails = self.trails.min(2000);
        self.speed = self.speed.clamp(1, 100);
    }
}

fn finite(value: f64, otherwise: f64) -> f64 {
    if value.is_finite() { value } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_table_keeps_every_index_in_range() {
        let mut settings = FieldSettings {
            target: 140,
            towards: Some(99),
            cut: Cut::Classes([140, 3, 77]),
            time: f32::NAN,
            ..FieldSettings::default()
        };
        settings.clamp(5);
        assert_eq!(settings.target, 4);
        assert_eq!(settings.towards, None);
        assert_eq!(settings.cut, Cut::Classes([4, 3, 4]));
        assert_eq!(settings.time, 0.5);
    }

    #[test]
    fn a_damaged_file_cannot_put_the_camera_or_the_picture_out_of_range() {
        let mut settings = FieldSettings {
            export: [0, u32::MAX],
            ..FieldSettings::default()
        };
        settings.camera.yaw = f32::NAN;
        settings.camera.pitch = 400.0;
        settings.camera.extent = 0.0;
        settings.camera.pivot = [f32::INFINITY, 0.25, f32::NAN];
        settings.clamp(11);
        let camera = settings.camera;
        assert_eq!(settings.export, [16, 16_384]);
        assert_eq!(camera.yaw, Camera::default().yaw);
        assert_eq!(camera.extent, *Camera::EXTENT.start());
        assert_eq!(camera.pivot, [0.0, 0.25, 0.0]);
        let finite = camera
            .view_projection(1.5)
            .iter()
            .flatten()
            .all(|v| v.is_finite());
        assert!(finite && camera.pitch.abs() < 1.6, "{camera:?}");
    }

    #[test]
    fn settings_of_an_older_file_take_defaults_for_what_they_lack() {
        let old: FieldSettings = serde_json::from_str(r#"{"classes": 40}"#).unwrap();
        assert_eq!(
            old,
            FieldSettings {
                classes: 40,
                ..FieldSettings::default()
            }
        );
        let text = serde_json::to_string(&old).unwrap();
        assert_eq!(serde_json::from_str::<FieldSettings>(&text).unwrap(), old);
    }
}
