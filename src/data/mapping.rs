//! From the numbers that label files hold to class indices.

use std::collections::BTreeSet;

use super::IGNORE;
use super::decode::RawLabels;

/// Stands in a table for "neither a class nor ignored". Class tables stay below it.
const UNKNOWN: u16 = IGNORE - 1;

/// Raw label -> class index, as two tables because 8-bit and 16-bit files may spell "ignore"
/// differently: 255 in the one, 65535 in the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMapping {
    byte: Vec<u16>,
    wide: Vec<u16>,
}

impl LabelMapping {
    /// Asks `class` about every raw value: a class index, [`IGNORE`], or `None` for a value that
    /// must not occur. The answer holds for files of every bit depth.
    pub fn new(class: impl Fn(u16) -> Option<u16>) -> Self {
        let wide: Vec<u16> = (0..=u16::MAX)
            .map(|raw| class(raw).unwrap_or(UNKNOWN))
            .collect();
        Self {
            byte: wide[..256].to_vec(),
            wide,
        }
    }

    /// The plain layout of `classes` classes: the raw value is the class, and what
    /// [`write_labels`](super::write_labels) writes for [`IGNORE`] is ignored: 255 in files of up
    /// to 8 bits and 65535 in 16-bit ones. 16-bit files of data sets with fewer than 256 classes
    /// may use 255 as well.
    pub fn plain(classes: usize) -> Self {
        let mut mapping = Self::new(|raw| match raw {
            raw if usize::from(raw) < classes => Some(raw),
            255 | IGNORE => Some(IGNORE),
            _ => None,
        });
        mapping.byte[255] = IGNORE;
        mapping
    }

    /// The mapping whose classes are what `class` says of those of this one: an index, or [`IGNORE`].
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

    /// The class index of a raw value from a file with `bits` bits a pixel, [`IGNORE`], or `None`.
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
            // Files of up to 8 bits only hold values below 256, so the index is always inside.
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
