//! Files that a command writes during its whole run, and no other run meanwhile.

use super::FileError;
use super::target::{Target, folder_of};
use super::temporary::Marker;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::Path;

/// A file that no other process can claim as long as this lives.
pub struct Claim {
    _marker: Option<Marker>,
}

impl Claim {
    /// Claims `path`, by a locked file beside it. What cannot be claimed, such as a pipe or a file on a disk without
    /// locks, is written by whoever wants to.
    ///
    /// # Errors
    /// Another process has claimed it.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        let Ok(Target::File(place)) = Target::of(path) else {
            return Ok(Self { _marker: None });
        };
        // The name of the file may be as long as the file system allows.
        let mut hasher = DefaultHasher::new();
        place.file_name().hash(&mut hasher);
        match Marker::take(folder_of(&place), hasher.finish()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(FileError::Claimed {
                path: path.to_owned(),
            }),
            // Why nothing can be created there, writing the file itself will tell.
            marker => Ok(Self {
                _marker: marker.ok(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_claimed_once_at_a_time_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.jsonl");
        for _ in 0..2 {
            let claim = Claim::of(&path).unwrap();
            let again = Claim::of(&folder.path().join(".").join("all.jsonl"));
            let error = again.err().unwrap().to_string();
            assert!(error.contains("another run"), "{error}");
            // The refused one has not taken the claim away.
            assert!(Claim::of(&path).is_err());
            assert!(Claim::of(&folder.path().join("other.jsonl")).is_ok());
            drop(claim);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        assert!(Claim::of(&folder.path().join("missing/all.jsonl")).is_ok());
    }
}
