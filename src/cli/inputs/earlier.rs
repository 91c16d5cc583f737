//! Tells the outputs of an earlier run from the photos that they lie beside.

use crate::data;
use crate::export::{self, Artifact, Format};
use clap::ValueEnum;
use std::collections::{HashMap, HashSet};
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
/// another one in the folder `output`, which is a real path.
pub(super) fn outputs(pictures: &[Picture], output: &Path) -> HashSet<PathBuf> {
    let marked = pictures.iter().filter(|picture| {
        let ending = picture.path.extension().and_then(|ending| ending.to_str());
        !picture.is_named
            && matches!(ending, Some("png" | "gif" | "tif"))
            && picture.real.starts_with(output)
            && export::is_marked(picture.path)
    });
    let marked: Vec<&Picture> = marked.collect();
    if marked.is_empty() {
        return HashSet::new();
    }
    // By the paths of their outputs without what follows their names.
    let mut places: HashMap<PathBuf, Vec<&Path>> = HashMap::new();
    for picture in pictures {
        if let Some(stem) = picture.path.file_stem() {
            let place = output.join(picture.below).join(stem);
            places.entry(place).or_default().push(picture.path);
        }
    }
    let suffixes = suffixes();
    let mut animated: HashMap<&Path, bool> = HashMap::new();
    let mut is_output = |picture: &Picture| {
        let mut owners = bases(&picture.real, &suffixes).into_iter();
        owners.any(|base| {
            let others = |place: &Path| {
                let found = places.get(place).into_iter().flatten().copied();
                found.filter(|other| *other != picture.path)
            };
            others(&base).next().is_some()
                || without_frame(&base).is_some_and(|place| {
                    others(&place).any(|other| {
                        let count = || data::frame_count(other).is_some();
                        *animated.entry(other).or_insert_with(count)
                    })
                })
        })
    };
    let marked = marked.into_iter().filter(|picture| is_output(picture));
    marked.map(|picture| picture.path.to_owned()).collect()
}

/// What follows a photo's name in the names of its pictures, and of its folder of them.
fn suffixes() -> Vec<&'static str> {
    let formats = Format::value_variants().iter();
    let formats = formats.filter_map(|format| format.suffix());
    let all = formats.chain([Artifact::Gif.suffix()]).chain(COMPARED);
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
    use image::{Rgb, RgbImage};
    use std::fs;
    use std::time::Duration;

    #[test]
    fn outputs_are_told_from_the_photos_that_they_lie_beside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let own = pictures::png(&RgbImage::new(3, 2)).unwrap();
        let mut animation = Vec::new();
        let mut gif = pictures::Gif::new(&mut animation);
        for grey in [0, 200] {
            let frame = RgbImage::from_pixel(3, 2, Rgb([grey; 3]));
            gif.frame(frame, Duration::from_millis(250)).unwrap();
        }
        drop(gif);
        let files: [(&str, &[u8]); 15] = [
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
        ];
        for (name, bytes) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let paths = files.map(|(name, _)| root.join(name));
        let found = |output: &Path| {
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
        ]
        .map(|name| root.join(name));
        expected.sort();
        assert_eq!(found(&root), expected);
        assert!(found(&root.join("elsewhere")).is_empty());
    }
}
