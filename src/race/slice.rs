//! The velocity on a slice of the colour cube, averaged from the network's own velocities at its
//! pixels: what the network has learnt, where it has been.

use glam::{Vec2, Vec3};

/// Cells along each side of a slice.
pub const CELLS: usize = 14;
/// The slice covers `[-REACH, REACH]` on both of its axes.
pub const REACH: f32 = 1.2;
/// Half the thickness of a slice.
pub const HALF_THICKNESS: f32 = 0.35;
/// Cells with fewer velocities than this have no arrow.
const LEAST: u32 = 3;

/// A slice across one axis of the colour cube.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// 0 red, 1 green, 2 blue.
    pub axis: usize,
    /// Where the slice lies on that axis, -1 to 1.
    pub at: f32,
}

impl Default for Slice {
    fn default() -> Self {
        Self { axis: 2, at: 0.0 }
    }
}

/// The mean velocity in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrow {
    /// The centre of the cell on the slice's two axes.
    pub at: Vec2,
    /// The mean velocity along these axes.
    pub velocity: Vec2,
    /// The number of velocities averaged.
    pub count: u32,
}

impl Slice {
    /// The two axes that span it, in the order across, up.
    pub fn axes(self) -> [usize; 2] {
        [(self.axis + 1) % 3, (self.axis + 2) % 3]
    }

    /// A point of the cube on the slice's axes; `None` if it lies beside the slice.
    pub fn place(self, point: Vec3) -> Option<Vec2> {
        let [u, v] = self.axes();
        let within = (point[self.axis] - self.at).abs() <= HALF_THICKNESS;
        within.then(|| Vec2::new(point[u], point[v]))
    }

    /// The arrows of all cells that the pixels of a scene went through, from the scene's states at
    /// the times `times`, `[3, pixels]` each.
    pub fn arrows(self, states: &[Vec<f32>], times: &[f32]) -> Vec<Arrow> {
        let mut sums = vec![(Vec2::ZERO, 0u32); CELLS * CELLS];
        let [u, v] = self.axes();
        let steps = states.windows(2).zip(times.windows(2));
        for (states, times) in steps {
            let duration = times[1] - times[0];
            let pixels = states[0].len() / 3;
            let at = |state: &[f32], pixel: usize| {
                Vec3::from_array([0, 1, 2].map(|axis| state[axis * pixels + pixel]))
            };
            for pixel in 0..pixels {
                let from = at(&states[0], pixel);
                let Some(cell) = self.place(from).and_then(cell) else {
                    continue;
                };
                let velocity = (at(&states[1], pixel) - from) / duration.max(1e-6);
                sums[cell].0 += Vec2::new(velocity[u], velocity[v]);
                sums[cell].1 += 1;
            }
        }
        let cells = sums.into_iter().enumerate();
        cells
            .filter(|(_, (_, count))| *count >= LEAST)
            .map(|(cell, (sum, count))| Arrow {
                at: centre(cell),
                velocity: sum / count as f32,
                count,
            })
            .collect()
    }
}

/// The cell of a place on the slice; `None` outside.
fn cell(place: Vec2) -> Option<usize> {
    let index = (place + REACH) / (2.0 * REACH) * CELLS as f32;
    let inside = index.cmpge(Vec2::ZERO).all() && index.cmplt(Vec2::splat(CELLS as f32)).all();
    inside.then(|| index.y as usize * CELLS + index.x as usize)
}

fn centre(cell: usize) -> Vec2 {
    let index = Vec2::new((cell % CELLS) as f32, (cell / CELLS) as f32);
    (index + 0.5) / CELLS as f32 * (2.0 * REACH) - REACH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velocities_are_averaged_in_the_cell_where_they_start() {
        // Four pixels at one place of the slice, one beside it, one outside the cube.
        let from = [[0.4, -0.3, 0.1]; 4].into_iter();
        let from: Vec<[f32; 3]> = from.chain([[0.4, -0.3, 0.9], [9.0, 0.0, 0.0]]).collect();
        let moved = |by: [f32; 3]| -> Vec<[f32; 3]> {
            let add = |p: &[f32; 3]| [p[0] + by[0], p[1] + by[1], p[2] + by[2]];
            from.iter().map(add).collect()
        };
        let state = |points: &[[f32; 3]]| -> Vec<f32> {
            (0..3)
                .flat_map(|axis| points.iter().map(move |p| p[axis]))
                .collect()
        };
        let states = [state(&from), state(&moved([0.1, 0.2, 0.5]))];
        let arrows = Slice { axis: 2, at: 0.0 }.arrows(&states, &[0.0, 0.5]);
        assert_eq!(arrows.len(), 1);
        let arrow = arrows[0];
        assert_eq!(arrow.count, 4);
        assert!((arrow.velocity - Vec2::new(0.2, 0.4)).length() < 1e-5);
        assert!(
            (arrow.at - Vec2::new(0.4, -0.3)).abs().max_element() <= REACH / CELLS as f32 + 1e-6
        );
        // Across another axis the same pixels lie on other axes.
        let arrows = Slice { axis: 0, at: 0.4 }.arrows(&states, &[0.0, 0.5]);
        assert!((arrows[0].velocity - Vec2::new(0.4, 1.0)).length() < 1e-5);
    }

    #[test]
    fn cells_cover_the_slice_and_nothing_else() {
        for index in 0..CELLS * CELLS {
            assert_eq!(cell(centre(index)), Some(index));
        }
        for outside in [
            Vec2::new(-REACH - 0.01, 0.0),
            Vec2::new(0.0, REACH + 0.01),
            Vec2::NAN,
        ] {
            assert_eq!(cell(outside), None);
        }
    }
}
