//! What a client may make the server hold.

use std::time::Duration;

/// What a server allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a photo's file.
    pub body_bytes: usize,
    /// In which a client has to send a photo, and to read an answer, or each MiB of a longer one.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            patience: Duration::from_secs(30),
        }
    }
}
