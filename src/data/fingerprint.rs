//! Fingerprints of data sets, without reading every file.

use super::mapping::LabelMapping;
use super::photo::has_photo_ending;
use super::split::Pair;
use crate::format::hex;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Number of bytes kept of the digest.
const KEPT: usize = 8;
/// Maximum bytes of a text of labels whose contents count.
const READ: u64 = 1 << 20;

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

    /// Adds pairs of photos and labels: their names and the sizes of their files. With `with_texts`, the contents of
    /// labels that are short texts count, too: another class need not change their size.
    pub(super) fn pairs(&mut self, pairs: &[Pair], with_texts: bool) {
        // One file may describe many photos.
        let mut read = HashSet::new();
        for pair in pairs {
            self.text(&pair.name);
            self.file(&pair.image);
            let labels = [Some(pair.labels.as_path()), pair.described_in()];
            for path in labels.into_iter().flatten() {
                self.file(path);
                if with_texts && !has_photo_ending(path) && read.insert(path) {
                    self.contents(path);
                }
            }
        }
    }

    /// Adds the contents of a file of up to [`READ`] bytes that can be read.
    fn contents(&mut self, path: &Path) {
        let is_short = std::fs::metadata(path).is_ok_and(|found| found.len() <= READ);
        if let Some(bytes) = is_short.then(|| std::fs::read(path).ok()).flatten() {
            self.0.update(bytes);
        }
    }

    /// Adds the class of every raw value.
    pub(super) fn mapping(&mut self, mapping: &LabelMapping) {
        for bits in [8, 16] {
            for raw in 0..=u16::MAX {
                let class = mapping.class(raw, bits).map_or(u64::MAX, u64::from);
                self.number(class);
            }
        }
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
