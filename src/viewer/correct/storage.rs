//! All disk access and slow work of corrections, on a separate thread.

use super::look_up::{Found, LookUp};
use super::places::{self, Places};
use super::recovery::{self, Recovery};
use super::session::{Base, Session};
use crate::data::{self, Corrected, LabelsDigest, SavedLabels, SavedPair, Truth};
use crate::label_edit::LabelEdit;
use crate::labels::IGNORE;
use crate::viewer::exports::FlowSnapshot;
use crate::viewer::mask_store::StoredMask;
use crate::viewer::platform;
use eframe::egui;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// The most pending pieces of work.
const QUEUE: usize = 64;

/// A report of the thread.
pub(super) enum Report {
    /// The mask of a flow can be corrected.
    Prepared(Prepared),
    /// The flow of the preparation of this number has no kept corrections.
    NothingKept(u64),
    /// The preparation of this number has failed, and why, in one line.
    NotPrepared(u64, String),
    /// The unsaved corrections of this flow are in the recovery file, and whether the photo is left for that.
    Kept {
        flow: u64,
        leaves: bool,
    },
    Saved(Saved),
    /// The labels of this flow were not saved, because there are other labels in this file.
    Occupied(u64, PathBuf),
    /// Labels could not be saved, in one line.
    NotSaved(String),
    /// The saved corrections of a photo of the list, if there are any.
    LookedUp(Option<Found>),
    /// The folder that was chosen, if any.
    Folder(Option<PathBuf>),
    /// The system offers no dialog to choose a folder in.
    NoDialog,
    /// The unsaved corrections of this flow are not in the recovery file, and why, in one line.
    NotKept(u64, String),
}

/// The labels of a flow that were saved in a state of its mask.
pub(super) struct Saved {
    pub flow: u64,
    pub state: u64,
    pub pair: SavedPair,
    /// The digest of their file; `None` if it cannot be read.
    pub digest: Option<LabelsDigest>,
    /// The place of the photo in the list, and its mask.
    pub place: usize,
    pub mask: Option<Arc<StoredMask>>,
    /// The ground truth of the photo by now, if it belongs to a data set.
    pub truth: Option<Truth>,
}

/// A mask that can be corrected.
pub(super) struct Prepared {
    /// The number of its preparation.
    pub number: u64,
    pub flow: u64,
    pub network: Arc<Vec<u16>>,
    pub size: [usize; 2],
    pub key: String,
    /// The classes in the folder of corrections.
    pub known: Vec<String>,
    /// The labels of this photo in that folder.
    pub saved: Option<SavedLabels>,
    /// The corrections that the list has of this photo, such as those saved into another folder.
    pub listed: Option<Vec<u16>>,
    pub kept: Option<Recovery>,
}

/// A mask to be prepared.
pub(super) struct Preparation {
    /// Another one for every preparation: a flow is prepared again when its settings change.
    pub number: u64,
    pub flow: u64,
    pub snapshot: FlowSnapshot,
    /// The model's own classes.
    pub classes: Vec<String>,
    pub folder: Option<PathBuf>,
    /// The photo's name without folder and extension, and its file.
    pub name: String,
    pub file: Option<PathBuf>,
    /// The saved corrections that the list has of this photo.
    pub listed: Option<Arc<StoredMask>>,
    /// Whether to prepare it only if corrections were kept or saved.
    pub only_kept: bool,
}

pub(super) struct Labels {
    pub flow: u64,
    pub state: u64,
    pub key: String,
    /// The place of the photo in the list.
    pub place: usize,
    pub folder: PathBuf,
    pub name: String,
    pub file: Option<PathBuf>,
    pub photo: Arc<RgbImage>,
    pub labels: Vec<u16>,
    /// The model's classes, and of them its own.
    pub classes: Vec<String>,
    pub own: Vec<String>,
    /// The labels that they replace without a question, and whether they replace any others.
    pub base: Option<LabelsDigest>,
    pub replaces: bool,
}

impl Labels {
    /// Saves them, and removes the recovery file that is no longer needed.
    fn save(&self, recovery: Option<&Path>, written: &mut Written) -> Report {
        let corrected = Corrected {
            name: &self.name,
            file: self.file.as_deref(),
            photo: &self.photo,
            labels: &self.labels,
            classes: &self.classes,
        };
        if !self.replaces {
            // The mask may have been saved again before the window knew of the first time.
            let is_own =
                |digest| self.base == Some(digest) || *written == Some((self.flow, digest));
            match data::replaced_labels(&self.folder, &corrected) {
                Ok(Some((labels, digest))) if !is_own(digest) => {
                    return Report::Occupied(self.flow, labels);
                }
                Ok(_) => {}
                Err(error) => return Report::NotSaved(error.to_string()),
            }
        }
        let pair = match data::save_corrected(&self.folder, &corrected) {
            Ok(pair) => pair,
            Err(error) => return Report::NotSaved(error.to_string()),
        };
        if let Some(folder) = recovery {
            report(recovery::remove(folder, &self.key));
        }
        let digest = data::labels_digest(&pair.labels).ok();
        *written = digest.map(|digest| (self.flow, digest));
        Report::Saved(Saved {
            flow: self.flow,
            state: self.state,
            digest,
            pair,
            place: self.place,
            mask: self.mask(),
            truth: self.truth(),
        })
    }

    /// The ground truth of the photo, if it belongs to a data set with classes of the model.
    fn truth(&self) -> Option<Truth> {
        let truth = data::labels_of(self.file.as_deref()?, &self.own)?;
        let size = [truth.labels.width, truth.labels.height].map(|side| side as u32);
        (size == [self.photo.width(), self.photo.height()]).then_some(truth)
    }

    /// The labels for the list of masks.
    fn mask(&self) -> Option<Arc<StoredMask>> {
        StoredMask::new(&self.labels, &self.photo)
            .ok()
            .map(Arc::new)
    }
}

/// The flow whose labels the thread wrote last, and their digest, until a mask is prepared.
type Written = Option<(u64, LabelsDigest)>;

type Work = Box<dyn FnOnce(&mut Written) -> Option<Report> + Send>;

/// The thread, which finishes its work when this is dropped.
pub(super) struct Storage {
    work: Option<SyncSender<Work>>,
    reports: Receiver<Report>,
    /// For threads that wait for a dialog.
    sender: SyncSender<Report>,
    wake: egui::Context,
    thread: Option<JoinHandle<()>>,
    /// The number of unfinished pieces of work.
    open: Arc<AtomicUsize>,
    /// The folder for unsaved corrections.
    recovery: Option<PathBuf>,
}

impl Storage {
    pub(super) fn new(context: &egui::Context) -> Self {
        let (work, queue) = sync_channel::<Work>(QUEUE);
        let (sender, reports) = sync_channel(QUEUE);
        let open = Arc::new(AtomicUsize::new(0));
        let (of_thread, wake, of_dialogs) = (open.clone(), context.clone(), sender.clone());
        let run = move || {
            let mut written = None;
            for work in queue {
                let report = work(&mut written);
                if let Some(report) = report {
                    // Without a receiver, the window has closed; the remaining work is still done.
                    let _ = sender.try_send(report);
                }
                of_thread.fetch_sub(1, Ordering::Release);
                wake.request_repaint();
            }
        };
        let thread = Builder::new().name("flowseg-correct".into()).spawn(run);
        Self {
            work: thread.is_ok().then_some(work),
            reports,
            sender: of_dialogs,
            wake: context.clone(),
            thread: thread.ok(),
            open,
            recovery: None,
        }
    }

    pub(super) fn keep_in(&mut self, folder: PathBuf) {
        self.recovery = Some(folder);
    }

    /// Whether unsaved corrections are kept on disk.
    pub(super) fn keeps(&self) -> bool {
        self.recovery.is_some()
    }

    pub(super) fn busy(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    pub(super) fn poll(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Waits until all work is done. No further work is accepted.
    pub(super) fn flush(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported a panic of the thread.
            let _ = thread.join();
        }
    }

    /// Sends work to the thread. Returns whether it was accepted.
    fn give(&self, work: impl FnOnce(&mut Written) -> Option<Report> + Send + 'static) -> bool {
        let Some(sender) = &self.work else {
            return false;
        };
        self.open.fetch_add(1, Ordering::AcqRel);
        let given = sender.try_send(Box::new(work)).is_ok();
        if !given {
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
        given
    }

    /// Prepares the mask of a flow. Returns whether there will be a report.
    pub(super) fn prepare(&self, asked: Preparation) -> bool {
        let recovery = self.recovery.clone();
        let any = recovery.as_deref().is_some_and(recovery::holds_any);
        let has_saved = asked.folder.is_some() || asked.listed.is_some();
        if asked.only_kept && !any && !has_saved {
            return false;
        }
        self.give(move |written| {
            // The mask starts over from the labels that are on disk now, maybe in another folder.
            *written = None;
            Some(prepare(asked, recovery.as_deref()))
        })
    }

    /// Saves labels.
    pub(super) fn save(&self, labels: Labels) -> bool {
        let recovery = self.recovery.clone();
        self.give(move |written| Some(labels.save(recovery.as_deref(), written)))
    }

    /// Looks up saved corrections. Returns whether there will be a report.
    pub(super) fn look_up(&self, wanted: LookUp) -> bool {
        self.give(move |_| Some(Report::LookedUp(wanted.read())))
    }

    /// Writes the corrections of a photo into its recovery file, or removes it if all are saved. Returns
    /// whether it will be written; then [`Report::Kept`] follows, or [`Report::NotKept`] if that fails.
    pub(super) fn keep(&self, session: &Session, leaves: bool) -> bool {
        let Some(folder) = self.recovery.clone() else {
            return false;
        };
        let (key, flow) = (session.key.clone(), session.flow);
        if !session.is_unsaved() {
            self.discard(&key);
            return false;
        }
        let mut recovery = Recovery {
            classes: session.classes.clone(),
            size: session.edit.size(),
            base: session.base.map(|base| base.digest),
            painted: session.edit.painted_runs(),
        };
        self.give(move |written| {
            // The mask may have been saved before the window knew of it.
            let own = written.filter(|(of, _)| *of == flow);
            recovery.base = own.map(|(_, digest)| digest).or(recovery.base);
            Some(match recovery::write(&folder, &key, &recovery) {
                Ok(()) => Report::Kept { flow, leaves },
                Err(error) => Report::NotKept(flow, error.to_string()),
            })
        })
    }

    pub(super) fn discard(&self, key: &str) {
        if let Some(folder) = self.recovery.clone() {
            let key = key.to_owned();
            self.give(move |_| {
                report(recovery::remove(&folder, &key));
                None
            });
        }
    }

    /// Shows a dialog for the folder of corrections.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn ask_folder(&self) -> std::io::Result<()> {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        platform::ask_folder("Folder for corrected photos", move |folder| {
            // Without a receiver, the window has closed.
            let _ = sender.send(match folder {
                Ok(folder) => Report::Folder(folder),
                Err(_) => Report::NoDialog,
            });
            wake.request_repaint();
        })
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A remaining recovery file is harmless: it is offered again.
fn report(removed: Result<(), crate::files::FileError>) {
    if let Err(error) = removed {
        tracing::warn!("{error}");
    }
}

fn prepare(asked: Preparation, recovery: Option<&Path>) -> Report {
    let key = recovery::key(asked.snapshot.photo(), &asked.classes);
    let kept = recovery.and_then(|folder| recovery::read(folder, &key));
    let folder = asked.folder.as_deref();
    let known = folder.and_then(|folder| data::corrected_classes(folder).ok());
    let known = known.unwrap_or_default();
    let photo = asked.snapshot.photo();
    let saved = folder
        .filter(|_| !known.is_empty())
        .and_then(|folder| data::saved_labels(folder, &asked.name, asked.file.as_deref(), photo));
    // Labels that a data set came with are a start for corrections, and not what the network says.
    let is_shown = |saved: &SavedLabels| saved.is_correction || kept.is_some() || !asked.only_kept;
    let listed = asked.listed.and_then(|mask| mask.labels().ok());
    // Corrections from another folder are what the list and exports have.
    let is_first = |saved: &SavedLabels| saved.is_correction || listed.is_none();
    let saved = saved.filter(is_shown).filter(is_first);
    if asked.only_kept && kept.is_none() && saved.is_none() && listed.is_none() {
        return Report::NothingKept(asked.number);
    }
    let (size, labels) = match asked.snapshot.labels() {
        Ok(labels) => labels,
        Err(error) => return Report::NotPrepared(asked.number, error.to_string()),
    };
    Report::Prepared(Prepared {
        number: asked.number,
        flow: asked.flow,
        network: Arc::new(labels),
        size,
        key,
        known,
        saved,
        listed,
        kept,
    })
}

impl Prepared {
    /// The classes that were added by hand when these corrections were saved or kept, and that a model
    /// with these classes, of which the first `own` are its own, lacks.
    pub(super) fn missing(&self, classes: &[String], own: usize) -> Vec<String> {
        let kept = self.kept.as_ref().map(|kept| kept.classes.as_slice());
        let tables = [self.known.as_slice(), kept.unwrap_or_default()];
        places::missing(&tables, classes, own)
    }

    /// The mask, with saved and then kept corrections as its first changes, their classes found by name.
    pub(super) fn start(&self, classes: &[String]) -> Option<Start> {
        let mut edit = LabelEdit::new(self.size, self.network.clone())?;
        let places = Places::of(&self.known, classes);
        let painted = |saved: &&SavedLabels| {
            let labels = places.labels(&saved.labels);
            labels.is_some_and(|labels| edit.paint_labels(&labels))
        };
        let saved = self.saved.as_ref().filter(painted);
        let base = saved.map(|saved| Base {
            digest: saved.digest,
            is_correction: saved.is_correction,
        });
        if saved.is_none()
            && let Some(listed) = self.listed_in(classes)
        {
            edit.paint_labels(listed);
        }
        let state = edit.state();
        let kept = self.kept.as_ref().filter(|kept| kept.size == self.size);
        let painted = kept.and_then(|kept| kept.painted_in(classes));
        let restored = painted.is_some_and(|painted| edit.paint_runs(&painted));
        // What was kept covers every pixel, so it may have started from other labels than there are now.
        let starts_from = |base: &Base| kept.is_some_and(|kept| kept.base == Some(base.digest));
        let base = base.filter(|base| !restored || starts_from(base));
        Some(Start {
            edit,
            saved: state,
            base,
            restored,
        })
    }

    /// The corrections of the list, if they fit the mask and these classes.
    fn listed_in(&self, classes: &[String]) -> Option<&[u16]> {
        let listed = self.listed.as_deref()?;
        let is_known = |&label: &u16| label == IGNORE || usize::from(label) < classes.len();
        let fits = listed.len() == self.network.len() && listed.iter().all(is_known);
        fits.then_some(listed)
    }
}

/// How the corrections of a mask start.
pub(super) struct Start {
    pub edit: LabelEdit,
    /// The state of the mask that is on disk.
    pub saved: u64,
    /// The labels on disk that it starts from.
    pub base: Option<Base>,
    /// Whether unsaved corrections were kept.
    pub restored: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    /// A mask of 4 pixels of class 0, three of which were saved as class 1.
    fn prepared(known: &str, kept: Option<Recovery>) -> Prepared {
        Prepared {
            number: 0,
            flow: 0,
            network: Arc::new(vec![0; 4]),
            size: [2, 2],
            key: String::new(),
            known: names(known),
            saved: Some(SavedLabels {
                labels: vec![0, 1, 1, 1],
                is_correction: true,
                digest: [7; 32],
            }),
            listed: None,
            kept,
        }
    }

    #[test]
    fn saved_labels_of_other_classes_are_not_painted() {
        let labels = |known: &str, classes: &str| {
            let start = prepared(known, None).start(&names(classes)).unwrap();
            (start.edit.labels(), start.base.is_some())
        };
        assert_eq!(labels("ab", "abc"), (vec![0, 1, 1, 1], true));
        assert_eq!(labels("abc", "ab"), (vec![0, 1, 1, 1], true));
        // They are not replaced without a question either.
        assert_eq!(labels("ab", "xyz"), (vec![0; 4], false));
    }

    #[test]
    fn classes_that_were_added_are_found_by_name() {
        // An own class `a`; the folder has `b` added, what was kept `b` and `c`, and the model `d`.
        let kept = Recovery {
            classes: names("abc"),
            size: [2, 2],
            base: None,
            painted: vec![(1, None), (1, Some(2)), (1, None), (1, Some(u16::MAX))],
        };
        let prepared = prepared("ab", Some(kept));
        let missing = prepared.missing(&names("ad"), 1);
        assert_eq!(missing, names("bc"));
        let start = prepared.start(&names("adbc")).unwrap();
        assert!(start.restored);
        assert_eq!(start.edit.labels(), [0, 3, 0, IGNORE]);
        let start = self::prepared("ab", None).start(&names("adb")).unwrap();
        assert_eq!(start.edit.labels(), [0, 2, 2, 2]);
        // Tables of other models add nothing.
        assert!(prepared.missing(&names("xy"), 2).is_empty());
    }

    /// Corrections that were kept with one pixel of class 1, and started from labels of this digest.
    fn kept(base: Option<LabelsDigest>) -> Recovery {
        Recovery {
            classes: names("ab"),
            size: [2, 2],
            base,
            painted: vec![(3, None), (1, Some(1))],
        }
    }

    #[test]
    fn what_was_erased_of_saved_labels_stays_erased() {
        let kept = kept(Some([7; 32]));
        let start = prepared("ab", Some(kept)).start(&names("ab")).unwrap();
        assert!(start.restored);
        assert_eq!(start.edit.labels(), [0, 0, 0, 1]);
    }

    #[test]
    fn kept_corrections_replace_only_the_labels_that_they_start_from() {
        let base = |of_kept| {
            let prepared = prepared("ab", Some(kept(of_kept)));
            let start = prepared.start(&names("ab")).unwrap();
            assert!(start.restored);
            start.base.map(|base| base.digest)
        };
        assert_eq!(base(Some([7; 32])), Some([7; 32]));
        assert_eq!(base(Some([8; 32])), None);
        assert_eq!(base(None), None);
        // Without them, the mask starts from the labels.
        let start = prepared("ab", None).start(&names("ab")).unwrap();
        assert!(start.base.is_some());
    }

    #[test]
    fn kept_corrections_start_from_labels_that_were_saved_just_before() {
        let folder = tempfile::tempdir().unwrap();
        let base = |flow_of_saved: u64| {
            let mut storage = Storage::new(&egui::Context::default());
            storage.keep_in(folder.path().to_owned());
            let edit = LabelEdit::new([2, 2], Arc::new(vec![0; 4])).unwrap();
            let mut session = Session::new(1, edit, "key".to_owned(), names("ab"));
            session.saved = u64::MAX;
            storage.give(move |written| {
                *written = Some((flow_of_saved, [9; 32]));
                None
            });
            assert!(storage.keep(&session, false));
            storage.flush();
            recovery::read(folder.path(), "key").unwrap().base
        };
        assert_eq!(base(1), Some([9; 32]));
        assert_eq!(base(2), None);
    }

    #[test]
    fn corrections_of_the_list_are_a_start_where_the_folder_has_none() {
        let start = |saved: bool, listed: Vec<u16>| {
            let mut prepared = prepared("ab", None);
            prepared.saved = prepared.saved.filter(|_| saved);
            prepared.listed = Some(listed);
            let start = prepared.start(&names("ab")).unwrap();
            assert_eq!(start.edit.state(), start.saved);
            (start.edit.labels(), start.base.is_some())
        };
        assert_eq!(
            start(false, vec![1, 0, IGNORE, 0]),
            (vec![1, 0, IGNORE, 0], false)
        );
        assert_eq!(start(true, vec![1, 0, IGNORE, 0]), (vec![0, 1, 1, 1], true));
        // Of another photo or of other classes.
        assert_eq!(start(false, vec![1]), (vec![0; 4], false));
        assert_eq!(start(false, vec![2; 4]), (vec![0; 4], false));
    }
}
