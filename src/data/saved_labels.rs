//! Reads the labels of a photo in a folder of corrections.

use super::corrected_labels::{SavedLabels, labels_digest};
use super::corrections::{corrected_classes, label_file, labels_named, may_hold};
use super::decode::{RawLabels, read_raw_labels};
use super::layout;
use super::mapping::LabelMapping;
use crate::labels::IGNORE;
use crate::own_png::is_by_hand;
use image::RgbImage;
use std::path::Path;

/// The labels of a photo in a folder of corrections, where [`save_corrected`](super::save_corrected) puts
/// them; `None` if there are none, or they cannot be read, as where their pixels have the colours of classes.
pub fn saved_labels(
    folder: &Path,
    name: &str,
    file: Option<&Path>,
    photo: &RgbImage,
) -> Option<SavedLabels> {
    // Most photos have not been saved; comparing bytes means encoding a picture.
    if !may_hold(folder, name) {
        return None;
    }
    let path = &label_file(folder, name, file, photo).ok()?;
    let digest = labels_digest(path).ok()?;
    let raw = read_as_data(folder, path)?;
    let size = [photo.width(), photo.height()].map(|side| side as usize);
    if [raw.width, raw.height] != size {
        return None;
    }
    // 255 is a class where there are so many, and the file says so with its depth.
    let mapping = LabelMapping::plain(corrected_classes(folder).ok()?.len());
    let is_ignored = |label: u16| mapping.class(label, raw.bits) == Some(IGNORE);
    let label = |&label: &u16| if is_ignored(label) { IGNORE } else { label };
    Some(SavedLabels {
        labels: raw.data.iter().map(label).collect(),
        is_correction: is_by_hand(path),
        digest,
    })
}

/// The labels in a file of a folder of corrections, as a data set in that folder has them: a label map beside the list
/// of classes may give palette indices, and colours, other classes.
fn read_as_data(folder: &Path, path: &Path) -> Option<RawLabels> {
    let splits = layout::plain(folder).ok()?.splits;
    let split = splits.iter().find(|split| path.starts_with(&split.labels));
    match split.and_then(|split| split.drawing_of(path)) {
        None => read_raw_labels(path).ok(),
        // Its size is compared with the photo's by the caller.
        Some(drawing) => {
            let mut as_stated = |stated: Option<[u64; 2]>| {
                let [width, height] = stated.unwrap_or_default();
                Ok((width as usize, height as usize))
            };
            drawing.0.draw(&mut as_stated).ok()
        }
    }
}

/// Whether a folder of corrections has labels that this program saved as corrections, with the name of a
/// copy of a photo with this name. The photo need not be read.
pub fn may_hold_correction(folder: &Path, name: &str) -> bool {
    let labels = labels_named(folder, name);
    labels.iter().any(|labels| is_by_hand(labels))
}

#[cfg(test)]
mod tests {
    use super::super::{Corrected, save_corrected, write_labels};
    use super::*;
    use image::Rgb;
    use std::path::PathBuf;

    fn picture(shade: u8) -> RgbImage {
        RgbImage::from_fn(6, 4, |x, y| Rgb([x as u8, y as u8, shade]))
    }

    /// Saves corrections of a photo, all of class 1, and returns their file.
    fn save(folder: &Path, name: &str, photo: &RgbImage) -> PathBuf {
        let corrected = Corrected {
            name,
            file: None,
            photo,
            labels: &[1; 24],
            classes: &["a", "b"].map(str::to_owned),
        };
        save_corrected(folder, &corrected).unwrap().labels
    }

    #[test]
    fn only_corrections_of_a_photo_with_the_whole_name_are_worth_a_look() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["10", "1-b"] {
            save(root, name, &picture(0));
        }
        assert!(!may_hold_correction(root, "1"));
        // The second photo of the name has a number.
        let labels = [1, 2].map(|shade| save(root, "1", &picture(shade)));
        assert_eq!(labels[1].file_name().unwrap(), "1-2.png");
        for labels in &labels {
            assert!(may_hold_correction(root, "1"));
            // As a data set came with.
            write_labels(labels, 6, 4, &[0; 24], 2).unwrap();
        }
        assert!(!may_hold_correction(root, "1"));
        assert!(may_hold_correction(root, "10"));
        assert!(saved_labels(root, "1", None, &picture(2)).is_some());
    }

    #[test]
    fn labels_under_another_spelling_are_replaced() {
        for name in ["x.PNG", "x.png.png"] {
            let folder = tempfile::tempdir().unwrap();
            let (root, photo) = (folder.path(), picture(0));
            let first = save(root, "x", &photo);
            let theirs = first.with_file_name(name);
            std::fs::remove_file(&first).unwrap();
            write_labels(&theirs, 6, 4, &[0; 24], 2).unwrap();
            assert!(!may_hold_correction(root, "x"));
            assert_eq!(save(root, "x", &photo), theirs);
            let files = std::fs::read_dir(theirs.parent().unwrap()).unwrap();
            assert_eq!(files.count(), 1, "{name}");
            let saved = saved_labels(root, "x", None, &photo).unwrap();
            assert_eq!(saved.labels, [1; 24]);
            assert!(may_hold_correction(root, "x"), "{name}");
        }
    }

    #[test]
    fn colours_of_classes_are_not_read_as_values() {
        let folder = tempfile::tempdir().unwrap();
        let (root, photo) = (folder.path(), picture(0));
        let path = save(root, "x", &photo);
        let saved = || saved_labels(root, "x", None, &photo).map(|saved| saved.labels);
        let coloured = RgbImage::from_pixel(6, 4, Rgb([1; 3]));
        coloured.save(&path).unwrap();
        assert_eq!(saved(), None);
        // Corrections are saved as values.
        save(root, "x", &photo);
        assert_eq!(saved(), Some(vec![1; 24]));
    }

    #[test]
    fn labels_beside_a_label_map_are_those_of_the_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let (root, photo) = (folder.path(), picture(0));
        let path = save(root, "x", &photo);
        std::fs::write(root.join("labelmap.txt"), "b:9,8,7::\na:1,2,3::\n").unwrap();
        let saved = || saved_labels(root, "x", None, &photo).map(|saved| saved.labels);
        // Grey files have the values of the list.
        assert_eq!(saved(), Some(vec![1; 24]));
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 6, 4);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(vec![9, 8, 7, 1, 2, 3]);
        let mut writer = encoder.write_header().unwrap();
        let indices: Vec<u8> = (0..24).map(|pixel| pixel % 2).collect();
        writer.write_image_data(&indices).unwrap();
        writer.finish().unwrap();
        let expected: Vec<u16> = (0..24).map(|pixel| 1 - pixel % 2).collect();
        assert_eq!(saved(), Some(expected));
    }

    #[test]
    fn labels_of_a_photo_of_the_same_name_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (root, photo) = (folder.path(), picture(0));
        let theirs = save(root, "x", &photo);
        let bytes = std::fs::read(&theirs).unwrap();
        // The labels `x.png` are those of the first of both photos.
        std::fs::write(root.join("images/training/x.jpg"), "another").unwrap();
        assert!(saved_labels(root, "x", None, &photo).is_none());
        let own = save(root, "x", &photo);
        assert_eq!(own, theirs.with_file_name("x.png.png"));
        assert_eq!(std::fs::read(&theirs).unwrap(), bytes);
        assert!(saved_labels(root, "x", None, &photo).is_some());
        assert_eq!(save(root, "x", &photo), own);
    }
}
