//! The settings of the panel: plain data, remembered between starts.

use crate::encoding::{COLOUR_AXES, FIRST_AXES};
use crate::gpu::field::{
    Arrows, CloudColours, CloudStyle, Particles, Quantity, Slice, Streamlines,
};
use crate::potential::{Operator, Potential};
use crate::vector_field::seeds::Seeding;
use crate::vector_field::{Camera, FieldKind, Neighbourhood};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The sides of an exported picture.
pub(super) const PIXELS: RangeInclusive<u32> = 16..=16_384;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cut {
    /// Perpendicular to an axis (0 red, 1 green, 2 blue) at `FieldSettings::slice_at`.
    Axis(usize),
    /// Through the target and the two classes nearest to it.
    Neighbours,
    /// Through the centroids of three classes.
    Classes([usize; 3]),
}

/// What an axis of a state is called: the first three by the colours that they are drawn in, the others
/// by their numbers, which count from 1.
#[derive(Clone, Debug)]
pub(super) struct AxisName {
    pub(super) letter: String,
    pub(super) name: String,
    /// As in "perpendicular to the red axis".
    pub(super) phrase: String,
}

impl AxisName {
    pub(super) fn of(axis: usize) -> Self {
        match ["red", "green", "blue"].get(axis) {
            Some(name) => Self {
                letter: name[..1].to_uppercase(),
                name: (*name).to_owned(),
                phrase: format!("the {name} axis"),
            },
            None => Self {
                letter: (axis + 1).to_string(),
                name: format!("axis {}", axis + 1),
                phrase: format!("axis {}", axis + 1),
            },
        }
    }
}

/// A layer's settings, which are kept while it is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Toggle<T> {
    pub(crate) shown: bool,
    pub(crate) settings: T,
}

impl<T: Copy + Default> Toggle<T> {
    fn on() -> Self {
        Self {
            shown: true,
            settings: T::default(),
        }
    }

    /// The settings of the layer if it is shown.
    pub(super) fn shown(&self) -> Option<T> {
        self.shown.then_some(self.settings)
    }
}

/// The settings of the layers, in the renderer's own structs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Layers {
    pub(crate) arrows: Toggle<Arrows>,
    pub(crate) slice: Toggle<Slice>,
    pub(crate) streamlines: Streamlines,
    pub(crate) particles: Toggle<Particles>,
    pub(crate) cloud: Toggle<CloudStyle>,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            arrows: Toggle::on(),
            slice: Toggle::default(),
            streamlines: Streamlines::default(),
            particles: Toggle::on(),
            cloud: Toggle::default(),
        }
    }
}

/// All settings. Missing fields get their defaults, and unknown ones are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FieldSettings {
    /// Whether to use the centroids of the open model instead of those of `classes`.
    pub(crate) models_table: bool,
    /// Number of classes N, 2 to 1000.
    pub(crate) classes: usize,
    /// The axes of a state that are drawn as the cube's, if the model's states have more than three.
    pub(crate) axes: [usize; COLOUR_AXES],
    pub(crate) target: usize,
    pub(crate) potential: Potential,
    /// Whether to use the annealed target `v - t grad Phi` instead of the reshaped one.
    pub(crate) annealed: bool,
    /// The time t of the annealed target, 0 to 1.
    pub(crate) time: f32,
    /// Whether vanilla and reshaped are shown side by side, instead of `kind` alone.
    pub(crate) compare: bool,
    /// The field of the single pane.
    pub(crate) kind: FieldKind,
    pub(crate) camera: Camera,
    pub(crate) labels: bool,
    pub(crate) layers: Layers,
    pub(crate) cut: Cut,
    /// Coordinate of a slice that is perpendicular to an axis, -1 to 1.
    pub(crate) slice_at: f32,
    /// The definition of a neighbourhood.
    pub(crate) neighbourhood: Neighbourhood,
    pub(crate) count: u32,
    pub(crate) seeding: Seeding,
    /// Radius of the sphere on which particles may start; the cube has edges of length 2.
    pub(crate) sphere: f32,
    /// Seed of the random starts.
    pub(crate) seed: u64,
    pub(crate) speed: u32,
    /// Whether to show the photo beside its points.
    pub(crate) inset: bool,
    pub(crate) curve: bool,
    /// The other class of the gradient curve; by default the nearest one.
    pub(crate) towards: Option<usize>,
    /// Width and height of an exported picture, in pixels.
    pub(crate) export: [u32; 2],
}

impl Default for FieldSettings {
    fn default() -> Self {
        Self {
            models_table: true,
            classes: 11,
            axes: FIRST_AXES,
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
            layers: Layers::default(),
            cut: Cut::Neighbours,
            slice_at: 0.0,
            neighbourhood: Neighbourhood::default(),
            count: 20_000,
            seeding: Seeding::Cube,
            sphere: 1.2,
            seed: 1,
            speed: 4,
            inset: true,
            curve: false,
            towards: None,
            export: [2560, 1440],
        }
    }
}

impl FieldSettings {
    /// The weight of `-grad Phi`: 1, or t for the annealed target.
    pub(super) fn correction(&self) -> f32 {
        if self.annealed { self.time } else { 1.0 }
    }

    /// The gradient in the formulas, with its weight.
    pub(super) fn gradient(&self) -> &'static str {
        if self.annealed {
            "t grad Φ"
        } else {
            "grad Φ"
        }
    }

    /// The time of the annealed target behind a formula, as in " (t = 0.50)"; empty for the reshaped one.
    pub(super) fn at_time(&self) -> String {
        if self.annealed {
            format!(" (t = {:.2})", self.time)
        } else {
            String::new()
        }
    }

    /// What the slice's colours show.
    pub(super) fn drawn_quantity(&self) -> Quantity {
        match self.layers.slice.settings.quantity {
            Quantity::Magnitude if FieldKind::has_network(&self.panes()) => Quantity::Potential,
            quantity => quantity,
        }
    }

    /// What the colours of the photo's pixels show. The classes are the model's, so that they have no
    /// colours among other centroids.
    pub(super) fn drawn_colours(&self) -> CloudColours {
        match self.layers.cloud.settings.colours {
            CloudColours::Class if !self.models_table => CloudColours::State,
            colours => colours,
        }
    }

    /// The fields of the panes from left to right.
    pub(super) fn panes(&self) -> Vec<FieldKind> {
        if self.compare {
            vec![FieldKind::Reconstructive, FieldKind::Reshaped]
        } else {
            vec![self.kind]
        }
    }

    /// The number of classes; `of_model` is that of the open model.
    pub(super) fn class_count(&self, of_model: usize) -> usize {
        if self.models_table {
            of_model
        } else {
            self.classes
        }
    }

    /// What an axis of the cube, 0 to 2, is called.
    pub(super) fn axis_name(&self, of_cube: usize) -> AxisName {
        AxisName::of(self.axes[of_cube])
    }

    /// Draws an axis of the state along one of the cube, with which it changes places if it is drawn
    /// already.
    pub(super) fn show_axis(&mut self, of_cube: usize, axis: usize) {
        if let Some(other) = self.axes.iter().position(|&drawn| drawn == axis) {
            self.axes.swap(of_cube, other);
        } else {
            self.axes[of_cube] = axis;
        }
    }

    /// The number of axes to choose from; `of_model` is that of the open model's states.
    pub(super) fn dims(&self, of_model: usize) -> usize {
        if self.models_table {
            of_model
        } else {
            COLOUR_AXES
        }
    }

    /// The axes that are drawn if the open model's states have `of_model`: the first three unless the
    /// chosen ones are there.
    pub(super) fn fitting_axes(&self, of_model: usize) -> [usize; COLOUR_AXES] {
        let ([a, b, c], dims) = (self.axes, self.dims(of_model));
        let fit = a != b && b != c && c != a && [a, b, c].iter().all(|&axis| axis < dims);
        if fit { self.axes } else { FIRST_AXES }
    }

    /// Brings numbers that a file or another model's table put out of range back into it, for `classes`
    /// centroids and an open model whose states have `of_model` axes.
    pub(super) fn clamp(&mut self, classes: usize, of_model: usize) {
        self.axes = self.fitting_axes(of_model);
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
        let Layers {
            arrows,
            slice,
            streamlines,
            particles,
            cloud,
        } = &mut self.layers;
        let rule = &mut particles.settings.integration;
        for (value, default, low, high) in [
            (&mut self.time, default.time, 0.0, 1.0),
            (&mut self.slice_at, default.slice_at, -1.0, 1.0),
            (&mut slice.settings.opacity, 0.95, 0.05, 1.0),
            (&mut self.sphere, default.sphere, 0.05, 2.0),
            (&mut cloud.settings.radius, 1.6, 0.5, 6.0),
            (&mut self.neighbourhood.share, 0.6, 0.1, 1.0),
            (&mut rule.step, 0.02, 1e-3, 0.2),
            (&mut rule.reach, 0.5, 0.05, 1.0),
        ] {
            *value = if value.is_finite() {
                value.clamp(low, high)
            } else {
                default
            };
        }
        self.camera.clamp();
        self.export = self
            .export
            .map(|side| side.clamp(*PIXELS.start(), *PIXELS.end()));
        rule.steps = rule.steps.clamp(1, 5000);
        arrows.settings.per_edge = arrows.settings.per_edge.clamp(2, 32);
        streamlines.per_edge = streamlines.per_edge.min(48);
        particles.settings.trails = particles.settings.trails.min(2000);
        self.count = self.count.clamp(1, 200_000);
        self.speed = self.speed.clamp(1, 100);
    }
}

fn finite(value: f64, otherwise: f64) -> f64 {
    if value.is_finite() { value } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::field::ArrowPlace;
    use eframe::Storage;
    use glam::Vec3;
    use std::collections::HashMap;

    #[test]
    fn a_smaller_table_keeps_every_index_in_range() {
        let mut settings = FieldSettings {
            target: 140,
            towards: Some(99),
            cut: Cut::Classes([140, 3, 77]),
            time: f32::NAN,
            ..FieldSettings::default()
        };
        settings.layers.cloud.settings.radius = f32::INFINITY;
        settings.axes = [2, 7, 7];
        settings.clamp(5, 8);
        assert_eq!(settings.axes, FIRST_AXES);
        assert_eq!(settings.target, 4);
        assert_eq!(settings.towards, None);
        assert_eq!(settings.cut, Cut::Classes([4, 3, 4]));
        assert_eq!(settings.time, 0.5);
        assert_eq!(settings.layers.cloud.settings.radius, 1.6);
    }

    #[test]
    fn what_cannot_be_drawn_is_replaced() {
        let mut settings = FieldSettings::default();
        settings.layers.cloud.settings.colours = CloudColours::Class;
        settings.layers.slice.settings.quantity = Quantity::Magnitude;
        settings.kind = FieldKind::Network;
        assert_eq!(settings.drawn_colours(), CloudColours::Class);
        // Two other fields are compared.
        assert_eq!(settings.drawn_quantity(), Quantity::Magnitude);
        (settings.compare, settings.models_table) = (false, false);
        assert_eq!(settings.drawn_colours(), CloudColours::State);
        assert_eq!(settings.drawn_quantity(), Quantity::Potential);
    }

    #[test]
    fn an_axis_that_is_drawn_already_changes_places() {
        let mut settings = FieldSettings::default();
        settings.show_axis(1, 5);
        assert_eq!(settings.axes, [0, 5, 2]);
        settings.show_axis(0, 5);
        assert_eq!(settings.axes, [5, 0, 2]);
        settings.show_axis(2, 2);
        assert_eq!(settings.axes, [5, 0, 2]);
        let names = [0, 1, 2].map(|axis| settings.axis_name(axis).letter);
        assert_eq!(names, ["6", "R", "B"]);
        settings.clamp(11, 8);
        assert_eq!(settings.axes, [5, 0, 2]);
        settings.clamp(11, 3);
        assert_eq!(settings.axes, FIRST_AXES);
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
        settings.camera.pivot = Vec3::new(f32::INFINITY, 0.25, f32::NAN);
        settings.clamp(11, 3);
        let camera = settings.camera;
        assert_eq!(settings.export, [16, 16_384]);
        assert_eq!(camera.yaw, Camera::default().yaw);
        assert_eq!(camera.extent, *Camera::EXTENT.start());
        assert_eq!(camera.pivot, Vec3::new(0.0, 0.25, 0.0));
        let finite = camera.view_projection(1.5).is_finite();
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

    #[derive(Default)]
    struct Memory(HashMap<String, String>);

    impl Storage for Memory {
        fn get_string(&self, key: &str) -> Option<String> {
            self.0.get(key).cloned()
        }

        fn set_string(&mut self, key: &str, value: String) {
            self.0.insert(key.to_owned(), value);
        }

        fn remove_string(&mut self, key: &str) {
            self.0.remove(key);
        }

        fn flush(&mut self) {}
    }

    /// Version 0.1 stored the settings of layers flat; fields that still exist are loaded.
    #[test]
    fn the_window_remembers_settings_and_those_of_an_older_version() {
        let mut memory = Memory::default();
        let mut settings = FieldSettings {
            cut: Cut::Classes([1, 2, 3]),
            seeding: Seeding::Slice,
            ..FieldSettings::default()
        };
        settings.camera.pivot = Vec3::new(0.1, -0.2, 0.3);
        settings.layers.slice.shown = true;
        settings.layers.arrows.settings.place = ArrowPlace::Cloud;
        settings.layers.particles.settings.at_start = true;
        eframe::set_value(&mut memory, "field", &settings);
        let read: Option<FieldSettings> = eframe::get_value(&memory, "field");
        assert_eq!(read.as_ref(), Some(&settings));

        let old = "(models_table:false,classes:40,target:7,potential:(operator:sqrt,temperature:2.0,\
            epsilon:0.01),annealed:false,time:0.5,compare:false,kind:correction,camera:(pivot:(0.1,-0.2,\
            0.3),yaw:1.0,pitch:0.5,extent:1.75,perspective:false),labels:true,arrows:true,\
            arrow_place:cloud,arrows_per_axis:12,slice:true,cut:axis(1),slice_at:0.25,\
            quantity:potential,boundaries:true,iso_lines:true,shade:true,streamlines:22,opacity:0.95,\
            neighbourhood:(cells:true,share:0.6),particles:true,discs:true,count:300,seeding:sphere,\
            sphere:1.2,seed:9,integration:(step:0.02,steps:600,reach:0.5),speed:4,trails:48,\
            particle_colours:traversal,at_start:false,cloud:false,cloud_radius:1.6,\
            cloud_colours:state,inset:false,curve:true,towards:Some(3),export:(2560,1440))";
        memory.set_string("field", old.to_owned());
        let read: FieldSettings = eframe::get_value(&memory, "field").unwrap();
        let known = FieldSettings {
            models_table: false,
            classes: 40,
            target: 7,
            compare: false,
            kind: FieldKind::Correction,
            cut: Cut::Axis(1),
            slice_at: 0.25,
            count: 300,
            seeding: Seeding::Sphere,
            seed: 9,
            inset: false,
            curve: true,
            towards: Some(3),
            ..FieldSettings::default()
        };
        assert_eq!(read.potential.operator, Operator::Sqrt);
        assert_eq!(read.camera.pivot, settings.camera.pivot);
        assert!(read.neighbourhood.cells && !read.camera.perspective);
        let rest = FieldSettings {
            potential: known.potential,
            camera: known.camera,
            neighbourhood: known.neighbourhood,
            ..read
        };
        assert_eq!(rest, known);
    }
}
