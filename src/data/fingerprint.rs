//! Fingerprints of data sets, without reading every file.

use crate::format::hex;
use sha2::{Digest, Sha256};
use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Number of bytes kept of the digest.
const KEPT: usize = 8;

/// Hashes the parts of a data set.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a text, after its length, so that `ab, c` differs from `a, bc`.
    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    /// Adds the size of a file in bytes, or a marker if it cannot be read.
    pub(super) fn file(&mut self, path: &Path) {
        self.number(std::fs::metadata(path).map_or(u64::MAX, |metadata| metadata.len()));
    }

    /// Adds the modification time of a file, or a marker if there is none.
    pub(super) fn time(&mut self, path: &Path) {
        let metadata = std::fs::metadata(path).ok();
        let time = metadata.as_ref().and_then(changed);
        self.number(time.unwrap_or(u64::MAX));
    }

    /// Adds an absolute path.
    pub(super) fn path(&mut self, path: &Path) {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let bytes = whole.as_os_str().as_encoded_bytes();
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// 16 hexadecimal digits.
    pub(super) fn finish(self) -> String {
        hex(&self.0.finalize()[..KEPT])
    }
}

/// Modification time, in nanoseconds since 1970.
pub(super) fn changed(metadata: &Metadata) -> Option<u64> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}
