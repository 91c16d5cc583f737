//! Counts annotations that are left out.

use std::path::Path;

/// The number of unusable annotations, and the first one.
#[derive(Default)]
pub(super) struct Unused {
    pub count: usize,
    first: String,
}

impl Unused {
    pub(super) fn add(&mut self, what: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = what();
        }
        self.count += 1;
    }

    /// The line about them, which begins with the file or folder that holds them and says what follows the number 1 or
    /// a larger one; `None` if there are none.
    pub(super) fn fault(&self, path: &Path, [one, many]: [&str; 2]) -> Option<String> {
        let (path, first) = (path.display(), &self.first);
        match self.count {
            0 => None,
            1 => Some(format!("{path}: 1 {one}: {first}")),
            count => Some(format!("{path}: {count} {many}, the first is {first}")),
        }
    }
}
