//! How a data set lies on the disk: layouts are detected, not declared.
//!
//! [`detect`] looks at a folder, [`Layout::describe`] says what its labels mean and where its
//! splits are, and [`Split::scan`] pairs photos with label files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::classes::ClassTable;
use super::dataset_toml;
use super::error::DataError;
use super::mapping::LabelMapping;
use super::published;

/// The arrangements of files that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `images/{training,validation}`, `annotations/{training,validation}` and `classes.txt`; the
    /// label is the line number in it from 0, and 255 is ignored.
    Plain,
    /// ADE20K SceneParse150: the same folders with `objectInfo150.txt` or `sceneCategories.txt`;
    /// 0 is ignored and 1..=150 are the classes 0..=149.
    Ade20k,
    /// COCO-Stuff: `{train,val}2017` and `stuffthingmaps/{train,val}2017`; of the values 0..=181
    /// eleven are never used, which leaves 171 classes, and 255 is ignored.
    CocoStuff,
    /// CamVid in the form of the SegNet tutorial: `train`, `trainannot`, `val`, `valannot`,
    /// `test`, `testannot`; 0..=10 are the classes and 11 is ignored.
    CamVidPublished,
    /// Whatever `dataset.toml` describes.
    DatasetToml,
}

const LOOKED_FOR: &str = "dataset.toml; images/{training,validation} + annotations/ with \
    classes.txt (plain) or objectInfo150.txt/sceneCategories.txt (ADE20K); {train,val}2017 + \
    stuffthingmaps/ (COCO-Stuff); train + trainannot (CamVid, the SegNet form)";

/// The file that names the classes of the plain layout.
const CLASSES: &str = "classes.txt";
const OBJECT_INFO: &str = "objectInfo150.txt";

/// What a layout says about one folder.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The name of the data set where a file states it.
    pub name: Option<String>,
    /// The classes.
    pub classes: ClassTable,
    /// Raw label -> class index.
    pub mapping: LabelMapping,
    /// The splits whose folders exist, in the order training, validation, test.
    pub splits: Vec<Split>,
}

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

/// Tells the layout of a folder.
///
/// # Errors
/// `dir` is no folder or has none of the layouts; the message lists what was looked for.
pub fn detect(dir: &Path) -> Result<Layout, DataError> {
    let metadata = std::fs::metadata(dir).map_err(DataError::read(dir))?;
    if !metadata.is_dir() {
        return Err(DataError::NotAFolder {
            path: dir.to_path_buf(),
        });
    }
    let file = |name: &str| dir.join(name).is_file();
    let folder = |name: &str| dir.join(name).is_dir();
    let both = |a: &str, b: &str| folder(a) && folder(b);
    if file(dataset_toml::FILE) {
        return Ok(Layout::DatasetToml);
    }
    let mut hint = "";
    if folder("images") && folder("annotations") {
        if file(OBJECT_INFO) {
            return Ok(Layout::Ade20k);
        }
        if file(CLASSES) {
            return Ok(Layout::Plain);
        }
        if file("sceneCategories.txt") {
            return Ok(Layout::Ade20k);
        }
        hint = " (images and annotations are there: add classes.txt, one class name a line)";
    }
    if both("train2017", "stuffthingmaps/train2017") || both("val2017", "stuffthingmaps/val2017") {
        return Ok(Layout::CocoStuff);
    }
    if both("train", "trainannot") || both("val", "valannot") || both("test", "testannot") {
        return Ok(Layout::CamVidPublished);
    }
    if hint.is_empty() && (folder("701_StillsRaw_full") || folder("LabeledApproved_full")) {
        hint = " (this is CamVid with colour-coded labels: take the form of the SegNet tutorial)";
    }
    let (path, hint) = (dir.to_path_buf(), hint.to_owned());
    Err(DataError::NoLayout {
        path,
        hint,
        looked_for: LOOKED_FOR,
    })
}

impl Layout {
    /// The name that people know the layout by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Ade20k => "ADE20K",
            Self::CocoStuff => "COCO-Stuff",
            Self::CamVidPublished => "CamVid (SegNet form)",
            Self::DatasetToml => "dataset.toml",
        }
    }

    /// The classes, the meaning of raw labels, and the splits of the folder.
    ///
    /// # Errors
    /// A class table or `dataset.toml` cannot be read or makes no sense, or no split's folders
    /// exist.
    pub fn describe(self, dir: &Path) -> Result<Contents, DataError> {
        let contents = match self {
            Self::Plain => {
                let classes = ClassTable::from_file(dir.join(CLASSES))?;
                let mapping = LabelMapping::plain(classes.len());
                Contents {
                    name: None,
                    classes,
                    mapping,
                    splits: images_and_annotations(dir),
                }
            }
            Self::Ade20k => Contents {
                name: None,
                classes: published::ade20k_classes(&dir.join(OBJECT_INFO))?,
                mapping: LabelMapping::new(published::ade20k_class),
                splits: images_and_annotations(dir),
            },
            Self::CocoStuff => Contents {
                name: None,
                classes: published::coco_classes(&dir.join("labels.txt"))?,
                mapping: LabelMapping::new(published::coco_class),
                splits: splits(
                    dir,
                    [("train2017", ""), ("val2017", ""), ("test2017", "")],
                    |name| Path::new("stuffthingmaps").join(name),
                ),
            },
            Self::CamVidPublished => Contents {
                name: None,
                classes: published::camvid_classes(),
                mapping: LabelMapping::new(published::camvid_class),
                splits: splits(dir, [("train", ""), ("val", ""), ("test", "")], |name| {
                    PathBuf::from(format!("{name}annot"))
                }),
            },
            Self::DatasetToml => dataset_toml::describe(dir)?,
        };
        if contents.splits.is_empty() {
            let (path, hint) = (
                dir.to_path_buf(),
                " (no split has both its folders)".to_owned(),
            );
            return Err(DataError::NoLayout {
                path,
                hint,
                looked_for: LOOKED_FOR,
            });
        }
        Ok(contents)
    }
}

fn images_and_annotations(dir: &Path) -> Vec<Split> {
    let names = [
        ("training", "images"),
        ("validation", "images"),
        ("test", "images"),
    ];
    splits(dir, names, |name| Path::new("annotations").join(name))
}

/// The splits training, validation and test whose photos lie in `PARENT/NAME` and whose labels lie
/// where `labels` says, as far as both folders exist.
fn splits(dir: &Path, folders: [(&str, &str); 3], labels: impl Fn(&str) -> PathBuf) -> Vec<Split> {
    ["training", "validation", "test"]
        .iter()
        .zip(folders)
        .map(|(split, (name, parent))| Split {
            name: (*split).to_owned(),
            images: dir.join(parent).join(name),
            labels: dir.join(labels(name)),
            image_suffix: None,
            label_suffix: ".png".to_owned(),
        })
        .filter(|split| split.images.is_dir() && split.labels.is_dir())
        .collect()
}

impl Split {
    /// Lists the files and pairs them by name.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn scan(&self) -> Result<Files, DataError> {
        let mut labels = by_name(&self.labels, |file| {
            file.strip_suffix(self.label_suffix.as_str())
        })?;
        let images = by_name(&self.images, |file| match &self.image_suffix {
            Some(suffix) => file.strip_suffix(suffix.as_str()),
            // Photos and labels may share a folder; `NAME_L.png` is then no photo.
            None if self.images == self.labels && file.ends_with(&self.label_suffix) => None,
            None => image_stem(file),
        })?;
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

/// The files of a folder that `stem` accepts, by what it makes of their names. Hidden files are
/// left out: they are half-written or belong to the file manager.
fn by_name<'a>(
    dir: &Path,
    stem: impl for<'b> Fn(&'b str) -> Option<&'b str> + 'a,
) -> Result<BTreeMap<String, PathBuf>, DataError> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(DataError::read(dir))? {
        let entry = entry.map_err(DataError::read(dir))?;
        let file = entry.file_name();
        let Some(file) = file.to_str().filter(|file| !file.starts_with('.')) else {
            continue;
        };
        if let Some(name) = stem(file) {
            // `x.jpg` beside `x.png`: the first by name wins, whatever order the disk lists.
            let path = found.entry(name.to_owned()).or_insert_with(|| entry.path());
            if entry.path() < *path {
                *path = entry.path();
            }
        }
    }
    Ok(found)
}
