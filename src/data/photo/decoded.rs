//! Shared by the decoders.

use image::RgbImage;
use image::metadata::Orientation;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum number of warnings about photos in the log.
const WARNINGS: usize = 20;

/// A decoded image.
pub(super) struct Decoded {
    pub image: RgbImage,
    pub orientation: Orientation,
    /// ICC profile.
    pub profile: Option<Vec<u8>>,
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
