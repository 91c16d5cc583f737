//! Names of files and folders in a list, in which no two are to look the same.

use crate::compare;
use std::path::{Path, PathBuf};

/// The names with which model files are listed: what each is called, told apart if several are called the same.
pub(super) fn model_names(files: &[PathBuf]) -> Vec<String> {
    let named = files
        .iter()
        .map(|file| (compare::model_name(&file.to_string_lossy()), file.as_path()));
    told_apart(&named.collect::<Vec<_>>())
}

/// Names of files or folders with their paths. To one that several have, the folder is added, in parentheses, that is
/// the nearest one in which the path differs from those of the others.
pub(super) fn told_apart(named: &[(String, &Path)]) -> Vec<String> {
    let names = named.iter().map(|(name, path)| {
        let others = named
            .iter()
            .filter(|(other, at)| other == name && at != path);
        let shared = others.map(|(_, other)| shared_end(path, other)).max();
        match shared.and_then(|shared| path.iter().rev().nth(shared)) {
            Some(folder) => format!("{name} ({})", folder.to_string_lossy()),
            None => name.clone(),
        }
    });
    names.collect()
}

/// The number of parts that two paths have in common at their ends.
fn shared_end(path: &Path, other: &Path) -> usize {
    let pairs = path.iter().rev().zip(other.iter().rev());
    pairs.take_while(|(part, other)| part == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_one_name_are_told_apart_by_the_folder_in_which_they_differ() {
        let files = [
            "/data/one/run-0001/model.safetensors",
            "/data/two/run-0001/model.safetensors",
            "/data/run-0002/model.safetensors",
            "/data/run-0002/best.safetensors",
            "/data/run-0003/best.safetensors",
        ];
        let names = [
            "run-0001 (one)",
            "run-0001 (two)",
            "run-0002",
            "best (run-0002)",
            "best (run-0003)",
        ];
        assert_eq!(model_names(&files.map(PathBuf::from)), names);
    }
}
