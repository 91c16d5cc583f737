//! `flowseg selftest`: checks a device's arithmetic.

use super::arguments::DeviceArgument;
use crate::verify;
use std::path::PathBuf;

/// Check this machine's device against the CPU, or against reference numbers
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Fixtures to compare with, NAME.safetensors or NAME.expected.safetensors, with NAME.json in the same
    /// folder; without any, the device is compared with the CPU. The largest error of every check and its
    /// limit are printed
    #[arg(value_name = "FIXTURE")]
    fixtures: Vec<PathBuf>,
    /// Weights of a fixture, if not NAME.weights.safetensors in the same folder
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let opened = arguments.device.open()?;
    let mut checks = Vec::new();
    if arguments.fixtures.is_empty() {
        checks = verify::against_cpu(&opened.device);
    }
    for fixture in &arguments.fixtures {
        let weights = arguments.weights.as_deref();
        checks.extend(verify::fixture(
            fixture,
            weights,
            &opened.device,
            opened.is_cpu(),
        )?);
    }
    super::output::report(&checks)
}
