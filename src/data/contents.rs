//! The contents of a data set's folder, according to its layout.

use super::classes::ClassTable;
use super::mapping::LabelMapping;
use super::split::Split;
use super::split_name::{SPELLINGS, SPLITS};
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// The classes, labels and splits of one folder.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The name of the data set, if a file states it.
    pub name: Option<String>,
    /// The names of the classes, by index.
    pub classes: ClassTable,
    /// Raw label -> class index.
    pub mapping: LabelMapping,
    /// The splits whose folders exist, in the order training, validation, test.
    pub splits: Vec<Split>,
}

/// The usual folder of label files.
pub(super) const ANNOTATIONS: &str = "annotations";

/// How many files of a folder are looked at to tell what it holds.
const LOOKED_AT: usize = 64;

/// The name of the folder of label files beside `images`: the first of `annotations`, `labels` and `masks` that shares
/// a split with `images` and holds a PNG file in a split; `annotations` may hold something else, and `masks` may be what
/// a model made of the photos. Without such a folder, the first of `annotations` and `masks` that shares a split, or
/// else that is there, or else `labels` if it holds a PNG file.
pub(super) fn label_folder(dir: &Path) -> &'static str {
    let is_shared = |name: &&str| {
        let both = |split: &&str| {
            let mut parents = ["images", *name].into_iter();
            parents.all(|parent| dir.join(parent).join(split).is_dir())
        };
        SPELLINGS.into_iter().flatten().any(both)
    };
    let holds_labels = |name: &&str| holds_png(&dir.join(name));
    let mut all = [ANNOTATIONS, "labels", "masks"].into_iter();
    let usual = [ANNOTATIONS, "masks"].into_iter();
    all.find(|name| is_shared(name) && holds_labels(name))
        .or_else(|| usual.clone().find(is_shared))
        .or_else(|| usual.clone().find(|name| dir.join(name).is_dir()))
        .or_else(|| Some("labels").filter(holds_labels))
        .unwrap_or(ANNOTATIONS)
}

/// What is to be said of a folder of annotations that is not read, in one line.
pub(super) fn left_out(dir: &Path) -> Option<String> {
    let labels = label_folder(dir);
    let is_left_out = labels != ANNOTATIONS && dir.join(ANNOTATIONS).is_dir();
    is_left_out.then(|| {
        format!(
            "the label files are those in {labels}; {ANNOTATIONS} is not read: it has no PNG file in a split of images"
        )
    })
}

/// Whether a PNG file is among the first files of a split's folder in this one, or in subfolders of it.
fn holds_png(labels: &Path) -> bool {
    let is_png = |entry: DirEntry| {
        let ending = entry.path().extension();
        ending.is_some_and(|end| end.eq_ignore_ascii_case("png"))
    };
    let splits = SPELLINGS
        .into_iter()
        .flatten()
        .map(|split| labels.join(split));
    let files = |split: PathBuf| {
        let walk = WalkDir::new(split).min_depth(1).follow_links(true);
        walk.into_iter().flatten().take(LOOKED_AT)
    };
    splits.flat_map(files).any(is_png)
}

/// The places of the splits in the folders `images` and [`label_folder`]: under the first name of a split that
/// both have, or else the first that one of them has.
pub(super) fn images_and_annotations(dir: &Path) -> Vec<Split> {
    let labels = label_folder(dir);
    let parents = ["images", labels].map(|parent| dir.join(parent));
    let found = |names: &[&'static str]| {
        let is_in = |parent: &PathBuf, name: &str| parent.join(name).is_dir();
        let both = |name: &&str| parents.iter().all(|parent| is_in(parent, name));
        let any = |name: &&str| parents.iter().any(|parent| is_in(parent, name));
        let mut all = names.iter().copied();
        let name = all.clone().find(both).or_else(|| all.clone().find(any));
        (name.or(all.next()).unwrap_or_default(), "images")
    };
    places(dir, SPELLINGS.map(found), |name| {
        Path::new(labels).join(name)
    })
}

/// The splits training, validation and test, each with the photo folder `PARENT/NAME` and the label folder
/// that `labels` returns, whether they exist or not.
pub(super) fn places(
    dir: &Path,
    folders: [(&str, &str); 3],
    labels: impl Fn(&str) -> PathBuf,
) -> Vec<Split> {
    let place = |(split, (name, parent)): (&&str, (&str, &str))| Split {
        name: (*split).to_owned(),
        images: dir.join(parent).join(name),
        labels: dir.join(labels(name)),
        ..Split::default()
    };
    SPLITS.iter().zip(folders).map(place).collect()
}

/// Those splits of which both folders exist.
pub(super) fn whole(mut splits: Vec<Split>) -> Vec<Split> {
    splits.retain(|split| split.images.is_dir() && split.labels.is_dir());
    splits
}
