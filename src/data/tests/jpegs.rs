//! JPEG: EXIF orientation, thumbnails and trailing data, and streams that end early.

use super::super::jpeg::is_complete;
use super::*;

/// A JPEG whose left half is dark and whose right half is bright, with an EXIF orientation.
fn jpeg(path: &Path, orientation: u8) {
    let image = RgbImage::from_fn(32, 16, |x, _| Rgb([if x < 16 { 20 } else { 230 }; 3]));
    image.save(path).unwrap();
    let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut segment = vec![0xFF, 0xE1];
    segment.extend((tiff.len() as u16 + 2).to_be_bytes());
    segment.extend(tiff);
    let mut bytes = fs::read(path).unwrap();
    bytes.splice(2..2, segment);
    fs::write(path, bytes).unwrap();
}

#[test]
fn exif_orientation_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("turned.jpg");
    let bright = |image: &RgbImage, x: u32, y: u32| image.get_pixel(x, y).0[0] > 128;
    jpeg(&path, 1);
    let image = read_photo(&path).unwrap();
    assert_eq!(image.dimensions(), (32, 16));
    assert!(!bright(&image, 2, 8) && bright(&image, 29, 8));
    jpeg(&path, 3); // upside down
    let image = read_photo(&path).unwrap();
    assert!(bright(&image, 2, 8) && !bright(&image, 29, 8));
    jpeg(&path, 6); // a quarter turn clockwise: the left side comes to the top
    let image = read_photo(&path).unwrap();
    assert_eq!(image.dimensions(), (16, 32));
    assert!(!bright(&image, 8, 2) && bright(&image, 8, 29));
}

#[test]
fn labels_of_a_stored_photo_fit_it() {
    let dir = plain(1);
    for split in ["images", "annotations"] {
        fs::remove_dir_all(dir.path().join(split).join("training")).unwrap();
        fs::create_dir_all(dir.path().join(split).join("training")).unwrap();
    }
    jpeg(&dir.path().join("images/training/a.jpg"), 6);
    let labels = dir.path().join("annotations/training/a.png");
    for size in [[16, 32], [32, 16]] {
        save_labels(&labels, size, &[1; 512]);
        let sample = Dataset::open(dir.path(), "training")
            .unwrap()
            .load(0)
            .unwrap();
        assert_eq!([sample.image.width(), sample.image.height()], size);
    }
}

#[test]
fn only_the_own_end_of_a_stream_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.jpg");
    save_photo(&path, 40, 40);
    let whole = fs::read(&path).unwrap();
    assert!(is_complete(&whole));
    for end in 2..whole.len() {
        assert!(!is_complete(&whole[..end]), "{end} of {}", whole.len());
    }
    // Data after the end is common in phones' photos.
    assert!(is_complete(&[&whole, &b"MotionPhoto"[..]].concat()));
    // A whole JPEG as the thumbnail in a segment of a truncated one.
    let mut nested = vec![0xFF, 0xD8, 0xFF, 0xE1];
    nested.extend((whole.len() as u16 + 2).to_be_bytes());
    nested.extend(&whole);
    nested.extend(&whole[2..whole.len() / 2]);
    assert!(!is_complete(&nested));
    fs::write(&path, &nested).unwrap();
    says(
        &message(read_photo(&path)),
        &["p.jpg", "cut short", "end-of-image"],
    );
}

#[test]
fn shared_photos_are_whole() {
    let dataset = Dataset::open(&shared("coco-stuff-samples"), "validation").unwrap();
    for i in 0..dataset.len() {
        assert!(is_complete(
            &fs::read(dataset.image_path(i).unwrap()).unwrap()
        ));
    }
}
