//! Label files of every kind, damaged files, huge headers.

use proptest::prelude::*;

use super::*;
use png::{BitDepth, ColorType};

#[test]
fn labels_of_every_depth_keep_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l.png");
    // Width 5 leaves padding bits at the end of every packed row.
    let cases: [(BitDepth, Vec<u8>, Vec<u16>); 5] = [
        (
            BitDepth::One,
            vec![0b1010_1000, 0b0101_0000],
            vec![1, 0, 1, 0, 1, 0, 1, 0, 1, 0],
        ),
        (
            BitDepth::Two,
            vec![0b00_01_10_11, 0b10_000000, 0b11_11_00_00, 0b01_000000],
            vec![0, 1, 2, 3, 2, 3, 3, 0, 0, 1],
        ),
        (
            BitDepth::Four,
            vec![0x0F, 0x71, 0x20, 0xAB, 0xCD, 0xE0],
            vec![0, 15, 7, 1, 2, 10, 11, 12, 13, 14],
        ),
        (
            BitDepth::Eight,
            (0..10).map(|i| i * 25).collect(),
            (0..10).map(|i| i * 25).collect(),
        ),
        (
            BitDepth::Sixteen,
            (0..10u16).flat_map(|i| (i * 6553).to_be_bytes()).collect(),
            (0..10).map(|i| i * 6553).collect(),
        ),
    ];
    for (depth, bytes, expected) in cases {
        save_png(&path, [5, 2], ColorType::Grayscale, depth, &bytes);
        assert_eq!(
            read_labels(&path).unwrap(),
            (5, 2, expected.clone()),
            "{depth:?}"
        );
        if depth != BitDepth::Sixteen {
            save_png(&path, [5, 2], ColorType::Indexed, depth, &bytes);
            assert_eq!(
                read_labels(&path).unwrap(),
                (5, 2, expected),
                "palette {depth:?}"
            );
        }
    }
}

#[test]
fn coloured_labels_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("colours.png");
    let kinds = [
        (ColorType::Rgb, 3, "RGB"),
        (ColorType::Rgba, 4, "RGBA"),
        (ColorType::GrayscaleAlpha, 2, "grey+alpha"),
    ];
    for (colour, channels, found) in kinds {
        save_png(
            &path,
            [2, 2],
            colour,
            BitDepth::Eight,
            &vec![9; 4 * channels],
        );
        says(
            &message(read_labels(&path)),
            &["colours.png", found, "single-channel or palette"],
        );
        // Equal channels are grey values, which one command converts.
        says(
            &message(read_labels(&path)),
            &["all of them grey", "mogrify"],
        );
    }
    // Black alone may also be that of a file of colours.
    for pixel in [[9, 9, 8], [0, 0, 0]] {
        save_png(
            &path,
            [2, 2],
            ColorType::Rgb,
            BitDepth::Eight,
            &pixel.repeat(4),
        );
        let error = message(read_labels(&path));
        says(
            &error,
            &["has RGB pixels, but", "labelmap.txt", "dataset.toml"],
        );
        assert!(!error.contains("mogrify"), "{error}");
    }
    let path = dir.path().join("labels.jpg");
    fs::write(&path, include_bytes!("files/grey.jpg")).unwrap();
    says(
        &message(read_labels(&path)),
        &["labels.jpg", "JPEG", "single-channel or palette"],
    );
    // Their colours cannot be listed.
    assert!(!message(read_labels(&path)).contains("labelmap.txt"));
}

#[test]
fn ignore_is_all_ones_in_either_depth() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.png");
    write_labels(&path, 3, 1, &[0, 254, IGNORE], 255).unwrap();
    assert_eq!(read_labels(&path).unwrap(), (3, 1, vec![0, 254, 255]));
    // Class 255 would be mistaken for "ignore" in 8 bits.
    write_labels(&path, 3, 1, &[0, 255, IGNORE], 256).unwrap();
    assert_eq!(read_labels(&path).unwrap(), (3, 1, vec![0, 255, IGNORE]));
    // The depth follows from the class table, not from the classes in the photo.
    write_labels(&path, 3, 1, &[0, 5, IGNORE], 256).unwrap();
    assert_eq!(read_labels(&path).unwrap(), (3, 1, vec![0, 5, IGNORE]));
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "a temporary file was left: {left:?}");
}

#[test]
fn failed_writes_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.png");
    says(
        &message(write_labels(&path, 2, 2, &[0; 3], 1)),
        &["out.png", "3 labels", "2x2"],
    );
    says(
        &message(write_labels(dir.path().join("no/out.png"), 1, 1, &[0], 1)),
        &["out.png"],
    );
    // A folder of that name cannot be replaced.
    fs::create_dir_all(path.join("inside")).unwrap();
    says(
        &message(write_labels(&path, 1, 1, &[0], 1)),
        &["cannot write", "out.png"],
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_image_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let folder = dir.path().to_path_buf();
    let absent = dir.path().join("absent.png");
    let empty = file("empty.jpg", b"");
    let text = file("text.jpg", b"this is no photo, whatever its name says");
    for read in [
        |p: &Path| message(read_photo(p)),
        |p: &Path| message(read_labels(p)),
    ] {
        says(
            &read(&folder),
            &["is not a file", &folder.display().to_string()],
        );
        says(&read(&absent), &["cannot read", "absent.png"]);
        says(&read(&empty), &["empty.jpg", "0 bytes"]);
        says(&read(&text), &["text.jpg", "not an image"]);
    }
}

#[test]
fn truncated_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.png", "a.bmp", "a.webp", "a.gif"] {
        let path = dir.path().join(name);
        save_photo(&path, 64, 48);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(read_photo(&path).unwrap().dimensions(), (64, 48), "{name}");
        for share in [0.3, 0.6, 0.95] {
            fs::write(&path, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
            says(&message(read_photo(&path)), &[name]);
        }
    }
    let path = dir.path().join("l.png");
    save_labels(
        &path,
        [64, 64],
        &(0..4096).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>(),
    );
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    says(&message(read_labels(&path)), &["l.png", "cut short"]);
}

/// A PNG of a few bytes whose header claims any size.
fn claim(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let chunk = |bytes: &mut Vec<u8>, body: &[u8]| {
        bytes.extend((body.len() as u32 - 4).to_be_bytes());
        bytes.extend(body);
        let crc = body.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| {
                (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg())
            })
        });
        bytes.extend((!crc).to_be_bytes());
    };
    let header = [
        b"IHDR",
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, 0, 0, 0, 0],
    ];
    chunk(&mut bytes, &header.concat());
    chunk(&mut bytes, b"IDAT\x78\x9c");
    bytes
}

#[test]
fn huge_headers_are_refused_before_allocation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb.png");
    for (width, height) in [(30_000, 30_000), (65_536, 1), (1, 2_000_000_000)] {
        fs::write(&path, claim(width, height)).unwrap();
        let size = format!("{width}x{height}");
        says(
            &message(read_photo(&path)),
            &["bomb.png", &size, "250 megapixels", "65535"],
        );
        says(
            &message(read_labels(&path)),
            &["bomb.png", &size, "250 megapixels"],
        );
    }
    fs::write(&path, claim(0, 5)).unwrap();
    message(read_photo(&path));
    message(read_labels(&path));
}

#[test]
fn every_kind_of_pixel_becomes_rgb() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("photo.dat"); // no known extension
    let read = |colour, depth, bytes: &[u8]| {
        save_png(&path, [1, 1], colour, depth, bytes);
        read_photo(&path).unwrap().get_pixel(0, 0).0
    };
    assert_eq!(read(ColorType::Grayscale, BitDepth::Eight, &[80]), [80; 3]);
    assert_eq!(
        read(ColorType::Grayscale, BitDepth::Sixteen, &[80, 80]),
        [80; 3]
    );
    assert_eq!(read(ColorType::Grayscale, BitDepth::One, &[0x80]), [255; 3]);
    assert_eq!(read(ColorType::Indexed, BitDepth::Eight, &[5]), [250, 2, 7]);
    assert_eq!(
        read(ColorType::Rgb, BitDepth::Sixteen, &[201, 201, 2, 2, 3, 3]),
        [201, 2, 3]
    );
    // Transparency is composited on white.
    assert_eq!(
        read(ColorType::Rgba, BitDepth::Eight, &[200, 0, 0, 0]),
        [255; 3]
    );
    assert_eq!(
        read(ColorType::Rgba, BitDepth::Eight, &[200, 0, 0, 255]),
        [200, 0, 0]
    );
    assert_eq!(
        read(ColorType::GrayscaleAlpha, BitDepth::Eight, &[0, 51]),
        [204; 3]
    );
}

proptest! {
    #[test]
    fn labels_survive_a_round_trip(
        width in 1usize..20,
        height in 1usize..20,
        largest in prop_oneof![Just(3u16), Just(254), Just(255), Just(65_534)],
        seed in any::<u64>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l.png");
        let labels: Vec<u16> = (0..width * height)
            .map(|i| {
                let h = super::super::appearance::hash(seed, i as u64, 0);
                if h.is_multiple_of(7) { IGNORE } else { (h >> 8) as u16 % (largest + 1) }
            })
            .collect();
        write_labels(&path, width, height, &labels, usize::from(largest) + 1).unwrap();
        let (w, h, read) = read_labels(&path).unwrap();
        let byte = largest < 255;
        let expected: Vec<u16> =
            labels.iter().map(|&l| if byte && l == IGNORE { 255 } else { l }).collect();
        prop_assert_eq!((w, h, read), (width, height, expected));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0usize..4) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tga");
        let head: &[u8] = [b"".as_slice(), b"\x89PNG\r\n\x1a\n", b"\xFF\xD8\xFF", b"BM"][kind];
        fs::write(&path, [head, &bytes].concat()).unwrap();
        let _ = read_photo(&path);
        let _ = read_labels(&path);
    }
}
