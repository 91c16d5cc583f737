//! The look at the files in the places of outputs, before the first photo.

use crate::cli::progress::Progress;
use crate::terminal::err;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A look that takes no longer is not told.
const SHORT: Duration = Duration::from_secs(2);

/// Says how far a look at the files of photos has come, if it takes long: thousands of masks are read over slow networks.
pub(super) struct Looking {
    photos: usize,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    /// Counts the photos that were left when the look had taken long.
    left: Option<Progress>,
}

impl Looking {
    /// Begins to look at the files of so many photos.
    pub(super) fn at(photos: usize) -> Self {
        Self {
            photos,
            started: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Counts a photo whose files were looked at.
    pub(super) fn step(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += 1;
        if let Some(left) = &mut state.left {
            left.step(false);
        } else if self.started.elapsed() > SHORT {
            let left = self.photos - state.done.min(self.photos);
            if left > 0 {
                err!("looking at the files that are there already");
            }
            state.left = Some(Progress::new(left, "photo"));
        }
    }

    pub(super) fn end(self) {
        let state = self.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = state.left {
            left.end();
        }
    }
}
