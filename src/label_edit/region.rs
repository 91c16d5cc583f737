//! Connected regions of a mask.

use std::ops::Range;

/// A connected set of pixels of a mask.
#[derive(Clone)]
pub struct Region {
    width: usize,
    height: usize,
    /// One bit per pixel, lowest bit first; every row begins with a new word.
    bits: Vec<u64>,
    /// The same pixels: rows, and columns in them.
    spans: Vec<(usize, Range<usize>)>,
}

impl Region {
    /// The pixels of `[height, width]` that have the label of the pixel `[x, y]` and are connected with
    /// it through common edges; empty for a pixel outside.
    pub(super) fn connected(
        [height, width]: [usize; 2],
        [x, y]: [usize; 2],
        label: impl Fn(usize) -> u16,
    ) -> Self {
        let mut region = Self {
            width,
            height,
            bits: vec![0; width.div_ceil(64) * height],
            spans: Vec::new(),
        };
        if x >= width || y >= height {
            return region;
        }
        let wanted = label(y * width + x);
        let is = |x: usize, y: usize| label(y * width + x) == wanted;
        // Each entry is a pixel whose whole run in its row belongs to the region.
        let mut seeds = vec![[x, y]];
        while let Some([x, y]) = seeds.pop() {
            if region.contains([x, y]) {
                continue;
            }
            let first = (0..x).rev().take_while(|&x| is(x, y)).last().unwrap_or(x);
            let end = (x..width).take_while(|&x| is(x, y)).last().unwrap_or(x) + 1;
            region.set(y, first..end);
            let above = y.checked_sub(1);
            let below = Some(y + 1).filter(|&y| y < height);
            for row in above.into_iter().chain(below) {
                let mut inside = false;
                for x in first..end {
                    let open = is(x, row) && !region.contains([x, row]);
                    if open && !inside {
                        seeds.push([x, row]);
                    }
                    inside = open;
                }
            }
        }
        region
    }

    /// `[height, width]` of the mask.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    pub fn contains(&self, [x, y]: [usize; 2]) -> bool {
        x < self.width && y < self.height && {
            let word = self.bits[y * self.width.div_ceil(64) + x / 64];
            word >> (x % 64) & 1 == 1
        }
    }

    fn set(&mut self, y: usize, columns: Range<usize>) {
        self.spans.push((y, columns.clone()));
        let row = y * self.width.div_ceil(64);
        for word in columns.start / 64..columns.end.div_ceil(64) {
            let low = columns.start.saturating_sub(64 * word).min(64);
            let high = (columns.end - 64 * word).min(64);
            let below = |bit: usize| if bit == 64 { u64::MAX } else { (1 << bit) - 1 };
            self.bits[row + word] |= below(high) & !below(low);
        }
    }

    /// Its runs within some columns of a row.
    pub(super) fn runs(&self, y: usize, columns: Range<usize>) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for x in columns.filter(|&x| self.contains([x, y])) {
            match runs.last_mut() {
                Some(run) if run.end == x => run.end = x + 1,
                _ => runs.push(x..x + 1),
            }
        }
        runs
    }

    /// All its runs: row and columns.
    pub(super) fn spans(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.spans.iter().cloned()
    }

    pub fn pixels(&self) -> usize {
        self.spans.iter().map(|(_, columns)| columns.len()).sum()
    }
}
