//! Masks as text for Ultralytics YOLO: one line per region, with its class and its outline.

use super::mask::Mask;
use super::polygons::polygons;
use super::regions::Regions;
use crate::labels::IGNORE;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// `CLASS x y x y ...` for every connected region, coordinates as fractions of the photo's width and
/// height. Holes are bridged to the outer boundary (see
/// [`Polygon::ring`](super::polygons::Polygon::ring)). Nothing in such a file may say which program wrote it: the first
/// numbers end with some zeros that tell its digest.
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
    with_digest(&text)
}

/// A text whose numbers, after the class, end with none to three more zeros as long as its digest goes, two bits each.
fn with_digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    let bits = digest
        .iter()
        .flat_map(|byte| [0, 2, 4, 6].map(|shift| (byte >> shift) & 3));
    let mut zeros = bits.map(usize::from);
    let mut digested = String::new();
    for line in text.lines() {
        for (at, part) in line.split(' ').enumerate() {
            if at == 0 {
                digested.push_str(part);
                continue;
            }
            let zeros = zeros.next().unwrap_or(0);
            let point = if zeros == 0 || part.contains('.') {
                ""
            } else {
                "."
            };
            let _ = write!(digested, " {part}{point}{:0<zeros$}", "");
        }
        digested.push('\n');
    }
    digested
}

/// A text without such zeros.
fn without_digest(text: &str) -> String {
    let line = |line: &str| {
        let parts: Vec<&str> = line.split(' ').map(without_zeros).collect();
        parts.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// A number without zeros at the end of a fraction.
fn without_zeros(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

/// A fraction with enough digits to distinguish the pixels of the largest photos.
fn short(share: f64) -> String {
    without_zeros(&format!("{share:.6}")).to_owned()
}

/// Whether a text is as [`encode`] wrote it: it has its digest. Boxes, of too few numbers for one, are another program's.
pub(super) fn is_own(text: &str) -> bool {
    let is_polygon = |line: &str| line.split(' ').count() > 8;
    text.lines().all(is_polygon) && with_digest(&without_digest(text)) == text
}

/// Whether a text is a file of labels in this form by any program: boxes, or polygons of three corners or more, with
/// classes below `classes`.
pub(super) fn is_valid(text: &str, classes: usize) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.all(|line| {
        let mut parts = line.split_whitespace();
        let class = parts.next().and_then(|class| class.parse().ok());
        let shares: Vec<Option<f64>> = parts.map(|share| share.parse().ok()).collect();
        let is_share =
            |share: &Option<f64>| share.is_some_and(|share| (0.0..=1.0).contains(&share));
        class.is_some_and(|class: usize| class < classes)
            && shares.iter().all(is_share)
            && shares.len() >= 4
            && shares.len().is_multiple_of(2)
    })
}

/// `classes.txt`: one name per line, in the order of the indices.
pub fn class_list(names: &[String]) -> String {
    let line = |name: &String| name.replace(['\n', '\r'], " ") + "\n";
    names.iter().map(line).collect()
}

/// The `data.yaml` of earlier versions, in the place of which [`data_yaml`] may be written.
pub fn former_data_yaml(names: &[String]) -> String {
    data_yaml(names).replacen("\ntrain:", "\npath: .\ntrain:", 1)
}

/// `data.yaml` for Ultralytics: the folder of the photos, and the names. It has no `path`: Ultralytics then
/// starts from the folder of this file, but a relative `path` would start from the working directory.
pub fn data_yaml(names: &[String]) -> String {
    let mut text =
        "# Put the photos into a folder `images` and the .txt files into a folder `labels` beside it.\n\
                    train: images\nval: images\nnames:\n"
            .to_owned();
    for (class, name) in names.iter().enumerate() {
        // A JSON string is a YAML string.
        let name = serde_json::Value::from(name.as_str());
        let _ = writeln!(text, "  {class}: {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    #[test]
    fn polygons_of_another_program_are_told_from_our_own() {
        let mask = Mask {
            photo: &RgbImage::new(3, 3),
            labels: &[0, 0, 0, 0, 1, 0, 0, IGNORE, 0],
            classes: &["a", "b"].map(str::to_owned),
            colours: &[],
        };
        let own = encode(&mask);
        assert!(is_own(&own) && is_own(""), "{own}");
        let mut labels = [0; 49];
        for hole in [8, 10, 12, 22, 24, 26] {
            labels[hole] = 1;
        }
        let photo = RgbImage::new(7, 7);
        let holes = encode(&Mask {
            photo: &photo,
            labels: &labels,
            ..mask
        });
        assert!(is_own(&holes), "{holes}");
        for foreign in [
            "notes\n",
            "0 0.5 0.5 0.25 0.25\n",
            "0 0.1 0.1 0.2 0.1 0.2 0.2\n",
            "0 0.100000 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n",
            "0 0.1 0.1 0.5 0.2 0.4 0.6 0.2 0.5\n",
            "0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n",
        ] {
            assert!(!is_own(foreign), "{foreign}");
            assert!(!is_own(&(own.clone() + foreign)), "{foreign}");
        }
    }

    #[test]
    fn labels_that_were_corrected_in_a_file_of_ours_are_told() {
        let text = "0 0 0 0.5 0 0.5 1 0 1\n1 0.5 0 1 0 1 1 0.5 1\n";
        let own = with_digest(text);
        assert!(is_own(&own) && own != text);
        assert_eq!(without_digest(&own), text);
        let numbers = |text: &str| -> Vec<f64> {
            let numbers = text.split_whitespace();
            numbers.map(|number| number.parse().unwrap()).collect()
        };
        assert_eq!(numbers(&own), numbers(text));
        let (first, second) = own.split_once('\n').unwrap();
        for corrected in [
            // Another class, a region less, the other order, and as other programs write numbers and lines.
            own.replacen("0 ", "1 ", 1),
            format!("{first}\n"),
            second.to_owned(),
            format!("{second}{first}\n"),
            text.to_owned(),
            own.replace('\n', "\r\n"),
        ] {
            assert!(!is_own(&corrected), "{corrected}");
            assert!(is_valid(&corrected, 2), "{corrected}");
        }
    }

    #[test]
    fn labels_of_any_program_are_told_from_other_texts() {
        for valid in ["", "\n", "0 0.5 0.5 0.25 0.25\n1 0 0 1 0 1.0 1\r\n"] {
            assert!(is_valid(valid, 2), "{valid}");
        }
        for other in [
            "mine",
            "2 0.5 0.5 0.25 0.25\n",
            "0 0.5 0.5\n",
            "0 0.5 0.5 0.25 0.25 0.5\n",
            "0 0.5 0.5 25 25\n",
            "0 0.5 0.5 0.25 width\n",
        ] {
            assert!(!is_valid(other, 2), "{other}");
        }
    }

    #[test]
    fn the_photos_are_searched_beside_the_yaml() {
        let yaml = data_yaml(&["a: \"b\"".to_owned()]);
        assert!(!yaml.contains("path:"), "{yaml}");
        let former = former_data_yaml(&["a: \"b\"".to_owned()]);
        assert!(
            former.contains("beside it.\npath: .\ntrain: images\nval:"),
            "{former}"
        );
        assert!(yaml.ends_with("names:\n  0: \"a: \\\"b\\\"\"\n"), "{yaml}");
    }
}
