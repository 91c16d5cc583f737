//! `flowseg eval --worst`: the pictures of the worst photos, and their list.

use crate::csv;
use crate::data::Dataset;
use crate::eval::{Worst, WorstBy};
use crate::files;
use crate::format::counted;
use crate::model::Model;
use crate::pictures;
use crate::terminal::out;
use anyhow::Context;
use std::path::Path;

/// The name of the list in its folder.
pub(super) const LIST: &str = "worst.csv";
/// Its columns.
const COLUMNS: [&str; 6] = ["rank", "name", "miou", "pixel_accuracy", "picture", "doubt"];
/// Maximum bytes of a photo's name in that of its picture; file systems allow 255 in all.
const LONGEST_PART: usize = 200;

/// Writes `RANK-NAME.png` for every photo, and their list as `worst.csv`. Pictures that the list from
/// before names are removed, unless they have been written again.
///
/// # Errors
/// A photo that can no longer be loaded, or a file that cannot be written or removed.
pub(super) fn write(
    worst: &Worst,
    by: WorstBy,
    folder: &Path,
    data: &Dataset,
    model: &Model,
) -> anyhow::Result<()> {
    files::create_folder(folder)?;
    let before = listed(folder);
    let centroids = model.centroids();
    let mut table = csv::line(COLUMNS);
    let mut written = Vec::new();
    for (i, ranked) in worst.ranked().iter().enumerate() {
        let name = files::name_part(&ranked.name, LONGEST_PART);
        let rank = i + 1;
        let file = format!("{rank:03}-{name}.png");
        let strip = ranked.strip(data, &centroids)?;
        files::write_atomic(&folder.join(&file), &pictures::png(&strip)?)?;
        table.push_str(&csv::line([
            &rank.to_string(),
            &ranked.name,
            &ranked.miou.to_string(),
            &ranked.pixel_accuracy.to_string(),
            &file,
            &ranked.doubt.to_string(),
        ]));
        written.push(file);
    }
    // Before the list is replaced, which alone says that they are of this program.
    for name in before.iter().filter(|name| !written.contains(name)) {
        let path = folder.join(name);
        if files::exists(&path) {
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    files::write_atomic(&folder.join(LIST), table.as_bytes())?;
    let measure = match by {
        WorstBy::Iou => "lowest mIoU",
        WorstBy::Doubt => "greatest doubt",
    };
    out!(
        "wrote the {} with the {measure} into {}",
        counted(worst.ranked().len(), "photo"),
        folder.display()
    );
    Ok(())
}

/// The names of the pictures that the list in a folder names, if it is one of this program.
pub(super) fn listed(folder: &Path) -> Vec<String> {
    pictures_in(&std::fs::read_to_string(folder.join(LIST)).unwrap_or_default())
}

/// The pictures that a list of this program names; none for any other table.
fn pictures_in(list: &str) -> Vec<String> {
    let rows = csv::rows(list);
    let Some((head, rows)) = rows.split_first() else {
        return Vec::new();
    };
    if *head != COLUMNS {
        return Vec::new();
    }
    let pictures = rows.iter().filter_map(|row| {
        let rank: usize = row.first()?.parse().ok()?;
        let name = row.get(4)?;
        let is_file = Path::new(name).file_name() == Some(name.as_ref());
        let own = name.starts_with(&format!("{rank:03}-")) && name.ends_with(".png");
        (is_file && own).then(|| name.clone())
    });
    pictures.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_of_an_own_list_are_named() {
        let row = |rank: &str, picture: &str| csv::line([rank, "a,b", "0.5", "0.5", picture, "0"]);
        let list = csv::line(COLUMNS)
            + &row("1", "001-a,b.png")
            + &row("2", "../002-c.png")
            + &row("3", "photo.png")
            + &row("12", "012-d.png");
        assert_eq!(pictures_in(&list), ["001-a,b.png", "012-d.png"]);
        let other = list.replace("pixel_accuracy", "accuracy");
        assert!(pictures_in(&other).is_empty());
        assert!(pictures_in("").is_empty());
    }
}
