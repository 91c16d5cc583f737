//! COCO's JSON: instances with polygons or run lengths, and panoptic PNG files.
//!
//! Where annotations overlap, the one with the smallest area counts; crowds and boxes without an outline are ignored.
//! Pixels without an annotation are background, or ignored in panoptic files. Settings may say otherwise.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::classes::ClassTable;
use super::super::contents::Contents;
use super::super::decode::{RawLabels, read_ids};
use super::super::drawing::{Draw, Drawing, Fit};
use super::super::error::DataError;
use super::super::split::{Files, Pair, Scan, Split};
use super::super::split_name::{self, SPLITS, TRAINING};
use super::canvas::{Canvas, UNANNOTATED};
use super::coco_categories::{classes_by_id, drop_projects, twice};
use super::coco_file::{Annotation, File, Flag, Head, Id, Image, Segment, WHAT};
use super::coco_listed;
use super::crowds::{Crowds, Marked};
use super::geometry::Geometry;
use super::json::{self, Kind, Whole};
use super::places::{self, Names, Photos};
use super::settings::Settings;
use super::table::Table;
use super::unused::Unused;
use crate::labels::IGNORE;

/// Maximum number of JSON files examined per folder.
const LOOKED_AT: usize = 16;
/// Number of photos used to find the folder of a file's photos.
const TRIED: usize = 100;
/// Prefixes of files of the same form without regions.
const OTHERS: [&str; 3] = ["captions_", "person_keypoints_", "image_info_"];

/// The JSON file of a split.
#[derive(Debug)]
struct Source {
    split: &'static str,
    json: PathBuf,
    /// Further files of the split, which are not read.
    further: Vec<PathBuf>,
}

/// The splits of a folder that have COCO files.
pub(super) fn splits_in(dir: &Path) -> Vec<&'static str> {
    sources(dir)
        .into_iter()
        .map(|source| source.split)
        .collect()
}

/// The file of every split, in the order of the splits. Of several, those that name the split take
/// precedence, then panoptic ones whose PNG files exist, then the first by name.
fn sources(dir: &Path) -> Vec<Source> {
    let mut folders = vec![dir.to_path_buf(), dir.join("annotations")];
    folders.extend(places::split_folders(dir));
    let other = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        OTHERS.iter().any(|start| name.starts_with(start))
    };
    let mut found: Vec<(bool, bool, PathBuf, &str)> = folders
        .iter()
        .flat_map(|folder| json::files_in(folder, LOOKED_AT))
        .filter(|path| !other(path) && json::kind(path) == Some(Kind::Coco))
        .map(|path| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let relative = path.strip_prefix(dir).unwrap_or(&path);
            let named = places::split_of(&stem);
            let split = named.unwrap_or_else(|| places::split_of_path(relative));
            let panoptic = stem.contains("panoptic") && png_folder(dir, &path).is_some();
            (named.is_none(), !panoptic, path, split)
        })
        .collect();
    found.sort();
    let source = |split: &'static str| {
        let own = found.iter().filter(|(.., of)| *of == split);
        let mut files = own.map(|(_, _, path, _)| path.clone());
        Some(Source {
            split,
            json: files.next()?,
            further: files.collect(),
        })
    };
    SPLITS.into_iter().filter_map(source).collect()
}

/// The classes and splits of a folder.
///
/// # Errors
/// A file that cannot be read, lists no category, or has two with the same id.
pub(super) fn contents(dir: &Path, settings: &Settings) -> Result<Contents, DataError> {
    let sources = sources(dir);
    let mut heads = Vec::new();
    for source in &sources {
        heads.push(json::read::<Head>(&source.json, WHAT)?);
    }
    drop_projects(
        sources.iter().map(|source| source.json.as_path()),
        &mut heads,
    )?;
    let categories = heads.iter().flat_map(|head| &head.categories);
    let names: Vec<String> = categories.map(|category| category.name.clone()).collect();
    let said = settings.unlabelled.as_ref();
    let covered = said.is_none() && heads.iter().all(|head| head.annotations.panoptic);
    let unsegmented = if said.is_some() { UNANNOTATED } else { IGNORE };
    let table = Table::new(
        sources.first().map_or(dir, |source| source.json.as_path()),
        &names,
        &said.cloned().unwrap_or_default(),
        covered,
    )?;
    let files = sources.iter().flat_map(|source| {
        let further = source.further.iter();
        std::iter::once(&source.json).chain(further)
    });
    let all: Arc<[PathBuf]> = files.cloned().collect();
    let mut indices = table.indices.into_iter();
    let mut splits = Vec::new();
    for (source, head) in sources.into_iter().zip(heads) {
        let own = indices.by_ref().take(head.categories.len());
        let classes = classes_by_id(&source.json, head.categories, own)?;
        let annotated = Annotated {
            dir: dir.to_path_buf(),
            json: Arc::from(source.json.as_path()),
            further: source.further,
            all: all.clone(),
            split: source.split,
            classes,
            table: table.classes.clone(),
            unsegmented,
            marked: settings.crowds,
        };
        splits.push(Split::scanned(source.split, dir, source.json, annotated));
    }
    Ok(Contents {
        name: None,
        classes: table.classes,
        mapping: table.mapping,
        splits,
    })
}

/// One file with its photos.
#[derive(Debug)]
struct Annotated {
    dir: PathBuf,
    json: Arc<Path>,
    /// Further files of the split, which are not read.
    further: Vec<PathBuf>,
    /// The files of all splits.
    all: Arc<[PathBuf]>,
    split: &'static str,
    classes: HashMap<Id, u16>,
    table: ClassTable,
    /// The raw label of pixels without a segment in panoptic files.
    unsegmented: u16,
    /// What a setting says of annotations that are marked as crowds.
    marked: Option<Marked>,
}

/// The annotations of one photo.
#[derive(Default)]
struct Found {
    shapes: Vec<Shape>,
    panoptic: Option<(PathBuf, HashMap<u32, u16>)>,
    wrong: Option<String>,
}

#[derive(Debug)]
struct Shape {
    class: u16,
    area: f64,
    geometry: Geometry,
    /// Its place in the file, from 0, and its id.
    at: usize,
    id: Option<Id>,
}

impl Scan for Annotated {
    fn scan(&self) -> Result<Files, DataError> {
        let file: File = json::read(&self.json, WHAT)?;
        let known = self.by_id(&file.images)?;
        let mut found: Vec<Found> = Vec::new();
        found.resize_with(file.images.len(), Found::default);
        let (mut unlisted, mut shapeless, mut boxes) =
            (Unused::default(), Unused::default(), Unused::default());
        let (mut crowds, mut outlines) = (Crowds::default(), 0);
        let pngs = png_folder(&self.dir, &self.json);
        for (at, annotation) in file.annotations.into_iter().enumerate() {
            let name = || annotation_name(at, annotation.id.as_ref());
            let Some(&image) = known.get(&annotation.image_id) else {
                unlisted.add(|| format!("{} with image {}", name(), annotation.image_id));
                continue;
            };
            let found = &mut found[image];
            if let Some(segments) = annotation.segments_info {
                outlines += 1;
                let png = annotation.file_name.unwrap_or_default();
                for segment in &segments {
                    let name = || format!("segment {} of {png}", segment.id.0);
                    let class = self.classes.get(&segment.category_id);
                    crowds.count(class, self.is_crowd(segment.iscrowd, false), name);
                }
                self.add_segments(found, pngs.as_deref(), &png, segments);
            } else if !annotation.segmentation.is_outline() {
                let geometry = annotation.rectangle.and_then(Geometry::rectangle);
                let Some(geometry) = geometry else {
                    shapeless.add(name);
                    continue;
                };
                boxes.add(name);
                // Where in the box its object lies is unknown.
                found.shapes.push(Shape {
                    class: IGNORE,
                    area: geometry.area(),
                    geometry,
                    at,
                    id: annotation.id,
                });
            } else {
                outlines += 1;
                let class = annotation.category_id.as_ref();
                let class = class.and_then(|id| self.classes.get(id));
                let is_crowd = self.is_crowd(annotation.iscrowd, annotation.is_by_cvat);
                crowds.count(class, is_crowd, name);
                self.add_shape(found, annotation, at);
            }
        }
        if outlines == 0 && shapeless.count + boxes.count > 0 {
            return Err(DataError::description(
                &self.json,
                "holds boxes without outlines: segmentation needs polygons or run lengths",
            ));
        }
        let others = self.all.iter();
        let others = others.filter(|json| ***json != *self.json && !self.further.contains(*json));
        let unread = coco_listed::unread(&self.json, &file.images, &self.further, others);
        let mut files = self.pairs(file.images, found);
        files.faults.extend(unread);
        // Other splits are smaller, and may well hold a crowd alone.
        let table = (self.split == TRAINING).then_some(&self.table);
        crowds.tell(&self.json, table, self.marked, &mut files);
        files.faults.extend(unlisted.fault(
            &self.json,
            [
                "annotation of an image that it does not list is left out",
                "annotations of images that it does not list are left out",
            ],
        ));
        files.faults.extend(boxes.fault(
            &self.json,
            [
                "annotation is a box without an outline, whose pixels are ignored",
                "annotations are boxes without outlines, whose pixels are ignored",
            ],
        ));
        files.faults.extend(shapeless.fault(
            &self.json,
            [
                "annotation without an outline is left out",
                "annotations without an outline are left out",
            ],
        ));
        Ok(files)
    }
}

/// The name of an annotation in errors.
fn annotation_name(at: usize, id: Option<&Id>) -> String {
    match id {
        Some(id) => format!("annotation {id}"),
        None => format!("annotation number {}", at + 1),
    }
}

impl Annotated {
    fn is_crowd(&self, Flag(is_marked): Flag, is_by_cvat: bool) -> bool {
        is_marked && Marked::is_crowd(self.marked, is_by_cvat)
    }

    /// The place of every image in the list, by its id. The first entry counts where one is repeated.
    ///
    /// # Errors
    /// Two images with the same id: which of them has its annotations is unknown.
    fn by_id<'i>(&self, images: &'i [Image]) -> Result<HashMap<&'i Id, usize>, DataError> {
        let mut known: HashMap<&Id, usize> = HashMap::new();
        for (at, image) in images.iter().enumerate() {
            let first = &images[*known.entry(&image.id).or_insert(at)];
            if first.file_name != image.file_name {
                let names = [first.file_name.as_str(), image.file_name.as_str()];
                return Err(twice(&self.json, "images", &image.id, names));
            }
        }
        Ok(known)
    }

    fn add_shape(&self, found: &mut Found, annotation: Annotation, at: usize) {
        let class = match &annotation.category_id {
            Some(id) => self.classes.get(id).copied().ok_or_else(|| id.to_string()),
            None => Err("none".to_owned()),
        };
        let class = if self.is_crowd(annotation.iscrowd, annotation.is_by_cvat) {
            Ok(IGNORE)
        } else {
            class
        };
        match class {
            Ok(class) => found.shapes.push(Shape {
                class,
                area: annotation.segmentation.area(),
                geometry: annotation.segmentation,
                at,
                id: annotation.id,
            }),
            Err(category) => {
                let name = annotation_name(at, annotation.id.as_ref());
                found.wrong = Some(unknown_category(&name, &category));
            }
        }
    }

    fn add_segments(
        &self,
        found: &mut Found,
        folder: Option<&Path>,
        png: &str,
        segments: Vec<Segment>,
    ) {
        let Some(folder) = folder else {
            let words = "the folder of its PNG files is missing: unpack it next to this file";
            found.wrong = Some(words.to_owned());
            return;
        };
        let Some(place) = places::inside(Path::new(""), &places::slashed(png)) else {
            found.wrong = Some(places::leads_out("an annotation", png));
            return;
        };
        let mut classes = HashMap::new();
        for segment in segments {
            let class = match self.classes.get(&segment.category_id) {
                _ if self.is_crowd(segment.iscrowd, false) => IGNORE,
                Some(class) => *class,
                None => {
                    let name = format!("segment {} of {png}", segment.id.0);
                    found.wrong = Some(unknown_category(&name, &segment.category_id.to_string()));
                    return;
                }
            };
            classes.insert(segment.id.0, class);
        }
        found.panoptic = Some((folder.join(place), classes));
    }

    /// Pairs every image with its annotations.
    fn pairs(&self, images: Vec<Image>, found: Vec<Found>) -> Files {
        let (folder, certain) = self.photo_folder(&images);
        let photos = Photos::below(&folder);
        let mut files = Files::default();
        let (mut names, mut seen, mut twice) =
            (Names::default(), HashSet::new(), Unused::default());
        let exact: HashSet<PathBuf> = images
            .iter()
            .filter_map(|image| Some(photos.at(&image.place()?)?.to_path_buf()))
            .collect();
        for (image, found) in images.into_iter().zip(found) {
            let slashed = places::slashed(&image.file_name);
            let place = image.place();
            let there = place.as_deref().and_then(|place| {
                // Frames of an animation are named after it and are pictures of another format.
                let alike = || photos.like(&place.with_extension(""));
                let alike = || alike().filter(|photo| !exact.contains(*photo));
                photos.at(place).or_else(alike)
            });
            // Paths from another machine are looked up by file name.
            let foreign = place.is_none() || !certain;
            let alone = || photos.named(places::base(&slashed)).filter(|_| foreign);
            let there = there.or_else(alone);
            let path = match (there, &place) {
                (Some(path), _) => path.to_path_buf(),
                (None, Some(place)) => folder.join(place),
                (None, None) => folder.join(places::base(&slashed)),
            };
            if !seen.insert(path.clone()) {
                twice.add(|| image.file_name.clone());
                continue;
            }
            let missing = match (there, &place) {
                (Some(_), _) => None,
                (None, None) => Some(places::leads_out("an image", &image.file_name)),
                (None, Some(place)) => Some(format!(
                    "it lists {}, which is not in {}: copy the photo there",
                    place.display(),
                    folder.display()
                )),
            };
            let relative = path.strip_prefix(&folder).unwrap_or(&path);
            let (labels, drawing) = self.drawing(&image, found, missing);
            files.pairs.push(Pair {
                name: names.of(relative),
                image: path,
                labels,
                drawing: Some(drawing),
            });
        }
        files.pairs.sort_by(|a, b| a.name.cmp(&b.name));
        let others = self.all.iter().filter(|json| ***json != *self.json);
        files.without_labels = coco_listed::unlisted(&photos, &seen, others);
        let more = [
            "image is listed twice, and its first entry counts",
            "images are listed twice, and their first entries count",
        ];
        files.faults.extend(twice.fault(&self.json, more));
        files
    }

    fn drawing(&self, image: &Image, found: Found, missing: Option<String>) -> (PathBuf, Drawing) {
        let json = self.json.to_path_buf();
        if let Some(reason) = missing.or(found.wrong) {
            return (json.clone(), Drawing::wrong(json, reason));
        }
        let json = self.json.clone();
        if let Some((png, classes)) = found.panoptic {
            let panoptic = Panoptic {
                json,
                png: png.clone(),
                classes,
                unsegmented: self.unsegmented,
            };
            return (png, Drawing(Arc::new(panoptic)));
        }
        let mut shapes = found.shapes;
        // Equal areas keep the order of the file.
        shapes.sort_by(|a, b| b.area.total_cmp(&a.area));
        let size = [image.width, image.height].map(|side| side.map_or(0, |Whole(side)| side));
        let instances = Instances {
            json: json.clone(),
            file_name: image.file_name.clone(),
            size,
            shapes,
        };
        (json.to_path_buf(), Drawing(Arc::new(instances)))
    }

    /// The usual folder that holds most of the first photos, and whether it holds any.
    fn photo_folder(&self, images: &[Image]) -> (PathBuf, bool) {
        let stem = self.json.file_stem().unwrap_or_default().to_string_lossy();
        let token = stem
            .split_once('_')
            .map_or(&*stem, |(_, token)| token)
            .to_owned();
        let near = self.json.parent().unwrap_or(&self.dir).to_path_buf();
        let mut folders = vec![near.join("images"), near.join("data")];
        for base in [self.dir.clone(), self.dir.join("images")] {
            folders.extend(
                std::iter::once(token.as_str())
                    .chain(split_name::spellings(self.split).iter().copied())
                    .map(|name| base.join(name)),
            );
        }
        folders.extend(["images", "data", "JPEGImages"].map(|name| self.dir.join(name)));
        folders.extend([near, self.dir.clone()]);
        folders.retain(|folder| folder.is_dir());
        let tried = images.iter().take(TRIED);
        let places: Vec<PathBuf> = tried.filter_map(Image::place).collect();
        let exact = |folder: &PathBuf| {
            let there = places.iter().filter(|place| folder.join(place).is_file());
            there.count()
        };
        // Pictures may have been converted since.
        let alike = |folder: &PathBuf| {
            let photos = Photos::below(folder);
            let stems = places.iter().map(|place| place.with_extension(""));
            stems.filter(|stem| photos.like(stem).is_some()).count()
        };
        let best = best(&folders, exact).or_else(|| best(&folders, alike));
        let certain = best.is_some();
        (best.unwrap_or(&self.dir).clone(), certain)
    }
}

/// The first folder with the most hits; `None` if none has any.
fn best(folders: &[PathBuf], hits: impl Fn(&PathBuf) -> usize) -> Option<&PathBuf> {
    let mut best = (0, None);
    for folder in folders {
        let hits = hits(folder);
        if hits > best.0 {
            best = (hits, Some(folder));
        }
    }
    best.1
}

fn unknown_category(name: &str, id: &str) -> String {
    format!("{name} has the category {id}, which is not among its categories: add it there")
}

/// The folder of a panoptic file's PNG files.
fn png_folder(dir: &Path, json: &Path) -> Option<PathBuf> {
    let stem = json.file_stem()?;
    let folders = [
        json.with_extension(""),
        dir.join(stem),
        dir.join("panoptic").join(stem),
    ];
    folders.into_iter().find(|folder| folder.is_dir())
}

/// The instances of one photo, the largest first.
#[derive(Debug)]
struct Instances {
    json: Arc<Path>,
    file_name: String,
    /// `[width, height]` as stated, or 0.
    size: [u64; 2],
    shapes: Vec<Shape>,
}

impl Draw for Instances {
    fn draw(&self, fit: &mut Fit) -> Result<RawLabels, DataError> {
        let stated = json::stated(&self.json, &self.file_name, self.size)?;
        let mut canvas = Canvas::new(fit(stated)?);
        for shape in &self.shapes {
            let drawn = shape.geometry.draw(&mut canvas, shape.class);
            drawn.map_err(|reason| {
                let name = annotation_name(shape.at, shape.id.as_ref());
                let reason = format!("{name} of {} {reason}", self.file_name);
                DataError::description(&self.json, reason)
            })?;
        }
        Ok(canvas.into_labels())
    }
}

/// The segments of one photo, whose ids are the colours of a PNG file.
#[derive(Debug)]
struct Panoptic {
    json: Arc<Path>,
    png: PathBuf,
    classes: HashMap<u32, u16>,
    /// The raw label of pixels without a segment.
    unsegmented: u16,
}

impl Draw for Panoptic {
    fn draw(&self, fit: &mut Fit) -> Result<RawLabels, DataError> {
        let (width, height, ids) = read_ids(&self.png)?;
        fit(Some([width as u64, height as u64]))?;
        // Pixels without a segment have the id 0.
        let none = self.classes.get(&0).copied().unwrap_or(self.unsegmented);
        let (mut last, mut class) = (0, none);
        let mut data = Vec::with_capacity(ids.len());
        for id in ids {
            if id != last {
                class = match self.classes.get(&id) {
                    Some(class) => *class,
                    None if id == 0 => self.unsegmented,
                    None => return Err(self.unknown(id)),
                };
                last = id;
            }
            data.push(class);
        }
        Ok(RawLabels::of_classes([width, height], data))
    }

    fn described_in(&self) -> Option<&Path> {
        Some(&self.json)
    }
}

impl Panoptic {
    fn unknown(&self, id: u32) -> DataError {
        let reason = format!(
            "holds the segment {id}, which {} does not list: use files of the same version",
            self.json.display()
        );
        DataError::description(&self.png, reason)
    }
}
