//! The corrections of one photo.

use crate::data::LabelsDigest;
use crate::gpu::GpuError;
use crate::gpu::canvas::Pipelines;
use crate::gpu::textures::LabelTexture;
use crate::label_edit::{Area, LabelEdit, Paint, Region};
use crate::labels;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use web_time::Instant;

/// How long to wait for further changes before the recovery file is written, and the longest wait while
/// changes go on.
const CALM: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(5);

/// The labels on disk that a mask starts from, or that it was saved as last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub digest: LabelsDigest,
    /// Whether they are corrections, and not the labels that a data set came with.
    pub is_correction: bool,
}

pub(super) struct Session {
    /// The flow whose last state is corrected.
    pub flow: u64,
    pub edit: LabelEdit,
    /// The digest of the photo's pixels, which names its recovery file.
    pub key: String,
    /// The names of the classes, including added ones.
    pub classes: Vec<String>,
    /// The state of the mask that was saved last.
    pub saved: u64,
    /// The labels on disk that it may replace without a question.
    pub base: Option<Base>,
    /// When to write the recovery file.
    pub due: Option<Instant>,
    /// When the first change was made that the recovery file lacks.
    unkept: Option<Instant>,
    /// Whether it was said that the recovery file cannot be written, and it has not been written since.
    not_kept: bool,
    stroke: Option<Stroke>,
    /// The mask in graphics memory, a cache that drawing updates.
    picture: RefCell<Option<Arc<LabelTexture>>>,
    dirty: RefCell<Option<Area>>,
    /// The share of every class in a state of the mask, or amid a stroke, a cache.
    shares: RefCell<Option<(Option<u64>, Vec<f32>)>>,
}

/// A stroke in progress.
struct Stroke {
    last: [f32; 2],
    /// The region that the stroke is limited to.
    within: Option<Region>,
}

impl Session {
    pub(super) fn new(flow: u64, edit: LabelEdit, key: String, classes: Vec<String>) -> Self {
        Self {
            flow,
            saved: edit.state(),
            edit,
            key,
            classes,
            base: None,
            due: None,
            unkept: None,
            not_kept: false,
            stroke: None,
            picture: RefCell::default(),
            dirty: RefCell::default(),
            shares: RefCell::default(),
        }
    }

    /// Records a change at a time: the recovery file is due once there are no others for a while, or the
    /// first has waited long enough.
    pub(super) fn changed(&mut self, now: Instant) {
        let first = *self.unkept.get_or_insert(now);
        self.due = Some((now + CALM).min(first + LONGEST));
    }

    /// Records that the recovery file is as it should be.
    pub(super) fn kept(&mut self) {
        (self.due, self.unkept) = (None, None);
    }

    /// Records that the recovery file could not be written. Returns whether it was so before.
    pub(super) fn says_not_kept(&mut self) -> bool {
        std::mem::replace(&mut self.not_kept, true)
    }

    /// Records that the recovery file was written.
    pub(super) fn was_kept(&mut self) {
        self.not_kept = false;
    }

    /// The share of every class, 0 to 1. Those of a stroke in progress are counted when it ends.
    pub(super) fn shares(&self) -> Vec<f32> {
        let paints = self.stroke.is_some();
        let (state, mut known) = (self.edit.state(), self.shares.borrow_mut());
        if let Some((of, shares)) = &*known
            && (paints || *of == Some(state))
            && shares.len() == self.classes.len()
        {
            return shares.clone();
        }
        let shares = labels::shares(&self.edit.labels(), self.classes.len());
        *known = Some(((!paints).then_some(state), shares.clone()));
        shares
    }

    pub(super) fn is_unsaved(&self) -> bool {
        self.edit.state() != self.saved || self.stroke.is_some()
    }

    /// The pixel at a point of the photo, `None` outside it.
    pub(super) fn pixel(&self, [x, y]: [f32; 2]) -> Option<[usize; 2]> {
        let [height, width] = self.edit.size();
        let inside = (0.0..width as f32).contains(&x) && (0.0..height as f32).contains(&y);
        inside.then_some([x as usize, y as usize])
    }

    /// Begins a stroke, limited to the network's region at its start if `snap`.
    pub(super) fn press(&mut self, at: [f32; 2], diameter: f32, paint: Paint, snap: bool) {
        let pixel = self.pixel(at).filter(|_| snap);
        let within = pixel.map(|pixel| self.edit.network_region(pixel));
        self.edit.begin();
        self.stroke = Some(Stroke { last: at, within });
        self.drag(at, diameter, paint);
    }

    pub(super) fn drag(&mut self, to: [f32; 2], diameter: f32, paint: Paint) {
        if let Some(stroke) = &mut self.stroke {
            let within = stroke.within.as_ref();
            self.edit.stroke(stroke.last, to, diameter, paint, within);
            stroke.last = to;
        }
        self.mark();
    }

    pub(super) fn release(&mut self) {
        if self.stroke.take().is_some() {
            self.edit.finish();
        }
    }

    /// Fills the connected region around a point: the network's if `snap`, otherwise that of the
    /// current mask.
    pub(super) fn fill(&mut self, at: [f32; 2], paint: Paint, snap: bool) {
        let Some(pixel) = self.pixel(at) else { return };
        let region = if snap {
            self.edit.network_region(pixel)
        } else {
            self.edit.region(pixel)
        };
        self.edit.fill(&region, paint);
        self.mark();
    }

    /// Whether there is something to undo, such as a stroke in progress, and to redo.
    pub(super) fn can_undo(&self) -> [bool; 2] {
        let [undo, redo] = self.edit.can_undo();
        [undo || self.stroke.is_some(), redo]
    }

    pub(super) fn undo(&mut self) {
        self.release();
        self.edit.undo();
        self.mark();
    }

    pub(super) fn redo(&mut self) {
        self.release();
        self.edit.redo();
        self.mark();
    }

    /// Records the changed rectangle for the picture.
    fn mark(&mut self) {
        if let Some(new) = self.edit.take_dirty() {
            let dirty = self.dirty.get_mut();
            *dirty = Some(match dirty.take() {
                Some(old) => old.union(new),
                None => new,
            });
        }
    }

    /// The mask in graphics memory, of which only the changed rectangle is uploaded; `None` if the
    /// photo is too large for a texture.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub(super) fn picture(
        &self,
        pipelines: &Pipelines,
    ) -> Result<Option<Arc<LabelTexture>>, GpuError> {
        let size = self.edit.size();
        if size
            .iter()
            .any(|side| *side > pipelines.longest_side() as usize)
        {
            return Ok(None);
        }
        let mut picture = self.picture.borrow_mut();
        let dirty = self.dirty.take();
        match (&*picture, dirty) {
            (None, _) => *picture = Some(Arc::new(pipelines.labels(size, &self.edit.labels())?)),
            (Some(map), Some(area)) => {
                let labels = self.edit.labels_in(&area);
                pipelines.replace_labels(map, area.x, area.y, &labels)?;
            }
            (Some(_), None) => {}
        }
        Ok(picture.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_are_kept_while_painting_goes_on() {
        let edit = LabelEdit::new([1, 1], Arc::new(vec![0])).unwrap();
        let mut session = Session::new(0, edit, String::new(), vec!["a".into(), "b".into()]);
        let start = Instant::now();
        let second = Duration::from_secs(1);
        for (at, due) in [(0, 2), (1, 3), (2, 4), (3, 5), (4, 5)] {
            session.changed(start + at * second);
            assert_eq!(session.due, Some(start + due * second));
        }
        session.kept();
        assert_eq!(session.due, None);
        session.changed(start + 9 * second);
        assert_eq!(session.due, Some(start + 11 * second));
        // The shares are those of the corrected mask.
        assert_eq!(session.shares(), [1.0, 0.0]);
        session.fill([0.5, 0.5], Paint::Class(1), false);
        assert_eq!(session.shares(), [0.0, 1.0]);
    }
}
