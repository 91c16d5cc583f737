//! `flowseg eval --worst`: the pictures of the worst photos, and their list.

use crate::csv;
use crate::data::Dataset;
use crate::encoding::Centroids;
use crate::eval::{Worst, WorstBy};
use crate::export;
use crate::files::{self, FileError};
use crate::format::counted;
use crate::pictures;
use crate::terminal::{self, err, out};
use std::path::Path;

/// The name of the list in its folder.
pub(super) const LIST: &str = "worst.csv";
/// Its columns.
const COLUMNS: [&str; 6] = ["rank", "name", "miou", "pixel_accuracy", "picture", "doubt"];
/// Maximum bytes of a photo's name in that of its picture; file systems allow 255 in all.
const LONGEST_PART: usize = 200;

/// Writes the list of the photos as `worst.csv`, and `RANK-NAME.png` for each. Pictures that the list from
/// before names are removed, unless they are written again. Other pictures of this program with the names of ranks are
/// reported: they may be masks of such photos.
///
/// # Errors
/// A photo that can no longer be loaded, or a file that cannot be written or removed.
pub(super) fn write(
    worst: &Worst,
    by: WorstBy,
    folder: &Path,
    data: &Dataset,
    centroids: &Centroids,
) -> anyhow::Result<()> {
    files::create_folder(folder)?;
    let ranked = worst.ranked().iter().enumerate();
    let names: Vec<String> = ranked
        .map(|(i, ranked)| {
            let name = files::name_part(&ranked.name, LONGEST_PART);
            format!("{:03}-{name}.png", i + 1)
        })
        .collect();
    // Before new pictures are written: where letter case does not count, one may have the place of an old one. And
    // before the list is replaced, which alone says that they are of this program.
    for name in listed(folder).iter().filter(|name| !names.contains(name)) {
        let path = folder.join(name);
        files::remove_file(&path)?;
    }
    let mut table = csv::line(COLUMNS);
    for (i, (ranked, file)) in worst.ranked().iter().zip(&names).enumerate() {
        table.push_str(&csv::line([
            &(i + 1).to_string(),
            &ranked.name,
            &ranked.miou.to_string(),
            &ranked.pixel_accuracy.to_string(),
            file,
            &ranked.doubt.to_string(),
        ]));
    }
    // Before the pictures: if an error or a signal ends their writing, the next list removes those of this one.
    files::write_atomic(&folder.join(LIST), table.as_bytes())?;
    for (ranked, file) in worst.ranked().iter().zip(&names) {
        let strip = ranked.strip(data, centroids)?;
        files::write_atomic(&folder.join(file), &pictures::png(&strip)?)?;
    }
    let others = unlisted(folder, &names);
    if let Some(first) = others.first() {
        err!(
            "{} also holds {} that {LIST} does not list, such as {}: remove them if they are from an earlier run",
            folder.display(),
            counted(others.len(), "picture"),
            terminal::name(first)
        );
    }
    let measure = match by {
        WorstBy::Iou => "lowest mIoU",
        WorstBy::Doubt => "greatest uncertainty",
    };
    out!(
        "wrote the {} with the {measure} into {}",
        counted(worst.ranked().len(), "photo"),
        folder.display()
    );
    Ok(())
}

/// Refuses a folder with a table in the place of the list that [`write`] did not write.
///
/// # Errors
/// The file, and what to do.
pub(super) fn keep_foreign(folder: &Path) -> Result<(), FileError> {
    files::keep_table(&folder.join(LIST), &COLUMNS)
}

/// The names of the files in a folder that [`write`] of so many photos may remove or replace: those that the list
/// names, and those that begin with a rank. A list that was edited, or is missing, names none.
pub(super) fn in_the_way(folder: &Path, photos: usize) -> Vec<String> {
    let before: Vec<String> = listed(folder).iter().map(|name| folded(name)).collect();
    let is_ranked = |name: &str| rank_of(name).is_some_and(|rank| (1..=photos).contains(&rank));
    let mut names = names_in(folder);
    names.retain(|name| is_ranked(name) || before.contains(&folded(name)));
    names
}

/// The pictures in a folder that are marked as this program's, have names with ranks, and are not among `listed`.
fn unlisted(folder: &Path, listed: &[String]) -> Vec<String> {
    let listed: Vec<String> = listed.iter().map(|name| folded(name)).collect();
    let mut names = names_in(folder);
    names.retain(|name| {
        rank_of(name).is_some()
            && !listed.contains(&folded(name))
            && export::is_marked(&folder.join(name))
    });
    names
}

/// The names of a folder's entries that are UTF-8, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The number before the first hyphen in the name of a PNG.
fn rank_of(name: &str) -> Option<usize> {
    let (rank, _) = name.split_once('-')?;
    let is_picture = folded(name).ends_with(".png");
    rank.parse().ok().filter(|_| is_picture)
}

/// A name as file systems compare it that ignore letter case.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// The names of the pictures that the list in a folder names, if it is one of this program.
fn listed(folder: &Path) -> Vec<String> {
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
    use crate::eval::ScoredPhoto;
    use crate::inference::Segmented;
    use crate::votes::Votes;

    #[test]
    fn files_with_the_names_of_pictures_are_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "001-a.png",
            "002-b.PNG",
            "003-c.png",
            "004-d.png",
            "2024-beach.png",
            "photo.png",
            "001-a.txt",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = |photos| in_the_way(folder.path(), photos);
        assert_eq!(found(2), ["001-a.png", "002-b.PNG"]);
        // What the list names is removed, even if a spreadsheet has saved it with other line endings.
        let list = csv::line(COLUMNS) + &csv::line(["4", "d", "0.5", "0.5", "004-d.png", "0"]);
        let saved = list.replace('\n', "\r\n");
        std::fs::write(folder.path().join(LIST), saved).unwrap();
        assert_eq!(found(1), ["001-a.png", "004-d.png"]);
        assert!(in_the_way(&folder.path().join("missing"), 2).is_empty());
    }

    #[test]
    fn what_an_error_leaves_is_listed_and_older_ranks_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let data = Dataset::open(Path::new("scenes:3@16x24"), "validation").unwrap();
        let centroids = Centroids::kronecker(3);
        let sample = data.load(0).unwrap();
        let mut worst = Worst::new(1, WorstBy::Iou);
        worst.add(&ScoredPhoto {
            index: 0,
            steps: 1,
            sample: &sample,
            known: &[true; 3],
            size: [16, 24],
            prediction: &[0; 16 * 24],
            segmented: &Segmented::whole(Votes::for_labels(&[0; 16 * 24], 3, [16, 24])),
        });
        let own = pictures::png(&sample.image).unwrap();
        for name in ["004-old.png", "mine.png"] {
            std::fs::write(folder.path().join(name), &own).unwrap();
        }
        std::fs::write(folder.path().join("005-other.png"), "x").unwrap();
        let picture = format!("001-{}.png", files::name_part(&sample.name, LONGEST_PART));
        let taken = folder.path().join(&picture);
        let write = || write(&worst, WorstBy::Iou, folder.path(), &data, &centroids);
        std::fs::create_dir(&taken).unwrap();
        assert!(write().is_err());
        assert_eq!(listed(folder.path()), [picture.as_str()]);
        std::fs::remove_dir(&taken).unwrap();
        write().unwrap();
        assert!(taken.is_file());
        assert_eq!(unlisted(folder.path(), &[picture]), ["004-old.png"]);
    }

    #[test]
    fn a_table_of_another_program_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join(LIST);
        keep_foreign(folder.path()).unwrap();
        for (text, is_kept) in [
            (String::new(), false),
            (csv::line(COLUMNS), false),
            (csv::line(COLUMNS).replace('\n', "\r\n"), false),
            ("rank,name\n1,mine\n".to_owned(), true),
        ] {
            std::fs::write(&list, text).unwrap();
            let kept = keep_foreign(folder.path()).is_err();
            assert_eq!(kept, is_kept);
        }
    }

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
