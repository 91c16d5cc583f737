//! A line about corrections, beside their tools or in the status line.

pub(super) struct Note {
    /// A few words, for which there is room.
    pub short: &'static str,
    /// The whole line, shown under the pointer.
    pub whole: String,
}

impl Note {
    pub(super) fn new(short: &'static str, whole: impl Into<String>) -> Self {
        Self {
            short,
            whole: whole.into(),
        }
    }
}
