//! The corrections of one photo.

use crate::gpu::GpuError;
use crate::gpu::canvas::Pipelines;
use crate::gpu::textures::LabelTexture;
use crate::label_edit::{Area, LabelEdit, Paint, Region};
use std::cell::RefCell;
use std::sync::Arc;
use web_time::Instant;

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
    /// When to write the recovery file.
    pub due: Option<Instant>,
    stroke: Option<Stroke>,
    /// The mask in graphics memory, a cache that drawing updates.
    picture: RefCell<Option<Arc<LabelTexture>>>,
    dirty: RefCell<Option<Area>>,
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
            due: None,
            stroke: None,
            picture: RefCell::default(),
            dirty: RefCell::default(),
        }
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
