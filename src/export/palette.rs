//! Masks as indexed PNGs, whose palette holds the class colours.

use super::error::ExportError;
use super::mask::{Mask, VOID};
use crate::data::Origin;
use crate::labels::IGNORE;
use crate::own_png::write_with_digest;
use std::path::Path;

/// A PNG whose palette holds the class colours, and which says where the mask comes from. [`IGNORE`] is index 255.
///
/// # Errors
/// More classes than a palette can hold.
pub(super) fn encode(mask: &Mask, path: &Path, origin: Origin) -> Result<Vec<u8>, ExportError> {
    if !mask.is_narrow() {
        return Err(ExportError::Scene {
            path: path.to_owned(),
            reason: "a palette has room for 255 classes; write an index PNG instead",
        });
    }
    let mut palette = mask.colours.concat();
    if mask.labels.contains(&IGNORE) {
        palette.resize(3 * 255, 0);
        palette.extend(VOID);
    }
    // The low byte of IGNORE is 255.
    let indices: Vec<u8> = mask.labels.iter().map(|&label| label as u8).collect();
    let mut bytes = Vec::new();
    let written = write_with_digest(
        &mut bytes,
        mask.size(),
        |encoder| {
            origin.mark(encoder)?;
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_depth(png::BitDepth::Eight);
            encoder.set_palette(palette);
            Ok(())
        },
        &indices,
    );
    written.map_err(|error| ExportError::write(path, error))?;
    Ok(bytes)
}
