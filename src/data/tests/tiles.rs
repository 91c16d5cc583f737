//! TIFF pages of tiles that extend beyond the picture.

use ::tiff::encoder::compression::{CompressionAlgorithm, Lzw};

use super::*;

/// Width and height of a tile.
const TILE: u32 = 16;

/// How the samples of a page are stored.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// Each channel in tiles of its own.
    planar: bool,
    lzw: bool,
    /// As the differences to the pixel on the left.
    differences: bool,
    /// The last tiles without the rows below the picture.
    cut: bool,
}

fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1u32;
    RgbImage::from_fn(width, height, |_, _| {
        Rgb([(); 3].map(|()| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    })
}

/// A TIFF of tiles whose pixels beyond the picture are 0, if they are there.
fn tiled(image: &RgbImage, form: Form) -> Vec<u8> {
    let (width, height) = image.dimensions();
    let planes: &[&[usize]] = if form.planar {
        &[&[0], &[1], &[2]]
    } else {
        &[&[0, 1, 2]]
    };
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
    for channels in planes {
        for top in (0..height).step_by(TILE as usize) {
            for left in (0..width).step_by(TILE as usize) {
                let mut tile = Vec::new();
                let bottom = if form.cut { height } else { top + TILE };
                for y in top..bottom.min(top + TILE) {
                    let mut last = vec![0; channels.len()];
                    for x in left..left + TILE {
                        for (last, channel) in last.iter_mut().zip(*channels) {
                            let pixel = image.get_pixel_checked(x, y);
                            let value = pixel.map_or(0, |pixel| pixel.0[*channel]);
                            tile.push(if form.differences {
                                value.wrapping_sub(*last)
                            } else {
                                value
                            });
                            *last = value;
                        }
                    }
                }
                if form.lzw {
                    let mut packed = Vec::new();
                    Lzw.write_to(&mut packed, &tile).unwrap();
                    tile = packed;
                }
                offsets.push(bytes.len() as u32);
                lengths.push(tile.len() as u32);
                bytes.extend(tile);
            }
        }
    }
    let number = |yes: bool, value: u32| vec![if yes { value } else { 1 }];
    let entries: [Entry; 12] = [
        (256, 3, vec![width]),
        (257, 3, vec![height]),
        (258, 3, vec![8; 3]),
        (259, 3, number(form.lzw, 5)),
        (262, 3, vec![2]),
        (277, 3, vec![3]),
        (284, 3, number(form.planar, 2)),
        (317, 3, number(form.differences, 2)),
        (322, 3, vec![TILE]),
        (323, 3, vec![TILE]),
        (324, 4, offsets),
        (325, 4, lengths),
    ];
    add_directory(&mut bytes, 4, &entries);
    bytes
}

#[test]
fn tiles_beyond_the_edges_are_cut_off() {
    let path = Path::new("p.tif");
    let both = [false, true];
    for (planar, lzw, differences) in both.into_iter().flat_map(|planar| {
        both.into_iter()
            .flat_map(move |lzw| both.map(|differences| (planar, lzw, differences)))
    }) {
        let form = Form {
            planar,
            lzw,
            differences,
            cut: false,
        };
        let widths = (17..=32).chain([5]);
        for (width, height) in widths.flat_map(|width| [(width, 16), (width, 21)]) {
            let image = noise(width, height);
            let decoded = decode_photo(path, tiled(&image, form));
            let decoded = decoded.unwrap_or_else(|error| panic!("{form:?} {width}: {error}"));
            assert!(decoded == image, "{form:?}, {width} x {height}");
        }
    }
}

#[test]
fn tiles_far_larger_than_the_picture_are_refused() {
    let form = Form {
        planar: false,
        lzw: false,
        differences: false,
        cut: false,
    };
    let mut bytes = tiled(&noise(10, 10), form);
    // The entries of the tiles' width and height.
    for tag in [0x42, 0x43] {
        let entry = [tag, 1, 3, 0, 1, 0, 0, 0, TILE as u8, 0];
        let mut places = bytes.windows(entry.len());
        let at = places.position(|window| window == entry).unwrap();
        bytes[at + 8..at + 10].copy_from_slice(&65_520u16.to_le_bytes());
    }
    let decoded = decode_photo(Path::new("p.tif"), bytes);
    says(&message(decoded), &["p.tif", "far larger than the picture"]);
}

#[test]
fn rows_below_the_picture_may_be_left_out() {
    let path = Path::new("p.tif");
    let form = Form {
        planar: false,
        lzw: false,
        differences: false,
        cut: true,
    };
    let image = noise(21, 20);
    let bytes = tiled(&image, form);
    assert!(decode_photo(path, bytes).unwrap() == image);
    // The file ends within the rows of the picture: the places of the last two tiles.
    let mut bytes = tiled(&image, form);
    let places = [1544u32, 1736].map(u32::to_le_bytes).concat();
    let mut windows = bytes.windows(places.len());
    let at = windows.rposition(|window| window == places).unwrap();
    let end = bytes.len() as u32 - 100;
    bytes[at + 4..at + 8].copy_from_slice(&end.to_le_bytes());
    says(&message(decode_photo(path, bytes)), &["p.tif", "cut short"]);
}
