//! Recognises unsupported pictures and documents by their content.

use crate::files::{FileKind, MAGICK, UNREAD_PICTURES};

const AVIF: FileKind = FileKind::new(
    "an AVIF picture",
    "convert it to JPEG or PNG, for example with `avifdec IN.avif OUT.png`",
);
const RAW: FileKind = FileKind::new(
    "a raw camera file",
    "develop it to JPEG, PNG or TIFF, for example with `darktable-cli IN OUT.png`",
);
const VIDEO: FileKind = FileKind::new(
    "a video (MP4, QuickTime, Matroska or AVI)",
    "extract single frames, for example with `ffmpeg -i IN -frames:v 1 OUT.png`",
);
const SVG: FileKind = FileKind::new(
    "an SVG drawing",
    "render it to pixels, for example with `rsvg-convert IN.svg -o OUT.png`",
);
const ARCHIVE: FileKind =
    FileKind::new("an archive (zip, gzip, tar, 7z or rar)", "unpack it first");

/// Offset, signature and kind of other files with a fixed signature.
const SIGNATURES: &[(usize, &[u8], FileKind)] = &[
    (
        0,
        b"%PDF-",
        FileKind::new(
            "a PDF document",
            "save its pages as pictures, for example with `pdftoppm -png IN.pdf OUT`",
        ),
    ),
    (0, b"%!PS", FileKind::new("a PostScript document", MAGICK)),
    (
        128,
        b"DICM",
        FileKind::new(
            "a DICOM file",
            "convert it to PNG, for example with `dcm2pnm --write-png IN OUT.png`",
        ),
    ),
    (0, b"SIMPLE  =", FileKind::new("a FITS file", MAGICK)),
    (
        0,
        b"\x93NUMPY",
        FileKind::new(
            "a NumPy array",
            "save it as PNG, for example with Pillow's `Image.fromarray(a).save(\"OUT.png\")`",
        ),
    ),
    (
        0,
        b"\x89HDF\r\n\x1A\n",
        FileKind::new("an HDF5 file", "export its pictures as PNG"),
    ),
    (8, b"CR\x02\0", RAW),
    (6, b"HEAPCCDR", RAW),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIRS", RAW),
    (0, b"MMOR", RAW),
    (0, b"IIU\0", RAW),
    (0, b"FOVb", RAW),
    (0, b"\0MRM", RAW),
    (0, b"\x1A\x45\xDF\xA3", VIDEO),
    (8, b"AVI LIST", VIDEO),
    (0, b"PK\x03\x04", ARCHIVE),
    (0, b"\x1F\x8B\x08", ARCHIVE),
    (0, b"7z\xBC\xAF\x27\x1C", ARCHIVE),
    (0, b"Rar!\x1A\x07", ARCHIVE),
    (257, b"ustar", ARCHIVE),
];

/// The kind of an unsupported picture or document; `None` for photos and unknown content.
pub(crate) fn undecodable(bytes: &[u8]) -> Option<FileKind> {
    let fixed = UNREAD_PICTURES
        .iter()
        .chain(SIGNATURES)
        .find(|(at, signature, _)| {
            bytes
                .get(*at..)
                .is_some_and(|rest| rest.starts_with(signature))
        });
    match fixed {
        Some((_, _, kind)) => Some(*kind),
        None => match media(bytes) {
            Some(Media::Avif) => Some(AVIF),
            Some(Media::Raw) => Some(RAW),
            Some(Media::Video) => Some(VIDEO),
            Some(Media::Heic) => None,
            None => markup(bytes),
        },
    }
}

/// Whether a file is a HEIF picture that the HEIC decoder may read.
pub(super) fn is_heic(bytes: &[u8]) -> bool {
    media(bytes) == Some(Media::Heic)
}

/// The content of an ISO base media file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Media {
    Heic,
    Avif,
    Raw,
    Video,
}

/// Distinguishes pictures from videos by the brands in the first box. The first decisive brand counts,
/// as compatible ones follow it.
fn media(bytes: &[u8]) -> Option<Media> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let size = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let body = bytes.get(8..size.clamp(8, bytes.len()))?;
    // The second word is a version number; all others are brands.
    let brands = body.chunks_exact(4).enumerate().filter(|(i, _)| *i != 1);
    let mut picture = false;
    for (_, brand) in brands {
        match brand {
            b"avif" | b"avis" => return Some(Media::Avif),
            b"crx " => return Some(Media::Raw),
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" => return Some(Media::Heic),
            b"mif1" | b"mif2" | b"msf1" | b"miaf" => picture = true,
            _ if !picture => return Some(Media::Video),
            _ => {}
        }
    }
    Some(if picture { Media::Heic } else { Media::Video })
}

/// Markup, after a byte-order mark, blanks and an XML declaration.
fn markup(bytes: &[u8]) -> Option<FileKind> {
    const LOOKED_AT: usize = 1024;
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let head = String::from_utf8_lossy(head.trim_ascii_start()).to_ascii_lowercase();
    if !head.starts_with('<') {
        return None;
    }
    if head.contains("<svg") {
        Some(SVG)
    } else {
        head.starts_with("<?xml").then_some(FileKind::new(
            "an XML document",
            "use the picture that it describes",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first box of an ISO base media file.
    fn ftyp(brands: &[&[u8; 4]]) -> Vec<u8> {
        let mut bytes = (16 + 4 * brands.len() as u32 - 4).to_be_bytes().to_vec();
        bytes.extend(b"ftyp");
        bytes.extend(brands[0]);
        bytes.extend([0; 4]);
        brands[1..].iter().for_each(|brand| bytes.extend(*brand));
        bytes.extend(b"\0\0\0\x08free");
        bytes
    }

    #[test]
    fn structure_tells_the_kind() {
        let named = |bytes: &[u8]| undecodable(bytes).map(|kind| kind.name).unwrap_or_default();
        let cases: [(Vec<u8>, &str); 8] = [
            (ftyp(&[b"mif1", b"avif", b"miaf"]), "AVIF"),
            (ftyp(&[b"crx ", b"crx "]), "raw"),
            (ftyp(&[b"isom", b"mif1"]), "MP4"),
            (b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(), "JPEG XL"),
            (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "JPEG 2000"),
            (b"8BPS\0\x01".to_vec(), "PSD"),
            (
                b"\xEF\xBB\xBF <?xml version='1.0'?>\n<svg xmlns=''/>".to_vec(),
                "SVG",
            ),
            (b"PK\x03\x04\x14\0".to_vec(), "zip"),
        ];
        for (bytes, name) in cases {
            assert!(named(&bytes).contains(name), "{name}: {:?}", named(&bytes));
        }
    }

    #[test]
    fn brands_tell_what_boxes_hold() {
        for brands in [[b"heic", b"mif1"], [b"mif1", b"heic"], [b"heix", b"mp42"]] {
            assert!(is_heic(&ftyp(&brands)) && undecodable(&ftyp(&brands)).is_none());
        }
        for brands in [[b"mif1", b"avif"], [b"isom", b"mif1"], [b"crx ", b"heic"]] {
            assert!(!is_heic(&ftyp(&brands)) && undecodable(&ftyp(&brands)).is_some());
        }
    }

    #[test]
    fn photos_and_the_unknown_are_nobody_elses() {
        for bytes in [
            &b""[..],
            b"\xFF\xD8\xFF\xE0",
            b"\x89PNG\r\n\x1a\n",
            b"RIFF\x10\0\0\0WEBPVP8 ",
            b"II*\0\x08\0\0\0",
            b"plain text",
            b"\0\0\0\x01ftyp",
            b"<3",
        ] {
            let found = undecodable(bytes);
            assert!(found.is_none() || bytes.ends_with(b"ftyp"), "{found:?}");
        }
    }
}
