//! Animated WebP. `image` decodes single frames, which are put together here: `image-webp` 0.2.4 does not
//! clear the frames that are to be cleared.

use std::io::{self, Cursor, ErrorKind};

use image::codecs::webp::WebPDecoder;
use image::{Delay, DynamicImage, Frame, ImageResult, RgbaImage, imageops};

/// Bytes of a frame's place, size, time and flags.
const HEAD: usize = 16;
/// Flags of a frame: it is cleared before the next one; it replaces what is under it.
const CLEARED: u8 = 1;
const REPLACES: u8 = 2;
/// The flag of a file for opacity.
const OPACITY: u8 = 0x10;

/// The whole pictures of an animation in order.
pub(super) struct Animation {
    bytes: Vec<u8>,
    /// Offset of the next chunk.
    at: usize,
    canvas: RgbaImage,
    /// The rectangle that is cleared before the next frame: left, top, width and height.
    cleared: Option<[u32; 4]>,
}

impl Animation {
    /// The pictures of a file with this width and height.
    pub(super) fn new(mut bytes: Vec<u8>, (width, height): (u32, u32)) -> Self {
        // What follows the stated length is no part of the picture.
        if let Some(length) = bytes.get(4..8).and_then(|length| length.try_into().ok()) {
            bytes.truncate((u32::from_le_bytes(length) as usize).saturating_add(8));
        }
        Self {
            bytes,
            at: 12,
            canvas: RgbaImage::new(width, height),
            cleared: None,
        }
    }

    fn advance(&mut self) -> ImageResult<Option<Frame>> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some((name, body, next)) = chunk(rest)? else {
                return Ok(None);
            };
            self.at = self.bytes.len() - next.len();
            if name == *b"ANMF" {
                let part = Part::decode(body, self.canvas.dimensions())?;
                return Ok(Some(self.add(&part)));
            }
        }
    }

    fn add(&mut self, part: &Part) -> Frame {
        if let Some([left, top, width, height]) = self.cleared.take() {
            let clear = RgbaImage::new(width, height);
            imageops::replace(&mut self.canvas, &clear, i64::from(left), i64::from(top));
        }
        let [left, top] = part.place;
        let put = if part.flags & REPLACES == 0 {
            imageops::overlay::<RgbaImage, RgbaImage>
        } else {
            imageops::replace
        };
        put(
            &mut self.canvas,
            &part.picture,
            i64::from(left),
            i64::from(top),
        );
        if part.flags & CLEARED != 0 {
            let (width, height) = part.picture.dimensions();
            self.cleared = Some([left, top, width, height]);
        }
        let delay = Delay::from_numer_denom_ms(part.milliseconds, 1);
        Frame::from_parts(self.canvas.clone(), 0, 0, delay)
    }
}

impl Iterator for Animation {
    type Item = ImageResult<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The pixels of one frame.
struct Part {
    picture: RgbaImage,
    /// Left and top.
    place: [u32; 2],
    milliseconds: u32,
    flags: u8,
}

impl Part {
    fn decode(body: &[u8], (width, height): (u32, u32)) -> ImageResult<Self> {
        let Some((head, chunks)) = body.split_first_chunk::<HEAD>() else {
            return Err(damaged("a frame is too short").into());
        };
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], 0]);
        let [left, top] = [2 * number(0), 2 * number(3)];
        if left + number(6) >= width || top + number(9) >= height {
            return Err(damaged("a frame lies outside the picture").into());
        }
        let file = still(&head[6..12], chunks)?;
        let decoder = WebPDecoder::new(Cursor::new(file))?;
        Ok(Self {
            picture: DynamicImage::from_decoder(decoder)?.into_rgba8(),
            place: [left, top],
            milliseconds: number(12),
            flags: head[15],
        })
    }
}

/// A file of one frame, from its size as it is stored and its chunks.
fn still(size: &[u8], mut chunks: &[u8]) -> io::Result<Vec<u8>> {
    let mut pixels = Vec::new();
    let mut flags = 0;
    while let Some((name, body, next)) = chunk(chunks)? {
        if [*b"ALPH", *b"VP8 ", *b"VP8L"].contains(&name) {
            if name != *b"VP8 " {
                flags = OPACITY;
            }
            pixels.extend(name);
            pixels.extend((body.len() as u32).to_le_bytes());
            pixels.extend(body);
            pixels.resize(pixels.len().next_multiple_of(2), 0);
        }
        chunks = next;
    }
    let head = [&b"WEBPVP8X\x0A\0\0\0"[..], &[flags, 0, 0, 0], size].concat();
    let length = (head.len() + pixels.len()) as u32;
    Ok([&b"RIFF"[..], &length.to_le_bytes(), &head, &pixels].concat())
}

type Chunk<'a> = ([u8; 4], &'a [u8], &'a [u8]);

/// The name and contents of the first chunk, and what follows it; `None` at the end.
///
/// # Errors
/// A chunk that is cut short.
fn chunk(bytes: &[u8]) -> io::Result<Option<Chunk<'_>>> {
    let Some((&[a, b, c, d, length @ ..], rest)) = bytes.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(length) as usize;
    let body = rest.get(..length).ok_or(ErrorKind::UnexpectedEof)?;
    let next = rest.get(length + length % 2..).unwrap_or_default();
    Ok(Some(([a, b, c, d], body, next)))
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use image::Rgba;
    use image::codecs::webp::WebPEncoder;

    use super::*;

    const RED: Rgba<u8> = Rgba([255, 0, 0, 255]);
    const BLUE: Rgba<u8> = Rgba([0, 0, 255, 255]);
    const CLEAR: Rgba<u8> = Rgba([0; 4]);

    fn chunk_of(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = [&name[..], &(body.len() as u32).to_le_bytes(), body].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    }

    /// A frame of one colour at a place.
    fn part([left, top, width, height]: [u8; 4], colour: Rgba<u8>, flags: u8) -> Vec<u8> {
        let mut file = Vec::new();
        let picture = RgbaImage::from_pixel(width.into(), height.into(), colour);
        let encoder = WebPEncoder::new_lossless(&mut file);
        picture.write_with_encoder(encoder).unwrap();
        let head = [left / 2, 0, 0, top / 2, 0, 0, width - 1, 0, 0, height - 1];
        let head = [&head[..], &[0, 0, 40, 0, 0, flags]].concat();
        chunk_of(b"ANMF", &[&head, &file[12..]].concat())
    }

    /// An animation of 8 x 6 pixels.
    fn animation(parts: &[Vec<u8>]) -> Vec<u8> {
        let head = chunk_of(b"VP8X", &[0x12, 0, 0, 0, 7, 0, 0, 5, 0, 0]);
        let body = [
            &b"WEBP"[..],
            &head,
            &chunk_of(b"ANIM", &[0; 6]),
            &parts.concat(),
        ];
        chunk_of(b"RIFF", &body.concat())
    }

    fn pictures(bytes: Vec<u8>) -> Vec<RgbaImage> {
        let frames = Animation::new(bytes, (8, 6)).map(Result::unwrap);
        frames.map(image::Frame::into_buffer).collect()
    }

    #[test]
    fn frames_are_cleared_replaced_and_blended() {
        let half = Rgba([0, 0, 255, 128]);
        let parts = [
            part([0, 0, 4, 4], RED, CLEARED),
            part([2, 2, 2, 2], BLUE, 0),
            part([0, 0, 8, 6], CLEAR, 0),
            part([2, 2, 2, 2], half, REPLACES | CLEARED),
            part([0, 0, 8, 6], CLEAR, 0),
        ];
        let file = animation(&parts);
        assert!(image::load_from_memory(&file).is_ok());
        let shown = pictures(file);
        let at = |picture: usize, x, y| *shown[picture].get_pixel(x, y);
        assert_eq!(shown.len(), 5);
        assert_eq!([at(0, 0, 0), at(0, 3, 3), at(0, 4, 3)], [RED, RED, CLEAR]);
        // The first is cleared before the second.
        assert_eq!([at(1, 0, 0), at(1, 3, 3)], [CLEAR, BLUE]);
        // A blended frame leaves what shows through, also where it covers the whole picture.
        assert_eq!(shown[2], shown[1]);
        assert_eq!([at(3, 2, 2), at(3, 0, 0)], [half, CLEAR]);
        assert!(shown[4].pixels().all(|pixel| *pixel == CLEAR));
    }

    #[test]
    fn lossy_frames_with_opacity_are_cleared_as_well() {
        let shown: Vec<RgbaImage> = Animation::new(
            include_bytes!("../tests/files/sprites.webp").to_vec(),
            (32, 16),
        )
        .map(|frame| frame.unwrap().into_buffer())
        .collect();
        let at = |picture: usize, x, y| shown[picture].get_pixel(x, y).0;
        let near = |found: [u8; 4], colour: [u8; 4]| {
            let same = found.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 24);
            assert!(same, "{found:?} instead of {colour:?}");
        };
        let (green, sprite) = ([20, 200, 40, 255], [220, 30, 30, 255]);
        assert_eq!(shown.len(), 3);
        near(at(0, 8, 8), green);
        near(at(0, 28, 8), green);
        // A sprite on the left half, then one on the right.
        near(at(1, 8, 8), sprite);
        near(at(1, 24, 8), green);
        assert_eq!(at(2, 8, 8)[3], 0);
        near(at(2, 24, 8), sprite);
    }

    #[test]
    fn damaged_frames_are_errors() {
        let last = |bytes: Vec<u8>| {
            let frames: Vec<_> = Animation::new(bytes, (8, 6)).take(3).collect();
            assert!(frames[0].is_ok());
            frames[1].as_ref().err().unwrap().to_string()
        };
        let first = part([0, 0, 4, 4], RED, 0);
        let outside = part([6, 0, 4, 4], RED, 0);
        let reason = last(animation(&[first.clone(), outside]));
        assert!(reason.contains("outside the picture"), "{reason}");
        let short = chunk_of(b"ANMF", &[0; 10]);
        let reason = last(animation(&[first.clone(), short]));
        assert!(reason.contains("too short"), "{reason}");
        let mut cut = animation(&[first.clone(), first]);
        cut.truncate(cut.len() - 4);
        assert!(last(cut).contains("unexpected end"));
    }
}
