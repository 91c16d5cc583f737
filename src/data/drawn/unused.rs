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

    /// The line about them, which begins with the file or folder that holds them; `None` if there are none.
    pub(super) fn fault(&self, path: &Path, what: &str) -> Option<String> {
        let (path, count, first) = (path.display(), self.count, &self.first);
        (count > 0).then(|| format!("{path}: {count} {what}, the first is {first}"))
    }
}
