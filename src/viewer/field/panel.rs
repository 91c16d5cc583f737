//! The state of the field panel.

use super::derived::Derived;
use super::inset::Inset;
use super::interface::FieldOutput;
use super::motion::Motion;
use super::photo_colours::PhotoColours;
use super::picture::Picture;
use super::preset::Preset;
use super::quality::Quality;
use super::settings::{Cut, FieldSettings};
use super::velocity::StepVelocity;
use crate::gpu::GpuError;
use crate::vector_field::{CentroidTable, Plane, VectorField};
use eframe::egui::Pos2;
use eframe::egui_wgpu::RenderState;
use glam::Vec3;

/// Nothing is compiled or allocated on a device until the panel is visible.
#[derive(Default)]
pub(crate) struct FieldPanel {
    pub(crate) settings: FieldSettings,
    pub(super) gpu: Option<RenderState>,
    pub(super) velocity: StepVelocity,
    pub(super) photo: PhotoColours,
    pub(super) derived: Derived,
    pub(super) picture: Picture,
    pub(super) quality: Quality,
    pub(super) motion: Motion,
    pub(super) inset: Inset,
    /// An error that prevents drawing the picture.
    pub(super) failed: Option<String>,
    pub(super) paused: bool,
    /// Whether particles run at full speed, regardless of `FieldSettings::speed`.
    pub(super) hurry: bool,
    /// Whether the camera faces the slice from the next frame on.
    pub(super) face_slice: bool,
    /// The slice's plane in the last frame.
    pub(super) plane: Option<Plane>,
    /// Whether a picture is exported in the next frame.
    pub(super) wants_figure: bool,
    pub(super) drag: Option<Drag>,
    /// Height of the headings in the last frame, as [`super::overlay::show`] returns it.
    pub(super) heading: f32,
    /// The point of the slice whose numbers are shown.
    pub(super) picked: Option<Vec3>,
    pub(super) highlighted: Option<usize>,
    pub(super) settled: bool,
    /// The output of this frame so far.
    pub(super) pending: FieldOutput,
}

/// What the user chose in the panel.
pub(crate) struct FieldBefore {
    settings: FieldSettings,
    paused: bool,
    picked: Option<Vec3>,
}

impl FieldBefore {
    pub(crate) fn settings(&self) -> &FieldSettings {
        &self.settings
    }
}

/// The effect of a drag with the mouse.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Drag {
    Orbit,
    Pan,
    /// Brushes a rectangle in this pane, from this point.
    Brush(usize, Pos2),
}

impl FieldPanel {
    /// A panel with these settings that draws on `gpu`, the window's device.
    pub(crate) fn new(gpu: Option<RenderState>, settings: FieldSettings) -> Self {
        Self {
            gpu,
            settings,
            ..Self::default()
        }
    }

    /// Shows a preset view. Its particles run to their end at once, so that [`FieldPanel::settled`] is
    /// reached soon.
    pub(crate) fn preset(&mut self, preset: Preset) {
        self.show_preset(preset, true);
    }

    /// Shows a preset view; its particles run to their end at once if `hurry`.
    pub(crate) fn show_preset(&mut self, preset: Preset, hurry: bool) {
        self.apply(preset);
        self.picture.restart();
        self.hurry = hurry;
    }

    /// Sets aside what the user chose, to be put back later.
    pub(crate) fn set_aside(&self) -> FieldBefore {
        FieldBefore {
            settings: self.settings.clone(),
            paused: self.paused,
            picked: self.picked,
        }
    }

    pub(crate) fn put_back(&mut self, before: FieldBefore) {
        self.settings = before.settings;
        self.paused = before.paused;
        self.picked = before.picked;
        (self.face_slice, self.plane) = (false, None);
        self.settled = false;
    }

    /// Lets the camera face the slice, which now lies in `plane`, if another target or other centroids have
    /// moved it. A camera in perspective, or one that the user has turned, stays.
    pub(super) fn follow_slice(&mut self, plane: Plane) {
        let Some(before) = self.plane.replace(plane) else {
            return;
        };
        let FieldSettings {
            camera,
            cut,
            layers,
            ..
        } = &self.settings;
        let [_, _, forward] = camera.basis();
        let follows = layers.slice.shown
            && !camera.perspective
            // Along an axis, the user alone moves it.
            && !matches!(cut, Cut::Axis(_))
            && parallel(before.normal(), forward);
        let moved = !parallel(before.normal(), plane.normal())
            || before.origin.distance(plane.origin) > NEAR;
        self.face_slice |= follows && moved;
    }

    /// Whether the picture stays the same without user input: all particles have finished and are
    /// counted, and the quality is full.
    pub(crate) fn settled(&self) -> bool {
        self.settled || self.failed.is_some()
    }

    pub(super) fn apply(&mut self, preset: Preset) {
        preset.apply(&mut self.settings);
        self.face_slice = self.settings.layers.slice.shown;
        self.picked = None;
        self.paused = false;
        self.settled = false;
    }

    pub(super) fn fail(&mut self, error: &GpuError) {
        let text = error.to_string();
        self.pending.error = Some(text.clone());
        self.failed = Some(text);
    }

    /// The vector field given by the settings.
    pub(super) fn field<'a>(&self, table: &'a CentroidTable) -> VectorField<'a> {
        VectorField {
            table,
            potential: self.settings.potential,
            target: self.settings.target,
            kind: self.settings.kind,
            correction: self.settings.correction(),
            neighbourhood: self.settings.neighbourhood,
        }
    }

    /// The other class of the gradient curve; `None` with a single class.
    pub(super) fn towards(&self, table: &CentroidTable) -> Option<usize> {
        let nearest = || table.nearest_neighbour(self.settings.target);
        self.settings.towards.or_else(nearest)
    }
}

/// What counts as the same place in the cube, and as the same direction in radians, in spite of rounding.
const NEAR: f32 = 1e-3;

/// Whether two unit vectors lie along the same line.
fn parallel(a: Vec3, b: Vec3) -> bool {
    a.cross(b).length() < NEAR
}
