//! The tables of a comparison, and which of those that are there it may replace.

use crate::data;
use crate::export::class_list;
use crate::files::{self, FileError};
use std::path::Path;

/// The names of all classes.
const LIST: &str = "classes.txt";
/// Files written once for all photos, in the order in which they are written.
pub(super) const TABLES: [&str; 4] = ["compare.json", "photos.csv", "classes.csv", LIST];
/// Columns of photos.csv.
pub(super) const PHOTO_COLUMNS: [&str; 6] = [
    "photo",
    "agreement",
    "miou_a",
    "miou_b",
    "difference",
    "picture",
];
/// Columns of classes.csv.
pub(super) const CLASS_COLUMNS: [&str; 7] = [
    "class",
    "share_a",
    "share_b",
    "disagreement",
    "iou_a",
    "iou_b",
    "difference",
];
/// Some keys of compare.json.
const KEYS: [&str; 6] = ["agreement", "miou_a", "miou_b", "a", "b", "photos"];

/// Refuses to replace tables in a folder that no comparison wrote. Tables of numbers are recognised by their
/// columns or keys. A list of classes says nothing about its origin: it may be replaced by one of the same
/// names, or if it lies beside the report of an earlier comparison and belongs neither to a data set nor to labels in
/// the form of YOLO, which have a data.yaml.
///
/// # Errors
/// The file, and what to do.
pub(super) fn keep_foreign(folder: &Path, classes: &[String]) -> Result<(), FileError> {
    let [report, photos, shares, list] = TABLES.map(|name| folder.join(name));
    files::keep_json(&report, &KEYS)?;
    files::keep_table(&photos, &PHOTO_COLUMNS)?;
    files::keep_table(&shares, &CLASS_COLUMNS)?;
    let is_former = is_former_list(folder);
    let names = class_list(classes);
    files::keep_text(&list, "a list of other classes", |text| {
        is_former || text.lines().eq(names.lines())
    })
}

/// Whether the list of classes in a folder, if there is one, is that of an earlier comparison.
fn is_former_list(folder: &Path) -> bool {
    let [report, .., list] = TABLES.map(|name| folder.join(name));
    let is_of_labels = folder.join("data.yaml").exists() || data::files_in(folder).contains(&list);
    // The report is written before the list: both are there, or no list of this program.
    report.is_file() && !is_of_labels
}

/// Removes the tables of an earlier comparison, which [`keep_foreign`] has let pass: beside the masks of another one
/// they would be wrong if that stops before its own are written.
///
/// # Errors
/// A table that cannot be removed.
pub(super) fn remove_former(folder: &Path) -> Result<(), FileError> {
    let is_former = is_former_list(folder);
    // The list before the report, by which it is recognised.
    for name in TABLES.iter().rev() {
        if *name != LIST || is_former {
            files::remove_file(&folder.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn tables_of_other_programs_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let classes = ["sky", "road"].map(str::to_owned);
        let kept = || {
            let error = keep_foreign(folder.path(), &classes).err()?;
            Some(error.to_string())
        };
        assert_eq!(kept(), None);
        let report =
            r#"{"agreement": 1, "miou_a": null, "miou_b": null, "a": {}, "b": {}, "photos": []}"#;
        for (name, own, foreign) in [
            ("compare.json", report, r#"{"a": 1, "photos": []}"#),
            (
                "photos.csv",
                "photo,agreement,miou_a,miou_b,difference,picture\r\na.jpg,1,,,,a.png\r\n",
                "photo,camera\na.jpg,x\n",
            ),
            (
                "classes.csv",
                "class,share_a,share_b,disagreement,iou_a,iou_b,difference\n",
                "class,share_a\n",
            ),
            ("classes.txt", "sky\r\nroad", "sky\ncar\n"),
        ] {
            for (text, is_kept) in [(own, false), ("", false), (foreign, true)] {
                fs::write(path(name), text).unwrap();
                let error = kept();
                assert_eq!(error.is_some(), is_kept, "{name}: {error:?}");
                assert!(error.is_none_or(|error| error.contains(name)));
            }
            fs::remove_file(path(name)).unwrap();
        }
    }

    #[test]
    fn former_tables_are_removed_and_a_list_of_labels_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write_all = || {
            for name in TABLES {
                fs::write(path(name), "").unwrap();
            }
        };
        let left = || TABLES.map(|name| path(name).exists());
        write_all();
        remove_former(folder.path()).unwrap();
        assert_eq!(left(), [false; 4]);
        // Without a report, nothing says that the list is a comparison's.
        fs::write(path(LIST), "sky\n").unwrap();
        remove_former(folder.path()).unwrap();
        assert!(path(LIST).exists());
        // That of labels in the form of YOLO.
        write_all();
        fs::write(path("data.yaml"), "").unwrap();
        remove_former(folder.path()).unwrap();
        assert_eq!(left(), [false, false, false, true]);
    }

    #[test]
    fn the_list_of_an_earlier_comparison_is_replaced_and_that_of_a_data_set_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let report =
            r#"{"agreement": 1, "miou_a": null, "miou_b": null, "a": {}, "b": {}, "photos": []}"#;
        fs::write(path("compare.json"), report).unwrap();
        fs::write(path("classes.txt"), "sky\ncar\n").unwrap();
        let classes = ["sky", "road"].map(str::to_owned);
        keep_foreign(folder.path(), &classes).unwrap();
        // That of labels in the form of YOLO.
        fs::write(path("data.yaml"), "").unwrap();
        assert!(keep_foreign(folder.path(), &classes).is_err());
        fs::remove_file(path("data.yaml")).unwrap();
        for part in ["images/training", "annotations/training"] {
            fs::create_dir_all(path(part)).unwrap();
            fs::write(path(part).join("a.png"), "").unwrap();
        }
        let error = keep_foreign(folder.path(), &classes)
            .unwrap_err()
            .to_string();
        assert!(error.contains("classes.txt"), "{error}");
        let same = ["sky", "car"].map(str::to_owned);
        keep_foreign(folder.path(), &same).unwrap();
    }
}
