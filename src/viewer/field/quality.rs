//! How well to draw while things move, so that a frame stays short on a slow device.

use crate::gpu::field::Detail;

/// Frames of motion are drawn at least this fast where lower quality can achieve it.
const SLOWEST: f32 = 1.0 / 26.0;
/// Faster than this, quality may rise.
const FASTEST: f32 = 1.0 / 48.0;

/// Steps of quality while things move, best first: samples, scale of the picture, share of points.
const STEPS: [(bool, f32, f32); 5] = [
    (true, 1.0, 1.0),
    (false, 1.0, 0.3),
    (false, 0.8, 0.25),
    (false, 0.6, 0.2),
    (false, 0.45, 0.1),
];

/// Chooses the quality from the time that frames take.
#[derive(Clone, Debug)]
pub struct Quality {
    step: usize,
    /// Smoothed seconds a frame at this step.
    time: f32,
    frames: u32,
    /// Whether the last frame was one of motion.
    moving: bool,
}

impl Quality {
    /// A software adapter starts without extra samples.
    pub fn new(software: bool) -> Self {
        Self {
            step: usize::from(software),
            time: SLOWEST,
            frames: 0,
            moving: false,
        }
    }

    /// Notes how long the last frame took; call it once a frame.
    pub fn frame(&mut self, moving: bool, seconds: f32) {
        // Only the time between two frames of motion is that of a frame.
        if moving && self.moving && seconds < 1.0 {
            self.time += 0.3 * (seconds - self.time);
            self.frames += 1;
            if self.frames >= 6 && self.time > SLOWEST && self.step + 1 < STEPS.len() {
                self.change(self.step + 1);
            } else if self.frames >= 40 && self.time < FASTEST && self.step > 0 {
                self.change(self.step - 1);
            }
        }
        self.moving = moving;
    }

    fn change(&mut self, step: usize) {
        self.step = step;
        self.frames = 0;
        self.time = 0.5 * (SLOWEST + FASTEST);
    }

    /// The scale of the picture and the detail in it.
    pub fn choose(&self, moving: bool) -> (f32, Detail) {
        let (fine, scale, share) = if moving { STEPS[self.step] } else { STEPS[0] };
        (scale, Detail { fine, share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_frames_lower_quality_and_rest_restores_it() {
        let mut quality = Quality::new(false);
        for _ in 0..100 {
            quality.frame(true, 0.2);
        }
        assert_eq!(quality.choose(true).0, STEPS[STEPS.len() - 1].1);
        assert_eq!(
            quality.choose(false),
            (
                1.0,
                Detail {
                    fine: true,
                    share: 1.0
                }
            )
        );
        for _ in 0..1000 {
            quality.frame(true, 0.005);
        }
        assert_eq!(
            quality.choose(true),
            (
                1.0,
                Detail {
                    fine: true,
                    share: 1.0
                }
            )
        );
    }

    #[test]
    fn a_pause_is_not_a_slow_frame() {
        let mut quality = Quality::new(false);
        for _ in 0..50 {
            quality.frame(true, 0.01);
            quality.frame(false, 0.01);
            quality.frame(true, 0.9);
        }
        assert!(quality.choose(true).1.fine);
    }
}
