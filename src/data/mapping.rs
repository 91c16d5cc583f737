//! Maps the values in label files to class indices.

use std::collections::BTreeSet;

use super::decode::RawLabels;
use crate::labels::IGNORE;

/// Table entry for "neither a class nor ignored". Class indices are below it.
const UNKNOWN: u16 = IGNORE - 1;

/// Raw label -> class index, as two tables because "ignore" may be 255 in 8-bit files and 65535 in
/// 16-bit files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMapping {
    byte: Vec<u16>,
    wide: Vec<u16>,
}

impl LabelMapping {
    /// Calls `class` for every raw value, for files of every bit depth: it returns a class index,
    /// [`IGNORE`], or `None` for a value that must not occur.
    pub fn new(class: impl Fn(u16) -> Option<u16>) -> Self {
        let wide: Vec<u16> = (0..=u16::MAX)
            .map(|raw| class(raw).unwrap_or(UNKNOWN))
            .collect();
        Self {
            byte: wide[..256].to_vec(),
            wide,
        }
    }

    /// The plain layout with `classes` classes: the raw value is the class, and the value that
    /// [`write_labels`](super::write_labels) writes for [`IGNORE`] is ignored: 255 in files of up to 8
    /// bits and 65535 in 16-bit ones. 16-bit files of data sets with fewer than 256 classes may use 255
    /// as well.
    pub fn plain(classes: usize) -> Self {
        let mut mapping = Self::new(|raw| match raw {
            raw if usize::from(raw) < classes => Some(raw),
            255 | IGNORE => Some(IGNORE),
            _ => None,
        });
        mapping.byte[255] = IGNORE;
        mapping
    }

    /// This mapping followed by `class`, which maps its classes to an index or [`IGNORE`].
    pub(super) fn then(&self, class: impl Fn(u16) -> u16) -> Self {
        let mapped = |table: &[u16]| {
            let known = |raw: u16| if raw < UNKNOWN { class(raw) } else { raw };
            table.iter().copied().map(known).collect()
        };
        Self {
            byte: mapped(&self.byte),
            wide: mapped(&self.wide),
        }
    }

    /// This mapping with another class for one raw value, in files of every bit depth.
    pub(super) fn with(mut self, raw: u16, class: u16) -> Self {
        for table in [&mut self.byte, &mut self.wide] {
            if let Some(entry) = table.get_mut(usize::from(raw)) {
                *entry = class;
            }
        }
        self
    }

    /// The class index of a raw value from a file with `bits` bits per pixel, [`IGNORE`], or `None`.
    pub fn class(&self, raw: u16, bits: u8) -> Option<u16> {
        let class = *self.table(bits).get(usize::from(raw))?;
        (class != UNKNOWN).then_some(class)
    }

    /// Maps a whole file.
    ///
    /// # Errors
    /// The distinct raw values that must not occur, ascending.
    pub(super) fn apply(&self, raw: RawLabels) -> Result<Vec<u16>, Vec<u16>> {
        let table = self.table(raw.bits);
        let mut mapped = raw.data;
        let mut unknown = BTreeSet::new();
        for label in &mut mapped {
            // Files of up to 8 bits only hold values below 256, so the index is in range.
            let class = table.get(usize::from(*label)).copied().unwrap_or(UNKNOWN);
            if class == UNKNOWN {
                unknown.insert(*label);
            }
            *label = class;
        }
        if unknown.is_empty() {
            return Ok(mapped);
        }
        Err(unknown.into_iter().collect())
    }

    fn table(&self, bits: u8) -> &[u16] {
        if bits > 8 { &self.wide } else { &self.byte }
    }
}
