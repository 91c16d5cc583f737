//! Saves corrected masks as a data set in the plain layout, photo by photo.
//!
//! Every fourth photo, starting with the second, goes to the validation split, to evaluate training on
//! the others. A photo stays in its split when its labels are saved again.

use super::classes::ClassTable;
use super::contents::{images_and_annotations, is_undivided};
use super::corrected_labels::{LabelsDigest, labels_digest};
use super::decode::{Origin, write_mask};
use super::error::DataError;
use super::layout::{self, CLASSES, Layout};
use super::photo::has_photo_ending;
use super::photo_copy::PhotoCopy;
use super::split::{Split, is_png};
use super::walk::visible_files;
use crate::files;
use image::RgbImage;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// Maximum bytes of a photo's name without its extension; file systems allow 255 in all.
const LONGEST_NAME: usize = 200;
/// Maximum number of photos with one name.
const MOST_ALIKE: usize = 10_000;
/// One of this many photos is held back.
const SHARE: usize = 4;

/// A photo with corrected labels.
pub struct Corrected<'a> {
    /// Its name, without folder and extension.
    pub name: &'a str,
    /// Its file, which is copied byte for byte if it still holds the photo.
    pub file: Option<&'a Path>,
    /// The photo, upright.
    pub photo: &'a RgbImage,
    /// One class index or [`IGNORE`](crate::labels::IGNORE) per pixel, row by row.
    pub labels: &'a [u16],
    pub classes: &'a [String],
}

/// The files of a saved photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPair {
    pub image: PathBuf,
    pub labels: PathBuf,
    /// Whether it is held back from training, in the validation split.
    pub held_back: bool,
}

/// Saves a corrected photo into a data folder in the plain layout, which is created if it is missing.
/// Labels of the same photo are replaced; a photo of the same name with another content is kept, and
/// the new one gets a number. Photo and labels appear whole or not at all.
///
/// # Errors
/// A folder with other contents or other classes, labels whose size differs from the photo's, class
/// names that `classes.txt` cannot hold, labels in a TIFF to replace, or a failed write.
pub fn save_corrected(folder: &Path, corrected: &Corrected) -> Result<SavedPair, DataError> {
    let (width, height) = corrected.photo.dimensions();
    let (width, height) = (width as usize, height as usize);
    let table = classes(folder, corrected.classes)?;
    let copy = PhotoCopy::new(corrected.name, corrected.file, corrected.photo)?;
    let place = place(folder, corrected.name, &copy)?;
    if !is_png(&place.pair.labels) {
        let reason = "is not a PNG, as corrections are: choose another folder for corrections";
        return Err(DataError::description(&place.pair.labels, reason));
    }
    for path in [&place.pair.image, &place.pair.labels] {
        files::create_folder(files::folder_of(path))?;
    }
    if let Some(table) = table {
        let text: String = table.iter().map(|name| format!("{name}\n")).collect();
        files::write_atomic(&folder.join(CLASSES), text.as_bytes())?;
    }
    if !place.is_there {
        files::write_atomic(&place.pair.image, &copy.bytes)?;
    }
    let written = write_mask(
        &place.pair.labels,
        [width, height],
        corrected.labels,
        corrected.classes.len(),
        Origin::ByHand,
    );
    if written.is_err() && !place.is_there {
        files::remove_file(&place.pair.image)?;
    }
    written?;
    Ok(place.pair)
}

/// The label file that [`save_corrected`] would replace, and its digest; `None` if there is none.
///
/// # Errors
/// A photo or labels that cannot be read, or too many photos of this name.
pub fn replaced_labels(
    folder: &Path,
    corrected: &Corrected,
) -> Result<Option<(PathBuf, LabelsDigest)>, DataError> {
    let labels = label_file(folder, corrected.name, corrected.file, corrected.photo)?;
    if !labels.exists() {
        return Ok(None);
    }
    let digest = labels_digest(&labels)?;
    Ok(Some((labels, digest)))
}

/// The label file of a photo in a folder of corrections, where [`save_corrected`] puts its labels.
///
/// # Errors
/// A photo that cannot be read, or too many photos of this name.
pub(super) fn label_file(
    folder: &Path,
    name: &str,
    file: Option<&Path>,
    photo: &RgbImage,
) -> Result<PathBuf, DataError> {
    let copy = PhotoCopy::new(name, file, photo)?;
    Ok(place(folder, name, &copy)?.pair.labels)
}

/// Whether a folder of corrections has a photo with the name of a copy of a photo with this name.
pub(super) fn may_hold(folder: &Path, name: &str) -> bool {
    let splits = splits(folder);
    let mut images = splits.iter().flat_map(|split| listed(&split.images));
    images.any(|image| is_copy(&image, name))
}

/// The label files in a folder of corrections with the name of a copy of a photo with this name.
pub(super) fn labels_named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let splits = splits(folder);
    let mut labels: Vec<PathBuf> = splits
        .iter()
        .flat_map(|split| listed(&split.labels))
        .collect();
    labels.retain(|labels| {
        // `NAME.jpg.png` belongs to `NAME.jpg`.
        let photo = labels.with_extension("");
        is_copy(labels, name) || (has_photo_ending(&photo) && is_copy(&photo, name))
    });
    labels
}

/// Whether a file has the name of a copy of a photo with this name: it may end with a number.
fn is_copy(file: &Path, name: &str) -> bool {
    let (stem, wanted) = (stem(file), folded(&own_name(name)));
    let Some(rest) = stem.strip_prefix(&wanted) else {
        return false;
    };
    let number = rest.strip_prefix('-').unwrap_or_default();
    let is_numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    rest.is_empty() || is_numbered
}

/// The classes of a folder of corrections; empty if it is missing or empty.
///
/// # Errors
/// A folder with other contents.
pub fn corrected_classes(folder: &Path) -> Result<Vec<String>, DataError> {
    let empty = |folder: &Path| {
        std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
    };
    if !folder.exists() || (folder.is_dir() && empty(folder)) {
        return Ok(Vec::new());
    }
    match layout::detect(folder) {
        // The classes of a label map belong to colours, which are not written. Photos held back need a folder.
        Ok(Layout::Plain) if folder.join(CLASSES).is_file() && !is_undivided(folder) => {
            Ok(ClassTable::from_file(folder.join(CLASSES))?.names)
        }
        Err(error @ DataError::NotAFolder { .. }) => Err(error),
        _ => Err(DataError::description(
            folder,
            "holds something other than corrections: choose a new or an empty folder, or one with \
             images, annotations and classes.txt",
        )),
    }
}

/// The classes that training on a folder of corrections has: its own as `dataset.toml` joins and names them,
/// if there is one; empty if the folder is missing or empty.
///
/// # Errors
/// As for [`corrected_classes`], or a `dataset.toml` that does not suit the classes.
pub fn trained_classes(folder: &Path) -> Result<Vec<String>, DataError> {
    let known = corrected_classes(folder)?;
    if known.is_empty() {
        return Ok(known);
    }
    Ok(Layout::Plain.describe(folder)?.classes.names)
}

/// Number of labelled photos in a folder of corrections: to train on, and held back.
pub fn corrected_photos(folder: &Path) -> [usize; 2] {
    splits(folder).map(|split| listed(&split.labels).len())
}

/// Where photos to train on and photos held back are: in the folders that a data set is read from, whatever their
/// spelling, as its photos would not be found beside others.
fn splits(folder: &Path) -> [Split; 2] {
    let places = images_and_annotations(folder);
    let place = |at: usize| places.get(at).or(places.first()).cloned();
    [0, 1].map(|at| place(at).unwrap_or_default())
}

/// The class table to write, or `None` if the folder has a suitable one: one table must begin with the
/// other.
fn classes(folder: &Path, names: &[String]) -> Result<Option<Vec<String>>, DataError> {
    let known = corrected_classes(folder)?;
    if known.starts_with(names) {
        return Ok(None);
    }
    let path = folder.join(CLASSES);
    if !names.starts_with(&known) {
        let reason =
            "names other classes than this mask has: choose another folder for corrections";
        return Err(DataError::description(&path, reason));
    }
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    match ClassTable::parse(&path, &text) {
        Ok(table) if table.names == names => Ok(Some(names.to_vec())),
        _ => {
            let reason = "cannot hold the names of these classes, one per line: give them names that \
                are distinct, not blank and not numbered";
            Err(DataError::description(&path, reason))
        }
    }
}

struct Place {
    pair: SavedPair,
    /// Whether the photo exists already.
    is_there: bool,
}

/// Finds an existing copy of a photo, or free file names for it.
fn place(folder: &Path, name: &str, copy: &PhotoCopy) -> Result<Place, DataError> {
    let name = &*own_name(name);
    let splits = splits(folder);
    let images = splits.each_ref().map(|split| listed(&split.images));
    let labels = splits.each_ref().map(|split| listed(&split.labels));
    let named = images.iter().chain(&labels).flatten();
    let taken: HashSet<String> = named.map(|path| stem(path)).collect();
    let split = |held_back: bool| &splits[usize::from(held_back)];
    let numbered = (1..MOST_ALIKE).map(|number| match number {
        1 => name.to_owned(),
        number => format!("{name}-{number}"),
    });
    for candidate in numbered {
        let key = folded(&candidate);
        let pairs = images.iter().zip([false, true]);
        let mut alike = pairs.flat_map(|(images, held)| images.iter().map(move |i| (i, held)));
        if let Some((image, held_back)) =
            alike.find(|(image, _)| stem(image) == key && copy.is_in(image))
        {
            let pair = SavedPair {
                image: image.clone(),
                labels: split(held_back).labels_to_write(image),
                held_back,
            };
            return Ok(Place {
                pair,
                is_there: true,
            });
        }
        if !taken.contains(&key) {
            let held_back = is_held_back(images.iter().map(Vec::len).sum());
            let pair = SavedPair {
                image: split(held_back)
                    .images
                    .join(format!("{candidate}.{}", copy.ending)),
                labels: split(held_back).labels.join(format!("{candidate}.png")),
                held_back,
            };
            return Ok(Place {
                pair,
                is_there: false,
            });
        }
    }
    let reason = format!("holds {MOST_ALIKE} photos named {name}: choose another folder");
    Err(DataError::description(folder, reason))
}

/// The name of a photo's files, without extension.
fn own_name(name: &str) -> String {
    let name = files::name_part(name.trim_matches(['.', ' ']), LONGEST_NAME);
    if name.is_empty() {
        "photo".to_owned()
    } else {
        name
    }
}

/// Whether the next photo is held back, given the number of photos so far. How many of them are does not count: a data
/// set without a validation split would get nothing else for long.
fn is_held_back(count: usize) -> bool {
    count % SHARE == 1
}

/// The files of a folder and its subfolders without hidden ones, as a data set is read; empty if it is missing.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let is_temporary = |path: &PathBuf| path.file_name().is_some_and(files::is_temporary);
    let mut paths: Vec<PathBuf> = visible_files(folder).collect();
    paths.retain(|path| !is_temporary(path));
    paths.sort();
    paths
}

/// The name of a file without extension, [`folded`].
fn stem(path: &Path) -> String {
    folded(&path.file_stem().unwrap_or_default().to_string_lossy())
}

/// A name as compared by file systems that ignore letter case and Unicode form.
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::{Dataset, inspect, read_labels, read_photo, saved_labels, write_labels};
    use super::*;
    use crate::labels::IGNORE;
    use image::Rgb;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn picture(shade: u8) -> RgbImage {
        RgbImage::from_fn(6, 4, |x, y| Rgb([x as u8, y as u8, shade]))
    }

    fn corrected<'a>(
        name: &'a str,
        photo: &'a RgbImage,
        labels: &'a [u16],
        classes: &'a [String],
    ) -> Corrected<'a> {
        Corrected {
            name,
            file: None,
            photo,
            labels,
            classes,
        }
    }

    #[test]
    fn a_folder_fills_and_is_a_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("corrections");
        let classes = names(&["sky", "road"]);
        let mut labels = vec![1; 24];
        labels[0] = IGNORE;
        let mut held = Vec::new();
        for shade in 0..10 {
            let photo = picture(shade);
            let name = format!("p{shade}");
            let pair = corrected(&name, &photo, &labels, &classes);
            held.push(save_corrected(&root, &pair).unwrap().held_back);
        }
        let expected: Vec<bool> = (0..10).map(|i| i % 4 == 1).collect();
        assert_eq!(held, expected);
        let report = inspect(&root, &|_, _| ()).unwrap();
        assert_eq!(report.layout, Layout::Plain.name());
        let training = Dataset::open(&root, "training").unwrap();
        assert_eq!(
            (training.len(), training.classes().names.clone()),
            (7, classes)
        );
        let sample = training.load(0).unwrap();
        assert_eq!(sample.image, picture(0));
        assert_eq!(sample.labels.data, labels);
        assert_eq!(Dataset::open(&root, "validation").unwrap().len(), 3);
    }

    #[test]
    fn the_same_photo_is_saved_again_and_another_of_its_name_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let classes = names(&["a", "b"]);
        let (one, other) = (picture(1), picture(2));
        let save = |photo: &RgbImage, label: u16| {
            let labels = vec![label; 24];
            save_corrected(folder.path(), &corrected("x", photo, &labels, &classes)).unwrap()
        };
        let first = save(&one, 0);
        assert_eq!(save(&one, 1), first);
        assert_eq!(read_labels(&first.labels).unwrap().2, vec![1; 24]);
        let second = save(&other, 0);
        assert_eq!(second.image.file_name().unwrap(), "x-2.png");
        assert_eq!(read_labels(&first.labels).unwrap().2, vec![1; 24]);
        assert_eq!(save(&other, 1), second);
        assert_eq!(read_photo(&first.image).unwrap(), one);
        // Labels from elsewhere are not overwritten either.
        let foreign = folder.path().join("annotations/training/Y.png");
        std::fs::write(&foreign, "theirs").unwrap();
        let labels = vec![0; 24];
        let pair = save_corrected(folder.path(), &corrected("y", &one, &labels, &classes)).unwrap();
        assert_eq!(pair.image.file_stem().unwrap(), "y-2");
        assert_eq!(std::fs::read(foreign).unwrap(), b"theirs");
    }

    #[test]
    fn a_data_set_is_added_to_under_the_names_of_its_splits() {
        let folder = tempfile::tempdir().unwrap();
        let (root, classes) = (folder.path(), names(&["a", "b"]));
        let labels = vec![1; 24];
        std::fs::write(root.join(CLASSES), "a\nb\n").unwrap();
        for split in ["train", "valid"] {
            for parent in ["images", "annotations"] {
                std::fs::create_dir_all(root.join(parent).join(split)).unwrap();
            }
            let file = |parent: &str| root.join(parent).join(split).join("old.png");
            picture(9).save(file("images")).unwrap();
            write_labels(file("annotations"), 6, 4, &labels, 2).unwrap();
        }
        let mut held_back = Vec::new();
        for shade in 0..4 {
            let photo = picture(shade);
            let pair = corrected("new", &photo, &labels, &classes);
            let saved = save_corrected(root, &pair).unwrap();
            held_back.push(saved.held_back);
            let split = if saved.held_back { "valid" } else { "train" };
            assert!(saved.image.starts_with(root.join("images").join(split)));
            let read = saved_labels(root, "new", None, &photo).unwrap();
            assert_eq!((read.labels, read.is_correction), (labels.clone(), true));
        }
        assert_eq!(held_back, [false, false, false, true]);
        assert_eq!(corrected_photos(root).iter().sum::<usize>(), 6);
        let count = |split| Dataset::open(root, split).unwrap().len();
        assert_eq!([count("training"), count("validation")], [4, 2]);
        assert!(!root.join("images/training").exists());
    }

    #[test]
    fn photos_in_subfolders_are_corrected_in_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let (root, classes) = (folder.path(), names(&["a", "b"]));
        std::fs::write(root.join(CLASSES), "a\nb\n").unwrap();
        let file = |parent: &str, name: &str| root.join(parent).join("training/city").join(name);
        for parent in ["images", "annotations"] {
            std::fs::create_dir_all(file(parent, "")).unwrap();
        }
        let photo = picture(1);
        for name in ["one.png", "two.png"] {
            photo.save(file("images", name)).unwrap();
            write_labels(file("annotations", name), 6, 4, &[0; 24], 2).unwrap();
        }
        std::fs::write(file("annotations", ".DS_Store"), "").unwrap();
        let image = file("images", "one.png");
        // The labels that the data set came with are there, and are no corrections.
        let theirs = saved_labels(root, "one", Some(&image), &photo).unwrap();
        assert_eq!((theirs.labels, theirs.is_correction), (vec![0; 24], false));
        let pair = Corrected {
            file: Some(&image),
            ..corrected("one", &photo, &[1; 24], &classes)
        };
        let (path, digest) = replaced_labels(root, &pair).unwrap().unwrap();
        assert_eq!(
            (path, digest),
            (file("annotations", "one.png"), theirs.digest)
        );
        let saved = save_corrected(root, &pair).unwrap();
        let expected = SavedPair {
            image: image.clone(),
            labels: file("annotations", "one.png"),
            held_back: false,
        };
        assert_eq!(saved, expected);
        let read = saved_labels(root, "one", Some(&image), &photo).unwrap();
        assert_eq!((read.labels, read.is_correction), (vec![1; 24], true));
        assert_eq!(labels_digest(&saved.labels).unwrap(), read.digest);
        assert_ne!(read.digest, theirs.digest);
        let new = picture(2);
        let new = replaced_labels(root, &corrected("one", &new, &[1; 24], &classes));
        assert_eq!(new.unwrap(), None);
        assert_eq!(corrected_photos(root), [2, 0]);
        assert_eq!(Dataset::open(root, "training").unwrap().len(), 2);
    }

    #[test]
    fn the_last_of_256_classes_is_not_taken_for_ignored() {
        let photo = picture(0);
        for (count, label) in [(256, 255), (255, 254), (2, 1)] {
            let folder = tempfile::tempdir().unwrap();
            let classes: Vec<String> = (0..count).map(|i| format!("n{i}")).collect();
            let mut labels = vec![label; 24];
            let saved = |labels: &[u16]| {
                let pair = corrected("x", &photo, labels, &classes);
                save_corrected(folder.path(), &pair).unwrap();
                let saved = saved_labels(folder.path(), "x", None, &photo);
                saved.unwrap().labels
            };
            assert_eq!(saved(&labels), labels, "{count} classes");
            labels[3] = IGNORE;
            assert_eq!(saved(&labels), labels, "{count} classes");
        }
    }

    #[test]
    fn a_file_is_copied_unless_it_holds_another_photo_by_now() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("c");
        let file = folder.path().join("IMG 1.BMP");
        let (photo, classes, labels) = (picture(3), names(&["a", "b"]), vec![0; 24]);
        photo.save(&file).unwrap();
        let save = || {
            let pair = Corrected {
                file: Some(&file),
                ..corrected("IMG 1", &photo, &labels, &classes)
            };
            save_corrected(&root, &pair).unwrap()
        };
        let copy = save();
        assert_eq!(copy.image.file_name().unwrap(), "IMG 1.BMP");
        assert_eq!(
            std::fs::read(&copy.image).unwrap(),
            std::fs::read(&file).unwrap()
        );
        picture(9).save(&file).unwrap();
        // The copy is there already, although it has the bytes of the file before.
        assert_eq!(save(), copy);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(save(), copy);
        assert_eq!(corrected_photos(&root), [1, 0]);
        picture(9).save(&copy.image).unwrap();
        let copy = save();
        assert_eq!(copy.image.file_name().unwrap(), "IMG 1-2.png");
        assert_eq!(read_photo(&copy.image).unwrap(), photo);
        // Nor is it copied again once its own file is back.
        photo.save(&file).unwrap();
        assert_eq!(save(), copy);
    }

    #[test]
    fn classes_may_grow_and_never_change() {
        let folder = tempfile::tempdir().unwrap();
        let save = |shade: u8, classes: &[&str]| {
            let (photo, classes) = (picture(shade), names(classes));
            let labels = vec![0; 24];
            save_corrected(folder.path(), &corrected("x", &photo, &labels, &classes))
                .map_err(|error| error.to_string())
        };
        save(0, &["a", "b"]).unwrap();
        save(1, &["a", "b", "c"]).unwrap();
        save(2, &["a", "b"]).unwrap();
        let known = corrected_classes(folder.path()).unwrap();
        assert_eq!(known, names(&["a", "b", "c"]));
        let error = save(3, &["b", "a"]).unwrap_err();
        assert!(
            error.contains("classes.txt") && error.contains("other classes"),
            "{error}"
        );
        for wrong in [
            &["a", " "][..],
            &["a\nb", "c"],
            &["0 a", "1 b"],
            &["a", "a"],
        ] {
            let empty = tempfile::tempdir().unwrap();
            let (photo, labels) = (picture(0), vec![0; 24]);
            let classes = names(wrong);
            let pair = corrected("x", &photo, &labels, &classes);
            let error = save_corrected(empty.path(), &pair).unwrap_err().to_string();
            assert!(error.contains("one per line"), "{error}");
            assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn other_folders_are_refused_and_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
        let (photo, classes, labels) = (picture(0), names(&["a", "b"]), vec![0; 24]);
        let pair = corrected("x", &photo, &labels, &classes);
        let error = save_corrected(folder.path(), &pair)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("empty folder") && !error.contains('\n'),
            "{error}"
        );
        let file = folder.path().join("thesis.txt");
        let in_file = save_corrected(&file, &pair);
        assert!(matches!(in_file, Err(DataError::NotAFolder { path }) if path == file));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // Labels of another size write nothing.
        let empty = tempfile::tempdir().unwrap();
        let short = corrected("x", &photo, &labels[1..], &classes);
        let cut = save_corrected(empty.path(), &short);
        assert!(matches!(cut, Err(DataError::LabelCount { found: 23, .. })));
        let left = empty.path().join("images/training");
        assert_eq!(std::fs::read_dir(left).unwrap().count(), 0);
    }
}
