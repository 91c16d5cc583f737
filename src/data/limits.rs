//! How large an image file may be.

/// Most pixels that a photo or a label map may have: the largest sensors of phones (200
/// megapixels), and some more. A larger file is refused by its header, before anything of its size is
/// allocated. Up to here a photo is decoded and its mask written as a whole, and what lies between is
/// bounded otherwise: the network sees windows (see [`inference::Tiling`](crate::inference::Tiling)), and
/// votes that would take more than 256 MiB are decided strip by strip.
pub const MAX_PIXELS: u64 = 250_000_000;
/// Most pixels along one side.
pub const MAX_SIDE: u64 = 65_535;
