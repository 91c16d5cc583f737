//! The masks of the listed photos, which the worker makes in the background.

use super::mask_store::{LabelPicture, StoredMask};
use crate::inference::{Look, Tiling, Viewing};
use crate::job::FlowSettings;
use crate::model::Card;
use crate::votes::Outlines;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Builder;

/// Limit on the memory of masks, in bytes; beyond it, the queue stops.
const MOST_BYTES: usize = 512 << 20;

/// How masks are made, beyond the settings of the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct MaskSettings {
    /// Whether to make all passes that the model's card recommends.
    pub best: bool,
    /// How large photos are divided into tiles.
    pub tiling: Tiling,
    pub outlines: Outlines,
}

impl MaskSettings {
    /// The passes and tiles for a model with this card.
    pub(super) fn viewing(self, card: &Card, settings: FlowSettings) -> Viewing {
        let once = Look {
            scale: settings.scale,
            ..Look::default()
        };
        let best = Look::best(card).filter(|_| self.best);
        Viewing {
            looks: best.unwrap_or_else(|| vec![once]),
            tiling: self.tiling,
            sampling: settings.sampling,
            outlines: self.outlines,
            ignore_below: 0.0,
        }
    }

    /// Whether a mask needs more of the network than the flow over the whole photo.
    pub(super) fn differs(self, card: &Card) -> bool {
        self.best && card.quality.is_some() || self.tiling != Tiling::Off
    }
}

/// The state of a photo's mask.
#[derive(Clone, Default)]
pub(super) enum MaskState {
    #[default]
    Waiting,
    Done(Arc<StoredMask>),
    Failed(String),
}

/// How many photos of a list have which mask.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Those that have a mask, as corrected by hand or not.
    pub made: usize,
    /// Those of them whose mask was made with other settings than the current ones.
    pub older: usize,
    /// Those without a mask because none could be made.
    pub failed: usize,
}

/// Settings, and a mask that was made with them.
type OlderMask = (Arc<Viewing>, Arc<StoredMask>);

/// The masks of a list of photos, by place.
#[derive(Default)]
pub(super) struct MaskQueue {
    states: Vec<MaskState>,
    /// Masks that were corrected by hand and saved, by place.
    corrected: BTreeMap<usize, Arc<StoredMask>>,
    /// Masks of the same model made with other settings, each with those settings, by place: they hold until
    /// the mask of their photo is made anew. No such photo has a mask in `states`.
    older: BTreeMap<usize, OlderMask>,
    /// Memory of the masks in `states`.
    bytes: usize,
    /// Memory of the masks in `older`.
    older_bytes: usize,
    /// Whether all photos of the list are wanted, or at most the shown one.
    pub all: bool,
    /// The model and the settings that made the masks.
    made: Option<(String, Arc<Viewing>)>,
    /// The mask of the shown photo, ready for drawing.
    shown: Option<(usize, Arc<LabelPicture>)>,
    decoding: Option<(usize, Receiver<Option<LabelPicture>>)>,
}

impl MaskQueue {
    /// Starts over with a list of `photos` photos, of which `all` or at most the shown one are wanted.
    pub(super) fn reset(&mut self, photos: usize, all: bool) {
        *self = Self {
            states: vec![MaskState::Waiting; photos],
            all,
            ..Self::default()
        };
    }

    /// Drops the masks, because their model was opened anew and may have other weights; and those that
    /// were corrected by hand, unless its classes are the same.
    pub(super) fn outdate(&mut self, same_classes: bool) {
        let (corrected, made) = (std::mem::take(&mut self.corrected), self.made.take());
        self.reset(self.states.len(), self.all);
        if same_classes {
            (self.corrected, self.made) = (corrected, made);
        }
    }

    /// Drops the masks of a photo that are not of a photo with this [digest](super::mask_store::digest): it
    /// has changed. Returns whether the network's was dropped.
    pub(super) fn outdate_photo(&mut self, at: usize, digest: u64) -> bool {
        let outdated = |mask: &StoredMask| !mask.is_of(digest);
        self.corrected
            .retain(|place, mask| *place != at || !outdated(mask));
        if self.older.get(&at).is_some_and(|(_, mask)| outdated(mask)) {
            self.drop_older(at);
        }
        if let Some(state) = self.states.get_mut(at)
            && let MaskState::Done(mask) = state
            && outdated(mask)
        {
            self.bytes = self.bytes.saturating_sub(mask.bytes());
            *state = MaskState::Waiting;
            self.shown = None;
            self.decoding = None;
            return true;
        }
        false
    }

    /// Wants the mask of a photo again if it failed.
    pub(super) fn retry(&mut self, at: usize) {
        if let Some(state @ MaskState::Failed(_)) = self.states.get_mut(at) {
            *state = MaskState::Waiting;
        }
    }

    /// Wants all masks again that failed.
    pub(super) fn retry_all(&mut self) {
        for at in 0..self.states.len() {
            self.retry(at);
        }
    }

    /// Drops the older mask of a photo.
    fn drop_older(&mut self, at: usize) {
        if let Some((_, mask)) = self.older.remove(&at) {
            self.older_bytes = self.older_bytes.saturating_sub(mask.bytes());
        }
    }

    /// Keeps the masks as older ones, made with the settings `before`, and takes back those that were made
    /// with the settings `now`.
    fn change_settings(&mut self, before: &Arc<Viewing>, now: &Viewing) {
        for (at, state) in self.states.iter_mut().enumerate() {
            if let MaskState::Done(mask) = std::mem::take(state) {
                self.older.insert(at, (before.clone(), mask));
            }
        }
        (self.bytes, self.older_bytes) = (0, 0);
        self.older.retain(|at, (viewing, mask)| {
            let Some(state) = self.states.get_mut(*at).filter(|_| **viewing == *now) else {
                self.older_bytes += mask.bytes();
                return true;
            };
            self.bytes += mask.bytes();
            *state = MaskState::Done(mask.clone());
            false
        });
        self.shown = None;
        self.decoding = None;
    }

    /// The photos whose masks are still to be made with a model and these settings, in order. Masks
    /// made with other settings are older ones; those of another model are dropped.
    pub(super) fn wanted(
        &mut self,
        shown: usize,
        (name, card): (&str, &Card),
        settings: MaskSettings,
        viewing: &Viewing,
    ) -> Vec<usize> {
        let made = self.made.as_ref();
        if made.is_none_or(|(made, before)| made != name || **before != *viewing) {
            match self.made.take() {
                // Corrections hold whatever the settings, but only for the classes of their model.
                Some((made, before)) if made == name => self.change_settings(&before, viewing),
                _ => self.reset(self.states.len(), self.all),
            }
            self.made = Some((name.to_owned(), Arc::new(viewing.clone())));
        }
        let count = self.states.len();
        let wanted = match (self.all, settings.differs(card)) {
            _ if self.is_full() => 0,
            (true, _) => count,
            (false, true) => count.min(1),
            (false, false) => 0,
        };
        let order = (0..wanted).map(|at| (shown + at) % count);
        let waits = |at: &usize| matches!(self.states[*at], MaskState::Waiting);
        order.filter(waits).collect()
    }

    /// Stores the mask of the photo at `at`, or why there is none.
    pub(super) fn add(&mut self, at: usize, mask: Result<StoredMask, String>) {
        if at >= self.states.len() {
            return;
        }
        self.states[at] = match mask {
            Ok(mask) => {
                self.drop_older(at);
                self.bytes += mask.bytes();
                MaskState::Done(Arc::new(mask))
            }
            Err(error) => MaskState::Failed(error),
        };
        while self.bytes + self.older_bytes > MOST_BYTES
            && let Some(last) = self.older.keys().next_back().copied()
        {
            self.drop_older(last);
        }
    }

    /// Stores a mask that was corrected by hand, which is exported instead of the network's.
    pub(super) fn correct(&mut self, at: usize, mask: Arc<StoredMask>) {
        if at < self.states.len() {
            self.corrected.insert(at, mask);
        }
    }

    /// The mask of a photo as it was corrected by hand and saved, if it was.
    pub(super) fn corrected(&self, at: usize) -> Option<&Arc<StoredMask>> {
        self.corrected.get(&at)
    }

    /// Whether the mask of a photo was made with other settings than the current ones.
    pub(super) fn is_older(&self, at: usize) -> bool {
        self.older.contains_key(&at) && !self.corrected.contains_key(&at)
    }

    /// How many photos have which mask; see [`mask`](Self::mask).
    pub(super) fn tally(&self) -> Tally {
        let older = || {
            let places = self.older.keys();
            places.filter(|at| !self.corrected.contains_key(at))
        };
        let [made, failed, _] = self.counts();
        let mut tally = Tally {
            made,
            older: older().count(),
            failed,
        };
        // Those whose masks are not, or not only, in `states`.
        for at in self.corrected.keys().chain(older()) {
            match self.state(*at) {
                MaskState::Done(_) => continue,
                MaskState::Failed(_) => tally.failed -= 1,
                MaskState::Waiting => {}
            }
            tally.made += 1;
        }
        tally
    }

    /// Whether the limit on memory is reached.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }

    pub(super) fn state(&self, at: usize) -> &MaskState {
        self.states.get(at).unwrap_or(&MaskState::Waiting)
    }

    /// The masks so far with their places; see [`mask`](Self::mask).
    pub(super) fn done(&self) -> impl Iterator<Item = (usize, &Arc<StoredMask>)> {
        (0..self.states.len()).filter_map(|at| Some((at, self.mask(at)?)))
    }

    /// The mask of a photo, as corrected by hand if it was; an older one until it is made anew.
    pub(super) fn mask(&self, at: usize) -> Option<&Arc<StoredMask>> {
        match (self.corrected.get(&at), self.state(at)) {
            (Some(mask), _) | (None, MaskState::Done(mask)) => Some(mask),
            _ => self.older.get(&at).map(|(_, mask)| mask),
        }
    }

    /// The numbers of masks with the current settings that are done, failed and waiting.
    pub(super) fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for state in &self.states {
            counts[match state {
                MaskState::Done(_) => 0,
                MaskState::Failed(_) => 1,
                MaskState::Waiting => 2,
            }] += 1;
        }
        counts
    }

    /// Whether masks of the list are still to be made.
    pub(super) fn is_running(&self) -> bool {
        self.all && !self.is_full() && self.counts()[2] > 0
    }

    /// The mask of the shown photo, once it is decoded.
    pub(super) fn picture(&self, at: usize) -> Option<&Arc<LabelPicture>> {
        let (of, picture) = self.shown.as_ref()?;
        (*of == at).then_some(picture)
    }

    /// Whether a mask that the flow alone does not give is still to be made.
    pub(super) fn is_waiting(&self, at: usize, card: &Card, settings: MaskSettings) -> bool {
        let waits = matches!(self.states.get(at), Some(MaskState::Waiting));
        waits && settings.differs(card) && !self.is_full()
    }

    /// Whether the mask of a photo must still be made or decoded before it can be shown.
    pub(super) fn is_due(&self, at: usize, card: &Card, settings: MaskSettings) -> bool {
        match self.states.get(at) {
            Some(MaskState::Waiting) => self.is_waiting(at, card, settings),
            Some(MaskState::Done(_)) => self.picture(at).is_none(),
            Some(MaskState::Failed(_)) | None => false,
        }
    }

    /// Decodes the mask of the shown photo on another thread, which calls `wake` when done.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn follow(
        &mut self,
        at: usize,
        wake: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        if let Some((of, decoded)) = &self.decoding
            && let Ok(picture) = decoded.try_recv()
        {
            self.shown = picture.map(|picture| (*of, Arc::new(picture)));
            self.decoding = None;
        }
        let MaskState::Done(mask) = self.state(at) else {
            return Ok(());
        };
        if self.decoding.is_some() || self.picture(at).is_some() {
            return Ok(());
        }
        let mask = mask.clone();
        let (sender, decoded) = sync_channel(1);
        Builder::new().name("flowseg-mask".into()).spawn(move || {
            // Without a receiver, another photo is shown.
            let _ = sender.send(mask.drawn().ok());
            wake();
        })?;
        self.decoding = Some((at, decoded));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Quality, testing};
    use crate::viewer::mask_store::digest;
    use image::RgbImage;

    fn card(quality: bool) -> Card {
        let model = testing::tiny(&["a", "b"], [16, 16], |card| {
            card.quality = quality.then(|| Quality {
                scales: vec![1.0, 1.5],
                flip: true,
                fast: 0.1,
                best: 0.2,
                on: "a test".into(),
            });
        });
        model.card
    }

    fn photo() -> RgbImage {
        RgbImage::new(2, 2)
    }

    fn mask() -> Result<StoredMask, String> {
        StoredMask::new(&[0, 1, 1, 0], &photo())
    }

    fn ones() -> Arc<StoredMask> {
        Arc::new(StoredMask::new(&[1; 4], &photo()).unwrap())
    }

    #[test]
    fn the_shown_photo_comes_first_and_none_twice() {
        let (card, plain) = (card(true), MaskSettings::default());
        let viewing = plain.viewing(&card, FlowSettings::default());
        let mut queue = MaskQueue::default();
        queue.reset(5, false);
        let wanted = |queue: &mut MaskQueue, settings: MaskSettings| {
            let viewing = settings.viewing(&card, FlowSettings::default());
            queue.wanted(3, ("m", &card), settings, &viewing)
        };
        // A mask that equals the flow's last state is not made separately.
        assert!(wanted(&mut queue, plain).is_empty());
        queue.all = true;
        assert_eq!(wanted(&mut queue, plain), [3, 4, 0, 1, 2]);
        queue.add(4, mask());
        queue.add(0, Err("unreadable".into()));
        assert_eq!(wanted(&mut queue, plain), [3, 1, 2]);
        assert_eq!(queue.counts(), [1, 1, 3]);
        // Other settings give other masks.
        let best = MaskSettings {
            best: true,
            ..plain
        };
        assert_eq!(wanted(&mut queue, best).len(), 5);
        queue.all = false;
        assert_eq!(wanted(&mut queue, best), [3]);
        assert_eq!(viewing.looks.len(), 1);
        assert_eq!(best.viewing(&card, FlowSettings::default()).looks.len(), 4);
        // Without recommended looks there is a single one.
        let looks = best
            .viewing(&self::card(false), FlowSettings::default())
            .looks;
        assert_eq!(looks.len(), 1);
        queue.reset(0, true);
        assert!(wanted(&mut queue, plain).is_empty());
    }

    #[test]
    fn corrections_replace_masks_until_another_model_is_opened() {
        let card = card(true);
        let mut queue = MaskQueue::default();
        queue.reset(3, true);
        let wanted = |queue: &mut MaskQueue, model: &str, best: bool| {
            let settings = MaskSettings {
                best,
                ..MaskSettings::default()
            };
            let viewing = settings.viewing(&card, FlowSettings::default());
            queue.wanted(0, (model, &card), settings, &viewing);
        };
        wanted(&mut queue, "m", false);
        queue.add(0, mask());
        queue.add(1, mask());
        let corrected = ones();
        queue.correct(1, corrected.clone());
        queue.correct(2, corrected.clone());
        queue.correct(7, corrected);
        let done = |queue: &MaskQueue| -> Vec<(usize, Vec<u16>)> {
            let labels = |(at, mask): (usize, &Arc<StoredMask>)| (at, mask.labels().unwrap());
            queue.done().map(labels).collect()
        };
        let ones = vec![1; 4];
        let all = [(0, vec![0, 1, 1, 0]), (1, ones.clone()), (2, ones.clone())];
        assert_eq!(done(&queue), all);
        wanted(&mut queue, "m", true);
        assert_eq!(done(&queue), all);
        assert!(queue.is_older(0));
        // The second photo is corrected, although its mask cannot be made any more.
        queue.add(1, Err("gone".into()));
        let tally = |made, older, failed| Tally {
            made,
            older,
            failed,
        };
        assert_eq!(queue.tally(), tally(3, 1, 0));
        wanted(&mut queue, "another", true);
        assert!(done(&queue).is_empty());
    }

    #[test]
    fn masks_of_changed_photos_and_models_are_dropped() {
        let mut queue = MaskQueue::default();
        queue.reset(2, true);
        let corrected = ones();
        queue.add(0, mask());
        queue.correct(0, corrected.clone());
        assert!(!queue.outdate_photo(0, digest(&photo())));
        assert!(queue.corrected(0).is_some() && matches!(queue.state(0), MaskState::Done(_)));
        // Another photo of the same size.
        let other = RgbImage::from_pixel(2, 2, image::Rgb([1, 2, 3]));
        assert!(queue.outdate_photo(0, digest(&other)));
        assert!(queue.mask(0).is_none());
        assert_eq!((queue.bytes, queue.counts()), (0, [0, 0, 2]));
        for same in [true, false] {
            queue.add(1, mask());
            queue.correct(0, corrected.clone());
            queue.outdate(same);
            assert_eq!(queue.done().count(), usize::from(same));
            assert_eq!((queue.bytes, queue.all), (0, true));
        }
    }

    #[test]
    fn masks_hold_until_they_are_made_with_other_settings() {
        let card = card(true);
        let mut queue = MaskQueue::default();
        queue.reset(3, true);
        let wanted = |queue: &mut MaskQueue, best: bool| {
            let settings = MaskSettings {
                best,
                ..MaskSettings::default()
            };
            let viewing = settings.viewing(&card, FlowSettings::default());
            queue.wanted(0, ("m", &card), settings, &viewing)
        };
        let tally = |made, older, failed| Tally {
            made,
            older,
            failed,
        };
        wanted(&mut queue, false);
        queue.add(0, mask());
        queue.add(1, mask());
        let bytes = queue.bytes;
        assert_eq!(wanted(&mut queue, true), [0, 1, 2]);
        assert_eq!((queue.tally(), queue.older_bytes), (tally(2, 2, 0), bytes));
        assert_eq!((queue.counts(), queue.bytes), ([0, 0, 3], 0));
        assert!(queue.picture(0).is_none());
        queue.add(0, mask());
        queue.add(1, Err("gone".into()));
        queue.add(2, Err("gone".into()));
        // A photo that keeps an older mask is not among those that failed.
        assert_eq!(queue.tally(), tally(2, 1, 1));
        assert_eq!((queue.done().count(), queue.older_bytes), (2, bytes / 2));
        // The first settings again: one mask is still there, and the other one is older now.
        assert_eq!(wanted(&mut queue, false), [0, 2]);
        assert_eq!((queue.bytes, queue.is_older(0)), (bytes / 2, true));
        queue.outdate_photo(0, 0);
        assert_eq!((queue.tally(), queue.older_bytes), (tally(1, 0, 0), 0));
        // Masks to come have the room of older ones.
        wanted(&mut queue, true);
        queue.bytes = MOST_BYTES;
        queue.add(2, mask());
        assert_eq!((queue.older.len(), queue.older_bytes), (0, 0));
    }

    #[test]
    fn masks_that_failed_are_tried_again() {
        let mut queue = MaskQueue::default();
        queue.reset(3, true);
        queue.add(0, mask());
        for at in [1, 2] {
            queue.add(at, Err("unreadable".into()));
        }
        queue.retry(0);
        queue.retry(1);
        assert_eq!(queue.counts(), [1, 1, 1]);
        queue.retry_all();
        assert_eq!(queue.counts(), [1, 0, 2]);
    }

    #[test]
    fn the_shown_mask_is_decoded_on_the_side() {
        let mut queue = MaskQueue::default();
        queue.reset(2, true);
        queue.add(1, mask());
        queue.follow(0, || ()).unwrap();
        assert!(queue.picture(0).is_none() && queue.decoding.is_none());
        let start = std::time::Instant::now();
        while queue.picture(1).is_none() {
            queue.follow(1, || ()).unwrap();
            assert!(start.elapsed().as_secs() < 10);
            std::thread::yield_now();
        }
        assert_eq!(queue.picture(1).unwrap().labels, [0, 1, 1, 0]);
    }

    #[test]
    fn a_queue_that_is_full_stops() {
        let card = card(false);
        let mut queue = MaskQueue::default();
        queue.reset(3, true);
        queue.add(0, mask());
        assert!(queue.is_running());
        queue.bytes = MOST_BYTES;
        assert!(!queue.is_running());
        let viewing = MaskSettings::default().viewing(&card, FlowSettings::default());
        queue.made = Some(("m".into(), Arc::new(viewing.clone())));
        assert!(
            queue
                .wanted(0, ("m", &card), MaskSettings::default(), &viewing)
                .is_empty()
        );
    }
}
