//! The drawing quality during motion, so that frames stay short on a slow device.

use crate::gpu::field::Detail;

/// Seconds per frame above which quality is lowered.
const SLOWEST: f32 = 1.0 / 40.0;
/// Seconds per frame below which quality is raised: most screens show 60 frames per second.
const FASTEST: f32 = 1.0 / 57.0;
/// Frames that must be fast before quality is raised, at first and at most: twice as many whenever it turns
/// out to be too slow after being raised.
const PATIENCE: [u32; 2] = [40, 1280];

/// Quality levels during motion, best first: the scale of the picture, and the detail.
const STEPS: [(f32, Detail); 6] = [
    (1.0, Detail::FULL),
    (1.0, quick(1.0, 1.0)),
    (1.0, quick(0.4, 0.6)),
    (1.0, quick(0.2, 0.4)),
    (0.7, quick(0.2, 0.4)),
    (0.5, quick(0.1, 0.25)),
];

const fn quick(points: f32, strokes: f32) -> Detail {
    Detail {
        fine: false,
        points,
        strokes,
    }
}

/// Adapts the quality to the measured frame times.
#[derive(Clone, Debug)]
pub(super) struct Quality {
    /// `None` before the first frame.
    step: Option<usize>,
    /// Smoothed seconds per frame at this level.
    time: f32,
    frames: u32,
    /// Frames that must be fast before this level is left for a better one.
    patience: u32,
    /// Whether this level was reached from a worse one.
    raised: bool,
    /// Whether something moved in the last frame.
    moving: bool,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            step: None,
            time: 0.5 * (SLOWEST + FASTEST),
            frames: 0,
            patience: PATIENCE[0],
            raised: false,
            moving: false,
        }
    }
}

impl Quality {
    /// Records the duration of the last frame; to be called once per frame. A software adapter starts
    /// with one sample per pixel.
    pub(super) fn frame(&mut self, software: bool, moving: bool, seconds: f32) {
        let step = *self.step.get_or_insert(usize::from(software));
        // Other frame times may include idle time.
        if moving && self.moving && seconds < 1.0 {
            self.time += 0.3 * (seconds - self.time);
            self.frames += 1;
            if self.frames >= 5 && self.time > SLOWEST && step + 1 < STEPS.len() {
                // Far too slow: skip a level.
                let by = if self.time > 2.0 * SLOWEST { 2 } else { 1 };
                if self.raised {
                    self.patience = (2 * self.patience).min(PATIENCE[1]);
                }
                self.change((step + by).min(STEPS.len() - 1), false);
            } else if self.frames >= self.patience && self.time < FASTEST && step > 0 {
                self.change(step - 1, true);
            }
        }
        self.moving = moving;
    }

    fn change(&mut self, step: usize, raised: bool) {
        *self = Self {
            step: Some(step),
            patience: self.patience,
            raised,
            moving: self.moving,
            ..Self::default()
        };
    }

    /// The scale of the picture, and the detail, for the next frame.
    pub(super) fn choose(&self, moving: bool) -> (f32, Detail) {
        match self.step {
            Some(step) if moving => STEPS[step],
            _ => STEPS[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_frames_lower_everything_and_rest_restores_it() {
        let mut quality = Quality::default();
        for _ in 0..100 {
            quality.frame(false, true, 0.2);
        }
        let (scale, detail) = quality.choose(true);
        assert!(scale < 1.0 && !detail.fine && detail.points < 1.0 && detail.strokes < 1.0);
        assert_eq!(quality.choose(false), (1.0, Detail::FULL));
        for _ in 0..1000 {
            quality.frame(false, true, 0.005);
        }
        assert_eq!(quality.choose(true), (1.0, Detail::FULL));
    }

    #[test]
    fn a_level_that_was_too_slow_is_tried_ever_more_rarely() {
        let mut quality = Quality::default();
        let mut changes = Vec::new();
        for frame in 0..4000 {
            let before = quality.step;
            let slow = quality.step == Some(0);
            quality.frame(false, true, if slow { 0.03 } else { 0.01 });
            if quality.step != before && quality.step == Some(0) {
                changes.push(frame);
            }
        }
        let pauses: Vec<usize> = changes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.len() >= 4 && pauses.len() < 10, "{pauses:?}");
        assert!(
            pauses.windows(2).skip(1).all(|pair| pair[0] <= pair[1] + 1),
            "{pauses:?}"
        );
        assert!(*pauses.last().unwrap() > 500, "{pauses:?}");
    }

    #[test]
    fn quality_never_improves_between_steps() {
        for pair in STEPS.windows(2) {
            let [(scale, detail), (lower, less)] = [pair[0], pair[1]];
            assert!(lower <= scale && less.fine <= detail.fine);
            assert!(less.points <= detail.points && less.strokes <= detail.strokes);
        }
    }

    #[test]
    fn a_pause_is_not_a_slow_frame() {
        let mut quality = Quality::default();
        for _ in 0..50 {
            quality.frame(false, true, 0.01);
            quality.frame(false, false, 0.01);
            quality.frame(false, true, 0.9);
        }
        assert!(quality.choose(true).1.fine);
    }
}
