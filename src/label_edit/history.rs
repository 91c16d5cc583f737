//! What a change replaced: whole tiles during the change, then only their changed parts, run-length
//! coded.

use super::area::Area;
use std::collections::HashMap;

/// Side of a tile in pixels.
pub(super) const TILE: usize = 64;

/// The tiles that a change has touched, with their earlier contents.
#[derive(Default)]
pub(super) struct Saved(HashMap<[usize; 2], Vec<u16>>);

impl Saved {
    /// Saves a tile, given by its column and row, unless it is saved already.
    pub(super) fn keep(&mut self, tile: [usize; 2], values: &[u16], size: [usize; 2]) {
        self.0.entry(tile).or_insert_with(|| {
            let area = area_of(tile, size);
            let row = |y: usize| &values[y * size[1] + area.x.start..y * size[1] + area.x.end];
            area.y.clone().flat_map(row).copied().collect()
        });
    }

    /// What differs from `values`.
    pub(super) fn into_diffs(self, values: &[u16], size: [usize; 2]) -> Vec<Diff> {
        let mut tiles: Vec<_> = self.0.into_iter().collect();
        tiles.sort_unstable_by_key(|([x, y], _)| [*y, *x]);
        let diff = |(tile, before): ([usize; 2], Vec<u16>)| Diff::of(tile, &before, values, size);
        tiles.into_iter().filter_map(diff).collect()
    }
}

fn area_of([column, row]: [usize; 2], [height, width]: [usize; 2]) -> Area {
    Area {
        x: column * TILE..((column + 1) * TILE).min(width),
        y: row * TILE..((row + 1) * TILE).min(height),
    }
}

/// A change that can be undone or redone.
pub(super) struct Change {
    pub diffs: Vec<Diff>,
    /// The number of the state that applying it restores.
    pub state: u64,
}

impl Change {
    pub(super) fn bytes(&self) -> usize {
        let of = |diff: &Diff| size_of::<Diff>() + 4 * diff.runs.0.capacity();
        self.diffs.iter().map(of).sum()
    }
}

/// The contents of a part of a tile.
pub(super) struct Diff {
    pub area: Area,
    pub runs: Runs,
}

impl Diff {
    /// The part of a tile in which `values` differ from `before`, with its contents in `before`.
    fn of(tile: [usize; 2], before: &[u16], values: &[u16], size: [usize; 2]) -> Option<Self> {
        let whole = area_of(tile, size);
        let columns = whole.x.len();
        let mut changed: Option<Area> = None;
        for (y, before) in whole.y.clone().zip(before.chunks_exact(columns)) {
            let now = &values[y * size[1] + whole.x.start..y * size[1] + whole.x.end];
            let differs = |(a, b): (&u16, &u16)| a != b;
            let Some(first) = before.iter().zip(now).position(differs) else {
                continue;
            };
            let last = before.iter().zip(now).rposition(differs).unwrap_or(first);
            let row = Area {
                x: whole.x.start + first..whole.x.start + last + 1,
                y: y..y + 1,
            };
            changed = Some(match changed {
                Some(area) => area.union(row),
                None => row,
            });
        }
        let area = changed?;
        let part = area.y.clone().flat_map(|y| {
            let row = (y - whole.y.start) * columns;
            let start = row + area.x.start - whole.x.start;
            before[start..start + area.x.len()].iter().copied()
        });
        let runs = Runs::of(part);
        Some(Self { area, runs })
    }
}

/// Values as runs of equal ones: length, at most `u16::MAX`, and value.
pub(super) struct Runs(Vec<(u16, u16)>);

impl Runs {
    pub(super) fn of(values: impl IntoIterator<Item = u16>) -> Self {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for value in values {
            match runs.last_mut() {
                Some((count, last)) if *last == value && *count < u16::MAX => *count += 1,
                _ => runs.push((1, value)),
            }
        }
        runs.shrink_to_fit();
        Self(runs)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = u16> {
        let of = |&(count, value): &(u16, u16)| std::iter::repeat_n(value, usize::from(count));
        self.0.iter().flat_map(of)
    }

    /// The runs, with adjacent ones of the same value joined.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u16)> {
        self.0
            .chunk_by(|a, b| a.1 == b.1)
            .map(|runs| (runs.iter().map(|run| u32::from(run.0)).sum(), runs[0].1))
    }
}
