//! Unsaved corrections on disk: one file per photo and model's classes, named by the digest of both.

use super::places::Places;
use crate::data::LabelsDigest;
use crate::files::{self, FileError};
use crate::format::hex;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The contents of a recovery file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recovery {
    /// The classes that the labels index.
    pub classes: Vec<String>,
    /// `[height, width]` of the photo.
    pub size: [usize; 2],
    /// The labels on disk that they start from; `None` in files of earlier versions, too.
    #[serde(default)]
    pub base: Option<LabelsDigest>,
    /// The painted labels; see [`LabelEdit::painted_runs`](crate::label_edit::LabelEdit::painted_runs).
    pub painted: Vec<(u32, Option<u16>)>,
}

impl Recovery {
    /// What was painted, as labels that index these classes; `None` if they lack one of them.
    pub(super) fn painted_in(&self, classes: &[String]) -> Option<Vec<(u32, Option<u16>)>> {
        let places = Places::of(&self.classes, classes);
        let run = |&(count, label): &(u32, Option<u16>)| match label {
            Some(label) => Some((count, Some(places.label(label)?))),
            None => Some((count, None)),
        };
        self.painted.iter().map(run).collect()
    }
}

/// The name of the corrections of a photo in classes, of which the user may have added more.
pub(super) fn key(photo: &RgbImage, classes: &[String]) -> String {
    let mut digest = Sha256::new();
    for class in classes {
        digest.update(class);
        digest.update([0]);
    }
    digest.update(photo.width().to_le_bytes());
    digest.update(photo.as_raw());
    hex(&digest.finalize())[..32].to_owned()
}

fn path(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.json"))
}

/// Whether a folder contains any recovery file.
pub(super) fn holds_any(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// The corrections of a photo, if there are any and they can be read.
pub(super) fn read(folder: &Path, key: &str) -> Option<Recovery> {
    let bytes = std::fs::read(path(folder, key)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Writes the corrections of a photo.
///
/// # Errors
/// The disk cannot be written.
pub(super) fn write(folder: &Path, key: &str, recovery: &Recovery) -> Result<(), FileError> {
    files::create_folder(folder)?;
    let json = serde_json::to_vec(recovery).unwrap_or_default();
    files::write_atomic(&path(folder, key), &json)
}

/// Removes the corrections of a photo, once they are saved or discarded.
///
/// # Errors
/// The file cannot be removed.
pub(super) fn remove(folder: &Path, key: &str) -> Result<(), FileError> {
    files::remove_file(&path(folder, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_come_back_for_their_photo_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("corrections");
        let photo = RgbImage::from_pixel(3, 2, image::Rgb([1, 2, 3]));
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let key = key(&photo, &classes);
        // The same bytes in another shape are a different photo.
        let turned = RgbImage::from_pixel(2, 3, image::Rgb([1, 2, 3]));
        assert_ne!(key, super::key(&turned, &classes));
        // Another model's are not overwritten.
        assert_ne!(key, super::key(&photo, &classes[..1]));
        assert!(!holds_any(&root) && read(&root, &key).is_none());
        let recovery = Recovery {
            classes: classes.clone(),
            size: [2, 3],
            base: Some([7; 32]),
            painted: vec![(4, None), (2, Some(1))],
        };
        write(&root, &key, &recovery).unwrap();
        assert_eq!(read(&root, &key), Some(recovery.clone()));
        assert_eq!(
            recovery.painted_in(&classes),
            Some(recovery.painted.clone())
        );
        assert_eq!(recovery.painted_in(&classes[..1]), None);
        let earlier = r#"{"classes":["a"],"size":[1,1],"painted":[[1,null]]}"#;
        std::fs::write(path(&root, &key), earlier).unwrap();
        assert_eq!(read(&root, &key).unwrap().base, None);
        std::fs::write(path(&root, &key), "half a fi").unwrap();
        assert!(read(&root, &key).is_none());
        remove(&root, &key).unwrap();
        assert!(!holds_any(&root));
    }
}
