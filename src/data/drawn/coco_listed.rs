//! The photos that COCO files list.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::error::DataError;
use super::super::split::{Key, key};
use super::coco_file::Image;
use super::json;
use super::places::{self, Photos};
use crate::format::counted;

/// The photos of a file; the rest is skipped.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    images: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    file_name: String,
}

/// One line per file of a split besides the one that is read, `json` with these images, if it lists other photos.
/// Files of the same photos hold other kinds of annotations.
pub(super) fn unread(json: &Path, images: &[Image], further: &[PathBuf]) -> Vec<String> {
    if further.is_empty() {
        return Vec::new();
    }
    let own: HashSet<Key> = images.iter().map(|image| place(&image.file_name)).collect();
    let line = |file: &PathBuf| {
        let names = names_in(file).ok()?;
        let others: HashSet<Key> = names.iter().map(|name| place(name)).collect();
        let photos = match others.difference(&own).count() {
            0 => return None,
            count => counted(count, "photo"),
        };
        let (file, json) = (file.display(), json.display());
        Some(format!(
            "{file} is not read, but lists {photos} that {json} does not: join both files"
        ))
    };
    further.iter().filter_map(line).collect()
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
    let listed = files.filter_map(|file| names_in(file).ok()).flatten();
    let base = |name: String| {
        key(
            Path::new(""),
            places::base(&places::slashed(&name)).as_bytes(),
        )
    };
    listed.map(base).collect()
}

fn names_in(json: &Path) -> Result<Vec<String>, DataError> {
    let listed = json::read::<Listed>(json, "a COCO file")?;
    let names = listed.images.into_iter().map(|image| image.file_name);
    Ok(names.collect())
}

/// A photo's path as it is compared.
fn place(name: &str) -> Key {
    key(Path::new(""), places::slashed(name).as_bytes())
}
