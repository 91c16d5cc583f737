//! Options of the window.

use super::field::Preset;
use crate::device::Choice;
use crate::sampler::Solver;
use crate::texts::Language;
use eframe::egui;
use std::path::PathBuf;

/// A colour theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Theme {
    /// Light text on a dark background.
    Dark,
    /// Dark text on a light background.
    Light,
}

impl From<Theme> for egui::ThemePreference {
    fn from(theme: Theme) -> Self {
        match theme {
            Theme::Dark => Self::Dark,
            Theme::Light => Self::Light,
        }
    }
}

/// What is in front when the window opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Front {
    #[default]
    Photo,
    /// A preset view of the field.
    Field(Preset),
    /// The race, paused after this many training steps of the default race; 0 for one that has not begun.
    Race { pause_after: u64 },
    /// A lesson, counted from 1.
    Lesson(usize),
}

/// The settings that the window opens with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The device that computes.
    pub device: Choice,
    /// The model, by the name of a built-in one or by its path; by default one that suits the photos.
    pub model: Option<String>,
    /// Photos, folders, runs and model files to open, also as `file:` URIs; by default the samples.
    pub paths: Vec<PathBuf>,
    /// The solver; by default the one chosen last.
    pub solver: Option<Solver>,
    /// Solver steps; by default the number chosen last, or what the model recommends.
    pub steps: Option<usize>,
    /// Where to write a screenshot once nothing changes any more. The window then closes.
    pub screenshot: Option<PathBuf>,
    pub front: Front,
    /// The language; by default the one chosen last.
    pub language: Option<Language>,
    /// The theme; by default the one used last.
    pub theme: Option<Theme>,
    /// Width and height of the window in points; by default the size it had last.
    pub size: Option<[f32; 2]>,
}
