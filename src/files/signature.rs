//! Recognises pictures by how they begin or end, whatever their names say.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Maximum bytes that are examined at the start.
const START: u64 = 32;
/// How pictures begin whose formats have a signature of their own.
const STARTS: [&[u8]; 22] = [
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    // TIFF and BigTIFF.
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"8BPS",
    b"gimp xcf",
    b"qoif",
    // OpenEXR.
    b"v/1\x01",
    // JPEG 2000, with and without boxes.
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",
    // JPEG XL, with and without boxes.
    b"\0\0\0\x0cJXL ",
    b"\xff\x0a",
    // Windows icons.
    b"\0\0\x01\0",
    b"DDS ",
    b"#?RADIANCE",
    b"farbfeld",
    b"P7\n",
    b"AT&TFORM",
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
    if STARTS.iter().any(|signature| start.starts_with(signature)) {
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
