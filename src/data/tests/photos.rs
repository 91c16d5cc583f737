//! Photos in every format but JPEG: ranges of samples, bands, pages, transparency, orientation, colour
//! profiles, chunks besides the pixels, and files that are not photos.

use moxcms::ColorProfile;
use png::{BitDepth, ColorType};

use super::*;

pub(super) fn reading(bytes: &[u8]) -> Result<RgbImage, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.tif");
    fs::write(&path, bytes).unwrap();
    read_photo(&path)
}

fn read(bytes: &[u8]) -> RgbImage {
    reading(bytes).unwrap()
}

/// The maximum difference of two pictures of the same size.
fn difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter()
        .zip(b.iter())
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap()
}

/// A page of a TIFF: entries of its directory; samples.
pub(super) type Page = (Vec<Entry>, Vec<u8>);

pub(super) fn tiff(pages: &[Page]) -> Vec<u8> {
    let mut bytes = b"II*\0".to_vec();
    let mut link = bytes.len();
    bytes.extend([0; 4]);
    for (entries, samples) in pages {
        // Planes are in strips of their own.
        let strips = if entries.contains(&(284, 3, vec![2])) {
            3
        } else {
            1
        };
        let (first, length) = (bytes.len() as u32, (samples.len() / strips) as u32);
        bytes.extend(samples);
        let mut entries = entries.clone();
        let offsets = (0..strips as u32).map(|i| first + i * length);
        entries.push((273, 4, offsets.collect()));
        entries.push((279, 4, vec![length; strips]));
        entries.sort();
        link = add_directory(&mut bytes, link, &entries);
    }
    bytes
}

/// The entries of every page.
fn entries(
    size: [u32; 2],
    bits: u32,
    interpretation: u32,
    samples: u32,
) -> Vec<(u16, u16, Vec<u32>)> {
    vec![
        (256, 4, vec![size[0]]),
        (257, 4, vec![size[1]]),
        (258, 3, vec![bits; samples as usize]),
        (259, 3, vec![1]),
        (262, 3, vec![interpretation]),
        (277, 3, vec![samples]),
        (278, 4, vec![size[1]]),
    ]
}

/// A page with further entries.
pub(super) fn page(
    size: [u32; 2],
    [bits, interpretation, samples]: [u32; 3],
    more: &[(u16, u16, Vec<u32>)],
    data: Vec<u8>,
) -> Page {
    (
        [entries(size, bits, interpretation, samples), more.to_vec()].concat(),
        data,
    )
}

fn words(image: &RgbImage, value: impl Fn(u8) -> u16) -> Vec<u8> {
    image.iter().flat_map(|v| value(*v).to_le_bytes()).collect()
}

fn floats(image: &RgbImage, value: impl Fn(u8) -> f32) -> Vec<u8> {
    image.iter().flat_map(|v| value(*v).to_le_bytes()).collect()
}

const SIZE: [u32; 2] = [16, 8];

fn rgb() -> RgbImage {
    let mut image = photo(SIZE[0], SIZE[1]);
    image.put_pixel(0, 0, Rgb([255, 0, 128]));
    image
}

#[test]
fn samples_below_the_full_range_are_recognised() {
    let image = rgb();
    // Every 8-bit value in 10, 12, 14 and 16 bits.
    for bits in [8, 10, 12, 14, 16] {
        let most = (1u32 << bits) - 1;
        let data = words(&image, |v| ((u32::from(v) * most + 127) / 255) as u16);
        let photo = read(&tiff(&[page(SIZE, [16, 2, 3], &[], data.clone())]));
        assert!(difference(&photo, &image) <= 1, "TIFF, {bits} bits");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.png");
        let big: Vec<u8> = data.chunks(2).flat_map(|w| [w[1], w[0]]).collect();
        save_png(&path, SIZE, ColorType::Rgb, BitDepth::Sixteen, &big);
        assert!(
            difference(&read_photo(&path).unwrap(), &image) <= 1,
            "PNG, {bits} bits"
        );
    }
    let black = read(&tiff(&[page(SIZE, [16, 2, 3], &[], vec![0; 16 * 8 * 6])]));
    assert!(black.iter().all(|v| *v == 0));
}

#[test]
fn floating_point_has_the_range_that_its_values_show() {
    let image = rgb();
    let float = [(339, 3, vec![3; 3])];
    let page = |data| tiff(&[page(SIZE, [32, 2, 3], &float, data)]);
    for white in [1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0] {
        let photo = read(&page(floats(&image, |v| f32::from(v) / 255.0 * white)));
        assert!(difference(&photo, &image) <= 1, "0..{white}");
    }
    // Overshoot is clipped, and NaN is black.
    let over = read(&page(floats(&image, |v| f32::from(v) / 255.0 * 1.2 - 0.05)));
    assert_eq!(over.get_pixel(0, 0).0[0], 255);
    let nan = read(&page(floats(&image, |v| {
        if v == 255 {
            f32::NAN
        } else {
            f32::from(v) / 255.0
        }
    })));
    assert_eq!(nan.get_pixel(0, 0).0[0], 0);
    for (value, range) in [(-9999.0, "-9999"), (1e9, "1000000000")] {
        let data = floats(&image, |v| if v == 255 { value } else { f32::from(v) });
        says(
            &message(reading(&page(data))),
            &["p.tif", range, "floating-point", "0..1"],
        );
    }
}

#[test]
fn numbers_that_are_no_brightness_are_refused_by_name() {
    let signed = [(339, 3, vec![2])];
    let cases = [
        (page(SIZE, [16, 1, 1], &signed, vec![0; 256]), "signed"),
        (page(SIZE, [32, 1, 1], &[], vec![0; 512]), "32-bit"),
        (page(SIZE, [12, 1, 1], &[], vec![0; 192]), "12"),
        (page(SIZE, [8, 8, 3], &[], vec![0; 384]), "Lab"),
        (page(SIZE, [8, 1, 4], &[], vec![0; 512]), "4 bands"),
    ];
    for (page, name) in cases {
        says(
            &message(reading(&tiff(&[page]))),
            &["p.tif is a TIFF", name, "magick"],
        );
    }
}

/// A page whose samples have this compression.
fn compressed(compression: u32, mut page: Page) -> Vec<u8> {
    page.0.retain(|(tag, ..)| *tag != 259);
    page.0.push((259, 3, vec![compression]));
    tiff(&[page])
}

#[test]
fn compressions_that_are_not_read_are_named_with_what_keeps_the_georeference() {
    let data = || page(SIZE, [8, 2, 3], &[], rgb().into_raw());
    let cases = [(34712, "JPEG 2000"), (34887, "LERC"), (50000, "ZSTD")];
    let cases = cases.map(|(number, name)| (compressed(number, data()), name));
    let lzma = (include_bytes!("files/lzma.tif").to_vec(), "LZMA");
    for (bytes, name) in cases.into_iter().chain([lzma]) {
        says(
            &message(reading(&bytes)),
            &["p.tif is a TIFF with", name, "COMPRESS=DEFLATE"],
        );
    }
}

#[test]
fn webp_in_a_tiff_is_decoded() {
    let image = rgb();
    let mut webp = std::io::Cursor::new(Vec::new());
    image.write_to(&mut webp, image::ImageFormat::WebP).unwrap();
    let bytes = compressed(50001, page(SIZE, [8, 2, 3], &[], webp.into_inner()));
    // `image` writes it without loss.
    assert_eq!(read(&bytes), image);
}

#[test]
fn only_what_a_tiff_calls_opacity_is_opacity() {
    let image = rgb();
    let infrared: Vec<u8> = (0..128).collect();
    let four = |alpha: &[u8]| -> Vec<u8> {
        let pixels = image.pixels().zip(alpha);
        pixels
            .flat_map(|(p, a)| [p.0[0], p.0[1], p.0[2], *a])
            .collect()
    };
    let with = |extra: &[u32], data: &[u8]| {
        let more: Vec<_> = [(338, 3, extra.to_vec())]
            .into_iter()
            .filter(|e| !e.2.is_empty())
            .collect();
        read(&tiff(&[page(SIZE, [8, 2, 4], &more, data.to_vec())]))
    };
    assert!(with(&[0], &four(&infrared)) == image);
    assert!(with(&[], &four(&infrared)) == image);
    // Half opaque, then the same with premultiplied colours.
    let straight = with(&[2], &four(&[128; 128]));
    assert_eq!(straight.get_pixel(0, 0).0, [255, 127, 191]);
    let first = four(&[128; 128]);
    let multiplied: Vec<u8> = first
        .iter()
        .enumerate()
        .map(|(i, v)| if i % 4 == 3 { 128 } else { v / 2 })
        .collect();
    assert!(difference(&with(&[1], &multiplied), &straight) <= 1);
    // Compressed with a predictor over all four bands.
    let compressed = read(include_bytes!("files/rgb-infrared-lzw-predictor.tif"));
    assert!(compressed == photo(16, 8));
    let five: Vec<u8> = image
        .pixels()
        .flat_map(|p| [p.0[0], p.0[1], p.0[2], 7, 9])
        .collect();
    assert!(
        read(&tiff(&[page(
            SIZE,
            [8, 2, 5],
            &[(338, 3, vec![0, 0])],
            five
        )])) == image
    );
    // Grey with opacity.
    let grey = tiff(&[page([1, 1], [8, 1, 2], &[(338, 3, vec![2])], vec![0, 51])]);
    assert_eq!(read(&grey).get_pixel(0, 0).0, [204; 3]);
}

#[test]
fn everyday_kinds_of_tiff_are_decoded() {
    let image = rgb();
    let planes: Vec<u8> = (0..3)
        .flat_map(|c| image.pixels().map(move |p| p.0[c]))
        .collect();
    assert!(
        read(&tiff(&[page(
            SIZE,
            [8, 2, 3],
            &[(284, 3, vec![2])],
            planes
        )])) == image
    );
    // A palette of four colours, in bytes and in two bits.
    let colours = [[9, 200, 30], [0, 0, 255], [255, 255, 0], [70, 80, 90]];
    let map = |entries: usize| -> Vec<u32> {
        (0..3)
            .flat_map(|c| (0..entries).map(move |i| colours.get(i).map_or(0, |v| v[c] * 257)))
            .collect()
    };
    let bytes = page([4, 1], [8, 3, 1], &[(320, 3, map(256))], vec![0, 1, 2, 3]);
    let packed = page([4, 1], [2, 3, 1], &[(320, 3, map(4))], vec![0b00_01_10_11]);
    for page in [bytes, packed] {
        let found: Vec<[u32; 3]> = read(&tiff(&[page]))
            .pixels()
            .map(|p| p.0.map(u32::from))
            .collect();
        assert_eq!(found, colours);
    }
    let white_is_zero = tiff(&[page([2, 1], [8, 0, 1], &[], vec![0, 250])]);
    assert_eq!(read(&white_is_zero).as_raw(), &[255, 255, 255, 5, 5, 5]);
    let deep = tiff(&[page([2, 1], [16, 0, 1], &[], vec![0, 0, 0xFF, 0xFF])]);
    assert_eq!(read(&deep).as_raw(), &[255, 255, 255, 0, 0, 0]);
    let bits = tiff(&[page([3, 1], [1, 1, 1], &[], vec![0b0110_0000])]);
    assert_eq!(
        read(&bits).as_raw(),
        &[0, 0, 0, 255, 255, 255, 255, 255, 255]
    );
    let across_bytes = vec![0b0000_0011, 0b1111_0101, 0b0100_0000];
    let six_bits = tiff(&[page([3, 1], [6, 1, 1], &[], across_bytes)]);
    assert_eq!(
        read(&six_bits).as_raw(),
        &[0, 0, 0, 255, 255, 255, 85, 85, 85]
    );
    let inks = tiff(&[page([1, 1], [8, 5, 4], &[], vec![255, 0, 102, 51])]);
    assert_eq!(read(&inks).get_pixel(0, 0).0, [0, 204, 122]);
    assert!(read(include_bytes!("files/tiles-deflate.tif")) == photo(16, 8));
    assert!(read(include_bytes!("files/big-endian-64-bit.tif")) == photo(16, 8));
    let smooth = RgbImage::from_fn(32, 16, |x, y| Rgb([8 * x as u8, 16 * y as u8, 128]));
    for (name, bytes) in [
        ("YCbCr", &include_bytes!("files/jpeg-ycbcr.tif")[..]),
        ("RGB", include_bytes!("files/jpeg-rgb.tif")),
    ] {
        let found = difference(&read(bytes), &smooth);
        assert!(found < 12, "{name}: {found}");
    }
    let board = RgbImage::from_fn(32, 16, |x, y| {
        Rgb([if (x / 4 + y / 4) % 2 == 1 { 255 } else { 0 }; 3])
    });
    assert!(read(include_bytes!("files/fax4.tif")) == board);
}

#[test]
fn the_page_of_full_size_is_taken() {
    let image = rgb();
    let full = || page(SIZE, [8, 2, 3], &[], image.as_raw().clone());
    let reduced = |kind: &[(u16, u16, Vec<u32>)]| page([4, 2], [8, 2, 3], kind, vec![7; 24]);
    let marked = [(254, 4, vec![1])];
    assert!(read(&tiff(&[reduced(&marked), full()])) == image);
    assert!(read(&tiff(&[full(), reduced(&marked)])) == image);
    assert!(read(&tiff(&[reduced(&[]), full(), full()])) == image);
    assert_eq!(read(&tiff(&[reduced(&marked)])).dimensions(), (4, 2));
}

#[test]
fn raw_camera_files_are_named() {
    let thumbnail = [(254, 4, vec![1]), (271, 3, vec![65]), (330, 4, vec![8])];
    let cases = [
        page([4, 2], [8, 2, 3], &thumbnail, vec![7; 24]),
        page([4, 2], [16, 32803, 1], &[], vec![7; 16]),
        page([4, 2], [8, 2, 3], &[(50706, 3, vec![1, 4])], vec![7; 24]),
    ];
    for case in cases {
        says(
            &message(reading(&tiff(&[case]))),
            &["p.tif is a raw camera file", "develop"],
        );
    }
}

#[test]
fn damaged_tiffs_are_errors() {
    let whole = tiff(&[page(
        SIZE,
        [8, 2, 3],
        &[(274, 3, vec![6])],
        rgb().into_raw(),
    )]);
    assert_eq!(read(&whole).dimensions(), (8, 16));
    for end in (8..whole.len()).step_by(7) {
        message(reading(&whole[..end]));
    }
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 0x55;
        let _ = reading(&broken);
    }
    let bomb = page([200_000, 200_000], [8, 2, 3], &[], Vec::new());
    says(
        &message(reading(&tiff(&[bomb]))),
        &["200000x200000", "250 megapixels"],
    );
}

/// A chunk of a PNG.
fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let crc = name.iter().chain(body).fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| {
            (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg())
        })
    });
    [
        &(body.len() as u32).to_be_bytes()[..],
        name,
        body,
        &(!crc).to_be_bytes(),
    ]
    .concat()
}

/// A PNG with chunks after its header, and with others before its end.
fn with_chunks(png: &[u8], early: &[u8], late: &[u8]) -> Vec<u8> {
    let (header, end) = (8 + 25, png.len() - 12);
    [&png[..header], early, &png[header..end], late, &png[end..]].concat()
}

/// An EXIF block with an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

fn encoded(image: &RgbImage, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG of this stored size with a quarter turn in its EXIF.
pub(super) fn turned(width: u32, height: u32) -> Vec<u8> {
    let png = encoded(&photo(width, height), image::ImageFormat::Png);
    with_chunks(&png, &chunk(b"eXIf", &exif(6)), &[])
}

#[test]
fn orientation_is_applied_in_every_format() {
    let image = rgb();
    let turned = image::imageops::rotate90(&image);
    let png = encoded(&image, image::ImageFormat::Png);
    let block = chunk(b"eXIf", &exif(6));
    assert!(read(&with_chunks(&png, &block, &[])) == turned);
    assert!(read(&with_chunks(&png, &[], &block)) == turned);
    let tag = [(274, 3, vec![6])];
    assert!(
        read(&tiff(&[page(
            SIZE,
            [8, 2, 3],
            &tag,
            image.as_raw().clone()
        )])) == turned
    );
    // WebP: the extended header with the EXIF flag, the pixels, the block.
    let simple = encoded(&image, image::ImageFormat::WebP);
    for prefix in [&b""[..], b"Exif\0\0"] {
        let block = [prefix, &exif(6)].concat();
        let mut body = b"WEBPVP8X\x0a\0\0\0\x08\0\0\0".to_vec();
        body.extend([SIZE[0] as u8 - 1, 0, 0, SIZE[1] as u8 - 1, 0, 0]);
        body.extend(&simple[12..]);
        body.extend(b"EXIF");
        body.extend((block.len() as u32).to_le_bytes());
        body.extend(&block);
        body.resize(body.len().next_multiple_of(2), 0);
        let file = [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat();
        assert!(read(&file) == turned, "{prefix:?}");
    }
}

#[test]
fn chunks_beside_the_pixels_do_not_matter() {
    let image = rgb();
    let png = encoded(&image, image::ImageFormat::Png);
    let large = vec![b'x'; 70 << 20];
    let beside = [
        chunk(
            b"iTXt",
            &[b"workflow\0\0\0\0\0", &large[..18 << 20]].concat(),
        ),
        chunk(b"prVt", &large),
        chunk(b"iTXt", b"\xFF\xFF\xFF"),
        chunk(b"iCCP", b"p\0\0not zlib"),
        chunk(b"tEXt", b"k\0v").repeat(3000),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l.png");
    save_labels(&path, [4, 2], &[0, 1, 2, 3, 4, 5, 6, 7]);
    let labels = fs::read(&path).unwrap();
    for (i, chunk) in beside.iter().enumerate() {
        assert!(read(&with_chunks(&png, chunk, &[])) == image, "{i}");
        fs::write(&path, with_chunks(&labels, chunk, &[])).unwrap();
        assert_eq!(
            read_labels(&path).unwrap().2,
            [0, 1, 2, 3, 4, 5, 6, 7],
            "{i}"
        );
    }
    assert!(read(&[&png[..], b"PK\x03\x04 and more"].concat()) == image);
}

#[test]
fn bitmaps_without_opacity_are_opaque() {
    let image = rgb();
    let bmp = |alpha: u8| {
        let mut bytes = b"BM\0\0\0\0\0\0\0\0\x7A\0\0\0".to_vec();
        // A header of version 4 with a mask for the fourth byte; negative height: rows from the top.
        bytes.extend(108u32.to_le_bytes());
        bytes.extend((SIZE[0] as i32).to_le_bytes());
        bytes.extend((-(SIZE[1] as i32)).to_le_bytes());
        bytes.extend(b"\x01\0\x20\0\x03\0\0\0");
        bytes.extend([0; 20]);
        for mask in [0xFF_0000u32, 0xFF00, 0xFF, 0xFF00_0000] {
            bytes.extend(mask.to_le_bytes());
        }
        bytes.resize(0x7A, 0);
        bytes.extend(image.pixels().flat_map(|p| [p.0[2], p.0[1], p.0[0], alpha]));
        bytes
    };
    assert!(read(&bmp(0)) == image);
    assert!(read(&bmp(255)) == image);
    assert!(read(&bmp(128)) != image);
}

#[test]
fn colour_profiles_are_applied() {
    let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 17) as u8, (y * 17) as u8, 90]));
    let tagged = |profile: &ColorProfile| {
        let bytes: Vec<u32> = profile
            .encode()
            .unwrap()
            .into_iter()
            .map(u32::from)
            .collect();
        read(&tiff(&[page(
            [16, 16],
            [8, 2, 3],
            &[(34675, 7, bytes)],
            image.as_raw().clone(),
        )]))
    };
    assert!(
        tagged(&ColorProfile::new_srgb()) == image,
        "sRGB changes nothing"
    );
    // Pure green of Adobe RGB is outside sRGB; mid grey is the same in both.
    let adobe = tagged(&ColorProfile::new_adobe_rgb());
    assert!(difference(&adobe, &image) > 20);
    let p3 = tagged(&ColorProfile::new_display_p3());
    let moved = difference(&p3, &image);
    assert!((10..120).contains(&moved), "{moved}");
    // Linear grey becomes brighter.
    let grey = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let bytes: Vec<u32> = grey.into_iter().map(u32::from).collect();
    let linear = read(&tiff(&[page(
        [2, 1],
        [8, 1, 1],
        &[(34675, 7, bytes)],
        vec![0, 55],
    )]));
    assert_eq!(linear.get_pixel(0, 0).0, [0; 3]);
    let found = linear.get_pixel(1, 0).0[0];
    assert!(found.abs_diff(128) <= 2, "{found}");
    // A damaged profile is ignored.
    let broken = (34675, 7, vec![1, 2, 3, 4, 5]);
    assert!(
        read(&tiff(&[page(
            [16, 16],
            [8, 2, 3],
            &[broken],
            image.as_raw().clone()
        )])) == image
    );
}

#[test]
fn other_files_are_named_with_a_way_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("IMG_0001.jpg");
    let cases: [(&[u8], &str, &str); 3] = [
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", "AVIF", "avifdec"),
        (b"<!DOCTYPE html>\n<html>", "HTML web page", "download"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git-lfs pointer",
            "git lfs pull",
        ),
    ];
    for (bytes, name, remedy) in cases {
        fs::write(&path, bytes).unwrap();
        says(&message(read_photo(&path)), &["IMG_0001.jpg", name, remedy]);
        says(
            &message(read_labels(&path)),
            &["IMG_0001.jpg", name, remedy],
        );
    }
}

#[test]
fn extreme_shapes_are_read() {
    for size in [(1, 1), (1, 20_000), (20_000, 1)] {
        let image = photo(size.0, size.1);
        assert!(read(&encoded(&image, image::ImageFormat::Png)) == image);
        let page = page([size.0, size.1], [8, 2, 3], &[], image.as_raw().clone());
        assert!(read(&tiff(&[page])) == image);
    }
}

#[test]
fn heic_has_the_pixels_of_libheif() {
    let whole = include_bytes!("files/444.heic");
    let expected = image::load_from_memory(include_bytes!("files/libheif.png")).unwrap();
    let found = difference(&read(whole), &expected.into_rgb8());
    assert!(found <= 2, "{found}");
    let half = message(reading(&whole[..whole.len() / 2]));
    says(&half, &["p.tif is a HEIC picture", "heif-convert"]);
    for end in 24..whole.len() {
        let _ = reading(&whole[..end]);
    }
    let dir = tempfile::tempdir().unwrap();
    let labels = dir.path().join("l.png");
    fs::write(&labels, whole).unwrap();
    says(&message(read_labels(&labels)), &["non-PNG"]);
}

#[test]
fn the_pixels_that_are_decoded_are_known_from_the_header() {
    let image = rgb();
    let full = page(SIZE, [8, 2, 3], &[], image.as_raw().clone());
    let small = || page([4, 2], [8, 2, 3], &[], vec![7; 24]);
    let pixels = |bytes: &[u8]| pixels_of(Path::new("p"), bytes);
    let decoded = |bytes: &[u8]| {
        let (width, height) = read(bytes).dimensions();
        u64::from(width) * u64::from(height)
    };
    // Cut out of the picture that is decoded.
    let cut = include_bytes!("files/444.heic");
    assert!(pixels(cut).unwrap() > decoded(cut));
    let photos = [
        include_bytes!("files/fax4.tif").to_vec(),
        include_bytes!("files/big-endian-64-bit.tif").to_vec(),
        include_bytes!("files/rgb.jpg").to_vec(),
        tiff(&[small(), full, small()]),
        encoded(&image, image::ImageFormat::Png),
        encoded(&image, image::ImageFormat::Bmp),
    ];
    for bytes in photos {
        assert_eq!(pixels(&bytes).unwrap(), decoded(&bytes));
    }
    // What no decoder begins with takes nothing, and what is no photo or too large is refused.
    assert_eq!(pixels(b"\xFF\xD8\xFF\xE0").unwrap(), 0);
    says(&message(pixels(b"no photo at all")), &["p is not"]);
    let size = [60_000u32; 2].map(u32::to_be_bytes).concat();
    let header = chunk(b"IHDR", &[&size[..], &[8, 2, 0, 0, 0]].concat());
    let large = [&b"\x89PNG\r\n\x1a\n"[..], &header, &chunk(b"IDAT", &[0; 8])].concat();
    says(&message(pixels(&large)), &["60000"]);
}

#[test]
fn the_size_of_a_long_file_is_read_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.tif");
    let stored = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        stored_size(&path)
    };
    // The directory of a page follows its pixels.
    let small = || page([4, 2], [8, 2, 3], &[], vec![7; 24]);
    let large = page([1000, 500], [8, 2, 3], &[], vec![7; 1_500_000]);
    let long = tiff(&[small(), large, small()]);
    assert_eq!(stored(&long), Some([1000, 500]));
    let jpeg = include_bytes!("files/rgb.jpg");
    let size = stored(jpeg);
    let filler = [&b"\xFF\xE4\xFF\xFF"[..], &[0; 65_533]].concat();
    let long = [&jpeg[..2], &filler, &filler, &jpeg[2..]].concat();
    assert!(size.is_some() && stored(&long) == size);
    // A part of the picture may be shown only.
    assert_eq!(stored(include_bytes!("files/444.heic")), None);
    for bad in [&b""[..], b"II*\0", b"\xFF\xD8\xFF\xE0", b"no photo"] {
        assert_eq!(stored(bad), None);
    }
}
