//! Folders of photos or labels that no split reads, although they lie where splits do: one of a split that
//! lacks the other, and folders with other names than splits.
//!
//! Splits whose labels are outlines have no two folders in places of their own; for them, a folder with the
//! name of a split that the data set lacks counts, unless another split has photos there, and so does one with a word of
//! such a name and others. For splits that are lists of
//! names, a list does that has the name of a split without one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::drawn::{absent, is_described, split_folders, split_hinted, split_of_whole};
use super::known::voc;
use super::layout::Layout;
use super::photo::has_photo_ending;
use super::split::Split;
use super::split_name::canonical;
use super::walk::{is_hidden, visible_files};
use crate::format::counted;

/// What is not read, one line per folder.
#[derive(Default)]
pub(super) struct Unread {
    pub problems: Vec<String>,
    /// Those that may be intended.
    pub notes: Vec<String>,
}

/// The folders with files that no split of the data set in `dir` reads; its `splits` are those that are read.
pub(super) fn unread(layout: Layout, dir: &Path, splits: &[Split]) -> Unread {
    let places = layout.split_places(dir);
    let mut unread = Unread::default();
    for split in &places {
        unread.add_half(split);
    }
    for folder in strangers(dir, &places) {
        unread.add_stranger(&folder, &places);
    }
    if layout.has_outlines() {
        unread.add_lone(layout, dir, splits);
    }
    if layout == Layout::Labelme || layout == Layout::Yolo && !is_described(dir) {
        unread.add_hinted(layout, dir);
    }
    if layout == Layout::Yolo {
        for (split, line) in absent(dir) {
            // Descriptions often name a test split that is not downloaded.
            unread.add(split, "photo", line);
        }
    }
    if layout == Layout::PascalVoc
        && let Some(folder) = voc::lists_in(dir)
    {
        unread.add_lists(&folder, splits);
    }
    unread
}

impl Unread {
    /// Adds a split of which only one folder exists.
    fn add_half(&mut self, split: &Split) {
        let [images, labels] = [&split.images, &split.labels];
        let (there, missing, count, what) = match (images.is_dir(), labels.is_dir()) {
            (true, false) => (images, labels, photos_in(images), "photo"),
            (false, true) => {
                let is_label = |path: &Path| split.is_label_file(path);
                (labels, images, files_in(labels, is_label), "label file")
            }
            _ => return,
        };
        if count == 0 {
            return;
        }
        let (there, missing, files) = (there.display(), missing.display(), counted(count, what));
        let line = format!("{there} holds {files}, but {missing} is missing");
        self.add(&split.name, what, line);
    }

    /// Adds the folders with the names of splits that a data set with outlines lacks.
    fn add_lone(&mut self, layout: Layout, dir: &Path, splits: &[Split]) {
        let mut parents = vec![dir.to_path_buf(), dir.join("images")];
        if layout == Layout::Yolo {
            parents.push(dir.join("labels"));
        }
        let is_lacking = |name: &str| splits.iter().all(|split| split.name != name);
        let folders = parents.iter().flat_map(|parent| split_folders(parent));
        let lone: Vec<(&str, PathBuf)> = folders
            .filter_map(|folder| Some((split_named(&folder)?, folder)))
            .filter(|(name, _)| is_lacking(name))
            .collect();
        if lone.is_empty() {
            return;
        }
        let files = splits.iter().filter_map(|split| split.scan().ok());
        let known: Vec<PathBuf> = files
            .flat_map(|files| {
                let images = files.pairs.into_iter().map(|pair| pair.image);
                images.chain(files.without_labels).collect::<Vec<_>>()
            })
            .collect();
        for (name, folder) in lone {
            if known.iter().any(|photo| photo.starts_with(&folder)) {
                continue;
            }
            let is_label = |path: &Path| layout == Layout::Yolo && ends_with(path, ".txt");
            let (count, what, lacks) = match photos_in(&folder) {
                0 => (files_in(&folder, is_label), "label file", "photos"),
                count => (count, "photo", "labels"),
            };
            if count > 0 {
                let (folder, files) = (folder.display(), counted(count, what));
                let line = format!(
                    "{folder} holds {files}, but no {name} split is read: its {lacks} are missing or not named"
                );
                self.add(name, what, line);
            }
        }
    }

    /// Adds the folders that are no split by their whole names, but hold the word of one.
    fn add_hinted(&mut self, layout: Layout, dir: &Path) {
        let is_split = |path: &Path| split_named(path).is_some();
        let walk = WalkDir::new(dir).min_depth(1).follow_links(true);
        let folders = walk.sort_by_file_name().into_iter().filter_entry(|entry| {
            // What lies in a split belongs to it, whatever it is called.
            entry.file_type().is_dir() && !is_hidden(entry) && !is_split(entry.path())
        });
        for folder in folders.flatten() {
            let Some(split) = folder.file_name().to_str().and_then(split_hinted) else {
                continue;
            };
            // The files of Labelme decide, wherever their photos are.
            let (count, what) = match layout {
                Layout::Labelme => {
                    let is_json = |path: &Path| ends_with(path, ".json");
                    (files_in(folder.path(), is_json), "JSON file")
                }
                _ => (photos_in(folder.path()), "photo"),
            };
            if count > 0 {
                let (folder, files) = (folder.path().display(), counted(count, what));
                self.notes.push(format!(
                    "{folder} holds {files}, but is not taken for the {split} split: name it {split} if it is"
                ));
            }
        }
    }

    /// Adds the lists in a folder that have other names of splits without a list.
    fn add_lists(&mut self, folder: &Path, splits: &[Split]) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut lists: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| ends_with(path, ".txt") && path.is_file())
            .collect();
        lists.sort();
        for list in lists {
            let Some(split) = split_named(&list.with_extension("")) else {
                continue;
            };
            if splits.iter().all(|known| known.name != split)
                && let Some(name) = voc::list_of(split)
            {
                let list = list.display();
                self.problems
                    .push(format!("{list} is not read: rename it to {name}"));
            }
        }
    }

    /// Adds a line about a split of which only one kind of files is there.
    fn add(&mut self, split: &str, what: &str, line: String) {
        // Data sets with a server for scores publish no labels of their test split.
        if split == "test" && what == "photo" {
            self.notes.push(line);
        } else {
            self.problems.push(line);
        }
    }

    /// Adds a folder with the name of no split.
    fn add_stranger(&mut self, folder: &Path, places: &[Split]) {
        if photos_in(folder) == 0 {
            return;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let lower = name.to_lowercase();
        let shown = folder.display();
        let meant = places.iter().find(|split| split.name == canonical(&lower));
        let Some(meant) = meant else {
            let names: Vec<_> = places.iter().filter_map(|split| name_of(split)).collect();
            let names = names.join(", ");
            self.notes
                .push(format!("{shown} is not read: splits are named {names}"));
            return;
        };
        let meant = folder.with_file_name(meant.images.file_name().unwrap_or_default());
        self.problems.push(if meant.is_dir() {
            format!(
                "{shown} is not read, only {} is: join them",
                meant.display()
            )
        } else {
            let meant = meant.file_name().unwrap_or_default().to_string_lossy();
            format!("{shown} is not a split that is read: rename it to {meant}")
        });
    }
}

/// The split that the whole name of a folder or of a list stands for; see [`split_of_whole`].
fn split_named(path: &Path) -> Option<&'static str> {
    split_of_whole(path.file_name()?.to_str()?)
}

fn name_of(split: &Split) -> Option<&str> {
    split.images.file_name().and_then(OsStr::to_str)
}

/// The folders beside those of splits that belong to none. Splits directly in `dir` may have anything
/// beside them.
fn strangers(dir: &Path, places: &[Split]) -> Vec<PathBuf> {
    let real = |path: &Path| path.canonicalize().ok();
    // In a folder of a split, others are no splits.
    let is_within = |split: &&Split| {
        let parent = split.images.parent().and_then(Path::file_name);
        let parent = parent.and_then(OsStr::to_str);
        parent.is_some_and(|name| canonical(name) == split.name)
    };
    let folders = || {
        let both = |split: &'_ Split| [split.images.clone(), split.labels.clone()];
        let places = places.iter().filter(|split| !is_within(split));
        places.flat_map(both)
    };
    // File systems may ignore letter case.
    let known: BTreeSet<PathBuf> = folders().filter_map(|folder| real(&folder)).collect();
    let parents: BTreeSet<PathBuf> = folders()
        .filter_map(|folder| folder.parent().map(Path::to_path_buf))
        .filter(|parent| parent != dir)
        .collect();
    let entries = parents.iter().flat_map(|parent| {
        let walk = WalkDir::new(parent).min_depth(1).max_depth(1);
        walk.into_iter().flatten()
    });
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| !is_hidden(entry))
        .map(DirEntry::into_path)
        .filter(|path| path.is_dir() && real(path).is_none_or(|path| !known.contains(&path)))
        .collect();
    found.sort();
    found
}

/// Whether a file's name ends with a suffix in any letter case.
fn ends_with(path: &Path, suffix: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.to_lowercase().ends_with(&suffix.to_lowercase())
}

fn photos_in(folder: &Path) -> usize {
    files_in(folder, has_photo_ending)
}

/// The number of files in a folder and its subfolders for which `counts` holds, without hidden ones.
fn files_in(folder: &Path, counts: impl Fn(&Path) -> bool) -> usize {
    visible_files(folder).filter(|path| counts(path)).count()
}
