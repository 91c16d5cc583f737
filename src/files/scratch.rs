//! Files for what a program puts aside.

use super::FileError;
use super::temporary::TemporaryFile;
use std::fs::File;
use std::path::Path;

/// A file that is never seen under a name of its own, and gone with the value.
pub struct ScratchFile(TemporaryFile);

impl ScratchFile {
    /// A new file in the folder of `path`.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn beside(path: &Path) -> Result<Self, FileError> {
        let file = TemporaryFile::beside(path).map_err(FileError::write(path))?;
        Ok(Self(file))
    }

    /// The file, for reading and writing.
    pub fn file(&mut self) -> &mut File {
        self.0.file()
    }
}
