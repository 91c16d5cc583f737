//! Masks as folders of black and white PNGs, one per class.

use super::error::ExportError;
use super::mask::Mask;
use crate::files;
use image::{GrayImage, ImageFormat, Luma};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;

/// Maximum length of a class's name in a file name, in bytes.
const NAME: usize = 80;

/// Writes `INDEX-NAME.png` into a folder for every class that has a pixel: white where the class is,
/// black elsewhere. A new folder appears once all files are written. From an existing one, files that
/// an earlier mask left for classes that this mask lacks are removed.
pub(super) fn write(mask: &Mask, folder: &Path) -> Result<(), ExportError> {
    if folder.is_dir() {
        return fill(mask, folder);
    }
    files::write_folder(folder, |temporary| {
        fill(mask, temporary).map_err(|error| match error {
            ExportError::File(error) => error.moved(temporary, folder).into(),
            other => other,
        })
    })
}

fn fill(mask: &Mask, folder: &Path) -> Result<(), ExportError> {
    let present: BTreeSet<u16> = mask.labels.iter().copied().collect();
    let [width, height] = mask.size();
    for class in 0..mask.classes.len() as u16 {
        let path = folder.join(file_name(mask, class));
        if !present.contains(&class) {
            files::remove_file(&path)?;
            continue;
        }
        let picture = GrayImage::from_fn(width, height, |x, y| {
            let label = mask.labels[y as usize * width as usize + x as usize];
            Luma([if label == class { 255 } else { 0 }])
        });
        let mut bytes = Vec::new();
        picture
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .map_err(|error| ExportError::write(&path, error))?;
        files::write_atomic(&path, &bytes)?;
    }
    Ok(())
}

/// The index distinguishes names that differ only in letter case or in characters that no file name may
/// contain.
fn file_name(mask: &Mask, class: u16) -> String {
    let digits = mask.classes.len().saturating_sub(1).to_string().len();
    let name = files::name_part(mask.name(class), NAME);
    format!("{class:0digits$}-{name}.png")
}
