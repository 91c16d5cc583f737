//! A split on disk: pairs photos with label files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use walkdir::{DirEntry, WalkDir};

use super::drawing::Drawing;
use super::error::DataError;
use super::photo::PHOTO_EXTENSIONS;
use super::walk::is_hidden;
use crate::format::counted;
use crate::text_file;

/// The endings of label files; [`read_labels`](super::read_labels) reads these formats.
const LABEL_ENDINGS: [&str; 3] = [".png", ".tif", ".tiff"];

/// Whether a file has the ending of a label file.
pub(super) fn is_label_file(path: &Path) -> bool {
    LABEL_ENDINGS.iter().any(|ending| has_ending(path, ending))
}

/// Whether a file has the ending of a PNG.
pub(super) fn is_png(path: &Path) -> bool {
    has_ending(path, ".png")
}

/// The order of label files of one photo: a PNG is used before a TIFF.
fn png_first(path: &Path) -> (bool, &Path) {
    (!is_png(path), path)
}

fn has_ending(path: &Path, ending: &str) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    without_suffix(name, ending).is_some()
}

/// A split and its folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// `training`, `validation`, `test`, or a name of `dataset.toml`.
    pub name: String,
    /// The folder of the photos, including its subfolders.
    pub images: PathBuf,
    /// The folder of the label files, with the same subfolders.
    pub labels: PathBuf,
    /// The suffix after a sample's name in its photo's name, in any letter case; `None`: any photo's
    /// extension.
    pub image_suffix: Option<String>,
    /// The suffix after a sample's name in its label file's name, in any letter case; `None`: `.png`, or `.tif` or
    /// `.tiff` where photos are in another folder.
    pub label_suffix: Option<String>,
    /// Whether the subfolders of a photo are part of its sample's name; otherwise file names must be
    /// distinct.
    pub folders_in_names: bool,
    /// A file that lists the samples of the split, one per line; without it all samples belong to it.
    pub list: Option<PathBuf>,
    /// Folders of other splits, which are skipped.
    pub apart: Vec<PathBuf>,
    /// Pairs photos with labels that are not images; `images` and `labels` are then only the folders of
    /// the files.
    pub(super) scanner: Option<Scanner>,
}

/// Finds the photos and labels of a split by other means than file names.
pub(super) trait Scan: std::fmt::Debug + Send + Sync {
    /// The photos with the sources of their labels.
    fn scan(&self) -> Result<Files, DataError>;

    /// Whether photos and label files are paired by their names.
    fn is_by_name(&self) -> bool {
        false
    }

    /// How to draw a label file, where they are; `None` for one whose pixels are values.
    fn drawing_of(&self, _labels: &Path) -> Option<Drawing> {
        None
    }

    /// Whether this value can only be one of pixels: no drawn label has it.
    fn leaves_to_pixels(&self, _value: u16) -> bool {
        false
    }
}

/// A shared [`Scan`].
#[derive(Debug, Clone)]
pub(super) struct Scanner(pub Arc<dyn Scan>);

impl PartialEq for Scanner {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Scanner {}

impl Split {
    /// A split whose photos and labels `scan` finds below the folder `dir`, in `labels`.
    pub(super) fn scanned(
        name: &str,
        dir: &Path,
        labels: PathBuf,
        scan: impl Scan + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            images: dir.to_path_buf(),
            labels,
            scanner: Some(Scanner(Arc::new(scan))),
            ..Self::default()
        }
    }
}

impl Default for Split {
    /// No folders; photos with any extension, labels with the extensions of label files.
    fn default() -> Self {
        Self {
            name: String::new(),
            images: PathBuf::new(),
            labels: PathBuf::new(),
            image_suffix: None,
            label_suffix: None,
            folders_in_names: true,
            list: None,
            apart: Vec::new(),
            scanner: None,
        }
    }
}

/// Excludes folders of other splits that lie within a split's own.
pub(super) fn set_apart(splits: &mut [Split]) {
    let folders: Vec<PathBuf> = splits
        .iter()
        .flat_map(|split| [split.images.clone(), split.labels.clone()])
        .collect();
    for split in splits {
        split.apart.clone_from(&folders);
    }
}

/// A photo and its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The sample's name: the subfolders and the photo's file name without its suffix, with invalid
    /// UTF-8 replaced.
    pub name: String,
    /// The photo.
    pub image: PathBuf,
    /// The label file, or the file that describes the labels.
    pub labels: PathBuf,
    /// How to draw labels that are not an image.
    pub(super) drawing: Option<Drawing>,
}

impl Pair {
    /// A third file that the labels depend on.
    pub(super) fn described_in(&self) -> Option<&Path> {
        self.drawing.as_ref()?.0.described_in()
    }
}

/// The files of a split, each list sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    pub pairs: Vec<Pair>,
    /// Photos without labels.
    pub without_labels: Vec<PathBuf>,
    /// Label files without a photo.
    pub without_photo: Vec<PathBuf>,
    /// Files left out because another has the same name, each with that other.
    pub doubles: Vec<(PathBuf, PathBuf)>,
    /// Files in the photos' folder whose names are not those of photos.
    pub other_images: Vec<PathBuf>,
    /// Files in the labels' folder whose names are not those of label files.
    pub other_labels: Vec<PathBuf>,
    /// Problems of files that describe many photos, one line each.
    pub faults: Vec<String>,
    /// What is left out of such files and may be meant to be, one line each.
    pub notes: Vec<String>,
}

/// The key that pairs a photo with its labels: the subfolders and the name before the suffix, separated
/// by slashes. Text is normalised to NFC, since macOS decomposes names; bytes that are not text stay
/// unchanged.
pub(super) type Key = Vec<u8>;

/// The [`Key`] of a name in a folder.
pub(super) fn key(folder: &Path, stem: &[u8]) -> Key {
    let mut key = Vec::new();
    for part in folder {
        key.extend(part.as_encoded_bytes());
        key.push(b'/');
    }
    key.extend(stem);
    match str::from_utf8(&key) {
        Ok(text) => text.nfc().collect::<String>().into_bytes(),
        Err(_) => key,
    }
}

/// The files of a folder by key, and those with other names.
struct Listing {
    named: BTreeMap<Key, Vec<PathBuf>>,
    others: Vec<PathBuf>,
}

impl Split {
    /// Lists the files and pairs them by name.
    ///
    /// A photo `NAME.jpg` is paired with the label file `NAME.png` (or `.tif` or `.tiff`) or, if it does not exist,
    /// `NAME.jpg.png`.
    ///
    /// # Errors
    /// A folder or the list of names cannot be read.
    pub fn scan(&self) -> Result<Files, DataError> {
        if let Some(scanner) = &self.scanner {
            return scanner.0.scan();
        }
        let mut labels = self.listing(&self.labels, |file| self.label_stem(file))?;
        for same in labels.named.values_mut() {
            same.sort_by(|a, b| png_first(a).cmp(&png_first(b)));
        }
        let mut images = self.listing(&self.images, |file| self.image_stem(file))?;
        let absent = match &self.list {
            Some(list) => self.keep_listed(list, &mut images.named, &mut labels.named)?,
            None => None,
        };
        let mut files = Files {
            other_images: images.others,
            other_labels: labels.others,
            faults: absent.into_iter().collect(),
            ..Files::default()
        };
        for (key, images) in images.named {
            self.pair(&key, images, &mut labels.named, &mut files);
        }
        for (_, mut unused) in labels.named {
            files.without_photo.append(&mut unused);
        }
        Ok(files)
    }

    /// Pairs the photos with the same name, and removes the used labels from `labels`.
    fn pair(
        &self,
        key: &Key,
        images: Vec<PathBuf>,
        labels: &mut BTreeMap<Key, Vec<PathBuf>>,
        files: &mut Files,
    ) {
        let mut kept: Option<PathBuf> = None;
        for image in images {
            let full = self.full_key(&image);
            let by_stem = if kept.is_none() {
                labels.remove(key)
            } else {
                None
            };
            let Some(mut found) = by_stem.or_else(|| labels.remove(&full)) else {
                match &kept {
                    Some(kept) => files.doubles.push((image, kept.clone())),
                    None => files.without_labels.push(image),
                }
                continue;
            };
            let first = found.remove(0);
            let doubles = found.into_iter().map(|double| (double, first.clone()));
            files.doubles.extend(doubles);
            files.pairs.push(Pair {
                name: self.sample_name(if kept.is_none() { key } else { &full }),
                image: image.clone(),
                labels: first,
                drawing: None,
            });
            kept.get_or_insert(image);
        }
    }

    /// The key of a label file named after the whole file name of a photo.
    fn full_key(&self, image: &Path) -> Key {
        let relative = image.strip_prefix(&self.images).unwrap_or(image);
        let folder = relative.parent().unwrap_or(Path::new(""));
        let file = relative.file_name().unwrap_or_default();
        key(folder, file.as_encoded_bytes())
    }

    fn sample_name(&self, key: &Key) -> String {
        let name = String::from_utf8_lossy(key);
        if self.folders_in_names {
            name.replace('/', "-")
        } else {
            name.rsplit('/').next().unwrap_or_default().to_owned()
        }
    }

    /// Keeps the files on a list. Returns a line about the names on it that have neither a photo nor labels.
    fn keep_listed(
        &self,
        list: &Path,
        images: &mut BTreeMap<Key, Vec<PathBuf>>,
        labels: &mut BTreeMap<Key, Vec<PathBuf>>,
    ) -> Result<Option<String>, DataError> {
        let text = text_file::read(list)?;
        let key_of = |name: &str| key(Path::new(""), name.as_bytes());
        let is_there = |name: &&str| {
            let key = key_of(name);
            images.contains_key(&key) || labels.contains_key(&key)
        };
        // The first word of every line, as some lists add a number, unless a name has spaces. Some lists
        // hold the names of files.
        let names = text.lines().filter_map(|line| {
            let word = line.split_whitespace().next()?;
            let names = [line.trim(), word].into_iter();
            let mut names = names.flat_map(|name| [Some(name), self.listed_stem(name)]);
            let there = names.find_map(|name| name.filter(is_there));
            there.or(Some(word))
        });
        let listed: BTreeMap<Key, &str> = names.map(|name| (key_of(name), name)).collect();
        let absent: Vec<&str> = listed
            .iter()
            .filter(|(key, _)| !images.contains_key(*key) && !labels.contains_key(*key))
            .map(|(_, name)| *name)
            .collect();
        images.retain(|name, _| listed.contains_key(name));
        labels.retain(|name, _| listed.contains_key(name));
        Ok(absent.first().map(|first| {
            let (list, count) = (list.display(), counted(absent.len(), "name"));
            let first = first.escape_debug();
            format!("{list} lists {count} with neither a photo nor labels, the first is {first}")
        }))
    }

    /// The name without the suffix of a photo or of a label file.
    fn listed_stem<'n>(&self, name: &'n str) -> Option<&'n str> {
        let file = OsStr::new(name);
        let stem = self.image_stem(file).or_else(|| self.label_stem(file))?;
        str::from_utf8(stem).ok()
    }

    /// A photo in the split's folder with its label file, without listing the split. `None` if the labels
    /// are not in a file with the photo's name.
    pub(super) fn pair_of(&self, photo: &Path) -> Option<Pair> {
        if let Some(scanner) = &self.scanner
            && !scanner.0.is_by_name()
        {
            return None;
        }
        let labels = self.labels_of(photo)?;
        Some(Pair {
            name: String::new(),
            image: photo.to_path_buf(),
            drawing: self.drawing_of(&labels),
            labels,
        })
    }

    /// How to draw a label file that is paired with a photo by its name; `None` for one whose pixels are values.
    pub(super) fn drawing_of(&self, labels: &Path) -> Option<Drawing> {
        self.scanner.as_ref()?.0.drawing_of(labels)
    }

    /// Whether this value of a pixel may get a class: no label is drawn as the class of this index.
    pub(super) fn leaves_to_pixels(&self, value: u16) -> bool {
        let scanner = self.scanner.as_ref();
        scanner.is_none_or(|scanner| scanner.0.leaves_to_pixels(value))
    }

    /// The label file with the name of a photo in the split's folder, without listing the split; of several, the one
    /// that [`scan`](Self::scan) takes. Labels named after a photo without its ending belong to the first of several
    /// such photos.
    pub(super) fn labels_of(&self, photo: &Path) -> Option<PathBuf> {
        let relative = photo.strip_prefix(&self.images).ok()?;
        let file = relative.file_name()?;
        let below = relative.parent()?;
        let folder = self.labels.join(below);
        let stem = self.image_stem(file)?;
        let keys = [stem, file.as_encoded_bytes()].map(|stem| key(below, stem));
        let mut found: BTreeMap<Key, PathBuf> = BTreeMap::new();
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let name = entry.file_name();
            if let Some(stem) = self.label_stem(&name) {
                let key = key(below, stem);
                if keys.contains(&key) {
                    let path = entry.path();
                    let first = found.entry(key).or_insert_with(|| path.clone());
                    if png_first(&path) < png_first(first) {
                        *first = path;
                    }
                }
            }
        }
        let [stem, full] = keys.map(|key| found.remove(&key));
        stem.filter(|_| self.is_first(photo)).or(full)
    }

    /// Whether no other photo with this photo's name without its ending comes before it in its folder.
    fn is_first(&self, photo: &Path) -> bool {
        let (Some(folder), Some(file)) = (photo.parent(), photo.file_name()) else {
            return true;
        };
        let own = |file: &OsStr| Some(key(Path::new(""), self.image_stem(file)?));
        let stem = own(file);
        let Ok(entries) = std::fs::read_dir(folder) else {
            return true;
        };
        !entries.flatten().any(|entry| {
            let name = entry.file_name();
            *name < *file && own(&name) == stem && !entry.path().is_dir()
        })
    }

    /// The label file of a photo: the one that is there, whatever its spelling, as a second one would not be read, or
    /// else the one to write.
    pub(super) fn labels_to_write(&self, photo: &Path) -> PathBuf {
        self.labels_of(photo).unwrap_or_else(|| {
            let own = if self.is_first(photo) {
                photo.file_stem()
            } else {
                photo.file_name()
            };
            let own = own.unwrap_or_default().to_string_lossy();
            // The labels of a photo in a subfolder are in the same one.
            let relative = photo.strip_prefix(&self.images).ok();
            let below = relative.and_then(Path::parent).unwrap_or(Path::new(""));
            self.labels.join(below).join(format!("{own}.png"))
        })
    }

    /// A photo's file name without its suffix.
    fn image_stem<'n>(&self, file: &'n OsStr) -> Option<&'n [u8]> {
        let file = file.as_encoded_bytes();
        // Photos and labels may share a folder; `NAME_L.png` is then not a photo.
        let label_suffix = self.label_suffix.as_deref().unwrap_or(LABEL_ENDINGS[0]);
        let shorter = |suffix: &String| suffix.len() < label_suffix.len();
        if self.images == self.labels
            && self.image_suffix.as_ref().is_none_or(shorter)
            && without_suffix(file, label_suffix).is_some()
        {
            return None;
        }
        match &self.image_suffix {
            Some(suffix) => without_suffix(file, suffix),
            None => PHOTO_EXTENSIONS
                .iter()
                .find_map(|end| without_suffix(file, end)?.strip_suffix(b".")),
        }
    }

    /// A label file's name without its suffix.
    fn label_stem<'n>(&self, file: &'n OsStr) -> Option<&'n [u8]> {
        let file = file.as_encoded_bytes();
        let suffixes = self.label_suffixes();
        // In a shared folder, `NAME_photo.png` is not a label file.
        if self.images == self.labels
            && let Some(suffix) = &self.image_suffix
            && suffixes.iter().all(|own| suffix.len() > own.len())
            && without_suffix(file, suffix).is_some()
        {
            return None;
        }
        suffixes.iter().find_map(|own| without_suffix(file, own))
    }

    /// The suffixes of label files.
    fn label_suffixes(&self) -> Vec<&str> {
        match &self.label_suffix {
            Some(suffix) => vec![suffix],
            // `NAME.tif` in a shared folder is a photo.
            None if self.images == self.labels => vec![LABEL_ENDINGS[0]],
            None => LABEL_ENDINGS.to_vec(),
        }
    }

    /// Whether a file has the name of a label file.
    pub(super) fn is_label_file(&self, path: &Path) -> bool {
        path.file_name()
            .is_some_and(|name| self.label_stem(name).is_some())
    }

    /// How label files are named, to follow "labels are".
    pub(super) fn label_names(&self) -> String {
        match self.label_suffixes().as_slice() {
            [suffix] => format!("files named NAME{suffix}"),
            _ => "PNG or TIFF files named NAME.png or NAME.tif".to_owned(),
        }
    }

    /// The files in a folder and its subfolders; those with the same key are sorted.
    fn listing(
        &self,
        dir: &Path,
        stem: impl for<'n> Fn(&'n OsStr) -> Option<&'n [u8]>,
    ) -> Result<Listing, DataError> {
        let mut listing = Listing {
            named: BTreeMap::new(),
            others: Vec::new(),
        };
        let walk = WalkDir::new(dir).min_depth(1).follow_links(true);
        let entries = walk
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !is_hidden(entry) && !self.is_apart(entry));
        for entry in entries {
            let path = match entry {
                Ok(entry) if entry.file_type().is_dir() => continue,
                Ok(entry) => entry.into_path(),
                Err(error) => match unreadable(dir, error)? {
                    Some(path) => path,
                    None => continue,
                },
            };
            let relative = path.strip_prefix(dir).unwrap_or(&path);
            let (Some(file), Some(folder)) = (relative.file_name(), relative.parent()) else {
                continue;
            };
            match stem(file) {
                Some(stem) => {
                    let same = listing.named.entry(key(folder, stem)).or_default();
                    same.push(path);
                    same.sort();
                }
                None => listing.others.push(path),
            }
        }
        Ok(listing)
    }

    fn is_apart(&self, entry: &DirEntry) -> bool {
        entry.file_type().is_dir() && self.apart.iter().any(|folder| folder == entry.path())
    }
}

/// Strips a suffix in any letter case.
fn without_suffix<'n>(file: &'n [u8], suffix: &str) -> Option<&'n [u8]> {
    let (stem, end) = file.split_at_checked(file.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix.as_bytes()).then_some(stem)
}

/// Handles an unreadable entry: a broken link counts as a file, whose reading will report the error; a
/// link to a parent folder and a locked folder are left out.
fn unreadable(dir: &Path, error: walkdir::Error) -> Result<Option<PathBuf>, DataError> {
    let path = error.path().map(Path::to_path_buf);
    let source = error.io_error().map(std::io::Error::kind);
    match (path, source) {
        (Some(path), Some(std::io::ErrorKind::NotFound)) if path != dir => Ok(Some(path)),
        (Some(path), kind) if path != dir => {
            if kind.is_some() {
                tracing::warn!("{} is left out: {error}", path.display());
            }
            Ok(None)
        }
        _ => Err(DataError::read(dir)(error.into())),
    }
}
