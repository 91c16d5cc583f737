//! `flowseg view`: opens the window.

use super::arguments::{DeviceArgument, any_whole, whole};
use super::console;
use super::inputs;
use crate::files::Plan;
use crate::sampler::Solver;
use crate::texts::Language;
use crate::viewer::{self, Front, Theme, field::Preset};
use anyhow::bail;
use std::path::{Path, PathBuf};

/// Watch photos flow into their masks, in a window
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Photos, folders of photos, model files, training runs or folders of runs, also as file: URIs; by
    /// default, procedural scenes that the program renders
    #[arg(value_name = "PHOTO|FOLDER|RUN|MODEL")]
    paths: Vec<PathBuf>,
    /// A model file, a run folder, or the name of a built-in or installed model; by default street, or scenes
    /// for the procedural scenes, or the model of an opened run
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Solver steps, 1 to 100; by default what was last chosen in the window, or what the model
    /// recommends
    #[arg(long, value_parser = whole(1..=100))]
    steps: Option<u64>,
    /// Solver of the ODE; by default what was last chosen in the window
    #[arg(long, value_enum)]
    solver: Option<Solver>,
    /// Write a picture of the window once nothing changes any more, then close; the exit status is 1 if
    /// the picture shows a problem
    #[arg(long, value_name = "PNG")]
    screenshot: Option<PathBuf>,
    /// Show the Field panel: the vector field around the centroids
    #[arg(long)]
    field: bool,
    /// A ready-made view of the field; fig1b by default
    #[arg(long, value_enum, requires = "field")]
    preset: Option<Preset>,
    /// Show the Train live panel, where two objectives race; with a number, start the default race and
    /// pause it after that many training steps
    #[arg(long, value_name = "STEPS", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with_all = ["field", "preset"], value_parser = any_whole::<u64>)]
    race: Option<u64>,
    /// Begin a lesson, 1 to 6
    #[arg(long, value_name = "N", conflicts_with_all = ["field", "preset", "race"], value_parser = whole(1..=6))]
    lesson: Option<u64>,
    /// The language of the lessons, the race and the Network panel, remembered from now on
    #[arg(long, value_enum)]
    language: Option<Language>,
    /// The theme, remembered from now on; the desktop's until one is chosen
    #[arg(long, value_enum)]
    theme: Option<Theme>,
    /// Width and height of the window in points, such as 1920x1080; at least 320x320
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<[f32; 2]>,
    #[command(flatten)]
    device: DeviceArgument,
}

fn size(text: &str) -> Result<[f32; 2], String> {
    let sides = text.split_once('x').and_then(|(width, height)| {
        let sides = [width.parse().ok()?, height.parse().ok()?];
        sides
            .iter()
            .all(|side| (320.0..=16384.0).contains(side))
            .then_some(sides)
    });
    sides.ok_or_else(|| "write width and height from 320 to 16384, such as 1280x800".to_owned())
}

/// Checks that the screenshot can be written and would not replace something that the window shows.
fn check_screenshot(path: &Path, shown: &[PathBuf]) -> anyhow::Result<()> {
    let ending = path.extension();
    if ending.is_some_and(|ending| !ending.eq_ignore_ascii_case("png")) {
        bail!(
            "{}: the screenshot is a PNG file; its name must end in .png",
            path.display()
        );
    }
    let mut plan = Plan::default();
    plan.write(path, "the screenshot");
    let files = |folder: &PathBuf| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    plan.check(|| {
        let inside = shown.iter().flat_map(files);
        shown.iter().cloned().chain(inside).collect()
    })?;
    Ok(())
}

/// What is in front; clap lets only one of them be chosen.
fn front(arguments: &Arguments) -> Front {
    if let Some(number) = arguments.lesson {
        Front::Lesson(number as usize)
    } else if let Some(pause_after) = arguments.race {
        Front::Race { pause_after }
    } else if arguments.field {
        Front::Field(arguments.preset.unwrap_or(Preset::Fig1b))
    } else {
        Front::Photo
    }
}

pub(super) fn run(mut arguments: Arguments) -> anyhow::Result<()> {
    arguments.paths = inputs::expand(arguments.paths);
    if let Some(path) = &arguments.screenshot {
        check_screenshot(path, &arguments.paths)?;
    }
    let front = front(&arguments);
    let options = viewer::Options {
        device: arguments.device.device,
        model: arguments.model,
        paths: arguments.paths,
        solver: arguments.solver,
        steps: arguments.steps.map(|steps| steps as usize),
        screenshot: arguments.screenshot,
        front,
        language: arguments.language,
        theme: arguments.theme,
        size: arguments.size,
    };
    let unseen = console::close_own();
    viewer::open(options).map_err(|error| {
        if unseen {
            console::show(&error);
        }
        anyhow::Error::msg(error)
    })
}
