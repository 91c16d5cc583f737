//! Trajectories that pass through the neighbourhood of another class.

use crate::vector_field::{CentroidTable, Neighbourhood};
use glam::DVec3;
use rayon::prelude::*;
use serde::Serialize;

/// Counts over the labelled pixels of some scenes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traversals {
    /// Trajectories that were followed: one for each labelled pixel.
    pub trajectories: u64,
    /// Those that pass through at least one neighbourhood of another class.
    pub crossing: u64,
    /// Neighbourhoods passed through, over all trajectories.
    pub passes: u64,
}

impl Traversals {
    /// The share of trajectories that pass through another class's neighbourhood, 0 to 1.
    pub fn share(&self) -> f64 {
        self.crossing as f64 / self.trajectories.max(1) as f64
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self {
            trajectories: self.trajectories + other.trajectories,
            crossing: self.crossing + other.crossing,
            passes: self.passes + other.passes,
        }
    }
}

/// Follows every labelled pixel of a scene through its states, `[3, pixels]` each, along straight
/// lines, as Euler's method moves it. `truth` holds its classes.
///
/// A trajectory passes through a neighbourhood if it enters and leaves it. The class of the pixel
/// itself does not count, and neither does a neighbourhood in which the trajectory starts (a photo's
/// colour may lie anywhere) or ends (that is an error of the mask, which mIoU counts).
pub(super) fn traversals(states: &[&[f32]], truth: &[u16], table: &CentroidTable) -> Traversals {
    let share = Neighbourhood::default().share;
    let squares: Vec<f64> = table
        .half_gap
        .iter()
        .map(|gap| f64::from(share * gap).powi(2))
        .collect();
    let pixels = truth.len();
    let point = |state: &[f32], pixel: usize| {
        DVec3::from_array([0, 1, 2].map(|axis| f64::from(state[axis * pixels + pixel])))
    };
    (0..pixels)
        .into_par_iter()
        .filter(|&pixel| usize::from(truth[pixel]) < table.points.len())
        .map(|pixel| {
            let path: Vec<DVec3> = states.iter().map(|state| point(state, pixel)).collect();
            let own = usize::from(truth[pixel]);
            let others = (0..squares.len()).filter(|&class| class != own);
            let passes = others.filter(|&class| passes(&path, table.points[class], squares[class]));
            let passes = passes.count() as u64;
            Traversals {
                trajectories: 1,
                crossing: u64::from(passes > 0),
                passes,
            }
        })
        .reduce(Traversals::default, Traversals::add)
}

/// Whether a path of straight pieces enters and leaves a ball.
fn passes(path: &[DVec3], centre: DVec3, square: f64) -> bool {
    let inside = |point: &DVec3| point.distance_squared(centre) < square;
    let (Some(first), Some(last)) = (path.first(), path.last()) else {
        return false;
    };
    if inside(first) || inside(last) {
        return false;
    }
    path.windows(2).any(|piece| {
        let along = piece[1] - piece[0];
        let length = along.length_squared();
        let at = if length > 0.0 {
            ((centre - piece[0]).dot(along) / length).clamp(0.0, 1.0)
        } else {
            0.0
        };
        inside(&(piece[0] + at * along))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Centroids;

    /// The states of pixels that move through points.
    fn states(paths: &[&[DVec3]]) -> Vec<Vec<f32>> {
        let steps = paths[0].len();
        let state = |step: usize| {
            let axis = |axis: usize| paths.iter().map(move |path| path[step][axis] as f32);
            (0..3).flat_map(axis).collect()
        };
        (0..steps).map(state).collect()
    }

    fn count(paths: &[&[DVec3]], truth: &[u16], table: &CentroidTable) -> Traversals {
        let states = states(paths);
        let states: Vec<&[f32]> = states.iter().map(Vec::as_slice).collect();
        traversals(&states, truth, table)
    }

    #[test]
    fn only_neighbourhoods_that_are_entered_and_left_count() {
        let table = CentroidTable::new(&Centroids::kronecker(6));
        let [from, through, to] = [0, 3, 5].map(|class| table.points[class]);
        let away = through + 3.0 * (through - from);
        // Straight through the ball of class 3, in one long step that has no state within it.
        let crossing: &[DVec3] = &[from, away, to];
        let found = count(&[crossing], &[5], &table);
        assert!(found.passes >= 1 && (found.trajectories, found.crossing) == (1, 1));
        // The pixel's own class; a path that ends in the ball; one that starts there.
        let without = |truth: u16, path: &[DVec3]| {
            let all = count(&[path], &[truth], &table);
            let path: Vec<DVec3> = path.to_vec();
            let ball = f64::from(0.6 * table.half_gap[3]).powi(2);
            (all, passes(&path, through, ball))
        };
        let (own, _) = without(3, crossing);
        assert_eq!(own.passes + 1, found.passes);
        assert!(!without(5, &[from, from, through]).1);
        assert!(!without(5, &[through, through, to]).1);
        assert!(!without(5, &[through, away, to]).1);
    }

    #[test]
    fn pixels_without_a_class_are_not_followed() {
        let table = CentroidTable::new(&Centroids::kronecker(4));
        let rest: &[DVec3] = &[DVec3::ZERO, DVec3::ZERO];
        let found = count(&[rest, rest, rest], &[0, u16::MAX, 3], &table);
        assert_eq!((found.trajectories, found.crossing), (2, 0));
        assert_eq!(found.share(), 0.0);
        assert_eq!(Traversals::default().share(), 0.0);
    }
}
