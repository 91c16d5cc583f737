//! The remembered settings of the window.

use super::mask_queue::MaskSettings;
use super::platform;
use super::view::{View, in_range};
use crate::model::Card;
use crate::sampler::Solver;
use crate::texts::Language;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The most entries of the lists of recent files.
const RECENT: usize = 12;

/// The range of [`Settings::scale`].
pub(super) const SCALE: RangeInclusive<f32> = 0.6..=2.5;
/// The range of [`Settings::speed`].
pub(super) const SPEED: RangeInclusive<f32> = 0.5..=60.0;
/// Solver steps until a number is chosen.
const DEFAULT_STEPS: usize = 10;
/// The range of the number of solver steps.
pub(super) const STEPS: RangeInclusive<usize> = 1..=100;

/// Remembered settings. Unknown or missing ones get their defaults, so that a file of another version
/// never prevents the window from opening.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    /// Recent photos, folders and runs, latest first.
    pub recent: Vec<PathBuf>,
    /// Recent model files, latest first.
    pub recent_models: Vec<PathBuf>,
    /// The folder for corrected photos, once chosen.
    pub corrections: Option<PathBuf>,
    pub view: View,
    /// States per second while playing.
    pub speed: f32,
    /// Whether playing restarts at the end.
    pub looping: bool,
    pub solver: Solver,
    /// Solver steps, if a number was chosen.
    pub(super) steps: usize,
    /// Whether a number was chosen; otherwise, every model uses the number that it recommends.
    pub(super) steps_chosen: bool,
    pub masks: MaskSettings,
    /// Whether the filmstrip is shown.
    pub filmstrip: bool,
    /// Whether masks have the published colours of their data set, if there are any.
    pub published_colours: bool,
    pub language: Language,
    /// Scale of text and controls, 1 as designed.
    pub scale: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recent: Vec::new(),
            recent_models: Vec::new(),
            corrections: None,
            view: View::default(),
            speed: 6.0,
            looping: false,
            solver: Solver::Euler,
            steps: DEFAULT_STEPS,
            steps_chosen: false,
            masks: MaskSettings::default(),
            filmstrip: true,
            published_colours: false,
            language: Language::default(),
            scale: 1.0,
        }
    }
}

impl Settings {
    /// Brings numbers of a damaged file or of another version back into their ranges: at a scale of 0,
    /// the window would be empty and could not be repaired.
    pub(super) fn clamp(&mut self) {
        let default = Self::default();
        self.scale = in_range(self.scale, SCALE, default.scale);
        self.speed = in_range(self.speed, SPEED, default.speed);
        self.steps = self.steps.clamp(*STEPS.start(), *STEPS.end());
        self.view.clamp();
        self.recent.truncate(RECENT);
        self.recent_models.truncate(RECENT);
    }

    /// The number of solver steps, if one was chosen.
    pub(super) fn chosen_steps(&self) -> Option<usize> {
        self.steps_chosen.then_some(self.steps)
    }

    /// Sets the number of solver steps, or leaves it to the model.
    pub(super) fn choose_steps(&mut self, steps: Option<usize>) {
        self.steps_chosen = steps.is_some();
        self.steps = steps.unwrap_or(self.steps);
    }

    /// Puts a photo, folder or run at the top of its list.
    pub(super) fn remember(&mut self, path: &Path) {
        remember(&mut self.recent, path);
    }

    /// Puts a model file at the top of its list.
    pub(super) fn remember_model(&mut self, path: &Path) {
        remember(&mut self.recent_models, path);
    }
}

/// The steps of a model's flow in the window where so many are chosen, or none: as many as it recommends, and at most
/// as many as the timeline offers.
pub(super) fn steps_for(card: &Card, chosen: Option<usize>) -> usize {
    let recommended = card.default_steps().min(*STEPS.end());
    card.solver_steps(Some(chosen.unwrap_or(recommended)))
}

fn remember(list: &mut Vec<PathBuf>, path: &Path) {
    if !platform::DESKTOP {
        // A file is gone with the page that it was opened in.
        return;
    }
    // Not `Path::canonicalize`, whose `\\?\C:\photo.jpg` on Windows few other programs understand.
    let path = dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // The settings are saved as text; a single path that is not valid Unicode would prevent that.
    if path.to_str().is_none() {
        return;
    }
    list.retain(|known| *known != path);
    list.insert(0, path);
    list.truncate(RECENT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_text_does_not_keep_the_rest_from_being_saved() {
        use std::os::unix::ffi::OsStrExt;
        let mut settings = Settings::default();
        settings.remember(Path::new("/photos/a.jpg"));
        settings.remember(Path::new(std::ffi::OsStr::from_bytes(b"/photos/\xff.jpg")));
        assert_eq!(settings.recent, [Path::new("/photos/a.jpg")]);
        assert!(ron::to_string(&settings).unwrap().contains("/photos/a.jpg"));
    }

    #[test]
    fn paths_are_remembered_as_people_write_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("day")).unwrap();
        std::fs::write(folder.path().join("a.jpg"), "").unwrap();
        let mut settings = Settings::default();
        settings.remember(&folder.path().join("a.jpg"));
        // Two spellings are one entry, and none has the prefix of Windows' canonical paths.
        settings.remember(&folder.path().join("day/../a.jpg"));
        assert_eq!(settings.recent.len(), 1);
        let kept = &settings.recent[0];
        assert!(!kept.to_string_lossy().starts_with(r"\\?\"), "{kept:?}");
        assert!(kept.is_absolute() && kept.ends_with("a.jpg"));
    }

    #[test]
    fn a_model_takes_the_chosen_steps_or_those_it_recommends() {
        use crate::flow::Prediction;
        use crate::model::testing;
        for (prediction, recommended, chosen, steps) in [
            (Prediction::Velocity, 7, None, 7),
            (Prediction::Velocity, 7, Some(3), 3),
            // The timeline offers fewer.
            (Prediction::Velocity, 150, None, 100),
            (Prediction::Logits, 7, None, 1),
            (Prediction::Logits, 7, Some(3), 1),
        ] {
            let model = testing::tiny(&["a", "b"], [8, 8], |card| {
                card.prediction = prediction;
                card.sampling_steps = Some(recommended);
            });
            assert_eq!(steps_for(&model.card, chosen), steps, "{prediction:?}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_brought_back() {
        let mut settings = Settings {
            scale: 0.0,
            speed: f32::NAN,
            steps: 0,
            recent: vec![PathBuf::from("a.png"); 500],
            ..Settings::default()
        };
        settings.view.opacity = f32::NAN;
        settings.view.divider = -7.0;
        settings.clamp();
        assert_eq!(
            (settings.scale, settings.speed, settings.steps),
            (0.6, 6.0, 1)
        );
        assert_eq!((settings.view.opacity, settings.view.divider), (0.7, 0.02));
        assert_eq!(settings.recent.len(), RECENT);
        settings.steps = usize::MAX;
        settings.clamp();
        assert_eq!(settings.steps, 100);
    }
}
