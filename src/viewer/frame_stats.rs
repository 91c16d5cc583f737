//! Frame times, logged once per second with `FLOWSEG_LOG=flowseg::viewer=debug`.

use std::time::Duration;
use web_time::Instant;

/// Frame times since the last line of the log.
pub(super) struct FrameStats {
    since: Instant,
    count: u32,
    /// Seconds of work on the window's thread, summed over the frames.
    busy: f32,
    longest: f32,
}

impl Default for FrameStats {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            count: 0,
            busy: 0.0,
            longest: 0.0,
        }
    }
}

impl FrameStats {
    /// Must be called every frame, with the seconds that the previous one took on the window's thread.
    pub(super) fn frame(&mut self, seconds: f32) {
        self.count += 1;
        self.busy += seconds;
        self.longest = self.longest.max(seconds);
        let elapsed = self.since.elapsed();
        if elapsed >= Duration::from_secs(1) {
            let per_second = self.count as f32 / elapsed.as_secs_f32();
            let mean = 1e3 * self.busy / self.count as f32;
            let longest = 1e3 * self.longest;
            tracing::debug!("{per_second:.1} frames/s, {mean:.1} ms each, longest {longest:.1} ms");
            *self = Self::default();
        }
    }
}
