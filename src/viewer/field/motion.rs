//! What moves, and for how long the picture may be a quick one because of it.

use super::FieldSettings;
use crate::gpu::field::Camera;

/// When the camera and everything else changed last.
#[derive(Default)]
pub struct Motion {
    camera: Option<Camera>,
    settings: Option<FieldSettings>,
    /// Seconds of the clock until which the camera counts as moving, and settings as changing.
    moving_until: f64,
    changing_until: f64,
}

impl Motion {
    /// How long after a movement the picture stays quick, in seconds.
    pub const LINGER: f64 = 0.25;

    /// To be called once a frame; `held` where a drag goes on without movement.
    pub fn note(&mut self, now: f64, settings: &FieldSettings, held: bool) {
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

    /// Whether the picture is one of many.
    pub fn moving(&self, now: f64) -> bool {
        now < self.moving_until || self.changing(now)
    }

    /// Whether what is computed for it is one of many, too.
    pub fn changing(&self, now: f64) -> bool {
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
        assert!(!motion.moving(1.0), "a first look is no movement");
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
