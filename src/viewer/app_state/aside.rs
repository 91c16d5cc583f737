//! Setting aside what the window shows, such as for a lesson, and putting it back.

use super::{AppState, Phase, Playhead};
use crate::files::Stamp;
use crate::job::FlowSettings;
use crate::viewer::class_photos::ClassPhotos;
use crate::viewer::flow::Flow;
use crate::viewer::mask_queue::{MaskQueue, MaskSettings};
use crate::viewer::photo_list::PhotoList;
use crate::viewer::second::Second;
use crate::viewer::selection::SelectionHistory;
use crate::viewer::settings::Settings;
use crate::votes::Outlines;

/// What the window showed, apart from its panels.
pub(crate) struct SetAside {
    settings: Settings,
    /// The name of the open model, and whether the user chose it.
    model: (String, bool),
    /// See [`OpenModel::file`](crate::viewer::open_model::OpenModel::file).
    file: Option<Stamp>,
    /// The classes of the open model, including added ones.
    classes: Vec<String>,
    photos: PhotoList,
    masks: MaskQueue,
    /// The flow, or the id of one that stayed in the window.
    flow: Result<Option<Flow>, u64>,
    second: Option<Second>,
    class_photos: Option<ClassPhotos>,
    playhead: Playhead,
    selection: SelectionHistory,
    flow_settings: FlowSettings,
    active_pane: usize,
    brushing: bool,
    correcting: bool,
}

impl SetAside {
    /// The settings to remember instead of `now`, the current ones: those that were set aside, except
    /// for choices that hold in general.
    pub(crate) fn settings(&self, now: &Settings) -> Settings {
        let now = now.clone();
        Settings {
            recent: now.recent,
            recent_models: now.recent_models,
            corrections: now.corrections,
            scale: now.scale,
            language: now.language,
            ..self.settings.clone()
        }
    }

    /// The classes of the model that was open, followed by those added for corrections.
    pub(super) fn classes(&self) -> &[String] {
        &self.classes
    }
}

impl AppState {
    /// Sets aside what is shown. The photo and the model stay open, without pins, hidden classes,
    /// comparisons and corrections, and the photo's flow is computed with these settings; an empty list of
    /// photos is replaced by the samples.
    pub(crate) fn set_aside(&mut self, flow_settings: FlowSettings) -> SetAside {
        let correcting = self.correct.on;
        if correcting {
            self.toggle_correct();
        }
        self.correct.set_aside();
        let suits = self.flow_settings == flow_settings && !self.busy();
        let stays = self
            .flow
            .as_ref()
            .filter(|flow| suits && flow.settled.is_some());
        let stays = stays.map(|flow| flow.id);
        let photos = self.photos.items().len();
        let model = self.model.as_ref().map(|model| model.name.clone());
        let classes = self.model.as_ref().map(|model| model.classes.clone());
        let aside = SetAside {
            settings: self.settings.clone(),
            model: (model.unwrap_or_default(), self.request.by_user),
            file: self.model.as_ref().and_then(|model| model.file.clone()),
            classes: classes.unwrap_or_default(),
            photos: self.photos.clone(),
            masks: std::mem::take(&mut self.masks),
            flow: match stays {
                Some(id) => Err(id),
                None => Ok(self.flow.take()),
            },
            second: self.second.take(),
            class_photos: self.class_photos.take(),
            playhead: self.playhead,
            selection: std::mem::take(&mut self.selection),
            flow_settings: self.flow_settings,
            active_pane: self.active_pane,
            brushing: self.brushing,
            correcting,
        };
        self.masks.reset(photos, false);
        self.active_pane = 0;
        self.brushing = false;
        self.hover = Default::default();
        self.flow_settings = flow_settings;
        let sampling = flow_settings.sampling;
        self.settings.choose_steps(Some(sampling.steps));
        self.settings.solver = sampling.solver;
        // The flow's own last state.
        self.settings.masks = MaskSettings {
            outlines: Outlines::Network,
            ..MaskSettings::default()
        };
        if self.photos.item().is_none() {
            self.show(PhotoList::samples(0));
        } else if stays.is_none() {
            self.sample();
        } else {
            self.queue_masks();
        }
        aside
    }

    /// Puts back what was set aside, as it was. Another model is closed first, and another photo's
    /// flow is dropped.
    pub(crate) fn put_back(&mut self, aside: SetAside) {
        self.correct.is_aside = false;
        // The worker may have opened a model already that the window does not know of.
        let loading = self.is_loading();
        if let Some(worker) = &self.worker {
            worker.cancel();
        }
        self.request.name = None;
        self.request.instead_of = None;
        self.phase = Phase::Idle;
        if let Some(second) = self.second.take() {
            second.close();
        }
        self.settings = aside.settings(&self.settings);
        self.photos = aside.photos.clone();
        self.request.by_user = aside.model.1;
        let open = self.model.as_ref().map(|model| model.name.as_str());
        if !loading && open.unwrap_or_default() == aside.model.0 {
            self.resume(aside);
            return;
        }
        self.flow = None;
        let name = aside.model.0.clone();
        self.returning = Some(Box::new(aside));
        self.open_model(&name);
    }

    /// Puts back what belongs to the list of photos alone. A comparison ends.
    pub(super) fn resume_list(&mut self, aside: SetAside) {
        self.masks = aside.masks;
        self.flow_settings = aside.flow_settings;
        self.active_pane = aside.active_pane;
        self.second = aside.second;
        self.stop_comparing();
        self.brushing = aside.brushing;
        self.look_up_corrections();
    }

    /// Puts back everything but the model and the list of photos, which are as they were. What was made with
    /// the weights of a model whose file has been replaced is made anew.
    pub(super) fn resume(&mut self, mut aside: SetAside) {
        let model = self.model.as_ref();
        let replaced = model.filter(|model| model.file != aside.file);
        if let Some(model) = replaced {
            aside.masks.outdate(model.classes == aside.classes);
            aside.selection = SelectionHistory::default();
            (aside.flow, aside.class_photos) = (Ok(None), None);
        }
        let is_replaced = replaced.is_some();
        let shown = self.flow.as_ref().map(|flow| flow.id);
        let stayed = shown.is_some() && shown == aside.flow.as_ref().err().copied();
        if !stayed {
            self.correct.leave_photo();
            // `None` if another photo took the place of a flow that stayed.
            self.flow = aside.flow.ok().flatten();
        }
        self.masks = aside.masks;
        self.second = aside.second;
        if is_replaced {
            self.renew_second();
            self.join_second();
        }
        self.class_photos = aside.class_photos;
        self.flow_settings = aside.flow_settings;
        self.active_pane = aside.active_pane;
        self.brushing = aside.brushing;
        self.hover = Default::default();
        self.phase = Phase::Idle;
        self.recolour();
        if self.is_sampled() {
            self.queue_masks();
            self.restore_correction();
        } else {
            self.sample();
        }
        self.playhead = aside.playhead;
        self.selection = aside.selection;
        if aside.correcting != self.correct.on {
            self.toggle_correct();
        }
        // Those that were pending were of another list.
        self.look_up_corrections();
    }
}
