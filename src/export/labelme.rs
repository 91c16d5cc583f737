//! Masks as Labelme's JSON, to be corrected there by hand.

use super::mask::Mask;
use super::polygons::polygons;
use super::regions::Regions;
use crate::files::folder_of;
use crate::labels::IGNORE;
use crate::own_digest;
use serde::Deserialize;
use serde_json::json;
use std::path::{Component, Path, PathBuf};

/// The key of the digest, which comes first: JSON objects are sorted.
const DIGEST: &str = "digest";
/// The version of Labelme's format.
const VERSION: &str = "5.5.0";

/// One polygon per connected region. Holes are bridged to the outer boundary (see
/// [`Polygon::ring`](super::polygons::Polygon::ring)). The photo at `photo` is named relative to the
/// folder of `path`, which must exist. A key of its own, which other programs keep or drop,
/// holds the digest of the bytes.
pub(super) fn encode(mask: &Mask, photo: &Path, path: &Path) -> Vec<u8> {
    let [width, height] = mask.size();
    let regions = Regions::of(mask.labels, width as usize);
    let shapes: Vec<serde_json::Value> = regions
        .list
        .iter()
        .zip(polygons(&regions))
        .filter(|(region, _)| region.label != IGNORE)
        .map(|(region, polygon)| {
            json!({
                "label": mask.name(region.label),
                "points": polygon.ring(),
                "group_id": null,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": null,
            })
        })
        .collect();
    let file = json!({
        "version": VERSION,
        DIGEST: own_digest::blank(),
        "flags": {},
        "shapes": shapes,
        "imagePath": from_folder(folder_of(path), photo),
        "imageData": null,
        "imageHeight": height,
        "imageWidth": width,
    });
    let mut text = file.to_string().into_bytes();
    own_digest::fill(&mut text);
    text
}

/// Whether a file is as [`encode`] wrote it.
pub(super) fn is_own(text: &[u8]) -> bool {
    text.starts_with(format!("{{\"{DIGEST}\":").as_bytes()) && own_digest::is_unchanged(text)
}

/// Whether a file has shapes with labels, as Labelme saves them.
pub(super) fn is_valid(text: &[u8]) -> bool {
    let file: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let has_label = |shape: &serde_json::Value| shape["label"].is_string();
    let shapes = file["shapes"].as_array();
    shapes.is_some_and(|shapes| shapes.iter().all(has_label))
}

/// What a file says of the photo's size; its many points are not kept.
#[derive(Deserialize)]
struct Size {
    #[serde(rename = "imageWidth")]
    width: u32,
    #[serde(rename = "imageHeight")]
    height: u32,
}

/// Width and height of the photo that a file is about.
pub(super) fn size(text: &[u8]) -> Option<[u32; 2]> {
    let size: Size = serde_json::from_slice(text).ok()?;
    Some([size.width, size.height])
}

/// The path of a file relative to a folder, with forward slashes.
fn from_folder(folder: &Path, file: &Path) -> String {
    let real = |path: &Path| dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (folder, file) = (real(folder), real(file));
    let [from, to]: [Vec<Component>; 2] = [&folder, &file].map(|path| path.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return file.to_string_lossy().into_owned();
    }
    let up = from[common..].iter().map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to[common..].iter().copied()).collect();
    let parts = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_labelme_saved_is_told_from_our_own() {
        let photo = image::RgbImage::new(2, 2);
        let mask = Mask {
            photo: &photo,
            labels: &[0, 0, 1, 1],
            classes: &["a\nb".to_owned(), "c".to_owned()],
            colours: &[],
        };
        let own = encode(&mask, Path::new("photo.jpg"), Path::new("photo.json"));
        assert!(is_own(&own));
        // Another label, by a program that writes on one line, too.
        let changed = String::from_utf8(own.clone()).unwrap();
        let changed = changed.replace("\"label\":\"c\"", "\"label\":\"d\"");
        assert!(changed.as_bytes() != own && is_valid(changed.as_bytes()));
        assert!(!is_own(changed.as_bytes()));
        assert_eq!((size(&own), size(b"{}")), (Some([2, 2]), None));
        let read: serde_json::Value = serde_json::from_slice(&own).unwrap();
        let saved = serde_json::to_vec_pretty(&read).unwrap();
        assert!(!is_own(&saved) && is_valid(&saved));
        for other in ["{\"camera\":1}", "{\"shapes\":[{}]}", "[]", "{\"shapes\":["] {
            assert!(!is_valid(other.as_bytes()), "{other}");
        }
        assert!(!is_own(b"{\"camera\":1}"));
    }

    #[test]
    fn photos_are_named_from_the_folder_of_the_file() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for folder in ["photos/a", "out/a"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        std::fs::write(path("photos/a/b.jpg"), "").unwrap();
        let found = from_folder(&path("out/a"), &path("photos/a/b.jpg"));
        assert_eq!(found, "../../photos/a/b.jpg");
        assert_eq!(
            from_folder(&path("photos/a"), &path("photos/a/b.jpg")),
            "b.jpg"
        );
    }
}
