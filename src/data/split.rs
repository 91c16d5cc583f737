//! One split on the disk: which photo goes with which label file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::classes::read_text;
use super::error::DataError;

/// One split: where its photos and labels are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// `training`, `validation`, `test`, or a name of `dataset.toml`.
    pub name: String,
    /// The folder of the photos.
    pub images: PathBuf,
    /// The folder of the label files.
    pub labels: PathBuf,
    /// What follows a sample's name in its photo's name; `None`: the extension of any image.
    pub image_suffix: Option<String>,
    /// What follows a sample's name in its label file's name.
    pub label_suffix: String,
    /// Whether the files lie one folder deeper, in folders whose names don't matter.
    pub nested: bool,
    /// A file that names the samples of the split, one a line; without it all belong to it.
    pub list: Option<PathBuf>,
}

impl Default for Split {
    /// No folder yet; photos with any extension, labels in `.png` files.
    fn default() -> Self {
        Self {
            name: String::new(),
            images: PathBuf::new(),
            labels: PathBuf::new(),
            image_suffix: None,
            label_suffix: ".png".to_owned(),
            nested: false,
            list: None,
        }
    }
}

/// A photo and its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The sample's name: the photo's file name without its suffix.
    pub name: String,
    /// The photo.
    pub image: PathBuf,
    /// The label file.
    pub labels: PathBuf,
}

/// The files of a split, each list sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Photos that have labels.
    pub pairs: Vec<Pair>,
    /// Photos that have none.
    pub without_labels: Vec<PathBuf>,
    /// Label files that have no photo.
    pub without_photo: Vec<PathBuf>,
}

impl Split {
    /// Lists the files and pairs them by name.
    ///
    /// # Errors
    /// A folder or the list of names cannot be read.
    pub fn scan(&self) -> Result<Files, DataError> {
        let mut labels = self.by_name(&self.labels, |file| {
            file.strip_suffix(self.label_suffix.as_str())
        })?;
        let mut images = self.by_name(&self.images, |file| match &self.image_suffix {
            Some(suffix) => file.strip_suffix(suffix.as_str()),
            // Photos and labels may share a folder; `NAME_L.png` is then no photo.
            None if self.images == self.labels && file.ends_with(&self.label_suffix) => None,
            None => image_stem(file),
        })?;
        if let Some(list) = &self.list {
            let listed = listed(list)?;
            images.retain(|name, _| listed.contains(name));
            labels.retain(|name, _| listed.contains(name));
            for name in listed {
                if !images.contains_key(&name) {
                    let file = self.labels.join(format!("{name}{}", self.label_suffix));
                    labels.entry(name).or_insert(file);
                }
            }
        }
        let mut files = Files::default();
        let mut paired = BTreeSet::new();
        for (name, image) in images {
            match labels.get(&name) {
                Some(labels) => {
                    let labels = labels.clone();
                    paired.insert(name.clone());
                    files.pairs.push(Pair {
                        name,
                        image,
                        labels,
                    });
                }
                None => files.without_labels.push(image),
            }
        }
        labels.retain(|name, _| !paired.contains(name));
        files.without_photo = labels.into_values().collect();
        Ok(files)
    }

    /// The files of the split's folder that `stem` accepts, by what it makes of their names.
    fn by_name(
        &self,
        dir: &Path,
        stem: impl for<'b> Fn(&'b str) -> Option<&'b str>,
    ) -> Result<BTreeMap<String, PathBuf>, DataError> {
        let mut found = BTreeMap::new();
        for (file, path) in visible(dir)? {
            if self.nested && path.is_dir() {
                for (file, path) in visible(&path)? {
                    keep(&mut found, stem(&file), path);
                }
            } else if !self.nested {
                keep(&mut found, stem(&file), path);
            }
        }
        Ok(found)
    }
}

/// `x.jpg` beside `x.png`: the first by name wins, whatever order the disk lists.
fn keep(found: &mut BTreeMap<String, PathBuf>, name: Option<&str>, path: PathBuf) {
    if let Some(name) = name {
        let kept = found.entry(name.to_owned()).or_insert_with(|| path.clone());
        if path < *kept {
            *kept = path;
        }
    }
}

/// Names and paths in a folder. Hidden files are left out: they are half-written or belong to the
/// file manager.
fn visible(dir: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(DataError::read(dir))? {
        let entry = entry.map_err(DataError::read(dir))?;
        if let Some(name) = entry.file_name().to_str().filter(|n| !n.starts_with('.')) {
            entries.push((name.to_owned(), entry.path()));
        }
    }
    Ok(entries)
}

/// The names in a list: the first word of every line, as some lists add a number to it.
fn listed(path: &Path) -> Result<BTreeSet<String>, DataError> {
    let text = read_text(path)?;
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

/// The name without its extension, where that is one of an image.
fn image_stem(file: &str) -> Option<&str> {
    const EXTENSIONS: [&str; 13] = [
        "jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "pnm", "pbm",
        "tga",
    ];
    let (stem, extension) = file.rsplit_once('.')?;
    EXTENSIONS
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
        .then_some(stem)
}
