//! Joins the tiles of a TIFF.
//!
//! The `tiff` crate 0.11.3 panics at planar pages whose last row of tiles extends beyond the picture, and takes LZW
//! tiles that extend beyond its right edge for damaged. Tiles are therefore read whole, from a page whose stated
//! size is that of all tiles together.

use std::io::{Read, Seek};
use std::path::Path;

use ::tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use ::tiff::{TiffError, TiffResult, TiffUnsupportedError};

use super::super::error::DataError;
use super::decoded::area;

/// Pixels that a tile may have whatever the size of the picture.
const SMALL: u64 = 16 << 20;

/// The tiles of a page.
pub(super) struct Tiles {
    /// Width and height of a tile.
    tile: [u32; 2],
    /// Width and height of the picture.
    picture: [u32; 2],
}

impl Tiles {
    /// `None` for a page of strips. `picture` is its width and height.
    pub(super) fn of<R: Read + Seek>(reader: &Decoder<R>, picture: [u32; 2]) -> Option<Self> {
        (reader.get_chunk_type() == ChunkType::Tile).then(|| Self {
            tile: reader.chunk_dimensions().into(),
            picture,
        })
    }

    /// Width and height of all tiles together.
    ///
    /// # Errors
    /// Tiles far larger than the picture: one of them is in memory at a time.
    pub(super) fn extent(&self, path: &Path) -> Result<[u32; 2], DataError> {
        let sides = [0, 1].map(|i| self.picture[i].checked_next_multiple_of(self.tile[i]));
        match sides {
            [Some(width), Some(height)] if area(self.tile) <= 2 * area(self.picture) + SMALL => {
                Ok([width, height])
            }
            _ => Err(DataError::decode(
                path,
                &"its tiles are far larger than the picture",
            )),
        }
    }

    /// The samples of the picture, one plane after the other, each row from a whole byte.
    ///
    /// `reader` is at the page with the size [`Self::extent`], which has so many `planes` and bits per pixel of a
    /// plane.
    ///
    /// # Errors
    /// Damaged or unsupported tiles, or more samples than `limits` allow.
    pub(super) fn join<R: Read + Seek>(
        &self,
        reader: &mut Decoder<R>,
        limits: &Limits,
        planes: usize,
        pixel_bits: u64,
    ) -> TiffResult<DecodingResult> {
        let bytes = |width: u32| usize::try_from((u64::from(width) * pixel_bits).div_ceil(8));
        let [tile_row, row] = [bytes(self.tile[0])?, bytes(self.picture[0])?];
        let [across, down] = [0, 1].map(|i| self.picture[i].div_ceil(self.tile[i]) as usize);
        let [tile_height, height] = [self.tile[1] as usize, self.picture[1] as usize];
        if across > 1 && !(u64::from(self.tile[0]) * pixel_bits).is_multiple_of(8) {
            return Err(TiffUnsupportedError::MisalignedTileBoundaries.into());
        }
        let layout = reader.image_chunk_buffer_layout(0)?;
        let mut tile = DecodingResult::U8(Vec::new());
        tile.resize_to(&layout, limits)?;
        let mut whole = layout;
        let length = row
            .checked_mul(height)
            .and_then(|plane| plane.checked_mul(planes));
        whole.complete_len = length.ok_or(TiffError::LimitsExceeded)?;
        let mut picture = DecodingResult::U8(Vec::new());
        picture.resize_to(&whole, limits)?;
        let (mut tile, mut joined) = (tile.as_buffer(0), picture.as_buffer(0));
        let joined = joined.as_bytes_mut();
        for plane in 0..planes {
            for (x, y) in (0..down).flat_map(|y| (0..across).map(move |x| (x, y))) {
                let number = (plane * down + y) * across + x;
                reader.read_chunk_bytes(u32::try_from(number)?, tile.as_bytes_mut())?;
                let (left, top) = (x * tile_row, y * tile_height);
                let used = tile_row.min(row - left);
                let rows = tile.as_bytes().chunks_exact(tile_row.max(1));
                for (line, source) in rows.take(height - top).enumerate() {
                    let first = (plane * height + top + line) * row + left;
                    joined[first..first + used].copy_from_slice(&source[..used]);
                }
            }
        }
        Ok(picture)
    }
}
