//! Recognises pictures by how they begin or end, whatever their names say.

use super::foreign::FileKind;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Maximum bytes that are examined at the start.
const START: u64 = 32;
/// How other pictures with a signature begin.
const STARTS: [&[u8]; 10] = [
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    // TIFF and BigTIFF.
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"P7\n",
    b"AT&TFORM",
];

/// The remedy for every kind that ImageMagick converts.
pub(crate) const MAGICK: &str = "convert it to JPEG or PNG, for example with `magick IN OUT.png`";
const JPEG_XL: FileKind = FileKind::new(
    "a JPEG XL picture",
    "convert it to JPEG or PNG, for example with `djxl IN.jxl OUT.png`",
);
const JPEG_2000: FileKind = FileKind::new(
    "a JPEG 2000 picture",
    "convert it to JPEG or PNG, for example with `opj_decompress -i IN.jp2 -o OUT.png`",
);
const PSD: FileKind = FileKind::new("a Photoshop document (PSD)", MAGICK);
const XCF: FileKind = FileKind::new("a GIMP document (XCF)", "export it as PNG from GIMP");

/// Offset, signature and kind of pictures that are not decoded. JPEG 2000 and JPEG XL come with and without boxes.
pub(crate) const UNREAD_PICTURES: [(usize, &[u8], FileKind); 13] = [
    (0, b"\xFF\x0A", JPEG_XL),
    (4, b"JXL \r\n\x87\n", JPEG_XL),
    (4, b"jP  \r\n\x87\n", JPEG_2000),
    (0, b"\xFF\x4F\xFF\x51", JPEG_2000),
    (0, b"II\xBC\x01", FileKind::new("a JPEG XR picture", MAGICK)),
    (0, b"8BPS", PSD),
    (0, b"gimp xcf", XCF),
    (
        0,
        b"\x76\x2F\x31\x01",
        FileKind::new("an EXR picture", MAGICK),
    ),
    (
        0,
        b"#?RADIANCE",
        FileKind::new("a Radiance HDR picture", MAGICK),
    ),
    (0, b"\0\0\x01\0", FileKind::new("an ICO icon", MAGICK)),
    (0, b"DDS ", FileKind::new("a DDS texture", MAGICK)),
    (0, b"qoif", FileKind::new("a QOI picture", MAGICK)),
    (0, b"farbfeld", FileKind::new("a farbfeld picture", MAGICK)),
];
/// How a TGA ends, which begins like nothing in particular.
const TGA_END: &[u8; 18] = b"TRUEVISION-XFILE.\0";
/// The sizes of the second header of a BMP, by its versions.
const BMP_HEADERS: [u8; 8] = [12, 16, 40, 52, 56, 64, 108, 124];

/// Whether a file is a picture of any widespread format, also of those that this program does not read, by its first
/// and last bytes. A TGA without a footer is not recognised, and a file that cannot be read is none.
pub fn is_picture(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let mut start = Vec::new();
    let read = (&mut file).take(START).read_to_end(&mut start);
    if read.is_ok() && begins_as_picture(&start) {
        return true;
    }
    let mut end = [0; TGA_END.len()];
    let to_end = file.seek(SeekFrom::End(-(TGA_END.len() as i64)));
    let read = to_end.and_then(|_| file.read_exact(&mut end));
    read.is_ok() && end == *TGA_END
}

fn begins_as_picture(start: &[u8]) -> bool {
    // safetensors: the length of the header may be any number, and so any short signature.
    if start.get(4..9) == Some(b"\0\0\0\0{") {
        return false;
    }
    let is_unread = UNREAD_PICTURES.iter().any(|(at, signature, _)| {
        let rest = start.get(*at..);
        rest.is_some_and(|rest| rest.starts_with(signature))
    });
    if is_unread || STARTS.iter().any(|signature| start.starts_with(signature)) {
        return true;
    }
    // WebP; and HEIC, AVIF and others in the container of MPEG-4.
    if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP")
        || start.get(4..8) == Some(b"ftyp")
    {
        return true;
    }
    match start {
        // PBM, PGM, PPM and PFM: the width, or a comment, is on the next line or behind a blank.
        [b'P', b'1'..=b'6' | b'F' | b'f', blank, next, ..] => {
            blank.is_ascii_whitespace() && (next.is_ascii_digit() || *next == b'#')
        }
        [b'B', b'M', ..] => start
            .get(14..18)
            .is_some_and(|size| matches!(size, [size, 0, 0, 0] if BMP_HEADERS.contains(size))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_recognised_whatever_their_names_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let found = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            is_picture(&path)
        };
        let tga = [&[0; 40][..], TGA_END].concat();
        for picture in [
            &b"RIFF\x10\0\0\0WEBPVP8 "[..],
            b"\0\0\0\x18ftypheic\0\0\0\0",
            b"\0\0\0\x1cftypavif\0\0\0\0",
            b"P5\n640 480\n255\n",
            b"P6 #x\n1 1\n255\n",
            b"PF\n6 4\n-1.0\n",
            b"BM\x42\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x04\0\0\0",
            tga.as_slice(),
        ]
        .into_iter()
        .chain(STARTS)
        {
            assert!(found(picture), "{picture:?}");
        }
        for other in [
            &b""[..],
            b"mine",
            b"a,b\n1,2\n",
            b"BMW,Opel,Ford\n1,2,3,4,5,6,7\n",
            b"P1,P2\n0.5,0.6\n",
            b"{\"shapes\": []}",
            // Headers of tensors whose lengths have the bytes of BM, P1 and an icon.
            b"BM\0\0\0\0\0\0{\"__metadata__\":{",
            b"P1\n0\0\0\0\0{\"__metadata__\":",
            b"\0\0\x01\0\0\0\0\0{\"__metadata__\"",
            &TGA_END[1..],
        ] {
            assert!(!found(other), "{other:?}");
        }
        assert!(!is_picture(&folder.path().join("missing.png")));
        for (at, signature, kind) in UNREAD_PICTURES {
            let picture = [&[0; 4][..at], signature].concat();
            assert!(found(&picture), "{}", kind.name);
        }
    }

    #[test]
    fn every_format_that_is_written_is_recognised() {
        use image::ImageFormat::{Bmp, Gif, Png, Pnm, Tiff, WebP};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        for format in [Bmp, Gif, Png, Pnm, Tiff, WebP] {
            image::RgbImage::new(3, 2)
                .save_with_format(&path, format)
                .unwrap();
            assert!(is_picture(&path), "{format:?}");
        }
    }
}
