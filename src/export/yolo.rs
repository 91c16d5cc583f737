//! Masks as text for Ultralytics YOLO: one line per region, with its class and its outline.

use super::mask::Mask;
use super::polygons::polygons;
use super::regions::Regions;
use crate::labels::IGNORE;
use std::fmt::Write;

/// `CLASS x y x y ...` for every connected region, coordinates as fractions of the photo's width and
/// height. Holes are bridged to the outer boundary (see
/// [`Polygon::ring`](super::polygons::Polygon::ring)).
pub(super) fn encode(mask: &Mask) -> String {
    let [width, height] = mask.size();
    let regions = Regions::of(mask.labels, width as usize);
    let mut text = String::new();
    for (region, polygon) in regions.list.iter().zip(polygons(&regions)) {
        if region.label == IGNORE {
            continue;
        }
        // Writing into a string does not fail.
        let _ = write!(text, "{}", region.label);
        for [x, y] in polygon.ring() {
            for share in [x, width, y, height].chunks(2) {
                let share = f64::from(share[0]) / f64::from(share[1]);
                let _ = write!(text, " {}", short(share));
            }
        }
        text.push('\n');
    }
    text
}

/// A fraction with enough digits to distinguish the pixels of the largest photos.
fn short(share: f64) -> String {
    let text = format!("{share:.6}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `classes.txt`: one name per line, in the order of the indices.
pub fn class_list(names: &[String]) -> String {
    let line = |name: &String| name.replace(['\n', '\r'], " ") + "\n";
    names.iter().map(line).collect()
}

/// `data.yaml` for Ultralytics: the folder of the photos, and the names.
pub fn data_yaml(names: &[String]) -> String {
    let mut text =
        "# Put the photos into a folder `images` and the .txt files into a folder `labels` beside it.\n\
                    path: .\ntrain: images\nval: images\nnames:\n"
            .to_owned();
    for (class, name) in names.iter().enumerate() {
        // A JSON string is a YAML string.
        let name = serde_json::Value::from(name.as_str());
        let _ = writeln!(text, "  {class}: {name}");
    }
    text
}
