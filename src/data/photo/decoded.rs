//! Shared by the decoders.

use image::RgbImage;
use image::metadata::Orientation;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::error::DataError;
use crate::panics::caught_quietly;

/// Maximum number of warnings about photos in the log.
const WARNINGS: usize = 20;

/// A decoded image.
pub(super) struct Decoded {
    pub image: RgbImage,
    pub orientation: Orientation,
    /// ICC profile.
    pub profile: Option<Vec<u8>>,
}

/// What the header of a photo tells.
pub(super) struct Told {
    /// Width and height as stored.
    pub size: [u32; 2],
    /// How many pixels it counts as in a budget while it is decoded: at least its own.
    pub weight: u64,
}

impl Told {
    /// A picture whose samples need no more memory than is expected of its pixels.
    pub(super) fn usual(size: [u32; 2]) -> Self {
        let weight = area(size);
        Self { size, weight }
    }

    pub(super) fn pixels(&self) -> u64 {
        area(self.size)
    }
}

pub(super) fn area([width, height]: [u32; 2]) -> u64 {
    u64::from(width) * u64::from(height)
}

/// Warns about a photo that may not be what its owner expects. Limited to [`WARNINGS`], since a data
/// set of such photos would fill the log.
pub(super) fn warn(path: &Path, text: &str) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    match COUNT.fetch_add(1, Ordering::Relaxed) {
        count if count < WARNINGS => tracing::warn!("{}: {text}", path.display()),
        WARNINGS => tracing::warn!("more warnings about photos are not shown"),
        _ => {}
    }
}

/// The result of decoding a file, or an error that names it if the decoder panics: a fault of a decoder must not
/// end a command that reads many files.
pub(super) fn guarded<T>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    caught_quietly(decode, |message| {
        DataError::decode(path, &format!("its decoder failed: {message}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_names_the_file() {
        let decoded: Result<(), DataError> = guarded(Path::new("a/p.tif"), || panic!("no\nroom"));
        let error = decoded.unwrap_err().to_string();
        assert!(
            error.contains("p.tif") && error.contains("no room"),
            "{error}"
        );
        assert!(guarded(Path::new("p.tif"), || Ok(1)).is_ok());
    }
}
