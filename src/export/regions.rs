//! Connected regions of a label map.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// Pixels of one label that are connected through common edges; pixels that only touch at a corner are
/// not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub label: u16,
    /// Their number, at least 1.
    pub area: usize,
    /// The bounding box: left, top, right and bottom, the last two exclusive.
    pub bounds: [u32; 4],
}

pub struct Regions {
    /// The width of the map, at least 1.
    pub width: usize,
    /// The region of every pixel `[height, width]`, an index into `list`.
    pub map: Vec<u32>,
    /// The regions, in the order of their first pixels, row by row.
    pub list: Vec<Region>,
}

impl Regions {
    /// The regions of `labels: [height, width]`.
    pub fn of(labels: &[u16], width: usize) -> Self {
        let width = width.max(1);
        // Every pixel gets the provisional number of a neighbour with its label; numbers that meet
        // later are joined.
        let mut map = vec![0u32; labels.len()];
        let mut joined = Joined::default();
        for (at, &label) in labels.iter().enumerate() {
            let left = (at % width > 0 && labels[at - 1] == label).then(|| map[at - 1]);
            let above = (at >= width && labels[at - width] == label).then(|| map[at - width]);
            map[at] = match (left, above) {
                (Some(left), Some(above)) => joined.join(left, above),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => joined.add(),
            };
        }
        let mut list: Vec<Region> = Vec::new();
        let mut numbers = vec![u32::MAX; joined.0.len()];
        for (at, number) in map.iter_mut().enumerate() {
            let [x, y] = [(at % width) as u32, (at / width) as u32];
            let root = joined.root(*number) as usize;
            if numbers[root] == u32::MAX {
                numbers[root] = list.len() as u32;
                list.push(Region {
                    label: labels[at],
                    area: 0,
                    bounds: [x, y, x + 1, y + 1],
                });
            }
            *number = numbers[root];
            let region = &mut list[*number as usize];
            region.area += 1;
            let [left, top, right, bottom] = region.bounds;
            region.bounds = [left.min(x), top, right.max(x + 1), bottom.max(y + 1)];
        }
        Self { width, map, list }
    }

    pub fn height(&self) -> usize {
        self.map.len() / self.width
    }
}

/// Union-find over provisional numbers; the lowest represents its set.
#[derive(Default)]
struct Joined(Vec<u32>);

impl Joined {
    fn add(&mut self) -> u32 {
        let number = self.0.len() as u32;
        self.0.push(number);
        number
    }

    fn root(&mut self, mut number: u32) -> u32 {
        while self.0[number as usize] != number {
            let above = self.0[self.0[number as usize] as usize];
            self.0[number as usize] = above;
            number = above;
        }
        number
    }

    fn join(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.0[high as usize] = low;
        low
    }
}

/// Gives regions of fewer than `least` pixels to the label that they share most of their outline with,
/// the smallest region first, which also fills holes. Every remaining region has at least `least`
/// pixels or is the whole map. `labels` is `[height, width]`.
pub fn absorb_small(labels: &mut [u16], width: usize, least: usize) {
    let regions = Regions::of(labels, width);
    if regions.list.iter().all(|region| region.area >= least) {
        return;
    }
    let mut borders = borders(&regions);
    let mut now = regions.list.clone();
    // The region that each region has been merged into.
    let mut owner: Vec<u32> = (0..now.len() as u32).collect();
    let small = |(id, region): (usize, &Region)| Reverse((region.area, id as u32));
    let mut queue: BinaryHeap<_> = now
        .iter()
        .enumerate()
        .filter(|(_, region)| region.area < least)
        .map(small)
        .collect();
    while let Some(Reverse((area, id))) = queue.pop() {
        let at = id as usize;
        if owner[at] != id || now[at].area != area {
            continue;
        }
        let mut shared: BTreeMap<u16, u32> = BTreeMap::new();
        for (&neighbour, &length) in &borders[at] {
            *shared.entry(now[neighbour as usize].label).or_default() += length;
        }
        // Ties go to the lowest label.
        let longest = shared
            .into_iter()
            .max_by_key(|&(label, length)| (length, Reverse(label)));
        let Some((label, _)) = longest else {
            break;
        };
        // Merge the region with all its neighbours of that label.
        let mut group: Vec<u32> = borders[at].keys().copied().collect();
        group.retain(|&neighbour| now[neighbour as usize].label == label);
        group.push(id);
        // Merging into the one with the most neighbours keeps the work small.
        let Some(&into) = group
            .iter()
            .max_by_key(|&&id| (borders[id as usize].len(), id))
        else {
            break;
        };
        for &other in group.iter().filter(|&&other| other != into) {
            let gone = std::mem::take(&mut borders[other as usize]);
            for (neighbour, length) in gone {
                borders[neighbour as usize].remove(&other);
                if neighbour != into {
                    *borders[into as usize].entry(neighbour).or_default() += length;
                    *borders[neighbour as usize].entry(into).or_default() += length;
                }
            }
            owner[other as usize] = into;
            now[into as usize].area += now[other as usize].area;
        }
        now[into as usize].label = label;
        if now[into as usize].area < least {
            queue.push(Reverse((now[into as usize].area, into)));
        }
    }
    let mut last = |mut id: u32| {
        while owner[id as usize] != id {
            owner[id as usize] = owner[owner[id as usize] as usize];
            id = owner[id as usize];
        }
        id
    };
    let after: Vec<u16> = (0..now.len() as u32)
        .map(|id| now[last(id) as usize].label)
        .collect();
    for (label, &region) in labels.iter_mut().zip(&regions.map) {
        *label = after[region as usize];
    }
}

/// The neighbours of every region, each with the number of pixel edges that the two share.
fn borders(regions: &Regions) -> Vec<HashMap<u32, u32>> {
    let mut borders = vec![HashMap::new(); regions.list.len()];
    let mut meet = |a: u32, b: u32| {
        if a != b {
            *borders[a as usize].entry(b).or_default() += 1;
            *borders[b as usize].entry(a).or_default() += 1;
        }
    };
    let (map, width) = (&regions.map, regions.width);
    for at in 0..map.len() {
        if at % width > 0 {
            meet(map[at - 1], map[at]);
        }
        if at >= width {
            meet(map[at - width], map[at]);
        }
    }
    borders
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A label map written in digits; a dot is an ignored pixel.
    pub(crate) fn drawn(rows: &[&str]) -> Vec<u16> {
        let pixels = rows.iter().flat_map(|row| row.bytes());
        pixels
            .map(|byte| match byte {
                b'.' => crate::labels::IGNORE,
                digit => u16::from(digit - b'0'),
            })
            .collect()
    }

    /// Label maps of few labels, as noise and in blocks.
    pub(crate) fn maps() -> impl Strategy<Value = (Vec<u16>, usize)> {
        (1usize..14, 1usize..14, 1usize..4, 2u16..5).prop_flat_map(|(w, h, block, labels)| {
            let cells = w.div_ceil(block) * h.div_ceil(block);
            proptest::collection::vec(0..labels, cells).prop_map(move |cells| {
                let across = w.div_ceil(block);
                let label = |at: usize| cells[at / w / block * across + at % w / block];
                ((0..w * h).map(label).collect(), w)
            })
        })
    }

    #[test]
    fn corners_do_not_connect_and_bounds_fit() {
        let labels = drawn(&["0110", "0010", "1100"]);
        let regions = Regions::of(&labels, 4);
        let found: Vec<(u16, usize)> = regions.list.iter().map(|r| (r.label, r.area)).collect();
        assert_eq!(found, [(0, 3), (1, 3), (0, 4), (1, 2)]);
        assert_eq!(regions.list[1].bounds, [1, 0, 3, 2]);
        assert_eq!(regions.list[3].bounds, [0, 2, 2, 3]);
        assert!(Regions::of(&[], 3).list.is_empty());
    }

    #[test]
    fn specks_and_holes_go_to_whom_they_border_most() {
        let mut labels = drawn(&["000001", "020011", "000031", "000011"]);
        absorb_small(&mut labels, 6, 3);
        // The hole is filled, and the speck shares more of its outline with 1 than with 0.
        assert_eq!(labels, drawn(&["000001", "000011", "000011", "000011"]));
        // A map of a single region is kept, however small.
        let mut labels = drawn(&["11"]);
        absorb_small(&mut labels, 2, 100);
        assert_eq!(labels, [1, 1]);
        absorb_small(&mut [], 0, 5);
    }

    #[test]
    fn parts_that_grow_together_count_together() {
        // Two regions of four pixels are large enough once the speck between them joins them.
        let mut labels = drawn(&["0000000", "0112110", "0112110", "0000000"]);
        absorb_small(&mut labels, 7, 5);
        assert_eq!(labels, drawn(&["0000000", "0111110", "0111110", "0000000"]));
    }

    proptest! {
        #[test]
        fn nothing_small_is_left_and_nothing_large_is_touched(
            (labels, width) in maps(),
            least in 1usize..20,
        ) {
            let mut after = labels.clone();
            absorb_small(&mut after, width, least);
            let regions = Regions::of(&after, width);
            prop_assert!(
                regions.list.len() == 1 || regions.list.iter().all(|r| r.area >= least)
            );
            let before = Regions::of(&labels, width);
            for (at, &region) in before.map.iter().enumerate() {
                if before.list[region as usize].area >= least {
                    prop_assert_eq!(after[at], labels[at]);
                }
            }
            let mut again = after.clone();
            absorb_small(&mut again, width, least);
            prop_assert_eq!(again, after);
        }
    }
}
