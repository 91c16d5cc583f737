//! Limits on the size of images.

/// Maximum pixels of a photo or a label map: somewhat above the largest phone sensors (200 megapixels). A
/// larger file is rejected by its header, before anything of its size is allocated. Photos are decoded
/// and masks written as a whole; in between, memory is bounded by the network's windows (see
/// [`inference::Tiling`](crate::inference::Tiling)), and votes of more than 256 MiB are decided strip by
/// strip. A page has at most 4 GiB of memory, and the window keeps about 10 bytes per pixel of a photo.
pub const MAX_PIXELS: u64 = if cfg!(target_arch = "wasm32") {
    80_000_000
} else {
    250_000_000
};
/// Maximum pixels along one side.
pub const MAX_SIDE: u64 = 65_535;
