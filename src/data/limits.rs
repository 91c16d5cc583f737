//! How large an image file may be.

/// Most pixels that a photo or a label map may have: the largest sensors of phones (200
/// megapixels), and some more.
pub const MAX_PIXELS: u64 = 250_000_000;
/// Most pixels along one side.
pub const MAX_SIDE: u64 = 65_535;
