//! Tracks motion, during which drawing favours speed over quality.

use super::settings::FieldSettings;
use crate::vector_field::Camera;

/// When the camera and the other settings changed last.
#[derive(Default)]
pub(super) struct Motion {
    camera: Option<Camera>,
    settings: Option<FieldSettings>,
    /// Time until which the camera counts as moving, in seconds.
    moving_until: f64,
    /// Time until which settings count as changing.
    changing_until: f64,
}

impl Motion {
    /// How long something counts as moving after its last change, in seconds.
    pub(super) const LINGER: f64 = 0.25;

    /// Must be called once per frame, with `held` during a drag, even one that pauses.
    pub(super) fn note(&mut self, now: f64, settings: &FieldSettings, held: bool) {
        let camera = settings.camera;
        if self.camera.replace(camera).is_some_and(|old| old != camera) || held {
            self.moving_until = now + Self::LINGER;
        }
        let rest = FieldSettings {
            camera: Camera::default(),
            ..settings.clone()
        };
        if self.settings.as_ref().is_some_and(|old| *old != rest) {
            self.changing_until = now + Self::LINGER;
        }
        self.settings = Some(rest);
    }

    /// Whether the camera moves or settings change.
    pub(super) fn moving(&self, now: f64) -> bool {
        now < self.moving_until || self.changing(now)
    }

    /// Whether settings other than the camera change, so that each frame recomputes the scene.
    pub(super) fn changing(&self, now: f64) -> bool {
        now < self.changing_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_camera_moves_without_changing_what_is_computed() {
        let mut motion = Motion::default();
        let mut settings = FieldSettings::default();
        motion.note(1.0, &settings, false);
        assert!(!motion.moving(1.0), "the first frame is not a movement");
        settings.camera.orbit(0.1, 0.0);
        motion.note(2.0, &settings, false);
        assert!(motion.moving(2.2) && !motion.changing(2.0));
        assert!(!motion.moving(2.0 + Motion::LINGER));
        settings.target += 1;
        motion.note(3.0, &settings, false);
        assert!(motion.moving(3.2) && motion.changing(3.2));
        motion.note(4.0, &settings, true);
        assert!(motion.moving(4.2) && !motion.changing(4.0));
    }
}
