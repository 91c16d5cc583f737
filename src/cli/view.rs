//! `flowseg view`: the window.

use super::DeviceArgument;
use crate::sampler::Solver;
use crate::viewer::{self, Theme, field::Preset};
use std::path::PathBuf;

/// Watch photos flow into their masks, in a window
#[derive(clap::Args)]
pub struct Arguments {
    /// Photos, folders of photos, a model, or training runs to look at; without any, samples that
    /// the program renders itself
    #[arg(value_name = "IMAGE|FOLDER|RUN")]
    paths: Vec<PathBuf>,
    /// A model file, or the name of a built-in model
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Solver steps, 1 to 100; what the model recommends, where left out and never chosen in the window
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100))]
    steps: Option<u64>,
    /// The solver
    #[arg(long, value_enum)]
    solver: Option<Solver>,
    /// Write a picture of the window once everything stands still, then close
    #[arg(long, value_name = "PNG")]
    screenshot: Option<PathBuf>,
    /// Show the vector field around the centroids in front
    #[arg(long)]
    field: bool,
    /// A ready-made view of the field
    #[arg(long, value_enum, requires = "field")]
    preset: Option<Preset>,
    /// The theme, from now on; at first the desktop's
    #[arg(long, value_enum)]
    theme: Option<Theme>,
    /// Width and height of the window, as in 1920x1080
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
    sides.ok_or_else(|| "write width and height from 320 to 16384, as in 1280x800".to_owned())
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let options = viewer::Options {
        device: arguments.device.device,
        model: arguments.model,
        paths: arguments.paths,
        solver: arguments.solver,
        steps: arguments.steps.map(|steps| steps as usize),
        screenshot: arguments.screenshot,
        field: arguments
            .field
            .then(|| arguments.preset.unwrap_or(Preset::Fig1b)),
        theme: arguments.theme,
        size: arguments.size,
    };
    viewer::open(options).map_err(anyhow::Error::msg)
}
