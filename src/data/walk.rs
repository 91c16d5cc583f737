//! Walks through folders as data sets are read: links are followed, and hidden files and folders are left out.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// The files of a folder and its subfolders, those of a folder by name. What cannot be read is left out; nothing is
/// found in a folder that is missing.
pub(super) fn visible_files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    let entries = walk.into_iter().filter_entry(|entry| !is_hidden(entry));
    let files = entries
        .flatten()
        .filter(|entry| entry.file_type().is_file());
    files.map(DirEntry::into_path)
}

/// Hidden files are incomplete or belong to the file manager.
pub(super) fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn hidden_files_and_folders_below_a_hidden_one_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(".hidden");
        for name in ["b", "a/c", "a/.d", ".e/f"] {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found: Vec<PathBuf> = visible_files(&folder).collect();
        assert_eq!(found, ["a/c", "b"].map(|name| folder.join(name)));
        assert_eq!(visible_files(&folder.join("absent")).count(), 0);
    }
}
