//! YOLO folders for segmentation: a text file per photo, with one line per shape.
//!
//! `data.yaml` names the classes and the folders of the splits. Without it, the folders are detected:
//! `images` and `labels`, with or without folders for the splits in them, or a folder per split with
//! both in each, and `classes.txt` for the names. Where shapes overlap, the one with the smallest area
//! counts. Pixels without a shape are background; a photo without a text file is left out, and one that only a
//! list names is a fault.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::super::classes::ClassTable;
use super::super::contents::Contents;
use super::super::decode::RawLabels;
use super::super::drawing::{Draw, Drawing, Fit};
use super::super::error::DataError;
use super::super::photo::has_photo_ending;
use super::super::split::{Files, Pair, Scan, Split};
use super::canvas::{Canvas, TooMuchWork, double_area, fixed};
use super::places::{self, Names, Photos, SPLITS, TRAINING};
use super::table::{Table, Unlabelled};
use super::unused::Unused;
use super::yaml::{self, Value};
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
/// Number of label files used to recognise a folder without a YAML file.
const LOOKED_AT: usize = 8;
/// Maximum number of classes of a folder without names.
const MOST_CLASSES: usize = 1000;

/// Whether a folder holds a YOLO data set.
pub(super) fn is_in(dir: &Path) -> bool {
    description(dir).is_some() || label_folders(dir).iter().any(|folder| holds_shapes(folder))
}

/// The YAML file of classes and folders, with its contents; errors are reported only for data.yaml.
fn description(dir: &Path) -> Option<(PathBuf, Result<Value, DataError>)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let ending = path
                .extension()
                .and_then(OsStr::to_str)
                .map(str::to_lowercase);
            matches!(ending.as_deref(), Some("yaml" | "yml"))
        })
        .collect();
    let stem = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "data");
    files.sort_by_key(|path| (!stem(path), path.clone()));
    files
        .into_iter()
        .take(LOOKED_AT)
        .find_map(|path| match yaml::read(&path) {
            Ok(value) => {
                let whole = value.get("names").is_some() && value.get("train").is_some();
                whole.then_some((path, Ok(value)))
            }
            Err(error) if stem(&path) => Some((path, Err(error))),
            Err(_) => None,
        })
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
        Some(dir.join(swapped(relative, "labels", "images")?).is_dir())
    };
    folders.retain(|folder| folder.is_dir() && images(folder) == Some(true));
    folders
}

/// Whether the first text files of a folder hold lines of such shapes.
fn holds_shapes(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_text(path))
        .collect();
    files.sort();
    let mut lines = files.iter().take(LOOKED_AT).filter_map(|path| {
        let mut line = String::new();
        let file = File::open(path).ok()?.take(1 << 16);
        BufReader::new(file).read_line(&mut line).ok()?;
        Some(line)
    });
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

fn is_text(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("txt"))
}

/// A path with its last part named `from` replaced; `None` if there is none.
fn swapped(path: &Path, from: &str, to: &str) -> Option<PathBuf> {
    let parts: Vec<Component> = path.components().collect();
    let at = parts.iter().rposition(|part| part.as_os_str() == from)?;
    let mut new: PathBuf = parts[..at].iter().collect();
    new.push(to);
    new.extend(&parts[at + 1..]);
    Some(new)
}

/// Location of a split's photos.
#[derive(Debug, Clone)]
enum Place {
    /// A folder, with its subfolders.
    Folder(PathBuf),
    /// A text file with one path per line.
    List(PathBuf),
}

/// The classes and splits of a folder.
///
/// # Errors
/// A description that cannot be read, names no class or folder, or names a folder that is missing or
/// outside of the data set.
pub(super) fn contents(dir: &Path, unlabelled: &Unlabelled) -> Result<Contents, DataError> {
    let (source, names, places) = match description(dir) {
        Some((path, value)) => {
            let value = value?;
            let names = named(&path, &value)?;
            let places = described(dir, &path, &value)?;
            (path, names, places)
        }
        None => {
            let folders = label_folders(dir);
            let (source, names) = undescribed(dir, &folders)?;
            (source, names, found(dir, &folders))
        }
    };
    let table = Table::numbered(&source, &names, unlabelled)?;
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

/// The names in a description: a list, or a table with class numbers as keys.
fn named(path: &Path, value: &Value) -> Result<Vec<String>, DataError> {
    let wrong = |reason: &str| DataError::description(path, reason);
    let names = match value.get("names") {
        Some(Value::Table(entries)) => {
            let mut names = Vec::new();
            for (number, name) in entries {
                let number: u16 = number.parse().map_err(|_| {
                    wrong("names has a key that is not a class number: write 0: NAME")
                })?;
                names.push((number, name.text().unwrap_or_default().to_owned()));
            }
            names.sort();
            if names
                .iter()
                .enumerate()
                .any(|(at, (number, _))| at != usize::from(*number))
            {
                return Err(wrong(
                    "names leaves a number out or repeats one: number the classes from 0",
                ));
            }
            names.into_iter().map(|(_, name)| name).collect()
        }
        Some(Value::List(list)) => list
            .iter()
            .map(|name| name.text().unwrap_or_default().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    if names.is_empty() {
        Err(wrong("names no class: write a list under names"))
    } else {
        Ok(names)
    }
}

/// The folders and lists in a description. They are searched below its `path` and beside the file,
/// since data sets are moved.
fn described(
    dir: &Path,
    path: &Path,
    value: &Value,
) -> Result<Vec<(&'static str, Place)>, DataError> {
    let base = value.get("path").and_then(Value::text).map(places::slashed);
    let base = base.and_then(|base| places::inside(Path::new(""), &base));
    let bases = [base.unwrap_or_default(), PathBuf::new()];
    let mut places = Vec::new();
    for (split, keys) in SPLITS
        .into_iter()
        .zip([&["train"][..], &["val", "valid"], &["test"]])
    {
        let named = keys.iter().find_map(|key| value.get(key)).map(Value::texts);
        for name in named.unwrap_or_default() {
            // Some services write one `../` too many.
            let slashed = places::slashed(name);
            let trimmed = slashed.strip_prefix("../").unwrap_or(&slashed);
            let mut inside = bases
                .iter()
                .filter_map(|base| places::inside(base, trimmed))
                .peekable();
            let key = keys[0];
            if inside.peek().is_none() {
                let name = name.escape_debug();
                let reason = format!(
                    "{key} names \"{name}\", which leads out of the folder: move the data there and write \
                     a path relative to it"
                );
                return Err(DataError::description(path, reason));
            }
            let there = inside.map(|place| dir.join(place)).find_map(|place| {
                if place.is_dir() {
                    return Some(Place::Folder(place));
                }
                (is_text(&place) && place.is_file()).then_some(Place::List(place))
            });
            let beside = || {
                (trimmed == "images" && holds_pairs(dir)).then(|| Place::Folder(dir.to_path_buf()))
            };
            let there = there.or_else(beside);
            match there {
                Some(place) => places.push((split, place)),
                // Descriptions often name a test split that is not downloaded.
                None if split != TRAINING => {}
                None => {
                    let name = name.escape_debug();
                    let reason = format!(
                        "{key} names \"{name}\", which is not beside this file: put the photos there, and the .txt \
                         files into a folder labels beside it, or correct it"
                    );
                    return Err(DataError::description(path, reason));
                }
            }
        }
    }
    Ok(places)
}

/// Whether a photo has a label file beside it. `flowseg segment` writes label files so if its output folder is that of
/// the photos, with a description of the usual folders.
fn holds_pairs(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut photos = entries
        .map(|entry| entry.path())
        .filter(|path| has_photo_ending(path));
    photos.any(|photo| photo.with_extension("txt").is_file())
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
        .filter(|path| is_text(path));
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
    let named = |relative: &Path| {
        relative
            .iter()
            .find_map(|part| places::split_of(part.to_str()?))
    };
    let relative = |folder: &PathBuf| folder.strip_prefix(dir).ok().map(Path::to_path_buf);
    let all: Vec<PathBuf> = folders.iter().filter_map(relative).collect();
    let any = all.iter().any(|folder| named(folder).is_some());
    all.iter()
        // If there are folders for splits, their parent is not one.
        .filter(|folder| !any || named(folder).is_some())
        .filter_map(|folder| {
            let images = swapped(folder, "labels", "images")?;
            Some((
                named(folder).unwrap_or(TRAINING),
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
        let (mut names, mut labels) = (Names::default(), HashSet::new());
        let mut absent = Unused::default();
        for photo in self.photos(&mut files)? {
            let relative = photo.strip_prefix(&self.dir).unwrap_or(&photo);
            let of = swapped(relative, "images", "labels");
            let of = of.unwrap_or_else(|| relative.to_path_buf());
            let label = self.dir.join(&of).with_extension("txt");
            if !label.is_file() {
                if photo.is_file() {
                    files.without_labels.push(photo);
                } else {
                    absent.add(|| relative.display().to_string());
                }
                continue;
            }
            if !labels.insert(label.clone()) {
                files.doubles.push((photo, label));
                continue;
            }
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
                    let folder = list.strip_prefix(&self.dir).ok().and_then(Path::parent);
                    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                    for line in lines {
                        match self.listed(folder.unwrap_or(Path::new("")), line) {
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
    fn listed(&self, folder: &Path, line: &str) -> Option<PathBuf> {
        let slashed = places::slashed(line);
        let at = |name: &str| {
            let place = places::inside(folder, name)?;
            has_photo_ending(&place).then(|| self.dir.join(place))
        };
        let photo = at(&slashed)?;
        // Datumaro and CVAT write `data/` before paths relative to the list.
        let moved = slashed.strip_prefix("data/").and_then(at);
        let moved = moved.filter(|moved| moved.is_file() && !photo.is_file());
        Some(moved.unwrap_or(photo))
    }

    /// Adds label files without a photo.
    fn find_unused(&self, used: &HashSet<PathBuf>, files: &mut Files) {
        for place in &self.places {
            let Place::Folder(folder) = place else {
                continue;
            };
            let relative = folder.strip_prefix(&self.dir).unwrap_or(folder);
            let Some(labels) = swapped(relative, "images", "labels") else {
                continue;
            };
            let named = |path: &Path| {
                CLASSES
                    .iter()
                    .any(|name| Path::new(name).file_name() == path.file_name())
            };
            let labels = self.dir.join(labels);
            let unused = places::walk(&labels)
                .filter(|path| is_text(path) && !used.contains(path) && !named(path));
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
            count if count < 6 || count % 2 == 1 => {
                return Err(format!(
                    "has {count} numbers after the class: a polygon has at least three pairs"
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
