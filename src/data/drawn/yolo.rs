//! YOLO folders for segmentation: a text file per photo, with one line per shape.
//!
//! `data.yaml` names the classes and the folders of the splits; if it has `masks_dir`, the labels are PNG files instead.
//! Without it, the folders are detected: `images` and `labels`, with or without folders for the splits in them, or a
//! folder per split with both in each, and `classes.txt` for the names. Folders are splits by their whole names, as those
//! of Labelme. Where shapes overlap, the one with the smallest area counts. Pixels without a shape are background; a photo
//! without a text file is left out, and one that only a list names is a fault.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::classes::ClassTable;
use super::super::contents::Contents;
use super::super::decode::RawLabels;
use super::super::drawing::{Draw, Drawing, Fit};
use super::super::error::DataError;
use super::super::photo::has_photo_ending;
use super::super::split::{Files, Pair, Scan, Split};
use super::super::split_name::{SPLITS, TRAINING};
use super::canvas::{Canvas, TooMuchWork, double_area, fixed};
use super::places::{self, Names, Photos, Root};
use super::settings::Settings;
use super::table::Table;
use super::unused::Unused;
use super::yolo_description::{self, Place, description};
use super::yolo_semantic;
use crate::text_file;

/// Files of class names, used without a YAML file.
const CLASSES: [&str; 4] = [
    "classes.txt",
    "labels/classes.txt",
    "obj.names",
    "labels.txt",
];
/// Maximum bytes of a label file; a line of a thousand corners has about twenty thousand.
const LARGEST: u64 = 256 << 20;
/// How far outside the picture a corner may lie, as a share of a side, for rounding.
const OUTSIDE: f64 = 0.01;
/// Number of label files with text used to recognise a folder without a YAML file.
const LOOKED_AT: usize = 8;
/// Number of label files opened for them: photos that show no class have empty ones.
const OPENED: usize = 512;
/// Bytes of a label file read for its first line.
const START: u64 = 1 << 16;
/// Maximum number of classes of a folder without names.
const MOST_CLASSES: usize = 1000;

/// Whether a folder holds a YOLO data set.
pub(super) fn is_in(dir: &Path) -> bool {
    description(dir).is_some() || label_folders(dir).iter().any(|folder| holds_shapes(folder))
}

/// The folders of label files with a folder of photos beside them.
fn label_folders(dir: &Path) -> Vec<PathBuf> {
    let below = dir.join("labels");
    let mut folders = places::split_folders(&below);
    folders.extend(
        places::split_folders(dir)
            .into_iter()
            .map(|folder| folder.join("labels")),
    );
    folders.push(below);
    let images = |folder: &PathBuf| {
        let relative = folder.strip_prefix(dir).ok()?;
        Some(
            dir.join(places::swapped(relative, "labels", "images")?)
                .is_dir(),
        )
    };
    folders.retain(|folder| folder.is_dir() && images(folder) == Some(true));
    folders
}

/// Whether the first text files of a folder that are not empty hold lines of such shapes.
fn holds_shapes(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| places::is_text(path))
        .collect();
    files.sort();
    let texts = files.iter().take(OPENED);
    let mut lines = texts.filter_map(|path| first_line(path)).take(LOOKED_AT);
    lines.any(|line| {
        let numbers: Vec<&str> = line.split_whitespace().collect();
        numbers.len() >= 5
            && numbers
                .iter()
                .take(9)
                .all(|number| number.parse::<f64>().is_ok())
            && numbers[0].parse::<u16>().is_ok()
    })
}

/// The first line with text, without a byte-order mark.
fn first_line(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?.take(START);
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let mut lines = lines.map(|line| line.trim_start_matches('\u{feff}').trim().to_owned());
    lines.find(|line| !line.is_empty())
}

/// The classes and splits of a folder.
///
/// # Errors
/// A description that cannot be read, names no class, or names a folder for training that is missing or outside of
/// the data set, or is one of poses; without a description, a label file that cannot be read, or too many classes.
pub(super) fn contents(dir: &Path, settings: &Settings) -> Result<Contents, DataError> {
    let (source, names, places) = match description(dir) {
        Some((path, value)) => {
            let value = value?;
            if value.get("kpt_shape").is_some() {
                let reason = "holds poses (kpt_shape), not outlines: segmentation needs polygons";
                return Err(DataError::description(&path, reason));
            }
            if value.get(yolo_semantic::MASKS).is_some() {
                if settings.unlabelled.is_some() {
                    let reason = "unlabelled in its dataset.toml is for outlines, but its labels are PNG files \
                                  (masks_dir); remove it";
                    return Err(DataError::description(dir, reason));
                }
                return yolo_semantic::contents(dir, &path, &value);
            }
            let names = yolo_description::names(&path, &value)?;
            let named = yolo_description::named(dir, &path, &value)?;
            (path, names, named.places)
        }
        None => {
            let folders = label_folders(dir);
            let (source, names) = undescribed(dir, &folders)?;
            (source, names, found(dir, &folders))
        }
    };
    let unlabelled = settings.unlabelled.clone().unwrap_or_default();
    let table = Table::numbered(&source, &names, &unlabelled)?;
    let classes: Arc<[u16]> = table.indices.into();
    let splits = SPLITS.into_iter().filter_map(|name| {
        let places: Vec<Place> = places
            .iter()
            .filter(|(split, _)| *split == name)
            .map(|(_, place)| place.clone())
            .collect();
        let folder = Folder {
            dir: dir.to_path_buf(),
            places,
            classes: classes.clone(),
        };
        (!folder.places.is_empty()).then(|| Split::scanned(name, dir, dir.to_path_buf(), folder))
    });
    Ok(Contents {
        name: None,
        classes: table.classes,
        mapping: table.mapping,
        splits: splits.collect(),
    })
}

/// The class names of a folder without a description, and their file. Without names the classes in the
/// label files are numbered.
fn undescribed(dir: &Path, folders: &[PathBuf]) -> Result<(PathBuf, Vec<String>), DataError> {
    if let Some(list) = CLASSES
        .map(|name| dir.join(name))
        .into_iter()
        .find(|list| list.is_file())
    {
        let names = ClassTable::from_file(&list)?.names;
        return Ok((list, names));
    }
    let mut most = 0;
    let files = folders
        .iter()
        .flat_map(|folder| places::walk(folder))
        .filter(|path| places::is_text(path));
    for path in files {
        for line in text(&path)?.lines() {
            let class: Option<usize> = line.split_whitespace().next().and_then(|c| c.parse().ok());
            most = most.max(class.map_or(0, |class| class + 1));
        }
    }
    if most > MOST_CLASSES {
        let reason =
            format!("its label files number {most} classes: name them in data.yaml or classes.txt");
        return Err(DataError::description(dir, reason));
    }
    Ok((dir.to_path_buf(), ClassTable::numbered(most).names))
}

/// The folders of photos beside the folders of label files.
fn found(dir: &Path, folders: &[PathBuf]) -> Vec<(&'static str, Place)> {
    let part_of = |relative: &Path, named: fn(&str) -> Option<&'static str>| {
        relative.iter().find_map(|part| named(part.to_str()?))
    };
    let whole = |relative: &Path| part_of(relative, places::split_of_whole);
    // A word is enough for training, which everything is for that no name says more of.
    let is_training = |relative: &Path| part_of(relative, places::split_of) == Some(TRAINING);
    let relative = |folder: &PathBuf| folder.strip_prefix(dir).ok().map(Path::to_path_buf);
    let all: Vec<PathBuf> = folders.iter().filter_map(relative).collect();
    let any = all.iter().any(|folder| whole(folder).is_some());
    let is_within_another = |folder: &PathBuf| {
        let mut others = all.iter().filter(|other| *other != folder);
        others.any(|other| folder.starts_with(other))
    };
    all.iter()
        // If there are folders for splits, their parent is not one; else it holds all that is below it.
        .filter(|folder| {
            if any {
                whole(folder).is_some() || is_training(folder)
            } else {
                !is_within_another(folder)
            }
        })
        .filter_map(|folder| {
            let images = places::swapped(folder, "labels", "images")?;
            Some((
                whole(folder).unwrap_or(TRAINING),
                Place::Folder(dir.join(images)),
            ))
        })
        .collect()
}

/// A text file of bounded size.
fn text(path: &Path) -> Result<String, DataError> {
    let metadata = std::fs::metadata(path).map_err(DataError::read(path))?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(DataError::description(
            path,
            "is not a label file: it is too large, a folder or a device",
        ));
    }
    Ok(text_file::read(path)?)
}

/// The photos of one split.
#[derive(Debug)]
struct Folder {
    dir: PathBuf,
    places: Vec<Place>,
    classes: Arc<[u16]>,
}

impl Scan for Folder {
    fn scan(&self) -> Result<Files, DataError> {
        let mut files = Files::default();
        let mut names = Names::default();
        // The label files, with the photo that uses each.
        let mut labels: HashMap<PathBuf, PathBuf> = HashMap::new();
        let mut absent = Unused::default();
        for photo in self.photos(&mut files)? {
            let relative = photo.strip_prefix(&self.dir).unwrap_or(&photo);
            let of = places::swapped(relative, "images", "labels");
            let of = of.unwrap_or_else(|| relative.to_path_buf());
            let Some(label) = places::text_like(&self.dir.join(&of)) else {
                if photo.is_file() {
                    files.without_labels.push(photo);
                } else {
                    absent.add(|| relative.display().to_string());
                }
                continue;
            };
            if let Some(first) = labels.get(&label) {
                files.doubles.push((photo, first.clone()));
                continue;
            }
            labels.insert(label.clone(), photo.clone());
            // The split's folder is not part of the name.
            let below = self.places.iter().find_map(|place| match place {
                Place::Folder(folder) => photo.strip_prefix(folder).ok(),
                Place::List(_) => None,
            });
            let shapes = Shapes {
                path: label.clone(),
                classes: self.classes.clone(),
            };
            files.pairs.push(Pair {
                name: names.of(below.unwrap_or(relative)),
                image: photo,
                labels: label,
                drawing: Some(Drawing(Arc::new(shapes))),
            });
        }
        self.find_unused(&labels, &mut files);
        let lacking = [
            "photo on a list is missing, and so is its label file",
            "photos on lists are missing, and so are their label files",
        ];
        files.faults.extend(absent.fault(&self.dir, lacking));
        files.pairs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }
}

impl Folder {
    /// The photos of all locations, without repetitions.
    fn photos(&self, files: &mut Files) -> Result<Vec<PathBuf>, DataError> {
        let (mut photos, mut seen) = (Vec::new(), HashSet::new());
        for place in &self.places {
            let mut add = |photo: PathBuf| {
                if seen.insert(photo.clone()) {
                    photos.push(photo);
                }
            };
            match place {
                Place::Folder(folder) => {
                    let mut found: Vec<PathBuf> = Photos::below(folder)
                        .paths()
                        .map(Path::to_path_buf)
                        .collect();
                    found.sort();
                    found.into_iter().for_each(&mut add);
                }
                Place::List(list) => {
                    let text = text(list)?;
                    let root = Root::of(&self.dir);
                    let folder = list.strip_prefix(&self.dir).ok().and_then(Path::parent);
                    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                    for line in lines {
                        match self.listed(&root, folder.unwrap_or(Path::new("")), line) {
                            Some(photo) => add(photo),
                            None => {
                                let reason = places::leads_out("a line", line);
                                files.faults.push(format!("{}: {reason}", list.display()));
                            }
                        }
                    }
                }
            }
        }
        Ok(photos)
    }

    /// The photo on a line of a list in `folder`; `None` for a path out of the data set's folder or of
    /// another kind of file.
    fn listed(&self, root: &Root, folder: &Path, line: &str) -> Option<PathBuf> {
        let slashed = places::slashed(line);
        let at = |name: &str| {
            let place = root.inside(folder, name, Path::is_file)?;
            has_photo_ending(&place).then(|| self.dir.join(place))
        };
        let photo = at(&slashed)?;
        // Datumaro and CVAT write `data/` before paths relative to the list.
        let moved = slashed.strip_prefix("data/").and_then(at);
        let moved = moved.filter(|moved| moved.is_file() && !photo.is_file());
        Some(moved.unwrap_or(photo))
    }

    /// Adds label files without a photo.
    fn find_unused(&self, used: &HashMap<PathBuf, PathBuf>, files: &mut Files) {
        for place in &self.places {
            let Place::Folder(folder) = place else {
                continue;
            };
            let relative = folder.strip_prefix(&self.dir).unwrap_or(folder);
            let Some(labels) = places::swapped(relative, "images", "labels") else {
                continue;
            };
            let named = |path: &Path| {
                CLASSES
                    .iter()
                    .any(|name| Path::new(name).file_name() == path.file_name())
            };
            let labels = self.dir.join(labels);
            // File systems may ignore letter case.
            let is_used = |path: &PathBuf| {
                used.contains_key(path) || used.contains_key(&path.with_extension("txt"))
            };
            let unused = places::walk(&labels)
                .filter(|path| places::is_text(path) && !is_used(path) && !named(path));
            files.without_photo.extend(unused);
        }
    }
}

/// The shapes of one photo, read when they are drawn.
#[derive(Debug)]
struct Shapes {
    path: PathBuf,
    classes: Arc<[u16]>,
}

impl Draw for Shapes {
    fn draw(&self, fit: &mut Fit) -> Result<RawLabels, DataError> {
        let text = text(&self.path)?;
        let size = fit(None)?;
        let mut shapes: Vec<(u64, u16, Vec<i32>)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let numbers: Vec<&str> = line.split_whitespace().collect();
            if numbers.is_empty() {
                continue;
            }
            let (class, corners) = self
                .shape(&numbers, size)
                .map_err(|reason| self.wrong(at, reason))?;
            shapes.push((double_area(&corners), class, corners));
        }
        // The largest first; equal areas keep the order of the file.
        shapes.sort_by_key(|(area, ..)| std::cmp::Reverse(*area));
        let mut canvas = Canvas::new(size);
        for (_, class, corners) in shapes {
            let drawn = canvas.polygon(&corners, class);
            drawn.map_err(|TooMuchWork| DataError::description(&self.path, TooMuchWork::REASON))?;
        }
        Ok(canvas.into_labels())
    }
}

impl Shapes {
    /// Class and corners of a line, in fifths of a pixel.
    fn shape(&self, numbers: &[&str], size: (usize, usize)) -> Result<(u16, Vec<i32>), String> {
        let (class, shares) = numbers.split_first().ok_or("is empty")?;
        // Some programs write class numbers with a decimal point.
        let number = class
            .parse::<f64>()
            .ok()
            .filter(|number| number.fract() == 0.0);
        let number = number.ok_or("does not begin with a class number")?;
        let index = (0.0..=65535.0).contains(&number).then_some(number as usize);
        let class = index.and_then(|index| self.classes.get(index).copied());
        let class = class.ok_or_else(|| {
            format!(
                "has the class {number}, but there are {} classes: add its name to data.yaml",
                self.classes.len()
            )
        })?;
        match shares.len() {
            4 => {
                return Err(
                    "is a box, not an outline: segmentation needs a polygon x y x y ...".to_owned(),
                );
            }
            count if count < 6 => {
                return Err(format!(
                    "has {count} numbers after the class: a polygon has at least three pairs"
                ));
            }
            count if count % 2 == 1 => {
                return Err(format!(
                    "has an odd number of coordinates, {count}: a polygon is pairs x y"
                ));
            }
            _ => {}
        }
        let sides = [size.0 as f64, size.1 as f64];
        let mut corners = Vec::with_capacity(shares.len());
        for (share, side) in shares.iter().zip(sides.iter().cycle()) {
            let share = share.parse::<f64>().ok();
            let share = share.filter(|share| (-OUTSIDE..=1.0 + OUTSIDE).contains(share));
            let share = share.ok_or(
                "has a coordinate outside 0 to 1: coordinates are shares of the photo's sides",
            )?;
            corners.push(fixed(share.clamp(0.0, 1.0) * side));
        }
        Ok((class, corners))
    }

    fn wrong(&self, at: usize, reason: String) -> DataError {
        DataError::description(&self.path, format!("line {} {reason}", at + 1))
    }
}
