//! Regions as polygons along the edges of their pixels.
//!
//! The corners are corners of pixels, so filling a polygon by the pixel centres inside it reproduces
//! the region exactly.

use super::regions::Regions;

/// A closed polyline of corners `[x, y]` in pixels from the picture's top left corner, without the
/// first one repeated at the end. Sides are horizontal and vertical in turn.
pub type Ring = Vec<[u32; 2]>;

/// The outline of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polygon {
    /// Its outer boundary, clockwise as seen on a screen.
    pub outer: Ring,
    /// The boundaries of its holes, counter-clockwise.
    pub holes: Vec<Ring>,
}

/// Limit on comparisons of corners when bridging the holes of one polygon; beyond it, only every n-th
/// corner is considered.
const COMPARISONS: usize = 1 << 24;

impl Polygon {
    /// Outer boundary and holes as one line, for formats without holes: a zero-width bridge leads from
    /// the nearest corner of the outer boundary to every hole and back. Filled by the even-odd or the
    /// non-zero rule, it is the same region.
    pub fn ring(&self) -> Ring {
        if self.holes.is_empty() {
            return self.outer.clone();
        }
        let stride = (self.outer.len() * self.holes.len() / COMPARISONS).max(1);
        let distance = |a: &[u32; 2], b: &[u32; 2]| {
            let of = |axis: usize| u64::from(a[axis].abs_diff(b[axis])).pow(2);
            of(0) + of(1)
        };
        let mut bridges: Vec<(usize, &Ring)> = self
            .holes
            .iter()
            .filter_map(|hole| {
                let start = hole.first()?;
                let corners = self.outer.iter().enumerate().step_by(stride);
                let (at, _) = corners.min_by_key(|(_, corner)| distance(corner, start))?;
                Some((at, hole))
            })
            .collect();
        bridges.sort_by_key(|(at, _)| *at);
        let mut bridges = bridges.into_iter().peekable();
        let mut ring = Ring::new();
        for (at, corner) in self.outer.iter().enumerate() {
            ring.push(*corner);
            while let Some((_, hole)) = bridges.next_if(|(from, _)| *from == at) {
                ring.extend(hole);
                ring.extend(hole.first());
                ring.push(*corner);
            }
        }
        ring
    }
}

/// The polygon of every region, in the order of the list.
pub fn polygons(regions: &Regions) -> Vec<Polygon> {
    let tracer = Tracer::new(regions);
    let mut seen = vec![false; regions.map.len()];
    let mut polygons: Vec<Polygon> = Vec::with_capacity(regions.list.len());
    for at in 0..regions.map.len() {
        let [x, y] = [at % regions.width, at / regions.width];
        let region = regions.map[at];
        let edge = y == 0 || regions.map[at - regions.width] != region;
        if !edge || seen[at] {
            continue;
        }
        let ring = tracer.trace([x as u32, y as u32], &mut seen);
        // The first boundary found of a region is its outer one: regions are numbered by their first
        // pixels, and no hole lies above those.
        match polygons.get_mut(region as usize) {
            Some(polygon) => polygon.holes.push(ring),
            None => polygons.push(Polygon {
                outer: ring,
                holes: Vec::new(),
            }),
        }
    }
    polygons
}

/// Follows boundaries with the region on the right-hand side.
struct Tracer<'a> {
    regions: &'a Regions,
    width: i64,
    height: i64,
}

/// Steps to the right, down, left and up: each is a right turn from the one before.
const STEPS: [[i64; 2]; 4] = [[1, 0], [0, 1], [-1, 0], [0, -1]];
/// The pixels around a corner, relative to the one at its lower right, that lie ahead of such a step:
/// on its right-hand and on its left-hand side.
const AHEAD: [[[i64; 2]; 2]; 4] = [
    [[0, 0], [0, -1]],
    [[-1, 0], [0, 0]],
    [[-1, -1], [-1, 0]],
    [[0, -1], [-1, -1]],
];

impl<'a> Tracer<'a> {
    fn new(regions: &'a Regions) -> Self {
        Self {
            regions,
            width: regions.width as i64,
            height: regions.height() as i64,
        }
    }

    fn region(&self, [x, y]: [i64; 2]) -> Option<u32> {
        let inside = (0..self.width).contains(&x) && (0..self.height).contains(&y);
        inside.then(|| self.regions.map[(y * self.width + x) as usize])
    }

    /// The boundary that runs to the right along the upper edge of a pixel. Marks all pixels whose
    /// upper edges belong to it. The edge must begin at a turn.
    fn trace(&self, start: [u32; 2], seen: &mut [bool]) -> Ring {
        let start = start.map(i64::from);
        let own = self.region(start);
        let (mut at, mut direction) = (start, 0);
        let mut ring = vec![start.map(|side| side as u32)];
        loop {
            if direction == 0 {
                seen[(at[1] * self.width + at[0]) as usize] = true;
            }
            at = [0, 1].map(|axis| at[axis] + STEPS[direction][axis]);
            let [right, left] = AHEAD[direction].map(|[x, y]| self.region([at[0] + x, at[1] + y]));
            // Where two pixels of the region touch only at a corner, the boundary separates them:
            // corners do not connect.
            let turned = if right != own {
                direction + 1
            } else if left == own {
                direction + 3
            } else {
                continue;
            } % 4;
            direction = turned;
            if at == start && direction == 0 {
                return ring;
            }
            ring.push(at.map(|side| side as u32));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::regions::tests::{drawn, maps};
    use super::*;
    use proptest::prelude::*;

    /// Toggles the pixels whose centres lie inside rings.
    pub(crate) fn toggle(rings: &[Ring], width: usize, inside: &mut [bool]) {
        for ring in rings {
            for (at, &[x0, y0]) in ring.iter().enumerate() {
                let [x1, y1] = ring[(at + 1) % ring.len()];
                // A pixel is inside if the boundary crosses the row an odd number of times to its left.
                for y in y0.min(y1)..y0.max(y1) {
                    let share =
                        (f64::from(y) + 0.5 - f64::from(y0)) / (f64::from(y1) - f64::from(y0));
                    let crossing = f64::from(x0) + share * (f64::from(x1) - f64::from(x0));
                    for x in (0..width).filter(|&x| x as f64 + 0.5 > crossing) {
                        inside[y as usize * width + x] ^= true;
                    }
                }
            }
        }
    }

    #[test]
    fn holes_are_told_from_islands() {
        let labels = drawn(&["00000", "01110", "01210", "01110", "00000"]);
        let regions = Regions::of(&labels, 5);
        let polygons = polygons(&regions);
        let square = |low: u32, high: u32| vec![[low, low], [high, low], [high, high], [low, high]];
        assert_eq!(polygons.len(), 3);
        assert_eq!(polygons[0].outer, square(0, 5));
        assert_eq!(polygons[1].outer, square(1, 4));
        assert_eq!(polygons[2].outer, square(2, 3));
        assert!(polygons[2].holes.is_empty());
        assert_eq!(polygons[1].holes, [vec![[2, 3], [3, 3], [3, 2], [2, 2]]]);
        assert_eq!(polygons[1].ring().len(), 4 + 4 + 2);
    }

    #[test]
    fn straight_sides_have_no_corners_between() {
        let regions = Regions::of(&[1; 12], 4);
        let polygons = polygons(&regions);
        assert_eq!(polygons[0].outer, [[0, 0], [4, 0], [4, 3], [0, 3]]);
        assert!(super::polygons(&Regions::of(&[], 4)).is_empty());
    }

    proptest! {
        #[test]
        fn polygons_filled_again_are_the_mask((labels, width) in maps()) {
            let regions = Regions::of(&labels, width);
            let polygons = polygons(&regions);
            prop_assert_eq!(polygons.len(), regions.list.len());
            for (id, polygon) in polygons.iter().enumerate() {
                let expected: Vec<bool> = regions.map.iter().map(|&r| r as usize == id).collect();
                let mut apart = vec![false; labels.len()];
                toggle(&[vec![polygon.outer.clone()], polygon.holes.clone()].concat(), width, &mut apart);
                prop_assert_eq!(&apart, &expected);
                let mut bridged = vec![false; labels.len()];
                toggle(&[polygon.ring()], width, &mut bridged);
                prop_assert_eq!(&bridged, &expected);
                // The outer boundary alone fills the holes as well, but nothing outside the box.
                let mut filled = vec![false; labels.len()];
                toggle(std::slice::from_ref(&polygon.outer), width, &mut filled);
                for (at, inside) in filled.iter().enumerate() {
                    let [x, y] = [(at % width) as u32, (at / width) as u32];
                    let [left, top, right, bottom] = regions.list[id].bounds;
                    let in_box = (left..right).contains(&x) && (top..bottom).contains(&y);
                    prop_assert!(*inside || !expected[at]);
                    prop_assert!(in_box || !inside);
                }
            }
        }
    }
}
