//! Editing a mask by hand: strokes, fills and undo, on the host and without a window.
//!
//! A [`LabelEdit`] is a layer of edits over the network's mask, so that erasing restores the network's
//! label. Undo stores the pixels that a change replaced, by tile and run-length coded: its memory grows
//! with the painted area, not with the size of the photo.

mod area;
mod history;
mod region;
mod shapes;
#[cfg(test)]
mod tests;

pub use area::Area;
pub use region::Region;

use crate::labels::IGNORE;
use history::{Change, Runs, Saved, TILE};
use std::ops::Range;
use std::sync::Arc;

/// Marks unedited pixels in [`LabelEdit::edits`]. Class tables are too short to have this index.
const KEPT: u16 = IGNORE - 1;

/// What a stroke or a fill writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// This class, or [`IGNORE`] for none.
    Class(u16),
    /// The network's label, as if never painted.
    Erase,
}

impl Paint {
    fn value(self) -> u16 {
        match self {
            Paint::Class(class) => class,
            Paint::Erase => KEPT,
        }
    }
}

/// A mask of a photo that is being corrected.
pub struct LabelEdit {
    width: usize,
    height: usize,
    network: Arc<Vec<u16>>,
    /// The painted labels, [`KEPT`] where nothing is painted.
    edits: Vec<u16>,
    /// The number of painted pixels.
    painted: usize,
    undo: Vec<Change>,
    redo: Vec<Change>,
    /// The tiles that the current change has touched, with their earlier contents.
    open: Option<Saved>,
    /// The number of the current state; every change gives another one.
    state: u64,
    states: u64,
    dirty: Option<Area>,
}

/// Edits as runs; see [`LabelEdit::painted_runs`].
fn painted_runs(edits: impl Iterator<Item = u16>) -> Vec<(u32, Option<u16>)> {
    let value = |value: u16| Some(value).filter(|value| *value != KEPT);
    let runs = Runs::of(edits);
    runs.iter().map(|(count, v)| (count, value(v))).collect()
}

impl LabelEdit {
    /// An unchanged mask of `[height, width]`, or `None` if there are no labels or their number is
    /// another.
    pub fn new([height, width]: [usize; 2], network: Arc<Vec<u16>>) -> Option<Self> {
        let pixels = height.checked_mul(width)?;
        (pixels > 0 && network.len() == pixels).then(|| Self {
            width,
            height,
            edits: vec![KEPT; pixels],
            network,
            painted: 0,
            undo: Vec::new(),
            redo: Vec::new(),
            open: None,
            state: 0,
            states: 0,
            dirty: None,
        })
    }

    /// `[height, width]`
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// The label of a pixel, `[x, y]`; [`IGNORE`] outside the mask.
    pub fn label(&self, [x, y]: [usize; 2]) -> u16 {
        if x >= self.width || y >= self.height {
            return IGNORE;
        }
        let at = y * self.width + x;
        merged(self.edits[at], self.network[at])
    }

    /// The network's label of a pixel, `[x, y]`; [`IGNORE`] outside the mask.
    pub fn network_label(&self, [x, y]: [usize; 2]) -> u16 {
        if x >= self.width || y >= self.height {
            return IGNORE;
        }
        self.network[y * self.width + x]
    }

    /// The whole mask, in reading order.
    pub fn labels(&self) -> Vec<u16> {
        let pairs = self.edits.iter().zip(self.network.iter());
        pairs.map(|(&edit, &own)| merged(edit, own)).collect()
    }

    /// The labels of a part of the mask, in reading order.
    pub fn labels_in(&self, area: &Area) -> Vec<u16> {
        let mut labels = Vec::with_capacity(area.pixels());
        for y in area.y.clone() {
            let row = y * self.width + area.x.start..y * self.width + area.x.end;
            let pairs = self.edits[row.clone()].iter().zip(&self.network[row]);
            labels.extend(pairs.map(|(&edit, &own)| merged(edit, own)));
        }
        labels
    }

    /// The network's mask.
    pub fn network(&self) -> &Arc<Vec<u16>> {
        &self.network
    }

    /// Whether any painted pixel remains.
    pub fn is_corrected(&self) -> bool {
        self.painted > 0
    }

    /// The number of the current state: undo and redo restore it, any other change gives a new one.
    pub fn state(&self) -> u64 {
        self.state
    }

    /// The part of the mask that has changed since the last call.
    pub fn take_dirty(&mut self) -> Option<Area> {
        self.dirty.take()
    }

    /// Begins a change, which is undone as a whole.
    pub fn begin(&mut self) {
        self.finish();
        self.open = Some(Saved::default());
    }

    /// Ends the current change. One that changed nothing is not stored.
    pub fn finish(&mut self) {
        let Some(saved) = self.open.take() else {
            return;
        };
        let diffs = saved.into_diffs(&self.edits, [self.height, self.width]);
        if diffs.is_empty() {
            return;
        }
        self.undo.push(Change {
            diffs,
            state: self.state,
        });
        self.redo.clear();
        self.states += 1;
        self.state = self.states;
    }

    /// Paints a straight stroke of a round brush between two points, in pixels from the upper left
    /// corner of the mask; a stroke between equal points is a dot. `within` limits it to a region.
    /// Belongs to the current change, or is a change of its own.
    pub fn stroke(
        &mut self,
        from: [f32; 2],
        to: [f32; 2],
        diameter: f32,
        paint: Paint,
        within: Option<&Region>,
    ) {
        let spans = shapes::stroke(from, to, diameter, [self.height, self.width]);
        self.change(paint, spans, within);
    }

    /// Paints a region, as part of the current change or as a change of its own.
    pub fn fill(&mut self, region: &Region, paint: Paint) {
        if region.size() == self.size() {
            self.change(paint, region.spans(), None);
        }
    }

    fn change(
        &mut self,
        paint: Paint,
        spans: impl Iterator<Item = (usize, Range<usize>)>,
        within: Option<&Region>,
    ) {
        let single = self.open.is_none();
        if single {
            self.begin();
        }
        for (y, columns) in spans {
            match within.filter(|region| region.size() == self.size()) {
                None => self.write(y, columns, paint.value()),
                Some(region) => {
                    for part in region.runs(y, columns) {
                        self.write(y, part, paint.value());
                    }
                }
            }
        }
        if single {
            self.finish();
        }
    }

    /// Writes a value into a part of a row, after saving the tiles that it touches.
    fn write(&mut self, y: usize, columns: Range<usize>, value: u16) {
        if columns.is_empty() {
            return;
        }
        if let Some(saved) = &mut self.open {
            for tile in columns.start / TILE..=(columns.end - 1) / TILE {
                let size = [self.height, self.width];
                saved.keep([tile, y / TILE], &self.edits, size);
            }
        }
        let row = y * self.width;
        for edit in &mut self.edits[row + columns.start..row + columns.end] {
            self.painted += usize::from(value != KEPT);
            self.painted -= usize::from(*edit != KEPT);
            *edit = value;
        }
        let area = Area {
            x: columns,
            y: y..y + 1,
        };
        self.mark(area);
    }

    fn mark(&mut self, area: Area) {
        self.dirty = Some(match self.dirty.take() {
            Some(dirty) => dirty.union(area),
            None => area,
        });
    }

    /// The connected region of one label around a pixel `[x, y]` of the current mask.
    pub fn region(&self, at: [usize; 2]) -> Region {
        let label = |i: usize| merged(self.edits[i], self.network[i]);
        Region::connected(self.size(), at, label)
    }

    /// The connected region of one label around a pixel `[x, y]` of the network's mask.
    pub fn network_region(&self, at: [usize; 2]) -> Region {
        Region::connected(self.size(), at, |i| self.network[i])
    }

    /// Whether there is something to undo, and to redo.
    pub fn can_undo(&self) -> [bool; 2] {
        [!self.undo.is_empty(), !self.redo.is_empty()]
    }

    /// Undoes the last change.
    pub fn undo(&mut self) {
        self.finish();
        if let Some(change) = self.undo.pop() {
            let back = self.swap(change);
            self.redo.push(back);
        }
    }

    /// Redoes the change that was undone last.
    pub fn redo(&mut self) {
        self.finish();
        if let Some(change) = self.redo.pop() {
            let back = self.swap(change);
            self.undo.push(back);
        }
    }

    /// Exchanges the stored contents of a change with the current ones. Returns the inverse change.
    fn swap(&mut self, change: Change) -> Change {
        let state = std::mem::replace(&mut self.state, change.state);
        let mut back = Vec::with_capacity(change.diffs.len());
        for diff in change.diffs {
            let area = diff.area.clone();
            let mut before = Vec::with_capacity(area.pixels());
            let mut after = diff.runs.values();
            for y in area.y.clone() {
                let row = y * self.width;
                for edit in &mut self.edits[row + area.x.start..row + area.x.end] {
                    let value = after.next().unwrap_or(KEPT);
                    self.painted += usize::from(value != KEPT);
                    self.painted -= usize::from(*edit != KEPT);
                    before.push(std::mem::replace(edit, value));
                }
            }
            back.push(history::Diff {
                area: area.clone(),
                runs: Runs::of(before),
            });
            self.mark(area);
        }
        Change { diffs: back, state }
    }

    /// The painted labels as runs of equal values in reading order: the number of pixels, and their
    /// class, [`IGNORE`], or `None` for the network's label.
    pub fn painted_runs(&self) -> Vec<(u32, Option<u16>)> {
        painted_runs(self.edits.iter().copied())
    }

    /// Paints the result of [`painted_runs`](Self::painted_runs), as one change. Returns whether it
    /// fits the mask; if not, nothing is changed.
    pub fn paint_runs(&mut self, painted: &[(u32, Option<u16>)]) -> bool {
        let pixels: u64 = painted.iter().map(|(count, _)| u64::from(*count)).sum();
        if pixels != self.edits.len() as u64 {
            return false;
        }
        self.begin();
        let mut at = 0;
        for &(count, value) in painted {
            let end = at + count as usize;
            self.write_pixels(at..end, value.unwrap_or(KEPT));
            at = end;
        }
        self.finish();
        true
    }

    /// Paints what differs from the network's mask in labels of the same size, as one change.
    pub fn paint_labels(&mut self, labels: &[u16]) -> bool {
        let pairs = labels.iter().zip(self.network.iter());
        let edits = pairs.map(|(&label, &own)| if label == own { KEPT } else { label });
        let painted = painted_runs(edits);
        self.paint_runs(&painted)
    }

    /// [`write`](Self::write) for a range of pixels in reading order.
    fn write_pixels(&mut self, pixels: Range<usize>, value: u16) {
        let mut at = pixels.start;
        while at < pixels.end {
            let (x, y) = (at % self.width, at / self.width);
            let end = pixels.end.min((y + 1) * self.width);
            self.write(y, x..x + (end - at), value);
            at = end;
        }
    }

    /// Memory of undo and redo, in bytes.
    pub fn history_bytes(&self) -> usize {
        let changes = self.undo.iter().chain(&self.redo);
        changes.map(Change::bytes).sum()
    }
}

fn merged(edit: u16, network: u16) -> u16 {
    if edit == KEPT { network } else { edit }
}
