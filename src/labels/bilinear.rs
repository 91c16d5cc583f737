//! Label maps at another size, with outlines between the pixels of the map.

use rayon::prelude::*;

/// Labels `[height, width]` resampled from one height and width to another: each pixel takes the label with the largest
/// share among its four neighbours, weighted bilinearly, which is what `shaders/canvas.wgsl` draws.
///
/// # Panics
/// If there are not as many labels as the size has pixels.
pub fn bilinear(labels: &[u16], from: [usize; 2], to: [usize; 2]) -> Vec<u16> {
    assert_eq!(labels.len(), from[0] * from[1], "the size of the labels");
    let mut scaled = vec![0; to[0] * to[1]];
    if labels.is_empty() || scaled.is_empty() {
        return scaled;
    }
    let taps = |axis: usize| -> Vec<Taps> {
        let of_pixel = |i| taps(i, from[axis], to[axis]);
        (0..to[axis]).map(of_pixel).collect()
    };
    let (rows, columns) = (taps(0), taps(1));
    let lines = scaled.par_chunks_mut(to[1]).zip(&rows);
    lines.with_min_len(16).for_each(|(scaled, row)| {
        let line = |y: usize| &labels[y * from[1]..][..from[1]];
        let (above, below) = (line(row.low), line(row.high));
        for (scaled, column) in scaled.iter_mut().zip(&columns) {
            let labels = [
                above[column.low],
                above[column.high],
                below[column.low],
                below[column.high],
            ];
            *scaled = if labels[1..].iter().all(|label| *label == labels[0]) {
                labels[0]
            } else {
                largest(labels, row.share, column.share)
            };
        }
    });
    scaled
}

/// The two samples that a sample of another size is interpolated between, along an axis.
pub(crate) struct Taps {
    pub low: usize,
    pub high: usize,
    /// The weight of the higher one, 0 to 1.
    pub share: f32,
}

/// The taps of sample `i` of `to` among `from` samples, at least one.
pub(crate) fn taps(i: usize, from: usize, to: usize) -> Taps {
    let last = from - 1;
    let at = (i as f32 + 0.5) * from as f32 / to as f32 - 0.5;
    let at = at.clamp(0.0, last as f32);
    let low = at as usize;
    Taps {
        low,
        high: (low + 1).min(last),
        share: at - low as f32,
    }
}

/// The label with the largest share; of equal ones the first.
fn largest(labels: [u16; 4], down: f32, right: f32) -> u16 {
    let weights = [
        (1.0 - down) * (1.0 - right),
        (1.0 - down) * right,
        down * (1.0 - right),
        down * right,
    ];
    let share = |label: u16| -> f32 {
        let pairs = labels.iter().zip(weights);
        pairs
            .map(|(other, weight)| if *other == label { weight } else { 0.0 })
            .sum()
    };
    let mut best = (labels[0], share(labels[0]));
    for label in labels.into_iter().skip(1) {
        let share = share(label);
        if share > best.1 {
            best = (label, share);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_up_keeps_blocks_and_invents_nothing() {
        let labels = [1, 1, 2, 2, 1, 1, 2, 2];
        let big = bilinear(&labels, [2, 4], [8, 16]);
        assert_eq!(big.len(), 128);
        let is_halved = |row: &[u16]| row[..8] == [1; 8] && row[8..] == [2; 8];
        assert!(big.chunks(16).all(is_halved));
        assert_eq!(bilinear(&labels, [2, 4], [2, 4]), labels);
    }

    #[test]
    fn the_largest_share_decides() {
        // At the centre of four pixels, two of a class have half of the shares; of four classes, the first is taken.
        assert_eq!(bilinear(&[1, 2, 3, 2], [2, 2], [1, 1]), [2]);
        assert_eq!(bilinear(&[4, 1, 2, 3], [2, 2], [1, 1]), [4]);
        // A quarter of a pixel from the first column, three quarters are its.
        assert_eq!(bilinear(&[5, 6], [1, 2], [1, 4]), [5, 5, 6, 6]);
        assert!(bilinear(&[1, 2], [1, 2], [0, 3]).is_empty());
    }
}
