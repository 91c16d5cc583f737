//! Layouts of data sets on disk, which are detected, not declared.
//!
//! [`detect`] recognises the layout of a folder, [`Layout::describe`] finds its splits and the meaning
//! of its labels, and [`Split::scan`](super::Split::scan) pairs photos with label files.

use std::path::{Path, PathBuf};

use super::classes::ClassTable;
use super::contents::{
    ANNOTATIONS, Contents, assumed, images_and_annotations, label_folder, whole,
};
use super::dataset_toml::{self, Described, Options};
use super::drawn::{self, Form};
use super::error::DataError;
use super::known::{ade20k, camvid, cityscapes, coco_stuff, labelmap, voc};
use super::mapping::LabelMapping;
use super::split::{Split, set_apart};

/// Known layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `images/{training,validation}`, `annotations/{training,validation}` and `classes.txt`; the
    /// label is the line number in it from 0, and 255 is ignored. The splits may be named `train` and
    /// `val` or `valid`, and the second folder `masks` or `labels`. The folders may also lie in those of the splits
    /// (`train/images`), and without splits all photos are in the training split. `labelmap.txt` (as CVAT writes it) gives the
    /// colours of coloured label files, also of palette files of which all used colours are in it, and the classes and
    /// the values of grey ones if the list is missing.
    Plain,
    /// ADE20K SceneParse150: the same folders with `objectInfo150.txt` or `sceneCategories.txt`;
    /// 0 is ignored and 1..=150 are the classes 0..=149.
    Ade20k,
    /// COCO-Stuff: `{train,val}2017` and `stuffthingmaps/{train,val}2017`; of the values 0..=181,
    /// eleven are never used, which leaves 171 classes, and 255 is ignored.
    CocoStuff,
    /// CamVid in the form of the SegNet tutorial: `train`, `trainannot`, `val`, `valannot`,
    /// `test`, `testannot`; 0..=10 are the classes and 11 is ignored. Coloured labels have the classes and
    /// colours of `label_colors.txt`, as CVAT writes it, and the folders may have its names (`Train`, `Validation`).
    CamVidPublished,
    /// Cityscapes: `leftImg8bit/{train,val,test}/CITY/NAME_leftImg8bit.png` and
    /// `gtFine/{train,val,test}/CITY/NAME_gtFine_labelIds.png`; of the 34 label ids, 19 are classes
    /// (their train ids), the others are ignored. Without them, `NAME_gtFine_labelTrainIds.png` holds the classes.
    Cityscapes,
    /// Pascal VOC: `JPEGImages`, `SegmentationClass` and the lists of names in
    /// `ImageSets/Segmentation`, in the folder itself or in `VOC2012` or `VOCdevkit/VOC2012` below
    /// it; palette indices 0..=20 are the classes and 255 is ignored. `labelmap.txt` (as CVAT writes it,
    /// with colours) or `class_names.txt` beside `JPEGImages` name other classes. With one of these, a folder without
    /// lists is the training split; its label files may be in `SegmentationClassPNG`, as older labelme2voc writes them.
    PascalVoc,
    /// A COCO JSON file per split, with polygons, run lengths or panoptic PNG files, and the photos.
    /// Where annotations overlap, the one with the smallest area counts; crowds are ignored; pixels
    /// without an annotation are `background`, or ignored in panoptic files.
    Coco,
    /// Labelme: a JSON file per photo, with shapes of which later ones cover earlier ones; the rest is
    /// `background`.
    Labelme,
    /// YOLO for segmentation: a text file of outlines per photo, and `data.yaml` or the folders
    /// `images` and `labels`. Smaller outlines cover larger ones; the rest is `background`.
    Yolo,
    /// Whatever `dataset.toml` describes.
    DatasetToml,
}

const LOOKED_FOR: &str = "dataset.toml; images/{training,validation} or images/{train,val} + annotations/, masks/ \
    or labels/, or {train,val}/images + masks, or images + masks, with classes.txt or labelmap.txt (plain) or objectInfo150.txt/sceneCategories.txt (ADE20K); {train,val}2017 + \
    stuffthingmaps/ (COCO-Stuff); train + trainannot (CamVid, the SegNet form); leftImg8bit + \
    gtFine (Cityscapes); JPEGImages + SegmentationClass + ImageSets (Pascal VOC); JSON files of COCO \
    or Labelme; data.yaml or images + labels with .txt files (YOLO)";

/// The file of class names in the plain layout.
pub(super) const CLASSES: &str = "classes.txt";

/// Detects the layout of a folder.
///
/// # Errors
/// `dir` is not a folder or has none of the layouts; the message lists what was looked for.
pub fn detect(dir: &Path) -> Result<Layout, DataError> {
    let found = detect_files(dir);
    let uncertain = match &found {
        // A list of classes may stand beside another layout, and so may folders of masks.
        Ok(Layout::Plain) => !has_annotations(dir),
        Ok(_) => false,
        Err(error) => matches!(error, DataError::NoLayout { .. }),
    };
    let drawn = if uncertain {
        drawn::detect(dir, found.is_err() || !dir.join("images").is_dir())
    } else {
        None
    };
    match drawn {
        Some(Form::Coco) => Ok(Layout::Coco),
        Some(Form::Labelme) => Ok(Layout::Labelme),
        Some(Form::Yolo) => Ok(Layout::Yolo),
        None => found,
    }
}

/// Whether the label files of a split are in a folder of its own within one of the usual name.
fn has_annotations(dir: &Path) -> bool {
    let usual = dir.join(ANNOTATIONS);
    let mut splits = whole(images_and_annotations(dir)).into_iter();
    splits.any(|split| split.labels.parent() == Some(usual.as_path()))
}

/// [`detect`] for layouts with label images, which are recognised by file names.
///
/// # Errors
/// As for [`detect`].
pub(super) fn detect_files(dir: &Path) -> Result<Layout, DataError> {
    let metadata = std::fs::metadata(dir).map_err(DataError::read(dir))?;
    if !metadata.is_dir() {
        return Err(DataError::NotAFolder {
            path: dir.to_path_buf(),
        });
    }
    let file = |name: &str| dir.join(name).is_file();
    if dataset_toml::is_whole(dir) {
        return Ok(Layout::DatasetToml);
    }
    let mut hint = String::new();
    if let Some([images, labels]) = plain_folders(dir) {
        if file(ade20k::OBJECT_INFO) {
            return Ok(Layout::Ade20k);
        }
        if file(CLASSES) || file(labelmap::FILE) {
            return Ok(Layout::Plain);
        }
        if file(ade20k::SCENES) {
            return Ok(Layout::Ade20k);
        }
        let (images, labels) = (images.display(), labels.display());
        hint =
            format!(" ({images} and {labels} are there: add classes.txt, one class name per line)");
    }
    if coco_stuff::is_in(dir) {
        return Ok(Layout::CocoStuff);
    }
    if camvid::is_in(dir) {
        return Ok(Layout::CamVidPublished);
    }
    if cityscapes::is_in(dir) {
        return Ok(Layout::Cityscapes);
    }
    if voc::root(dir).is_some() {
        return Ok(Layout::PascalVoc);
    }
    if hint.is_empty() {
        hint = resembled(dir).to_owned();
    }
    let path = dir.to_path_buf();
    Err(DataError::NoLayout {
        path,
        hint,
        looked_for: LOOKED_FOR,
    })
}

/// The folders of photos and of label files in the plain layout, below `dir`: those of all splits, or of the first split
/// where they are in the folders of splits. `None` if there are none.
fn plain_folders(dir: &Path) -> Option<[PathBuf; 2]> {
    let of_all = ["images", label_folder(dir)].map(PathBuf::from);
    if of_all.iter().all(|folder| dir.join(folder).is_dir()) {
        return Some(of_all);
    }
    let first = whole(images_and_annotations(dir)).into_iter().next()?;
    let below = |folder: &Path| Some(folder.strip_prefix(dir).ok()?.to_path_buf());
    Some([below(&first.images)?, below(&first.labels)?])
}

/// What a folder without a known layout resembles and what to do, or nothing.
fn resembled(dir: &Path) -> &'static str {
    let file = |name: &str| dir.join(name).is_file();
    let folder = |name: &str| dir.join(name).is_dir();
    if let Some(hint) = cityscapes::hint(dir) {
        hint
    } else if let Some(hint) = voc::hint(dir) {
        hint
    } else if folder("701_StillsRaw_full") || folder("LabeledApproved_full") {
        " (this is CamVid with colour-coded labels: use the form of the SegNet tutorial)"
    } else if file("annotations.xml") {
        " (annotations.xml is CVAT's own form, which is not read: export as COCO or as a segmentation mask)"
    } else if ["_classes.csv", "train/_classes.csv"].into_iter().any(file) {
        " (_classes.csv belongs to Roboflow's masks: export as COCO, or describe them in a dataset.toml with \
         label_suffix = \"_mask.png\" and the classes of _classes.csv, see flowseg data --help)"
    } else {
        ""
    }
}

/// A folder in the plain layout, without what its `dataset.toml` says.
///
/// # Errors
/// The list of classes, or the label map in its place, cannot be read or is invalid.
pub(super) fn plain(dir: &Path) -> Result<Contents, DataError> {
    let splits = whole(images_and_annotations(dir));
    let (list, colours) = (dir.join(CLASSES), dir.join(labelmap::FILE));
    let is_mapped = colours.is_file();
    if is_mapped && !list.is_file() {
        return labelmap::contents(&colours, labelmap::Lines::Voc, splits);
    }
    let classes = ClassTable::from_file(&list)?;
    let splits = if is_mapped {
        labelmap::beside_a_list(&colours, &classes, splits, None)
    } else {
        splits
    };
    Ok(Contents {
        name: None,
        mapping: LabelMapping::plain(classes.len()),
        classes,
        splits,
    })
}

impl Layout {
    /// The usual name of the layout.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Ade20k => "ADE20K",
            Self::CocoStuff => "COCO-Stuff",
            Self::CamVidPublished => "CamVid (SegNet form)",
            Self::Cityscapes => "Cityscapes",
            Self::PascalVoc => "Pascal VOC",
            Self::Coco => "COCO JSON",
            Self::Labelme => "Labelme",
            Self::Yolo => "YOLO segmentation",
            Self::DatasetToml => "dataset.toml",
        }
    }

    /// The classes, the meaning of raw labels, and the splits of the folder.
    ///
    /// # Errors
    /// A class table or `dataset.toml` cannot be read or is invalid, or no split's folders exist.
    pub fn describe(self, dir: &Path) -> Result<Contents, DataError> {
        let (options, described) = match dataset_toml::read(dir)? {
            Some(Described::Options(options)) => (options, None),
            Some(Described::Whole(contents)) => (Options::default(), Some(contents)),
            None => (Options::default(), None),
        };
        let said = options.drawn.clone();
        let drawn = |form: Form| form.contents(dir, said.as_ref());
        let mut contents = match self {
            Self::Plain => plain(dir)?,
            Self::Ade20k => ade20k::contents(dir)?,
            Self::CocoStuff => coco_stuff::contents(dir)?,
            Self::CamVidPublished => camvid::contents(dir)?,
            Self::Cityscapes => cityscapes::contents(dir)?,
            Self::PascalVoc => voc::contents(voc::root(dir).as_deref().unwrap_or(dir))?,
            Self::Coco => drawn(Form::Coco)?,
            Self::Labelme => drawn(Form::Labelme)?,
            Self::Yolo => drawn(Form::Yolo)?,
            Self::DatasetToml => described.ok_or_else(|| self.no_splits(dir))?,
        };
        if said.is_some() && !self.has_outlines() {
            let path = dir.join(dataset_toml::FILE);
            return Err(DataError::description(&path, dataset_toml::NOT_DRAWN));
        }
        options.apply(dir, &mut contents)?;
        set_apart(&mut contents.splits);
        if contents.splits.is_empty() {
            return Err(self.no_splits(dir));
        }
        Ok(contents)
    }

    /// Whether labels are outlines in text files instead of pixels.
    pub(super) fn has_outlines(self) -> bool {
        matches!(self, Self::Coco | Self::Labelme | Self::Yolo)
    }

    /// What is assumed of a folder of this layout and may be wrong, in one line.
    pub(super) fn assumed(self, dir: &Path) -> Option<String> {
        match self {
            Self::PascalVoc => voc::assumed(&voc::root(dir)?),
            Self::Plain | Self::Ade20k => assumed(dir),
            _ => None,
        }
    }

    /// Where its splits lie, whether their folders exist or not; empty for layouts without a folder of photos
    /// and one of labels per split.
    pub(super) fn split_places(self, dir: &Path) -> Vec<Split> {
        match self {
            Self::Plain | Self::Ade20k => images_and_annotations(dir),
            Self::CocoStuff => coco_stuff::split_places(dir),
            Self::CamVidPublished => camvid::split_places(dir),
            Self::Cityscapes => cityscapes::split_places(dir),
            _ => Vec::new(),
        }
    }

    fn no_splits(self, dir: &Path) -> DataError {
        let hint = match self {
            Self::PascalVoc => voc::NO_LIST,
            _ => {
                " (no split has both of its folders under a name that is read, such as training or validation)"
            }
        };
        DataError::NoLayout {
            path: dir.to_path_buf(),
            hint: hint.to_owned(),
            looked_for: LOOKED_FOR,
        }
    }
}
