//! TIFF pages of several bands.

use super::photos::{page, reading, tiff};
use super::*;

const SIZE: [u32; 2] = [16, 8];
const EXTRA: u16 = 338;
const PLANAR: u16 = 284;

/// A page of 8-bit bands: those of a photo, and one of noise for each further value of `extra`.
fn banded(interpretation: u32, extra: &[u32], is_planar: bool) -> Vec<u8> {
    let image = photo(SIZE[0], SIZE[1]);
    let count = extra.len() + if interpretation == 2 { 3 } else { 1 };
    let band = |c: usize| {
        let value =
            move |(i, p): (usize, &Rgb<u8>)| p.0.get(c).copied().unwrap_or((3 * i + 1) as u8);
        image.pixels().enumerate().map(value).collect::<Vec<u8>>()
    };
    let bands: Vec<Vec<u8>> = (0..count).map(band).collect();
    let data = if is_planar {
        bands.concat()
    } else {
        (0..bands[0].len())
            .flat_map(|i| bands.iter().map(move |band| band[i]))
            .collect()
    };
    let mut more = vec![(EXTRA, 3, extra.to_vec())];
    if is_planar {
        more.push((PLANAR, 3, vec![2]));
    }
    tiff(&[page(SIZE, [8, interpretation, count as u32], &more, data)])
}

/// GDAL and rasterio write 16-bit RGB and satellite bands as grey with further bands, unless they are told otherwise.
#[test]
fn bands_without_a_meaning_are_no_grey_photo() {
    let image = photo(SIZE[0], SIZE[1]);
    assert!(reading(&banded(1, &[0, 0], false)).unwrap() == image);
    assert!(reading(&banded(1, &[0, 0], true)).unwrap() == image);
    assert!(reading(&banded(1, &[0, 0, 0], false)).unwrap() == image);
    // A last band of opacity is one.
    let over_white = reading(&banded(1, &[0, 0, 2], false)).unwrap();
    assert!(over_white == reading(&banded(2, &[2], false)).unwrap());
    assert!(over_white != image);
    // Grey with opacity and another band stays grey.
    let grey = reading(&banded(1, &[2, 0], false)).unwrap();
    assert!(grey.pixels().all(|p| p.0 == [p.0[0]; 3]));
    // Of bands whose zero is white no program shows colours.
    says(&message(reading(&banded(0, &[0, 0], false))), &["3 bands"]);
}

#[test]
fn a_photo_of_many_bands_counts_as_one_of_more_pixels() {
    let of = |samples: u32, more: &[(u16, u16, Vec<u32>)]| {
        let data = vec![7; (16 * 8 * samples) as usize];
        tiff(&[page(SIZE, [8, 2, samples], more, data)])
    };
    let weight = |bytes: &[u8]| weight_of(Path::new("p"), bytes).unwrap();
    assert_eq!(weight(&of(3, &[])), 128);
    assert_eq!(weight(&of(16, &[])), 128);
    let many = of(400, &[]);
    assert_eq!(weight(&many), 128 * 400 / 16);
    assert_eq!(pixels_of(Path::new("p"), &many).unwrap(), 128);
    // One of its tiles is in memory beside the picture.
    let tiles = [(322, 4, vec![160]), (323, 4, vec![80])];
    assert_eq!(weight(&of(16, &tiles)), 128 + 160 * 80);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.tif");
    fs::write(&path, &many).unwrap();
    assert_eq!(photo::stored_weight(&path), Some(3200));
    assert_eq!(stored_size(&path), Some(SIZE));
}
