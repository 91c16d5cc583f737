//! What the decoders of the formats share.

use image::RgbImage;
use image::metadata::Orientation;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Warnings about photos that are printed before the log falls silent.
const WARNINGS: usize = 20;

/// What a decoder hands over.
pub(super) struct Decoded {
    pub image: RgbImage,
    pub orientation: Orientation,
    /// The ICC profile of the colours.
    pub profile: Option<Vec<u8>>,
}

/// Names a photo that was read and may not be what its owner thinks. A data set of such photos
/// would fill the log, so it falls silent after a while.
pub(super) fn warn(path: &Path, text: &str) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    match COUNT.fetch_add(1, Ordering::Relaxed) {
        count if count < WARNINGS => tracing::warn!("{}: {text}", path.display()),
        WARNINGS => tracing::warn!("further warnings about photos are left out"),
        _ => {}
    }
}
