//! The photos that COCO files list.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::super::split::{Key, key};
use super::coco_file::Image;
use super::json;
use super::places::{self, Photos};
use crate::format::counted;

#[derive(Deserialize)]
struct Named {
    file_name: String,
}

/// Takes the photos of a file. What follows them, which may be long, is not parsed.
struct Listed<'l>(&'l mut Vec<Named>);

impl<'de> Visitor<'de> for Listed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a COCO file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "images" {
                *self.0 = map.next_value()?;
                break;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// One line per file of a split besides the one that is read, `json` with these images, if it lists photos that
/// neither that one nor the `others`, the files of other splits, list. Files of the same photos hold other kinds of
/// annotations, or both splits in one.
pub(super) fn unread<'f>(
    json: &Path,
    images: &[Image],
    further: &[PathBuf],
    others: impl Iterator<Item = &'f PathBuf>,
) -> Vec<String> {
    if further.is_empty() {
        return Vec::new();
    }
    let own: HashSet<Key> = images.iter().map(|image| place(&image.file_name)).collect();
    let mut lists: Vec<(&PathBuf, HashSet<Key>)> = further
        .iter()
        .map(|file| (file, &places_in(file) - &own))
        .collect();
    lists.retain(|(_, photos)| !photos.is_empty());
    // The other files may be large.
    if !lists.is_empty() {
        let others: HashSet<Key> = others.flat_map(|file| places_in(file)).collect();
        for (_, photos) in &mut lists {
            photos.retain(|photo| !others.contains(photo));
        }
        lists.retain(|(_, photos)| !photos.is_empty());
    }
    let line = |(file, photos): (&PathBuf, HashSet<Key>)| {
        let (file, json) = (file.display(), json.display());
        let photos = counted(photos.len(), "photo");
        format!("{file} is not read, but lists {photos} that {json} does not: join both files")
    };
    lists.into_iter().map(line).collect()
}

/// The photos in the folders of the `listed` ones that neither they nor the `others`, files of COCO, name; sorted.
pub(super) fn unlisted<'f>(
    photos: &Photos,
    listed: &HashSet<PathBuf>,
    others: impl Iterator<Item = &'f PathBuf>,
) -> Vec<PathBuf> {
    let folders: HashSet<Option<&Path>> = listed.iter().map(|photo| photo.parent()).collect();
    let is_beside = |photo: &&Path| folders.contains(&photo.parent()) && !listed.contains(*photo);
    let beside = photos.paths().filter(is_beside);
    let mut rest: Vec<PathBuf> = beside.map(Path::to_path_buf).collect();
    // The other files may be large.
    if !rest.is_empty() {
        let named = names(others);
        rest.retain(|photo| {
            let name = photo.file_name().unwrap_or_default();
            !named.contains(&key(Path::new(""), name.as_encoded_bytes()))
        });
        rest.sort();
    }
    rest
}

/// The names, without folders, of the photos that these files list. Files that cannot be read count as empty.
fn names<'f>(files: impl Iterator<Item = &'f PathBuf>) -> HashSet<Key> {
    let listed = files.flat_map(|file| names_in(file));
    let base = |name: String| {
        key(
            Path::new(""),
            places::base(&places::slashed(&name)).as_bytes(),
        )
    };
    listed.map(base).collect()
}

/// The names of the photos that a file lists; none if it cannot be read.
fn names_in(json: &Path) -> Vec<String> {
    let mut images = Vec::new();
    json::visit(json, Listed(&mut images));
    images.into_iter().map(|image| image.file_name).collect()
}

fn places_in(json: &Path) -> HashSet<Key> {
    names_in(json).iter().map(|name| place(name)).collect()
}

/// A photo's path as it is compared; of a path from another machine, the file name.
fn place(name: &str) -> Key {
    let slashed = places::slashed(name);
    match places::inside(Path::new(""), &slashed) {
        Some(place) => key(Path::new(""), place.as_os_str().as_encoded_bytes()),
        None => key(Path::new(""), places::base(&slashed).as_bytes()),
    }
}
