//! One COCO JSON file for a batch of masks.
//!
//! Every connected region is an annotation, so that the union of a category's annotations is the mask
//! of its class. Category ids are class index + 1.

use super::error::{ExportError, FOREIGN};
use super::mask::Mask;
use super::polygons::polygons;
use super::regions::Regions;
use super::rle;
use super::selection::Selection;
use crate::files::{self, ScratchFile};
use crate::labels::IGNORE;
use crate::own_digest::{DIGITS, Hash, Hashed};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What the files say of themselves at their end: before the digest of all bytes before that, and behind it.
const INFO: [&str; 2] = [
    "],\n\"info\":{\"description\":\"masks by FlowSeg\",\"sha256\":\"",
    "\"}}\n",
];

/// How regions are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Shapes {
    /// Compressed run lengths: exact and small
    #[default]
    Rle,
    /// Polygons along the edges of the pixels, with holes bridged to the outer boundary
    Polygons,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
    /// When its mask was corrected last, as far as the regions take that into account: Unix time in
    /// milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    corrected_at_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Category {
    id: u64,
    name: String,
    supercategory: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: u64,
    segmentation: Segmentation,
    area: f64,
    /// `[left, top, width, height]`
    bbox: [u32; 4],
    iscrowd: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Segmentation {
    Runs {
        /// `[height, width]`
        size: [u32; 2],
        counts: String,
    },
    Polygons(Vec<Vec<f64>>),
}

impl Segmentation {
    fn shapes(&self) -> Shapes {
        match self {
            Self::Runs { .. } => Shapes::Rle,
            Self::Polygons(_) => Shapes::Polygons,
        }
    }
}

/// A file that an earlier run wrote.
#[derive(Deserialize)]
struct Written {
    images: Vec<Image>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
}

/// What one photo adds to the file.
pub struct Entry {
    image: Image,
    annotations: Vec<Annotation>,
}

impl Entry {
    /// The regions of a mask whose photo is named `file_name` in the file.
    pub fn new(mask: &Mask, file_name: &str, shapes: Shapes) -> Self {
        let [width, height] = mask.size();
        let regions = Regions::of(mask.labels, width as usize);
        let segmentations: Vec<Segmentation> = match shapes {
            Shapes::Rle => rle::counts(&regions)
                .iter()
                .map(|counts| Segmentation::Runs {
                    size: [height, width],
                    counts: rle::compressed(counts),
                })
                .collect(),
            Shapes::Polygons => polygons(&regions)
                .iter()
                .map(|polygon| {
                    let ring = polygon.ring().into_iter().flatten();
                    Segmentation::Polygons(vec![ring.map(f64::from).collect()])
                })
                .collect(),
        };
        let annotations = regions
            .list
            .iter()
            .zip(segmentations)
            .filter(|(region, _)| region.label != IGNORE)
            .map(|(region, segmentation)| {
                let [left, top, right, bottom] = region.bounds;
                Annotation {
                    // Both ids are assigned by `Coco::add`.
                    id: 0,
                    image_id: 0,
                    category_id: category(region.label),
                    segmentation,
                    area: region.area as f64,
                    bbox: [left, top, right - left, bottom - top],
                    iscrowd: 0,
                }
            })
            .collect();
        let image = Image {
            id: 0,
            file_name: file_name.to_owned(),
            width,
            height,
            corrected_at_ms: None,
        };
        Self { image, annotations }
    }

    /// The same of a mask that was corrected at this Unix time in milliseconds, if it was.
    pub fn corrected_at(mut self, time: Option<u64>) -> Self {
        self.image.corrected_at_ms = time;
        self
    }
}

fn category(class: u16) -> u64 {
    u64::from(class) + 1
}

/// A COCO file that grows photo by photo. Annotations are spooled to disk, so that a batch of any size
/// takes little memory.
pub struct Coco {
    path: PathBuf,
    categories: Vec<Category>,
    images: Vec<Image>,
    names: HashSet<String>,
    annotations: ScratchFile,
    count: u64,
    /// Whether the file has other photos than this, or is not there.
    is_behind: bool,
}

impl Coco {
    /// A new file at `path`, written by [`save`](Self::save).
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn create(path: &Path, selection: &Selection) -> Result<Self, ExportError> {
        let names = selection.names();
        let category = |class: u16| Category {
            id: category(class),
            name: names[usize::from(class)].clone(),
            supercategory: String::new(),
        };
        Ok(Self {
            path: path.to_owned(),
            categories: selection.kept().into_iter().map(category).collect(),
            images: Vec::new(),
            names: HashSet::new(),
            annotations: ScratchFile::beside(path)?,
            count: 0,
            is_behind: true,
        })
    }

    /// Whether a file of annotations was written by this program and not changed by another one.
    pub fn is_own(path: &Path) -> bool {
        let has_its_digest = || -> io::Result<bool> {
            let mut file = File::open(path)?;
            let behind = DIGITS + INFO[1].len();
            let hashed = file.metadata()?.len().saturating_sub(behind as u64);
            let hash = Hash::default();
            let mut start = BufReader::new(&file).take(hashed);
            io::copy(&mut start, &mut Hashed::new(io::sink(), &hash))?;
            let mut end = String::new();
            file.seek(SeekFrom::Start(hashed))?;
            file.read_to_string(&mut end)?;
            Ok(end == hash.digest() + INFO[1])
        };
        has_its_digest().unwrap_or(false)
    }

    /// Resumes the file that an earlier run wrote at `path`, if there is one, without the photos whose
    /// file names are in `redone`, and without those whose regions are not of the mask as it was corrected last:
    /// `corrected_at` has the times, as for [`Entry::corrected_at`], by file name. Other runs write to the file too, so
    /// that its own time does not tell.
    ///
    /// # Errors
    /// The file can't be read, was not written by this program or was changed by another one, or has other classes or
    /// shapes.
    pub fn resume(
        path: &Path,
        selection: &Selection,
        shapes: Shapes,
        redone: &HashSet<&str>,
        corrected_at: &HashMap<&str, u64>,
    ) -> Result<Self, ExportError> {
        let mut coco = Self::create(path, selection)?;
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(coco),
            Err(source) => {
                let path = path.to_owned();
                return Err(files::FileError::Read { path, source }.into());
            }
        };
        let unusable = |reason: String| ExportError::Resume {
            path: path.to_owned(),
            reason,
            is_own: Self::is_own(path),
        };
        let written: Written = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| unusable(format!("it was not written by flowseg ({error})")))?;
        if written.categories != coco.categories {
            return Err(unusable("it has different classes".to_owned()));
        }
        let other = |annotation: &Annotation| annotation.segmentation.shapes() != shapes;
        if written.annotations.iter().any(other) {
            return Err(unusable("its regions are encoded differently".to_owned()));
        }
        let is_former = |image: &Image| {
            let corrected = corrected_at.get(image.file_name.as_str());
            corrected.is_some_and(|&time| image.corrected_at_ms != Some(time))
        };
        let mut left_out = false;
        let mut annotations = written.annotations.into_iter().peekable();
        for image in written.images {
            let own = std::iter::from_fn(|| annotations.next_if(|a| a.image_id == image.id));
            let annotations = own.collect();
            if redone.contains(image.file_name.as_str()) || is_former(&image) {
                left_out = true;
            } else {
                coco.add(Entry { image, annotations })?;
            }
        }
        coco.is_behind = left_out;
        match annotations.next() {
            None if !Self::is_own(path) => Err(unusable(format!("it was {FOREIGN}"))),
            None => Ok(coco),
            Some(_) => Err(unusable(
                "its annotations are in a different order".to_owned(),
            )),
        }
    }

    /// Whether the file contains a photo.
    pub fn holds(&self, file_name: &str) -> bool {
        self.names.contains(file_name)
    }

    /// Adds a photo. One that is already in the file keeps its first entry.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn add(&mut self, entry: Entry) -> Result<(), ExportError> {
        if !self.names.insert(entry.image.file_name.clone()) {
            return Ok(());
        }
        let image = Image {
            id: self.images.len() as u64 + 1,
            ..entry.image
        };
        let mut lines = Vec::new();
        for annotation in entry.annotations {
            self.count += 1;
            let annotation = Annotation {
                id: self.count,
                image_id: image.id,
                ..annotation
            };
            lines.extend(if self.count == 1 { "\n" } else { ",\n" }.bytes());
            serde_json::to_writer(&mut lines, &annotation).map_err(|e| self.failed(e.into()))?;
        }
        let file = self.annotations.file();
        let written = file.write_all(&lines);
        written.map_err(|error| self.failed(error))?;
        self.images.push(image);
        self.is_behind = true;
        Ok(())
    }

    /// Writes the file with all photos added so far, unless it has them already.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn save(&mut self) -> Result<(), ExportError> {
        if !self.is_behind {
            return Ok(());
        }
        let (images, categories) = (&self.images, &self.categories);
        let scratch = self.annotations.file();
        let path = &self.path;
        files::write_with(path, |file| {
            let mut written = || -> io::Result<()> {
                let hash = Hash::default();
                let mut file = BufWriter::new(Hashed::new(&mut *file, &hash));
                file.write_all(b"{\"licenses\":[],\n\"categories\":")?;
                serde_json::to_writer(&mut file, categories)?;
                file.write_all(b",\n\"images\":")?;
                serde_json::to_writer(&mut file, images)?;
                file.write_all(b",\n\"annotations\":[")?;
                scratch.rewind()?;
                // Copying leaves the position at the end, where the next annotation is appended.
                io::copy(&mut *scratch, &mut file)?;
                file.write_all(INFO[0].as_bytes())?;
                file.flush()?;
                file.write_all((hash.digest() + INFO[1]).as_bytes())?;
                file.flush()
            };
            written().map_err(|error| ExportError::write(path, error))
        })?;
        self.is_behind = false;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> ExportError {
        ExportError::write(&self.path, error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::regions::tests::drawn;
    use super::*;
    use image::RgbImage;

    fn selection() -> Selection {
        Selection::all(&["sky".to_owned(), "car".to_owned()])
    }

    fn entry(name: &str, shapes: Shapes) -> Entry {
        let labels = drawn(&["0111", "01.1", "0111"]);
        let selection = selection();
        let mask = Mask {
            photo: &RgbImage::new(4, 3),
            labels: &labels,
            classes: selection.names(),
            colours: &[],
        };
        Entry::new(&mask, name, shapes)
    }

    fn resumed(path: &Path, shapes: Shapes, redone: &[&str]) -> Result<Coco, ExportError> {
        let redone = redone.iter().copied().collect();
        Coco::resume(path, &selection(), shapes, &redone, &HashMap::new())
    }

    fn read(path: &Path) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_file_grows_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("annotations.json");
        let mut coco = resumed(&path, Shapes::Polygons, &[]).unwrap();
        coco.save().unwrap();
        assert_eq!(read(&path)["annotations"].as_array().unwrap().len(), 0);
        coco.add(entry("a.jpg", Shapes::Polygons)).unwrap();
        coco.save().unwrap();
        let first = read(&path);
        assert_eq!(first["categories"][1]["id"], 2);
        assert_eq!(first["annotations"][1]["area"], 8.0);
        assert_eq!(
            first["annotations"][1]["bbox"],
            serde_json::json!([1, 0, 3, 3])
        );
        drop(coco);
        let mixed = resumed(&path, Shapes::Rle, &[]);
        let error = mixed.err().unwrap().to_string();
        assert!(error.contains("encoded differently"), "{error}");
        assert!(error.ends_with("or leave out --skip-existing"), "{error}");
        let mut coco = resumed(&path, Shapes::Polygons, &[]).unwrap();
        assert!(coco.holds("a.jpg") && !coco.holds("b.jpg"));
        coco.add(entry("a.jpg", Shapes::Polygons)).unwrap();
        coco.add(entry("b.jpg", Shapes::Polygons)).unwrap();
        coco.save().unwrap();
        let second = read(&path);
        assert_eq!(second["annotations"][0], first["annotations"][0]);
        assert_eq!(second["annotations"][3]["id"], 4);
        assert_eq!(second["annotations"][3]["image_id"], 2);
        assert_eq!(second["images"][1]["file_name"], "b.jpg");
        let ring = &second["annotations"][3]["segmentation"][0];
        assert_eq!(ring.as_array().unwrap().len(), 2 * (4 + 4 + 2));
        drop(coco);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // What is made again does not keep its regions.
        let coco = resumed(&path, Shapes::Polygons, &["a.jpg"]).unwrap();
        assert!(!coco.holds("a.jpg") && coco.holds("b.jpg"));
        assert!(Coco::is_own(&path));
    }

    #[test]
    fn a_file_that_another_program_has_changed_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("annotations.json");
        let mut coco = Coco::create(&path, &selection()).unwrap();
        coco.add(entry("a.jpg", Shapes::Rle)).unwrap();
        coco.save().unwrap();
        assert!(Coco::is_own(&path));
        let own = std::fs::read_to_string(&path).unwrap();
        // A corrected category.
        let corrected = own.replacen("\"category_id\":2", "\"category_id\":1", 1);
        assert_ne!(corrected, own);
        let cut = &own[..own.len() - 9];
        for changed in [corrected.as_str(), &own.replace(":[", ": ["), cut, ""] {
            std::fs::write(&path, changed).unwrap();
            assert!(!Coco::is_own(&path), "{changed}");
        }
        std::fs::write(&path, &corrected).unwrap();
        let error = resumed(&path, Shapes::Rle, &[]).err().unwrap().to_string();
        assert!(error.contains("it was saved by another program"), "{error}");
        // Nor would a run replace it that begins anew.
        assert!(error.ends_with("; move it away"), "{error}");
    }

    #[test]
    fn a_file_that_has_all_photos_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("annotations.json");
        let mut coco = Coco::create(&path, &selection()).unwrap();
        coco.add(entry("a.jpg", Shapes::Rle)).unwrap();
        coco.save().unwrap();
        let before = std::fs::read(&path).unwrap();
        let saved = |redone: &[&str]| {
            std::fs::write(&path, &before).unwrap();
            let mut coco = resumed(&path, Shapes::Rle, redone).unwrap();
            std::fs::write(&path, "touched").unwrap();
            coco.save().unwrap();
            std::fs::read(&path).unwrap() != b"touched"
        };
        assert!(!saved(&[]) && !saved(&["b.jpg"]));
        assert!(saved(&["a.jpg"]));
    }

    #[test]
    fn regions_from_before_the_last_correction_are_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("annotations.json");
        let mut coco = Coco::create(&path, &selection()).unwrap();
        coco.add(entry("a.jpg", Shapes::Rle)).unwrap();
        let corrected = entry("b.jpg", Shapes::Rle).corrected_at(Some(7));
        coco.add(corrected).unwrap();
        coco.save().unwrap();
        let images = read(&path)["images"].take();
        assert!(images[0].get("corrected_at_ms").is_none(), "{images}");
        assert_eq!(images[1]["corrected_at_ms"], 7);
        let held = |times: &[(&'static str, u64)]| {
            let times = times.iter().copied().collect();
            let none = HashSet::new();
            let coco = Coco::resume(&path, &selection(), Shapes::Rle, &none, &times).unwrap();
            ["a.jpg", "b.jpg"].map(|name| coco.holds(name))
        };
        assert_eq!(held(&[]), [true; 2]);
        assert_eq!(held(&[("b.jpg", 7)]), [true; 2]);
        assert_eq!(held(&[("a.jpg", 7), ("b.jpg", 8)]), [false; 2]);
    }

    #[test]
    fn foreign_files_are_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("annotations.json");
        for (text, word) in [
            ("{}", "images"),
            (
                r#"{"images":[],"categories":[],"annotations":[]}"#,
                "different classes",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(!Coco::is_own(&path));
            let resumed = resumed(&path, Shapes::Rle, &[]);
            let error = resumed.err().unwrap().to_string();
            assert!(error.contains("annotations.json"), "{error}");
            assert!(error.contains(word), "{error}");
        }
    }
}
