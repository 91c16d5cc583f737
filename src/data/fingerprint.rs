//! Whether two data sets are the same, without reading every file.

use crate::format::hex;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bytes of the digest that are kept.
const KEPT: usize = 8;

/// Gathers what a data set is made of.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Takes a text; its length goes first, so that `ab, c` differs from `a, bc`.
    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    /// Takes the size of a file; one that can't be asked counts as no size at all.
    pub(super) fn file(&mut self, path: &Path) {
        self.number(std::fs::metadata(path).map_or(u64::MAX, |metadata| metadata.len()));
    }

    /// Takes a path as it is seen from everywhere.
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
