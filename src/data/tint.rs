//! Augmentation: a random brightness and tint for half of the classes of a view.
//!
//! In photos of one place and day, a class has its colour: skies are white, walls brick. A network that
//! learns from them finds the outline between a white wall and a blue sky badly. With a tint for each
//! class, outlines are where the colours change, whatever the colours are.

use rand::{Rng, RngExt};

use crate::labels::IGNORE;

/// Greatest change of a class's brightness and, on top, of each of its channels: factors of `e` to the
/// power of plus and minus this.
const BRIGHTNESS: f32 = 0.5;
const CHANNEL: f32 = 0.35;

/// Multiplies half of the classes, chosen at random, by a colour each.
///
/// `image` is `[3, height, width]` in [-1, 1] and stays in that range; -1 is black and remains so.
/// `labels` are `[height, width]`; ignored pixels are left alone. At outlines the factor is the mean of
/// the 3 x 3 pixels around, so that labels which are a pixel off leave no seam.
pub(super) fn tint(image: &mut [f32], labels: &[u16], width: usize, rng: &mut impl Rng) {
    let Some(&last) = labels.iter().filter(|&&label| label != IGNORE).max() else {
        return;
    };
    let factors: Vec<[f32; 3]> = (0..=last)
        .map(|_| {
            let mut around = |reach: f32| reach * (2.0 * rng.random::<f32>() - 1.0);
            let brightness = around(BRIGHTNESS);
            let colour = [(); 3].map(|()| (brightness + around(CHANNEL)).exp());
            if rng.random_bool(0.5) {
                colour
            } else {
                [1.0; 3]
            }
        })
        .collect();
    let factor_of = |label: u16| factors.get(usize::from(label)).copied().unwrap_or([1.0; 3]);
    let (count, height) = (labels.len(), labels.len() / width);
    for y in 0..height {
        let rows = y.saturating_sub(1)..(y + 2).min(height);
        for x in 0..width {
            let label = labels[y * width + x];
            if label == IGNORE {
                continue;
            }
            let columns = x.saturating_sub(1)..(x + 2).min(width);
            let around = || {
                let rows = rows.clone();
                rows.flat_map(|row| &labels[row * width..][columns.clone()])
            };
            let factor = if around().all(|&other| other == label) {
                factor_of(label)
            } else {
                let share = 1.0 / around().count() as f32;
                around().fold([0.0; 3], |sum, &other| {
                    let factor = factor_of(other);
                    std::array::from_fn(|c| sum[c] + share * factor[c])
                })
            };
            for (c, factor) in factor.into_iter().enumerate() {
                let value = &mut image[c * count + y * width + x];
                *value = ((*value + 1.0) * factor - 1.0).clamp(-1.0, 1.0);
            }
        }
    }
}
