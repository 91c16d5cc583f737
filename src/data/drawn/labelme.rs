//! Labelme folders: a JSON file for every photo, beside it or in a folder of such files, with its shapes.
//!
//! Shapes are drawn in the order of the file, so that later ones cover earlier ones. Polygons,
//! rectangles, circles and masks have an area; lines and points are left out and counted. Pixels without a shape
//! are background. The classes are those of `labels.txt` in its order, or else the labels that occur,
//! sorted by name. Folders named train, val or test are splits, also with a number or the kind of the files, as in
//! `val_images`; everything else is for training.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::classes::ClassTable;
use super::super::contents::Contents;
use super::super::decode::{RawLabels, decode_mask};
use super::super::drawing::{Draw, Drawing, Fit};
use super::super::error::DataError;
use super::super::photo::has_photo_ending;
use super::super::split::{Files, Pair, Scan, Split};
use super::super::split_name::{SPLITS, TRAINING};
use super::canvas::{Canvas, TooMuchWork, fixed};
use super::json::{self, Kind};
use super::places::{self, Names, Photos, Root};
use super::table::{Table, Unlabelled};
use super::unused::Unused;
use crate::format::counted;

/// Number of JSON files used to recognise a folder.
const LOOKED_AT: usize = 4;
/// The file of class names, as in Labelme's own scripts.
const LABELS: &str = "labels.txt";
/// The expected kind of file, for errors.
const WHAT: &str = "a Labelme file";
/// Kinds of shapes that cover no pixel.
const WITHOUT_AREA: [&str; 4] = ["line", "linestrip", "point", "points"];
/// Kinds of shapes that may be given by four corners.
const FOUR_CORNERS: [&str; 4] = [
    "rectangle",
    "oriented_rectangle",
    "rotation",
    "quadrilateral",
];
/// Corners of the polygon for a circle.
const CIRCLE: usize = 360;

/// The fields needed to pair a file and to list the classes.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "imagePath")]
    image_path: Option<String>,
    /// The photo itself, in base64.
    #[serde(rename = "imageData")]
    data: Option<IgnoredAny>,
    shapes: Option<Vec<Label>>,
}

#[derive(Deserialize)]
struct Label {
    label: String,
    #[serde(default)]
    points: Vec<IgnoredAny>,
    #[serde(default = "polygon")]
    shape_type: String,
}

impl Label {
    fn is_of_kind_without_area(&self) -> bool {
        WITHOUT_AREA.contains(&self.shape_type.as_str())
    }

    fn has_area(&self) -> bool {
        let has_corners = self.shape_type != "polygon" || self.points.len() >= 3;
        has_corners && !self.is_of_kind_without_area()
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "imageWidth")]
    width: Option<u64>,
    #[serde(rename = "imageHeight")]
    height: Option<u64>,
    #[serde(default)]
    shapes: Vec<Shape>,
}

#[derive(Deserialize)]
struct Shape {
    label: String,
    points: Vec<[f64; 2]>,
    #[serde(default = "polygon")]
    shape_type: String,
    /// A PNG in base64.
    mask: Option<String>,
}

fn polygon() -> String {
    "polygon".to_owned()
}

/// A JSON file, before its shapes are drawn.
#[derive(Debug)]
struct Entry {
    json: PathBuf,
    named: Option<String>,
    /// Whether the file holds the photo itself.
    embedded: bool,
    labels: BTreeSet<String>,
    /// The shapes without an area: number from 1, kind and label. Lines and points may be meant so; polygons are not.
    lines: Vec<String>,
    flat: Vec<String>,
    wrong: Option<String>,
}

/// Whether a folder holds Labelme files, directly or below it in up to `depth` folders within one another. Of each depth,
/// only the first folders by name are looked into.
pub(super) fn is_in(dir: &Path, depth: usize) -> bool {
    const FOLDERS: usize = 16;
    let any = |folder: &PathBuf| {
        let found = json::files_in(folder, LOOKED_AT);
        found
            .iter()
            .any(|path| json::kind(path) == Some(Kind::Labelme))
    };
    let mut folders = vec![dir.to_path_buf()];
    for _ in 0..depth {
        if folders.iter().any(any) {
            return true;
        }
        folders = folders
            .iter()
            .flat_map(|folder| folders_in(folder))
            .collect();
        folders.truncate(FOLDERS);
    }
    folders.iter().any(any)
}

/// The folders in one, sorted, without hidden ones.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let shown = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    // Only links need a look at what they lead to.
    let may_be = |kind: &std::fs::FileType| kind.is_dir() || kind.is_symlink();
    let mut folders: Vec<PathBuf> = shown
        .filter(|entry| entry.file_type().is_ok_and(|kind| may_be(&kind)))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

/// Whether a folder's name says that it holds masks or pictures of them, as Labelme's own scripts write beside photos.
fn is_of_masks(folder: &Path) -> bool {
    folder.iter().any(|part| {
        let part = part.to_string_lossy().to_lowercase();
        part.contains("mask") || part.starts_with("segmentation") || part.contains("visual")
    })
}

/// The split that a folder of a relative path is named after; `training` if there is none.
fn split_of(relative: &Path) -> &'static str {
    let mut folders = relative.parent().into_iter().flat_map(Path::iter);
    let named = folders.find_map(|part| places::split_of_whole(part.to_str()?));
    named.unwrap_or(TRAINING)
}

/// The classes and splits of a folder. Every file is read for its labels.
///
/// # Errors
/// A list of labels that cannot be read, or a folder without any label.
pub(super) fn contents(dir: &Path, unlabelled: &Unlabelled) -> Result<Contents, DataError> {
    let files: Vec<PathBuf> = places::walk(dir)
        .filter(|path| json::is_json(path))
        .collect();
    let entries: Vec<Entry> = files.into_par_iter().filter_map(Entry::of).collect();
    let list = dir.join(LABELS);
    let names: Vec<String> = if list.is_file() {
        ClassTable::from_file(&list)?.names
    } else {
        let all: BTreeSet<&String> = entries.iter().flat_map(|entry| &entry.labels).collect();
        all.into_iter().cloned().collect()
    };
    let whole = if list.is_file() {
        list
    } else {
        dir.to_path_buf()
    };
    if names.is_empty() {
        let reason =
            "its Labelme files hold no shape: annotate a photo, or list the classes in labels.txt";
        return Err(DataError::description(dir, reason));
    }
    let table = Table::new(&whole, &names, unlabelled, false)?;
    let lower = names.iter().map(|name| tidy(name));
    let classes: Arc<HashMap<String, u16>> = Arc::new(lower.zip(table.indices).collect());
    let mut by_split: HashMap<&str, Vec<Entry>> = HashMap::new();
    for entry in entries {
        let relative = entry.json.strip_prefix(dir).unwrap_or(&entry.json);
        let split = split_of(relative);
        by_split.entry(split).or_default().push(entry);
    }
    let splits = SPLITS.into_iter().filter_map(|name| {
        let folder = Folder {
            dir: dir.to_path_buf(),
            split: name,
            entries: by_split.remove(name)?,
            classes: classes.clone(),
        };
        Some(Split::scanned(name, dir, dir.to_path_buf(), folder))
    });
    Ok(Contents {
        name: None,
        classes: table.classes,
        mapping: table.mapping,
        splits: splits.collect(),
    })
}

/// Normalises a label for comparison with class names.
fn tidy(label: &str) -> String {
    let words: Vec<&str> = label.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// The name of a shape without an area in a message.
fn flat_name(number: usize, shape: &Label) -> String {
    let (kind, label) = (&shape.shape_type, shape.label.escape_debug());
    match kind.as_str() {
        "polygon" => {
            let points = counted(shape.points.len(), "point");
            format!("shape {number} (\"{label}\", a polygon of {points})")
        }
        kind => format!("shape {number} (\"{label}\", of the kind {kind})"),
    }
}

impl Entry {
    /// `None` for JSON files of other programs.
    fn of(json: PathBuf) -> Option<Self> {
        let mut entry = Self {
            json,
            named: None,
            embedded: false,
            labels: BTreeSet::new(),
            lines: Vec::new(),
            flat: Vec::new(),
            wrong: None,
        };
        match json::read::<Head>(&entry.json, WHAT) {
            Ok(Head {
                image_path: None,
                shapes: None,
                ..
            }) => return None,
            Ok(head) => {
                entry.named = head.image_path;
                entry.embedded = head.data.is_some();
                let shapes = head.shapes.unwrap_or_default();
                for (number, shape) in (1..).zip(&shapes) {
                    if shape.is_of_kind_without_area() {
                        entry.lines.push(flat_name(number, shape));
                    } else if !shape.has_area() {
                        entry.flat.push(flat_name(number, shape));
                    }
                }
                entry.labels = shapes.into_iter().map(|shape| shape.label).collect();
            }
            // A damaged file may be of any program; it counts if it begins like Labelme's.
            Err(_) if json::kind(&entry.json) != Some(Kind::Labelme) => return None,
            Err(DataError::Description { reason, .. }) => entry.wrong = Some(reason),
            Err(error) => entry.wrong = Some(error.to_string()),
        }
        Some(entry)
    }

    /// The photo: its `imagePath` relative to the file's folder, or else the photo of that name beside the file, or the
    /// one with the file's own name, or else the only photo of its split with one of these names, unless it has a file of
    /// its own or lies among masks.
    fn photo(&self, dir: &Path, root: &Root, photos: &Photos) -> Result<PathBuf, String> {
        let relative = self.json.strip_prefix(dir).unwrap_or(&self.json);
        let folder = relative.parent().unwrap_or(Path::new(""));
        let named = self.named.as_deref().map(places::slashed);
        let place = named
            .as_deref()
            // What lies beside the file comes before ends of absolute paths.
            .and_then(|named| root.inside(folder, named, |_| false));
        let beside = named
            .as_deref()
            .map(|named| folder.join(places::base(named)));
        let exact = [place.as_deref(), beside.as_deref()];
        if let Some(found) = exact
            .into_iter()
            .flatten()
            .find_map(|place| photos.at(place))
        {
            return Ok(found.to_path_buf());
        }
        let elsewhere = || {
            let base = named.as_deref().map(places::base);
            let found = base.and_then(|name| photos.named(name));
            let found = found.or_else(|| photos.stemmed(relative.file_stem()?));
            found.filter(|photo| {
                let below = photo.strip_prefix(dir).unwrap_or(photo);
                !photo.with_extension("json").is_file()
                    && split_of(below) == split_of(relative)
                    && !below.parent().is_some_and(is_of_masks)
            })
        };
        let like = photos.like(&relative.with_extension(""));
        if let Some(found) = like.or_else(elsewhere) {
            return Ok(found.to_path_buf());
        }
        if self.embedded {
            return Err(self.extraction(named.as_deref()));
        }
        Err(match (&self.named, place) {
            (Some(named), None) => places::leads_out("its imagePath", named),
            (Some(named), Some(_)) => format!(
                "its photo \"{}\" is missing: put it into the data set's folder",
                named.escape_debug()
            ),
            (None, _) => "it names no photo, and no photo beside it has its name".to_owned(),
        })
    }

    /// How to extract the photo that the file holds; `named` is its `imagePath` with slashes.
    fn extraction(&self, named: Option<&str>) -> String {
        let named = Path::new(named.unwrap_or_default());
        let ending = named.extension().filter(|_| has_photo_ending(named));
        let photo = self
            .json
            .with_extension(ending.unwrap_or(OsStr::new("png")));
        let [photo, json] = [&photo, &self.json].map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // So escaped, quotes neither end the names nor the command.
            name.escape_debug().to_string()
        });
        format!(
            "its photo is embedded in this file (imageData): extract it beside this file with python -c \"import json,\
             base64;open('{photo}','wb').write(base64.b64decode(json.load(open('{json}','rb'))['imageData']))\""
        )
    }
}

/// The files of one split.
#[derive(Debug)]
struct Folder {
    dir: PathBuf,
    split: &'static str,
    entries: Vec<Entry>,
    classes: Arc<HashMap<String, u16>>,
}

impl Scan for Folder {
    fn scan(&self) -> Result<Files, DataError> {
        let (root, photos) = (Root::of(&self.dir), Photos::below(&self.dir));
        let mut files = Files::default();
        let (mut names, mut used) = (Names::default(), HashMap::new());
        let (mut lines, mut flat) = (Unused::default(), Unused::default());
        for entry in &self.entries {
            let json = entry.json.clone();
            let (image, wrong) = match entry.photo(&self.dir, &root, &photos) {
                Ok(image) => (image, None),
                Err(reason) => (json.with_extension("jpg"), Some(reason)),
            };
            if wrong.is_none() {
                if let Some(first) = used.get(&image) {
                    files.doubles.push((json, PathBuf::clone(first)));
                    continue;
                }
                used.insert(image.clone(), json.clone());
            }
            for (shapes, unused) in [(&entry.lines, &mut lines), (&entry.flat, &mut flat)] {
                for shape in shapes {
                    unused.add(|| format!("{shape} of {}", json.display()));
                }
            }
            let drawing = match entry.wrong.clone().or(wrong) {
                Some(reason) => Drawing::wrong(&json, reason),
                None => Drawing(Arc::new(Shapes {
                    json: json.clone(),
                    classes: self.classes.clone(),
                })),
            };
            files.pairs.push(Pair {
                name: names.of(image.strip_prefix(&self.dir).unwrap_or(&image)),
                image,
                labels: json,
                drawing: Some(drawing),
            });
        }
        files.pairs.sort_by(|a, b| a.name.cmp(&b.name));
        let folders: HashSet<Option<&Path>> = used.keys().map(|photo| photo.parent()).collect();
        let unlabelled = photos.paths().filter(|path| {
            let relative = path.strip_prefix(&self.dir).unwrap_or(path);
            split_of(relative) == self.split
                && folders.contains(&path.parent())
                && !used.contains_key(*path)
        });
        files.without_labels = unlabelled.map(Path::to_path_buf).collect();
        files.without_labels.sort();
        let what = [
            "shape without an area is left out",
            "shapes without an area are left out",
        ];
        files.notes.extend(lines.fault(&self.dir, what));
        files.faults.extend(flat.fault(&self.dir, what));
        Ok(files)
    }
}

/// The shapes of one photo, read when they are drawn.
#[derive(Debug)]
struct Shapes {
    json: PathBuf,
    classes: Arc<HashMap<String, u16>>,
}

impl Draw for Shapes {
    fn draw(&self, fit: &mut Fit) -> Result<RawLabels, DataError> {
        let file: File = json::read(&self.json, WHAT)?;
        let size = [file.width, file.height].map(Option::unwrap_or_default);
        let mut canvas = Canvas::new(fit(json::stated(&self.json, "its photo", size)?)?);
        for (at, shape) in file.shapes.iter().enumerate() {
            let class = self.classes.get(&tidy(&shape.label)).copied();
            let drawn = match class {
                Some(class) => self.draw_shape(shape, &mut canvas, class),
                None => Err(format!("has a label that {LABELS} does not list")),
            };
            drawn.map_err(|reason| {
                let (number, label) = (at + 1, shape.label.escape_debug());
                let reason = format!("shape {number} (\"{label}\") {reason}");
                DataError::description(&self.json, reason)
            })?;
        }
        Ok(canvas.into_labels())
    }
}

impl Shapes {
    fn draw_shape(&self, shape: &Shape, canvas: &mut Canvas, class: u16) -> Result<(), String> {
        let points: Vec<[f64; 2]> = match (shape.shape_type.as_str(), shape.points.as_slice()) {
            ("polygon", points) => points.to_vec(),
            ("rectangle", &[[x0, y0], [x1, y1]]) => vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]],
            (kind, points) if FOUR_CORNERS.contains(&kind) && points.len() == 4 => points.to_vec(),
            ("circle", &[centre, edge]) => circle(centre, edge),
            ("mask", &[corner, _]) => return self.draw_mask(shape, corner, canvas, class),
            (kind, _) if WITHOUT_AREA.contains(&kind) => return Ok(()),
            (kind, points) => {
                let (kind, count) = (kind.escape_debug(), counted(points.len(), "point"));
                return Err(format!(
                    "has the kind {kind} and {count}, which is not supported: draw a polygon"
                ));
            }
        };
        let corners: Vec<i32> = points.into_iter().flatten().map(fixed).collect();
        let drawn = canvas.polygon(&corners, class);
        drawn.map_err(|TooMuchWork| TooMuchWork::REASON.to_owned())
    }

    /// Draws a mask whose first pixel is at the first point.
    fn draw_mask(
        &self,
        shape: &Shape,
        corner: [f64; 2],
        canvas: &mut Canvas,
        class: u16,
    ) -> Result<(), String> {
        let text = shape.mask.as_deref().unwrap_or_default();
        if text.is_empty() {
            let reason = "is a mask without its picture: draw it again, or as a polygon";
            return Err(reason.to_owned());
        }
        let damaged = |error: String| format!("has a mask that cannot be read ({error})");
        let bytes = STANDARD
            .decode(text)
            .map_err(|error| damaged(error.to_string()))?;
        let (width, height, set) =
            decode_mask(&self.json, &bytes).map_err(|error| damaged(error.to_string()))?;
        let [left, top] = corner.map(|side| side.round() as i64);
        canvas.stencil(
            [left, top],
            [width, height],
            |x, y| set[y * width + x],
            class,
        );
        Ok(())
    }
}

/// A circle as a polygon, from its centre and a point on the circle.
fn circle([x, y]: [f64; 2], edge: [f64; 2]) -> Vec<[f64; 2]> {
    let radius = (edge[0] - x).hypot(edge[1] - y);
    let corner = |at: usize| {
        let (sin, cos) = (at as f64 / CIRCLE as f64 * std::f64::consts::TAU).sin_cos();
        [x + radius * cos, y + radius * sin]
    };
    (0..CIRCLE).map(corner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_as_wide_as_its_radius_says() {
        let corners = circle([10.0, 20.0], [13.0, 24.0]);
        let distance = |[x, y]: &[f64; 2]| (x - 10.0).hypot(y - 20.0);
        assert!(
            corners
                .iter()
                .all(|corner| (distance(corner) - 5.0).abs() < 1e-9)
        );
        assert_eq!(tidy("  Traffic   Light "), "traffic light");
    }
}
