//! Scratch files for temporary data.

use super::FileError;
use super::temporary::TemporaryFile;
use std::fs::File;
use std::path::Path;

/// A file without a visible name of its own, removed when the value is dropped.
pub struct ScratchFile(TemporaryFile);

impl ScratchFile {
    /// A new file in the folder of `path`.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn beside(path: &Path) -> Result<Self, FileError> {
        let file = TemporaryFile::beside(path).map_err(FileError::write(path))?;
        Ok(Self(file))
    }

    pub fn file(&mut self) -> &mut File {
        self.0.file()
    }
}
