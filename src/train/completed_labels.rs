//! Labels in which every pixel has a class.

use std::borrow::Cow;
use std::collections::VecDeque;

/// Labels `[H, W]` with a class for every pixel: its own or that of the nearest labelled pixel, in
/// steps along rows and columns. A map without any class is returned unchanged.
///
/// The grey that encodes an ignored pixel is on no path: the network never sees it in sampling,
/// while in training it would share tokens with labelled pixels, mostly at borders between classes.
pub(super) fn completed(labels: &[u16], width: usize, classes: usize) -> Cow<'_, [u16]> {
    let has_class = |label: u16| usize::from(label) < classes;
    if labels.iter().all(|&label| has_class(label)) {
        return Cow::Borrowed(labels);
    }
    let mut all = labels.to_vec();
    let mut frontier: VecDeque<usize> = (0..all.len()).filter(|&i| has_class(all[i])).collect();
    while let Some(pixel) = frontier.pop_front() {
        let (x, label) = (pixel % width, all[pixel]);
        let around = [
            pixel.checked_sub(width),
            (x > 0).then(|| pixel - 1),
            (x + 1 < width).then_some(pixel + 1),
            Some(pixel + width).filter(|&below| below < all.len()),
        ];
        for neighbour in around.into_iter().flatten() {
            if !has_class(all[neighbour]) {
                all[neighbour] = label;
                frontier.push_back(neighbour);
            }
        }
    }
    Cow::Owned(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::IGNORE;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_pixel_takes_the_class_of_a_nearest_one(
            (width, height) in (1usize..9, 1usize..9),
            seed in any::<u64>(),
        ) {
            let mut random = seed;
            let labels: Vec<u16> = (0..width * height)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    match random >> 61 {
                        class @ 0..3 => class as u16,
                        _ => IGNORE,
                    }
                })
                .collect();
            let all = completed(&labels, width, 3);
            let distance = |a: usize, b: usize| {
                (a % width).abs_diff(b % width) + (a / width).abs_diff(b / width)
            };
            for (pixel, &class) in all.iter().enumerate() {
                let known: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] < 3).collect();
                let Some(nearest) = known.iter().map(|&i| distance(pixel, i)).min() else {
                    prop_assert_eq!(class, IGNORE);
                    continue;
                };
                prop_assert!(
                    known.iter().any(|&i| distance(pixel, i) == nearest && labels[i] == class)
                );
            }
        }
    }
}
