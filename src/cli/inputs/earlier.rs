//! Tells the outputs of an earlier run from the photos that they lie beside.

use crate::data;
use crate::export::{self, Artifact, Format};
use crate::files;
use crate::format::counted;
use clap::ValueEnum;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What follows a photo's name in the pictures of `flowseg compare`.
const COMPARED: [&str; 4] = [".a.png", ".b.png", ".disagreement.png", ".compare.png"];

/// A picture that was found.
pub(super) struct Picture<'a> {
    pub path: &'a Path,
    /// Its path in the real folder.
    pub real: PathBuf,
    /// The folders between it and the folder argument.
    pub below: &'a Path,
    /// Whether an argument named it.
    pub is_named: bool,
}

/// The paths of the pictures that were not named, are marked as this program's, and have the name of an output of
/// another one: in its place in the folder `output`, a real path, or in any folder if that one is a photo, which has
/// no mark or was named.
pub(super) fn outputs(pictures: &[Picture], output: Option<&Path>) -> HashSet<PathBuf> {
    let marked = pictures.iter().filter(|picture| {
        let ending = picture.path.extension().and_then(|ending| ending.to_str());
        !picture.is_named
            && matches!(ending, Some("png" | "gif" | "tif"))
            && export::is_marked(picture.path)
    });
    let marked: HashSet<&Path> = marked.map(|picture| picture.path).collect();
    if marked.is_empty() {
        return HashSet::new();
    }
    // By the paths of their outputs without what follows their names, and photos by their names.
    let mut places: HashMap<PathBuf, Vec<&Path>> = HashMap::new();
    let mut photos: HashMap<&OsStr, Vec<&Path>> = HashMap::new();
    for picture in pictures {
        let Some(stem) = picture.path.file_stem() else {
            continue;
        };
        if let Some(output) = output {
            let place = output.join(picture.below).join(stem);
            places.entry(place).or_default().push(picture.path);
        }
        if !marked.contains(picture.path) {
            photos.entry(stem).or_default().push(picture.path);
        }
    }
    let suffixes = suffixes();
    let mut animated: HashMap<&Path, bool> = HashMap::new();
    let mut is_output = |picture: &Picture| {
        let mut owners = bases(&picture.real, &suffixes).into_iter();
        owners.any(|base| {
            let others = |base: &Path| -> Vec<&Path> {
                let of_name = base.file_name().and_then(|name| photos.get(name));
                let found = [places.get(base), of_name].into_iter().flatten();
                let found = found.flatten().copied();
                found.filter(|other| *other != picture.path).collect()
            };
            !others(&base).is_empty()
                || without_frame(&base).is_some_and(|base| {
                    others(&base).into_iter().any(|other| {
                        let count = || data::frame_count(other).is_some();
                        *animated.entry(other).or_insert_with(count)
                    })
                })
        })
    };
    let found = pictures.iter();
    let found = found.filter(|picture| marked.contains(picture.path) && is_output(picture));
    found.map(|picture| picture.path.to_owned()).collect()
}

/// Says which outputs are left out, on one line for label files of data sets and one for others.
pub(super) fn note(left_out: &HashSet<PathBuf>) -> String {
    let mut folders: HashMap<&Path, usize> = HashMap::new();
    for path in left_out {
        *folders.entry(files::folder_of(path)).or_default() += 1;
    }
    folders.retain(|folder, _| holds_labels(folder));
    let labels: usize = folders.values().sum();
    let pictures = left_out.len() - labels;
    let mut lines = Vec::new();
    if labels > 0 {
        lines.push(format!(
            "{} left out: {} to photos of the data set; to segment one all the same, name it",
            counted(labels, "label file"),
            if labels == 1 {
                "it belongs"
            } else {
                "they belong"
            }
        ));
    }
    if pictures > 0 {
        lines.push(format!(
            "{} left out: FlowSeg made {} from photos that are segmented; to segment one all the same, name it",
            counted(pictures, "picture"),
            if pictures == 1 { "it" } else { "them" }
        ));
    }
    lines.join("\n")
}

/// The most folders between a label file's folder and its data set.
const DEPTH: usize = 3;

/// Whether a folder is one of label files, apart from the photos, of a data set in a folder above it.
fn holds_labels(folder: &Path) -> bool {
    let mut roots = folder.ancestors().skip(1).take(DEPTH);
    roots.any(|root| {
        let contents = data::detect(root).and_then(|layout| layout.describe(root));
        let splits = contents.map_or_else(|_| Vec::new(), |contents| contents.splits);
        let mut splits = splits.iter();
        splits.any(|split| folder.starts_with(&split.labels) && !folder.starts_with(&split.images))
    })
}

/// What follows a photo's name in the names of its pictures, and of its folder of them.
fn suffixes() -> Vec<&'static str> {
    let formats = Format::value_variants().iter();
    let formats = formats.filter_map(|format| format.suffix());
    let artifacts = [Artifact::Gif, Artifact::Frames].map(Artifact::suffix);
    let all = formats.chain(artifacts).chain(COMPARED);
    all.collect()
}

/// The path of a picture, or of the folder that it is in, without each of these suffixes that it has.
fn bases(real: &Path, suffixes: &[&str]) -> Vec<PathBuf> {
    let paths = [Some(real), real.parent()].into_iter().flatten();
    let bases = paths.flat_map(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        let bases = suffixes.iter().filter_map(move |suffix| {
            let base = name?.strip_suffix(suffix)?;
            Some(path.with_file_name(base))
        });
        bases.collect::<Vec<_>>()
    });
    bases.collect()
}

/// The path without the number of a frame, such as `-0001`.
fn without_frame(base: &Path) -> Option<PathBuf> {
    let (stem, number) = base.file_name()?.to_str()?.rsplit_once('-')?;
    let is_number = number.len() >= 4 && number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| base.with_file_name(stem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures;
    use image::codecs::gif::GifEncoder;
    use image::{Delay, Frame, RgbImage, Rgba, RgbaImage};
    use std::fs;
    use std::time::Duration;

    #[test]
    fn label_files_of_a_data_set_are_called_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["images", "annotations"] {
            let part = path(name).join("training");
            fs::create_dir_all(&part).unwrap();
            let own = pictures::png(&RgbImage::new(3, 2)).unwrap();
            fs::write(part.join("a.png"), own).unwrap();
        }
        fs::write(path("classes.txt"), "sky\nroad\n").unwrap();
        let said = |names: &[&str]| note(&names.iter().map(|name| path(name)).collect());
        let label = "annotations/training/a.png";
        let picture = "images/training/a.overlay.png";
        assert!(said(&[label]).starts_with("1 label file left out: it belongs"));
        let alone = said(&[picture]);
        assert!(
            alone.starts_with("1 picture left out: FlowSeg made it"),
            "{alone}"
        );
        let both = said(&[label, "annotations/training/b.png", picture]);
        assert!(
            both.starts_with("2 label files left out: they belong"),
            "{both}"
        );
        assert!(both.ends_with(&format!("\n{alone}")), "{both}");
    }

    #[test]
    fn outputs_are_told_from_the_photos_that_they_lie_beside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let own = pictures::png(&RgbImage::new(3, 2)).unwrap();
        let mut animation = Vec::new();
        let mut gif = GifEncoder::new(&mut animation);
        let delay = Delay::from_saturating_duration(Duration::from_millis(250));
        for grey in [0, 200] {
            let frame = RgbaImage::from_pixel(3, 2, Rgba([grey, grey, grey, 255]));
            let frame = Frame::from_parts(frame, 0, 0, delay);
            gif.encode_frame(frame).unwrap();
        }
        drop(gif);
        let files: [(&str, &[u8]); 19] = [
            ("a.jpg", b"x"),
            ("a.png", &own),
            ("a.palette.png", &own),
            ("a.compare.png", &own),
            ("a.binary/00-sky.png", &own),
            // Without a photo beside it, and not of this program.
            ("b.png", &own),
            ("c.jpg", b"x"),
            ("c.png", b"x"),
            ("day/d.jpg", b"x"),
            ("day/d.png", &own),
            ("named.jpg", b"x"),
            ("named.png", &own),
            ("film.gif", &animation),
            ("film-0001.png", &own),
            ("a-0001.png", &own),
            // In the folder of another run.
            ("masks/a.png", &own),
            ("masks/day/d.overlay.png", &own),
            ("masks/a.binary/00-sky.png", &own),
            ("masks/b.png", &own),
        ];
        for (name, bytes) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let paths = files.map(|(name, _)| root.join(name));
        let found = |output: Option<&Path>| {
            let pictures: Vec<Picture> = paths
                .iter()
                .zip(files)
                .map(|(path, (name, _))| Picture {
                    path,
                    real: path.clone(),
                    below: Path::new(name).parent().unwrap(),
                    is_named: name == "named.png",
                })
                .collect();
            let mut found: Vec<PathBuf> = outputs(&pictures, output).into_iter().collect();
            found.sort();
            found
        };
        let mut expected = [
            "a.png",
            "a.palette.png",
            "a.compare.png",
            "a.binary/00-sky.png",
            "day/d.png",
            "film-0001.png",
            "masks/a.png",
            "masks/day/d.overlay.png",
            "masks/a.binary/00-sky.png",
        ]
        .map(|name| root.join(name));
        expected.sort();
        // Whichever folder this run writes to.
        for output in [Some(root.as_path()), Some(&root.join("elsewhere")), None] {
            assert_eq!(found(output), expected);
        }
    }
}
