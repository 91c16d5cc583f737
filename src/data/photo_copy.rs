//! The copy of a photo beside its corrected labels.

use super::error::DataError;
use super::photo::{has_photo_ending, read_photo, stored_size};
use crate::files::{self, FileError};
use image::{ImageFormat, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The file that a photo is copied into.
pub(super) struct PhotoCopy<'a> {
    pub bytes: Vec<u8>,
    /// Its extension.
    pub ending: String,
    photo: &'a RgbImage,
}

impl<'a> PhotoCopy<'a> {
    /// The bytes of the photo's own file if it still holds the photo, else a PNG.
    ///
    /// # Errors
    /// The file cannot be read again, or the photo cannot be encoded.
    pub(super) fn new(
        name: &str,
        file: Option<&Path>,
        photo: &'a RgbImage,
    ) -> Result<Self, DataError> {
        let file = file.filter(|path| has_photo_ending(path));
        if let Some(path) = file
            && read_photo(path).is_ok_and(|read| read == *photo)
        {
            let ending = path.extension().unwrap_or_default();
            return Ok(Self {
                bytes: files::read(path)?,
                ending: ending.to_string_lossy().into_owned(),
                photo,
            });
        }
        let mut png = Cursor::new(Vec::new());
        let encoded = photo.write_to(&mut png, ImageFormat::Png);
        encoded.map_err(|error| FileError::Write {
            path: PathBuf::from(name),
            source: std::io::Error::other(error),
        })?;
        Ok(Self {
            bytes: png.into_inner(),
            ending: "png".to_owned(),
            photo,
        })
    }

    /// Whether a file is a copy of the photo already. Its format may be another one: the photo's own file may
    /// have gone, or may have come back, since it was copied.
    pub(super) fn is_in(&self, image: &Path) -> bool {
        std::fs::read(image).is_ok_and(|held| held == self.bytes)
            || self.may_be_in(image) && read_photo(image).is_ok_and(|held| held == *self.photo)
    }

    /// Whether a file holds as many pixels as the photo by its header, which is read much faster than they are.
    /// A photo that was turned has the two sides the other way round there.
    fn may_be_in(&self, image: &Path) -> bool {
        let (width, height) = self.photo.dimensions();
        let same = |size| size == [width, height] || size == [height, width];
        stored_size(image).is_none_or(same)
    }
}
