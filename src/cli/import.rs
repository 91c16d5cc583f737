//! `flowseg import`: public PixNerd checkpoints.

use super::arguments::DeviceArgument;
use super::output;
use crate::files::Plan;
use crate::model;
use crate::model::network::Network;
use crate::model::pixnerd::{self, Weights};
use crate::model::tensors::{self, Precision};
use crate::model::{Card, Model};
use crate::terminal::out;
use crate::verify::{self, VerifyError};
use std::path::PathBuf;

/// Import a public PixNerd checkpoint
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A .safetensors or PyTorch Lightning .ckpt file
    checkpoint: PathBuf,
    /// The model file to write
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,
    /// Which of the checkpoint's weights to use
    #[arg(long, value_enum, default_value_t)]
    weights: Weights,
    /// Compare with reference numbers: x, t, y, velocity and every cond_block
    #[arg(long, value_name = "EXPECTED")]
    verify: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let path = &arguments.checkpoint;
    let mut plan = Plan::default();
    plan.write(&arguments.output, "the model");
    let inputs = [Some(path), arguments.verify.as_ref()];
    output::check(&plan, || inputs.into_iter().flatten().cloned().collect())?;
    let found = verify::read_tensors(path)?;
    let (config, tensors) =
        pixnerd::convert(found, arguments.weights).map_err(|source| VerifyError::Import {
            path: path.clone(),
            source,
        })?;
    let opened = arguments.device.open()?;
    let network = Network::uninit(&config, &opened.device);
    let network = tensors::import(network, tensors).map_err(|source| VerifyError::Tensors {
        path: path.clone(),
        source,
    })?;
    out!(
        "{:.1} M parameters: patch {}, width {}, {} heads, {} + {} blocks, {} classes",
        config.parameters() as f64 / 1e6,
        config.patch_size,
        config.hidden_size,
        config.heads,
        config.transformer_blocks,
        config.field_blocks,
        config.class_conditions
    );
    let card = Card::of_network(&config);
    let checks = match &arguments.verify {
        None => Vec::new(),
        Some(expected) => verify::pixnerd(
            expected,
            &verify::read_tensors(expected)?,
            &network,
            opened.is_cpu(),
        )?,
    };
    output::report(&checks)?;
    model::file::write(
        &arguments.output,
        &Model { network, card },
        Precision::Single,
    )?;
    out!("wrote {}", arguments.output.display());
    Ok(())
}
