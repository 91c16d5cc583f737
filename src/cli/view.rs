//! `flowseg view`: the window.

use super::{DeviceArgument, model::ModelArgument};
use crate::inference::Sampling;
use crate::sampler::Solver;
use crate::viewer;
use std::path::PathBuf;

/// Watch photos flow into their masks, in a window
#[derive(clap::Args)]
pub struct Arguments {
    /// Photos to look at; without one a scene that the program renders itself
    #[arg(value_name = "IMAGE")]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgument,
    /// Solver steps, 1 to 100
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100))]
    steps: u64,
    /// The solver
    #[arg(long, value_enum, default_value_t)]
    solver: Solver,
    /// Write a picture of the window once the flow is complete, then close
    #[arg(long, value_name = "PNG")]
    screenshot: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    let options = viewer::Options {
        model,
        device: opened.name,
        photos: arguments.photos,
        sampling: Sampling {
            solver: arguments.solver,
            steps: arguments.steps as usize,
            ..Sampling::default()
        },
        screenshot: arguments.screenshot,
    };
    viewer::open(options).map_err(anyhow::Error::msg)
}
