//! JPEG: libjpeg's pixels for every kind, EXIF orientation, colour profiles, thumbnails and trailing
//! data, and streams with missing pixels.

use image::imageops;

use super::*;

/// A picture of 35x21 pixels, written by Pillow, libjpeg-turbo and a small encoder of several scans, in
/// the order of `libjpeg.png`, which holds libjpeg's pixels of each, one below the other.
const KINDS: [(&str, &[u8]); 10] = [
    ("baseline-420", include_bytes!("files/baseline-420.jpg")),
    ("baseline-444", include_bytes!("files/baseline-444.jpg")),
    ("cmyk", include_bytes!("files/cmyk.jpg")),
    ("grey", include_bytes!("files/grey.jpg")),
    (
        "progressive-422",
        include_bytes!("files/progressive-422.jpg"),
    ),
    ("restarts-420", include_bytes!("files/restarts-420.jpg")),
    ("rgb", include_bytes!("files/rgb.jpg")),
    (
        "scans-apart-420",
        include_bytes!("files/scans-apart-420.jpg"),
    ),
    (
        "scans-apart-444",
        include_bytes!("files/scans-apart-444.jpg"),
    ),
    ("ycck", include_bytes!("files/ycck.jpg")),
];
const LIBJPEG: &[u8] = include_bytes!("files/libjpeg.png");
/// Noise, whose scans are long for their size, and a white field whose codes are almost all zeros.
const NOISE: &[u8] = include_bytes!("files/noise.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("files/noise-progressive.jpg");
const WHITE: &[u8] = include_bytes!("files/white-optimised.jpg");

fn reading(bytes: &[u8]) -> Result<RgbImage, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.jpg");
    fs::write(&path, bytes).unwrap();
    read_photo(&path)
}

fn read(bytes: &[u8]) -> RgbImage {
    reading(bytes).unwrap()
}

/// The mean difference of two pictures of one size.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a
        .iter()
        .zip(b.iter())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.len() as f64
}

/// A segment of application data `number`.
fn segment(number: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[0xFF, 0xE0 + number], &length[..], body].concat()
}

/// A JPEG with segments after its first marker.
fn with(jpeg: &[u8], segments: &[Vec<u8>]) -> Vec<u8> {
    [&jpeg[..2], &segments.concat(), &jpeg[2..]].concat()
}

/// An EXIF block with an orientation, as a SHORT (3) or a LONG (4).
fn exif(orientation: u8, kind: u8) -> Vec<u8> {
    let mut block = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01".to_vec();
    block.extend([kind, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn every_kind_has_the_pixels_of_libjpeg() {
    let all = image::load_from_memory(LIBJPEG).unwrap().into_rgb8();
    for (i, (name, bytes)) in KINDS.iter().enumerate() {
        let expected = imageops::crop_imm(&all, 0, 21 * i as u32, 35, 21).to_image();
        let found = difference(&read(bytes), &expected);
        assert!(found < 0.5, "{name}: {found}");
    }
}

#[test]
fn all_orientations_are_applied_wherever_they_are_stated() {
    let stored = read(KINDS[1].1);
    let xmp = segment(
        1,
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    );
    let upright: [fn(&RgbImage) -> RgbImage; 8] = [
        RgbImage::clone,
        imageops::flip_horizontal,
        imageops::rotate180,
        imageops::flip_vertical,
        |image| imageops::flip_horizontal(&imageops::rotate90(image)),
        imageops::rotate90,
        |image| imageops::flip_horizontal(&imageops::rotate270(image)),
        imageops::rotate270,
    ];
    for (orientation, upright) in (1..).zip(upright) {
        for kind in [3, 4] {
            let block = segment(1, &exif(orientation, kind));
            for segments in [vec![block.clone()], vec![xmp.clone(), block.clone()]] {
                let photo = read(&with(KINDS[1].1, &segments));
                assert!(photo == upright(&stored), "{orientation}, kind {kind}");
            }
        }
    }
}

#[test]
fn labels_of_a_stored_photo_fit_it() {
    let dir = plain(0);
    let image = dir.path().join("images/training/a.jpg");
    let labels = dir.path().join("annotations/training/a.png");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::write(&image, with(KINDS[1].1, &[segment(1, &exif(6, 3))])).unwrap();
    for size in [[21, 35], [35, 21]] {
        save_labels(&labels, size, &[1; 35 * 21]);
        let sample = Dataset::open(dir.path(), "training")
            .unwrap()
            .load(0)
            .unwrap();
        assert_eq!([sample.image.width(), sample.image.height()], size);
        let notes = inspect(dir.path(), &|_, _| {}).unwrap().notes().join("\n");
        assert!(!notes.contains("orientation"), "{notes}");
    }
    // A half turn keeps the size: it is unknown which orientation was labelled.
    fs::write(&image, with(KINDS[1].1, &[segment(1, &exif(3, 3))])).unwrap();
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    assert!(report.problems().is_empty());
    assert_eq!(report.splits[0].ambiguous_orientations, 1);
    says(&report.to_string(), &["EXIF orientation", "a.jpg"]);
}

#[test]
fn a_missing_end_marker_costs_no_pixel() {
    for whole in [KINDS[0].1, KINDS[4].1, KINDS[5].1, KINDS[7].1, WHITE] {
        assert!(read(&whole[..whole.len() - 2]) == read(whole));
        assert!(read(&whole[..whole.len() - 1]) == read(whole));
    }
}

#[test]
fn lost_pixels_are_found() {
    let kinds = [
        ("noise", NOISE),
        ("progressive noise", PROGRESSIVE),
        KINDS[5],
        KINDS[7],
    ];
    for (name, whole) in kinds {
        let scan = whole.windows(2).position(|pair| pair == [0xFF, 0xDA]);
        for end in (scan.unwrap() + 14..whole.len() - 2).step_by(5) {
            let cut = &whole[..end];
            says(
                &message(reading(cut)),
                &["p.jpg", "cut short", "end-of-image"],
            );
            // With an end marker after it, a lenient decoder fills the rest with grey.
            let closed = [cut.strip_suffix(b"\xFF").unwrap_or(cut), &[0xFF, 0xD9]].concat();
            // A progressive file may end between its scans; it is then blurred.
            assert!(
                name == "progressive noise" || reading(&closed).is_err(),
                "{name}, {end}"
            );
        }
    }
}

#[test]
fn the_header_alone_is_no_photo() {
    for end in 2..NOISE.len() / 4 {
        message(reading(&NOISE[..end]));
    }
}

#[test]
fn holes_of_zeros_are_found() {
    let half = NOISE.len() / 2;
    let mut holed = NOISE.to_vec();
    holed[half..half + 300].fill(0);
    says(
        &message(reading(&holed)),
        &["p.jpg", "zeros", &half.to_string()],
    );
    // Zeros to the end of the scan, as left by a broken download.
    let mut ended = NOISE.to_vec();
    let last = ended.len() - 2;
    ended[half..last].fill(0);
    message(reading(&ended));
    // Padding after the last pixel is not a hole, and neither is a scan of zeros.
    let padded = [&NOISE[..last], &[0; 5000], &NOISE[last..]].concat();
    assert!(read(&padded) == read(NOISE));
    assert!(WHITE.windows(1500).any(|run| run.iter().all(|&b| b == 0)));
    assert!(read(WHITE).pixels().all(|pixel| pixel.0 == [255; 3]));
}

#[test]
fn what_stands_beside_the_pixels_does_not_matter() {
    let plain = KINDS[0].1;
    let expected = read(plain);
    let noisy_comment = [
        &b"\xFF\xFE\xFF\xFF"[..],
        &b"\xFF\xD9\xFF\xDA".repeat(16384)[..65533],
    ];
    let beside = [
        [plain, b"MotionPhoto\0\0\0\x18ftypmp42"].concat(),
        [plain, NOISE].concat(),
        with(plain, &[segment(1, &[b"Exif\0\0", NOISE].concat())]),
        with(
            plain,
            &vec![
                segment(
                    1,
                    &[&b"http://ns.adobe.com/xmp/extension/\0"[..], &[b'm'; 65000]].concat()
                );
                40
            ],
        ),
        with(plain, &[vec![0xFF; 7]]),
        with(plain, &[noisy_comment.concat()]),
    ];
    for (i, bytes) in beside.iter().enumerate() {
        assert!(read(bytes) == expected, "{i}");
    }
    // A whole JPEG as the thumbnail of a truncated one does not make it whole.
    let nested = with(&NOISE[..NOISE.len() / 2], &[segment(1, NOISE)]);
    says(&message(reading(&nested)), &["cut short"]);
}

#[test]
fn kinds_that_are_not_decoded_are_named() {
    // The first frame marker determines the kind: arithmetic coding, 12 bits per sample.
    let frame = NOISE
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    let mut arithmetic = NOISE.to_vec();
    arithmetic[frame + 1] = 0xC9;
    let mut deep = NOISE.to_vec();
    (deep[frame + 1], deep[frame + 4]) = (0xC1, 12);
    for bytes in [arithmetic, deep] {
        says(
            &message(reading(&bytes)),
            &["p.jpg is a JPEG of a rare kind", "magick"],
        );
    }
}

#[test]
fn shared_photos_are_whole() {
    let dataset = Dataset::open(&shared("coco-stuff-samples"), "validation").unwrap();
    for i in 0..dataset.len() {
        let bytes = fs::read(dataset.image_path(i).unwrap()).unwrap();
        read(&bytes);
        message(reading(&bytes[..bytes.len() / 2]));
    }
}
