//! Principal components of vectors, as colours.

/// Iterations of the power method for each component; the directions of photos' tokens converge in far
/// fewer.
const ITERATIONS: usize = 300;
/// The method stops once a direction changes by less than this.
const CONVERGED: f64 = 1e-9;
/// The share of the values at either end that gets the darkest or brightest colour.
const TAIL: f32 = 0.02;

/// The projections of vectors onto the three directions in which they vary most.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Coordinates of every vector along the three directions, relative to the mean.
    pub scores: Vec<[f32; 3]>,
    /// The share of the variance along each direction, 0 to 1, greatest first.
    pub shares: [f32; 3],
}

impl Components {
    /// The coordinates as red, green and blue. Each component is stretched to the range of its values,
    /// without the extreme ones; a component without variance is grey.
    pub fn colours(&self) -> Vec<[u8; 3]> {
        let ranges = [0, 1, 2].map(|c| {
            let mut values: Vec<f32> = self.scores.iter().map(|score| score[c]).collect();
            values.sort_by(f32::total_cmp);
            let at = |share: f32| {
                let place = share * values.len().saturating_sub(1) as f32;
                values.get(place.round() as usize).copied().unwrap_or(0.0)
            };
            [at(TAIL), at(1.0 - TAIL)]
        });
        let colour = |score: &[f32; 3]| {
            std::array::from_fn(|c| {
                let [low, high] = ranges[c];
                let share = if high > low {
                    (score[c] - low) / (high - low)
                } else {
                    0.5
                };
                (255.0 * share.clamp(0.0, 1.0)).round() as u8
            })
        };
        self.scores.iter().map(colour).collect()
    }
}

/// The first three principal components of `rows: [L, width]`, by the power method. Each points to the
/// side on which its largest coefficient is positive. Directions without variance get zeros.
pub fn principal_components(rows: &[f32], width: usize) -> Components {
    let width = width.max(1);
    let count = rows.len() / width;
    let centred = centred(rows, width);
    let total: f64 = centred.iter().map(|x| x * x).sum();
    let mut directions: Vec<Vec<f64>> = Vec::with_capacity(3);
    let mut shares = [0.0; 3];
    for share in &mut shares {
        let (direction, variance) = strongest(&centred, width, &directions);
        if total > 0.0 {
            *share = (variance / total) as f32;
        }
        directions.push(direction);
    }
    let score = |row: &[f64]| {
        let along = |c: usize| dot(row, &directions[c]) as f32;
        [along(0), along(1), along(2)]
    };
    Components {
        scores: centred.chunks_exact(width).take(count).map(score).collect(),
        shares,
    }
}

fn centred(rows: &[f32], width: usize) -> Vec<f64> {
    let count = (rows.len() / width).max(1) as f64;
    let mut mean = vec![0.0f64; width];
    for row in rows.chunks_exact(width) {
        for (mean, x) in mean.iter_mut().zip(row) {
            *mean += f64::from(*x) / count;
        }
    }
    let rows = rows.chunks_exact(width);
    let minus_mean = |row: &[f32]| -> Vec<f64> {
        row.iter()
            .zip(&mean)
            .map(|(x, m)| f64::from(*x) - m)
            .collect()
    };
    rows.flat_map(minus_mean).collect()
}

/// The direction of greatest variance perpendicular to others, and the sum of squares along it.
fn strongest(centred: &[f64], width: usize, others: &[Vec<f64>]) -> (Vec<f64>, f64) {
    // Any start that is not perpendicular to the result will do; the same one every time.
    let mut direction: Vec<f64> = (0..width).map(|i| 1.0 + (i as f64 + 1.0).sin()).collect();
    let mut variance = 0.0;
    for _ in 0..ITERATIONS {
        for other in others {
            let along = dot(&direction, other);
            add(&mut direction, other, -along);
        }
        let length = dot(&direction, &direction).sqrt();
        if length < 1e-12 {
            return (vec![0.0; width], 0.0);
        }
        direction.iter_mut().for_each(|x| *x /= length);
        let mut next = vec![0.0; width];
        variance = 0.0;
        for row in centred.chunks_exact(width) {
            let along = dot(row, &direction);
            variance += along * along;
            add(&mut next, row, along);
        }
        // The product is `variance` times the direction once that has converged.
        let miss = next.iter().zip(&direction);
        let miss: f64 = miss.map(|(n, d)| (n - variance * d).powi(2)).sum();
        if miss.sqrt() <= CONVERGED * variance {
            break;
        }
        direction = next;
    }
    let length = dot(&direction, &direction).sqrt();
    let largest = direction
        .iter()
        .copied()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()));
    if length < 1e-12 {
        return (vec![0.0; width], 0.0);
    }
    let sign = largest.unwrap_or(1.0).signum();
    direction.iter_mut().for_each(|x| *x *= sign / length);
    (direction, variance)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], from: &[f64], factor: f64) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points around a centre, along three perpendicular directions with known variances.
    fn cloud() -> (Vec<f32>, [[f64; 4]; 3]) {
        let half = 0.5;
        let axes = [
            [half, half, half, half],
            [half, -half, half, -half],
            [half, half, -half, -half],
        ];
        let mut rows = Vec::new();
        for (axis, length) in axes.iter().zip([4.0, 2.0, 1.0]) {
            for sign in [-1.0, 1.0] {
                rows.extend(axis.iter().map(|a| (7.0 + sign * length * a) as f32));
            }
        }
        (rows, axes)
    }

    #[test]
    fn known_directions_are_found_in_order() {
        let (rows, axes) = cloud();
        let found = principal_components(&rows, 4);
        // Sums of squares 32, 8 and 2 of 42.
        for (share, expected) in found.shares.iter().zip([32.0, 8.0, 2.0]) {
            assert!((share - expected / 42.0).abs() < 1e-6, "{share}");
        }
        for (i, score) in found.scores.iter().enumerate() {
            let row = &rows[4 * i..4 * i + 4];
            for (c, axis) in axes.iter().enumerate() {
                let along: f64 = row
                    .iter()
                    .zip(axis)
                    .map(|(x, a)| (f64::from(*x) - 7.0) * a)
                    .sum();
                assert!(
                    (score[c].abs() - along.abs() as f32).abs() < 1e-5,
                    "{i} {c}"
                );
            }
        }
        // The same numbers every time, sign included.
        assert_eq!(found, principal_components(&rows, 4));
    }

    #[test]
    fn colours_span_the_range_and_nothing_is_grey() {
        let (rows, _) = cloud();
        let colours = principal_components(&rows, 4).colours();
        for c in 0..3 {
            let values: Vec<u8> = colours.iter().map(|colour| colour[c]).collect();
            assert!(values.contains(&0) && values.contains(&255), "{values:?}");
        }
        let same = principal_components(&[3.0; 12], 4);
        assert_eq!(same.shares, [0.0; 3]);
        assert_eq!(same.colours(), vec![[128; 3]; 3]);
        assert!(principal_components(&[], 4).colours().is_empty());
        // Fewer dimensions than components.
        let line = principal_components(&[0.0, 1.0, 2.0], 1);
        assert_eq!(line.shares, [1.0, 0.0, 0.0]);
    }
}
