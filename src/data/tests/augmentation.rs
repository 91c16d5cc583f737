//! Effects of augmentation on samples.

use image::imageops::{FilterType, resize};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn sample(width: u32, height: u32) -> Sample {
    let data = (0..width * height)
        .map(|i| ((i * i + i / 3) % 5 * 50) as u16)
        .collect();
    let labels = LabelMap {
        width: width as usize,
        height: height as usize,
        data,
    };
    Sample {
        name: "s".to_owned(),
        image: photo(width, height),
        labels,
    }
}

/// No augmentation.
const NOTHING: Augment = Augment {
    scale: [1.0, 1.0],
    crop: false,
    flip: false,
    photometric: false,
    balance: 0.0,
    tint: 0.0,
};

#[test]
fn fit_filters_like_the_image_crate() {
    for (from, to) in [
        ([60, 40], [13, 17]),
        ([7, 9], [30, 21]),
        ([16, 16], [16, 16]),
        ([1, 1], [3, 2]),
    ] {
        let mut sample = sample(from[0], from[1]);
        sample.image = image::imageops::blur(&sample.image, 1.0);
        let (ours, _) = fit(&sample, [to[1] as usize, to[0] as usize]);
        let theirs = resize(&sample.image, to[0], to[1], FilterType::Triangle);
        for (x, y, pixel) in theirs.enumerate_pixels() {
            for c in 0..3 {
                let at = (c * to[1] + y) * to[0] + x;
                let ours = (ours[at as usize] + 1.0) * 127.5;
                let theirs = f32::from(pixel.0[c as usize]);
                assert!(
                    (ours - theirs).abs() < 1.01,
                    "{from:?}->{to:?} {x},{y}: {ours} {theirs}"
                );
            }
        }
        assert_eq!(
            photo_to_chw(&sample.image, [to[1] as usize, to[0] as usize]),
            ours_of(&sample, to)
        );
    }
}

fn ours_of(sample: &Sample, to: [u32; 2]) -> Vec<f32> {
    fit(sample, [to[1] as usize, to[0] as usize]).0
}

#[test]
fn fitting_to_the_own_size_changes_nothing() {
    let sample = sample(12, 8);
    let (image, labels) = fit(&sample, [8, 12]);
    assert_eq!(labels, sample.labels.data);
    for (x, y, pixel) in sample.image.enumerate_pixels() {
        let at = (y * 12 + x) as usize;
        let expected = f32::from(pixel.0[1]) / 127.5 - 1.0;
        assert!((image[96 + at] - expected).abs() < 1e-5);
    }
}

#[test]
fn flipping_mirrors_photo_and_labels_alike() {
    let sample = sample(10, 6);
    let (image, labels) = fit(&sample, [6, 10]);
    let augment = Augment {
        flip: true,
        ..NOTHING
    };
    let mut flipped = 0;
    for seed in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (view, marks) = augmented(&sample, [6, 10], &augment, &mut rng);
        if marks == labels {
            assert_eq!(view, image);
            continue;
        }
        flipped += 1;
        for row in 0..6 {
            for x in 0..10 {
                assert_eq!(marks[row * 10 + x], labels[row * 10 + 9 - x]);
                assert!((view[row * 10 + x] - image[row * 10 + 9 - x]).abs() < 1e-5);
            }
        }
    }
    assert!((10..30).contains(&flipped), "{flipped} of 40");
}

#[test]
fn padding_is_grey_and_ignored() {
    let sample = sample(20, 20);
    let augment = Augment {
        scale: [0.5, 0.5],
        crop: true,
        photometric: true,
        flip: false,
        balance: 0.0,
        tint: 0.5,
    };
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (image, labels) = augmented(&sample, [24, 24], &augment, &mut rng);
        let ignored = labels.iter().filter(|&&l| l == IGNORE).count() as f32 / 576.0;
        // At half the scale the photo covers about a quarter.
        assert!((0.6..0.9).contains(&ignored), "{ignored}");
        for (i, _) in labels.iter().enumerate().filter(|(_, l)| **l == IGNORE) {
            assert_eq!([image[i], image[576 + i], image[2 * 576 + i]], [0.0; 3]);
        }
    }
}

#[test]
fn windows_have_the_aspect_of_the_training_size() {
    // Red is the column index, green the row index.
    let mut sample = sample(240, 120);
    sample.image = RgbImage::from_fn(240, 120, |x, y| Rgb([x as u8, y as u8, 0]));
    let augment = Augment {
        scale: [3.0, 3.0],
        crop: true,
        ..NOTHING
    };
    for size in [[24, 24], [20, 40], [40, 20]] {
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (image, labels) = augmented(&sample, size, &augment, &mut rng);
            let [height, width] = size;
            // A ninth of the photo's area fits into the photo at any of these aspects.
            assert!(labels.iter().all(|&label| label != IGNORE));
            // Photo pixels between the second and the last but one.
            let row = height / 2 * width;
            let across = (image[row + width - 2] - image[row + 1]) / (width - 3) as f32;
            let green = &image[height * width..];
            let down = green[(height - 2) * width] - green[width];
            let down = down / (height - 3) as f32;
            let stretched = across / down;
            assert!((0.9..1.12).contains(&stretched), "{size:?}: {stretched}");
            let area = across * down * (height * width) as f32 * 127.5 * 127.5;
            assert!((area / 3200.0 - 1.0).abs() < 0.05, "{size:?}: {area}");
        }
    }
}

#[test]
fn photometric_changes_leave_labels_and_range_alone() {
    let sample = sample(16, 16);
    let (plain, labels) = fit(&sample, [16, 16]);
    let augment = Augment {
        photometric: true,
        ..NOTHING
    };
    let mut changed = 0.0;
    for seed in 0..50 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (image, marks) = augmented(&sample, [16, 16], &augment, &mut rng);
        assert_eq!(marks, labels);
        assert!(image.iter().all(|v| (-1.0..=1.0).contains(v)));
        let total: f32 = image.iter().zip(&plain).map(|(a, b)| (a - b).abs()).sum();
        changed += total / image.len() as f32 / 50.0;
    }
    // Visible, but still the same photo.
    assert!((0.05..0.4).contains(&changed), "{changed}");
}

#[test]
fn grey_stays_grey_whatever_the_hue() {
    let mut sample = sample(8, 8);
    for pixel in sample.image.pixels_mut() {
        *pixel = Rgb([pixel.0[0]; 3]);
    }
    let augment = Augment {
        photometric: true,
        ..NOTHING
    };
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (image, _) = augmented(&sample, [8, 8], &augment, &mut rng);
        for i in 0..64 {
            assert!((image[i] - image[64 + i]).abs() < 1e-4);
            assert!((image[i] - image[128 + i]).abs() < 1e-4);
        }
    }
}

/// A photo that no tint makes white, whose left half is class 0 and right half class 1, with an ignored last row.
fn halves() -> Sample {
    let label = |i: u16| match (i % 16, i / 16) {
        (_, 7) => IGNORE,
        (0..8, _) => 0,
        _ => 1,
    };
    Sample {
        name: "halves".to_owned(),
        image: RgbImage::from_pixel(16, 8, Rgb([100; 3])),
        labels: LabelMap {
            width: 16,
            height: 8,
            data: (0..16 * 8).map(label).collect(),
        },
    }
}

#[test]
fn tints_are_one_colour_for_each_class() {
    let augment = Augment {
        tint: 1.0,
        ..NOTHING
    };
    let (plain, _) = fit(&halves(), [8, 16]);
    let (mut changed, mut ratio) = (0, 1.0f32);
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (image, _) = augmented(&halves(), [8, 16], &augment, &mut rng);
        let factor = |c: usize, x: usize, y: usize| {
            let at = (c * 8 + y) * 16 + x;
            (image[at] + 1.0) / (plain[at] + 1.0)
        };
        for c in 0..3 {
            for y in 0..7 {
                // Away from the outline and from ignored pixels a class has one factor.
                for x in (0..7).filter(|_| y < 6) {
                    assert_eq!(factor(c, x, y), factor(c, 0, 0));
                    assert_eq!(factor(c, 15 - x, y), factor(c, 15, 0));
                }
            }
            // On either side of it a third of the pixels around are of the other class.
            let [left, right] = [factor(c, 0, 0), factor(c, 15, 0)];
            let mixed = left.mul_add(2.0, right) / 3.0;
            assert!((factor(c, 7, 3) - mixed).abs() < 1e-5, "{c}");
            assert!((0..16).all(|x| factor(c, x, 7) == 1.0));
            ratio = ratio.max(left.max(1.0 / left));
        }
        changed += usize::from(factor(0, 0, 0) != 1.0) + usize::from(factor(0, 15, 0) != 1.0);
    }
    assert!((40..80).contains(&changed), "{changed} of 120");
    // The greatest factor is e^0.85.
    assert!((1.6..2.35).contains(&ratio), "{ratio}");
}

#[test]
fn tints_come_in_their_share_and_leave_other_views_alone() {
    let [none, some] = [0.0, 0.3].map(|tint| {
        let augment = Augment {
            tint,
            ..Augment::default()
        };
        let views = (0..200).map(|seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            augmented(&halves(), [8, 16], &augment, &mut rng)
        });
        views.collect::<Vec<_>>()
    });
    let tinted = none.iter().zip(&some).filter(|(a, b)| a != b).count();
    // In a quarter of the chosen views neither class is.
    assert!((25..70).contains(&tinted), "{tinted} of 200");
}

#[test]
fn settings_read_and_write_as_toml() {
    let text = toml::to_string(&Augment::default()).unwrap();
    assert_eq!(
        toml::from_str::<Augment>(&text).unwrap(),
        Augment::default()
    );
    let partial: Augment = toml::from_str("flip = false").unwrap();
    assert_eq!(
        partial,
        Augment {
            flip: false,
            ..Augment::default()
        }
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn labels_are_never_interpolated(
        (width, height) in (1u32..40, 1u32..40),
        (out_h, out_w) in (1usize..30, 1usize..30),
        scale in (-0.5f32..4.0, -0.5f32..4.0),
        seed in any::<u64>(),
    ) {
        let sample = sample(width, height);
        let augment = Augment { scale: [scale.0, scale.1], ..Augment::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (image, labels) = augmented(&sample, [out_h, out_w], &augment, &mut rng);
        prop_assert_eq!(labels.len(), out_h * out_w);
        prop_assert_eq!(image.len(), 3 * out_h * out_w);
        prop_assert!(labels.iter().all(|l| *l == IGNORE || sample.labels.data.contains(l)));
        prop_assert!(image.iter().all(|v| (-1.0..=1.0).contains(v)));
        let (_, fitted) = fit(&sample, [out_h, out_w]);
        prop_assert!(fitted.iter().all(|l| sample.labels.data.contains(l)));
    }
}
