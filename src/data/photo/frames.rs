//! Decodes the frames of animations one by one: GIF, APNG and animated WebP.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{
    AnimationDecoder, ImageDecoder, ImageError, ImageFormat, ImageResult, Limits, RgbImage,
};

use super::super::error::DataError;
use super::super::input::{Format, check_size, read_bytes, recognise};
use super::colour;
use super::decoded::guarded;
use super::other::gif_limits;
use super::samples::{Channels, Raster, from_bytes};
use super::webp::Animation;

/// A picture of an animation.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The whole picture, on white and in sRGB, as from [`read_photo`](super::read_photo).
    pub image: RgbImage,
    /// Display time.
    pub delay: Duration,
}

/// The frames of an animation in order, decoded on a separate thread at most one ahead of the reader.
/// Ends after an error.
pub struct Frames(Receiver<Result<Frame, DataError>>);

impl Iterator for Frames {
    type Item = Result<Frame, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// The number of frames of an animation, including one that cannot be read; `None` for a file that
/// holds a single picture, cannot be opened, or is of another kind.
pub fn frame_count(path: &Path) -> Option<usize> {
    if !may_be_animated(path).unwrap_or(false) {
        return None;
    }
    let count = read_frames(path).ok()?.count();
    (count > 1).then_some(count)
}

/// The pictures of an animation.
///
/// # Errors
/// A thread that cannot be started. Errors in the file take the place of a frame.
pub fn read_frames(path: &Path) -> Result<Frames, DataError> {
    let (sender, frames) = sync_channel(0);
    let of_thread = path.to_path_buf();
    Builder::new()
        .name("flowseg-frames".into())
        .spawn(move || {
            if let Err(error) = guarded(&of_thread, || decode(&of_thread, &sender)) {
                // The reader may be gone.
                let _ = sender.send(Err(error));
            }
        })
        .map_err(DataError::read(path))?;
    Ok(Frames(frames))
}

/// Whether a file begins like an animation. Only the necessary part is read, since a batch may have
/// thousands of photos.
fn may_be_animated(path: &Path) -> std::io::Result<bool> {
    let mut file = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path)?,
        _ => return Ok(false),
    };
    let mut start = [0; 21];
    file.read_exact(&mut start)?;
    if start.starts_with(b"GIF8") {
        return Ok(true);
    }
    if start.starts_with(b"RIFF") && &start[8..12] == b"WEBP" {
        // The animation flag of the extended format.
        return Ok(&start[12..16] == b"VP8X" && start[20] & 2 != 0);
    }
    if !start.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(false);
    }
    // The animation control chunk precedes the first pixels.
    file.seek(SeekFrom::Start(8))?;
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        match &head[4..] {
            b"acTL" => return Ok(true),
            b"IDAT" | b"IEND" => return Ok(false),
            _ => {
                let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
                file.seek(SeekFrom::Current(i64::from(length) + 4))?;
            }
        }
    }
}

type Sender = SyncSender<Result<Frame, DataError>>;

fn decode(path: &Path, sender: &Sender) -> Result<(), DataError> {
    let failed = |error: ImageError| DataError::decode(path, &error);
    let bytes = read_bytes(path)?;
    match recognise(path, &bytes)? {
        Format::Other(ImageFormat::Gif) => {
            let mut decoder = GifDecoder::new(Cursor::new(bytes)).map_err(failed)?;
            let size: [u32; 2] = decoder.dimensions().into();
            decoder.set_limits(gif_limits(size)).map_err(failed)?;
            let (size, profile) = (decoder.dimensions(), decoder.icc_profile());
            let profile = profile.ok().flatten();
            pass_on(path, size, profile, decoder.into_frames(), sender)
        }
        Format::Other(ImageFormat::WebP) => {
            let mut decoder = WebPDecoder::new(Cursor::new(&bytes)).map_err(failed)?;
            let size = decoder.dimensions();
            check_size(path, u64::from(size.0), u64::from(size.1))?;
            let profile = decoder.icc_profile().ok().flatten();
            pass_on(path, size, profile, Animation::new(bytes, size), sender)
        }
        Format::Png => {
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), Limits::no_limits());
            let mut decoder = decoder.map_err(failed)?;
            let size = decoder.dimensions();
            let profile = decoder.icc_profile().ok().flatten();
            let decoder = decoder.apng().map_err(failed)?;
            pass_on(path, size, profile, decoder.into_frames(), sender)
        }
        _ => Err(DataError::decode(path, &"it is not an animation")),
    }
}

/// Sends the frames until the reader is dropped.
fn pass_on(
    path: &Path,
    (width, height): (u32, u32),
    profile: Option<Vec<u8>>,
    frames: impl Iterator<Item = ImageResult<image::Frame>>,
    sender: &Sender,
) -> Result<(), DataError> {
    check_size(path, u64::from(width), u64::from(height))?;
    for frame in frames {
        let frame = frame.map_err(|error| DataError::decode(path, &error))?;
        let delay = Duration::from(frame.delay());
        let picture = frame.into_buffer();
        let size = [picture.width(), picture.height()];
        let channels = Channels::RGB.with_alpha();
        let mut image = from_bytes(&Raster::interleaved(size, picture.as_raw(), channels));
        if let Some(profile) = &profile {
            colour::to_srgb(path, &mut image, profile);
        }
        if sender.send(Ok(Frame { image, delay })).is_err() {
            break;
        }
    }
    Ok(())
}

/// A path that names a frame of an animation, counted from 1.
pub fn frame_name(path: &Path, frame: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{:04}", frame + 1));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::gif::GifEncoder;
    use image::{Delay, Rgba, RgbaImage};

    /// A GIF with one colour per frame.
    fn gif(path: &Path, colours: &[[u8; 4]]) {
        let mut encoder = GifEncoder::new(File::create(path).unwrap());
        for (i, colour) in colours.iter().enumerate() {
            let picture = RgbaImage::from_pixel(6, 4, Rgba(*colour));
            let delay = Delay::from_numer_denom_ms(40 + 10 * i as u32, 1);
            let frame = image::Frame::from_parts(picture, 0, 0, delay);
            encoder.encode_frame(frame).unwrap();
        }
    }

    /// An APNG of two frames.
    fn apng(path: &Path) {
        let mut encoder = ::png::Encoder::new(File::create(path).unwrap(), 2, 1);
        encoder.set_color(::png::ColorType::Rgb);
        encoder.set_animated(2, 0).unwrap();
        encoder.set_frame_delay(1, 5).unwrap();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[9, 8, 7, 6, 5, 4]).unwrap();
        writer.write_image_data(&[1, 2, 3, 4, 5, 6]).unwrap();
        writer.finish().unwrap();
    }

    #[test]
    fn frames_come_in_order_with_their_delays_on_white() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        gif(&path, &[[250, 0, 0, 255], [0, 0, 250, 255], [0, 0, 0, 0]]);
        assert_eq!(frame_count(&path), Some(3));
        let frames: Vec<Frame> = read_frames(&path).unwrap().map(Result::unwrap).collect();
        let delays: Vec<u128> = frames.iter().map(|frame| frame.delay.as_millis()).collect();
        assert_eq!(delays, [40, 50, 60]);
        assert_eq!(frames[0].image.dimensions(), (6, 4));
        assert!(frames[0].image.pixels().all(|pixel| pixel.0 == [250, 0, 0]));
        assert!(frames[1].image.pixels().all(|pixel| pixel.0 == [0, 0, 250]));
        apng(&path);
        assert_eq!(frame_count(&path), Some(2));
        let frames: Vec<Frame> = read_frames(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(frames[0].image.as_raw(), &[9, 8, 7, 6, 5, 4]);
        assert_eq!(frames[1].image.as_raw(), &[1, 2, 3, 4, 5, 6]);
        assert_eq!(frames[1].delay.as_millis(), 200);
    }

    #[test]
    fn photos_are_no_animations() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let one = RgbImage::new(3, 2);
        for name in ["a.png", "a.webp", "a.gif", "a.bmp"] {
            one.save(path(name)).unwrap();
            assert_eq!(frame_count(&path(name)), None, "{name}");
        }
        std::fs::write(path("short.gif"), "GIF8").unwrap();
        for name in ["short.gif", "missing.gif", ""] {
            assert_eq!(frame_count(&path(name)), None, "{name}");
        }
    }

    #[test]
    fn a_cut_animation_says_so_in_the_place_of_a_frame() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        gif(
            &path,
            &[[250, 0, 0, 255], [0, 0, 250, 255], [0, 250, 0, 255]],
        );
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 12]).unwrap();
        let frames: Vec<_> = read_frames(&path).unwrap().collect();
        assert_eq!(frame_count(&path), Some(frames.len()));
        assert!(frames.len() >= 2 && frames[0].is_ok());
        let error = frames.last().unwrap().as_ref().unwrap_err().to_string();
        assert!(error.contains("a.gif") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn frames_have_names_of_their_own() {
        let name = |path: &str, frame| frame_name(Path::new(path), frame);
        assert_eq!(name("a/b.c.gif", 0), Path::new("a/b.c-0001.gif"));
        assert_eq!(name("b", 12344), Path::new("b-12345"));
    }
}
