//! Arguments that several commands have.

use crate::crash;
use crate::device::{self, Choice, Opened};
use crate::inference::{Look, SCALES, Tiling};
use crate::model::{Card, Model};
use crate::models;
use crate::terminal::err;
use anyhow::Context;
use burn::tensor::Device;
use std::ffi::OsString;

/// The device that a command runs on.
#[derive(clap::Args)]
pub(super) struct DeviceArgument {
    /// auto, cpu, wgpu or wgpu:N (see `flowseg devices`); cuda:N in a build with CUDA,
    /// remote:ws://HOST:PORT in one with remote devices
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(super) device: Choice,
}

impl DeviceArgument {
    pub(super) fn open(&self) -> anyhow::Result<Opened> {
        open(&self.device)
    }
}

/// The size that the network sees.
#[derive(clap::Args)]
pub(super) struct ScaleArgument {
    /// The size that the network sees, as a factor of each side of the size it was trained at, 0.25 to
    /// 4: larger shows it more detail and costs more time
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(super) scale: f64,
}

/// How thoroughly a photo is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Quality {
    /// Once
    Fast,
    /// As often as scores best on validation photos, by the model's card (see `flowseg models`)
    Best,
}

/// Several looks at a photo, and the windows that each of them sees.
#[derive(clap::Args)]
pub(super) struct LooksArgument {
    /// Look at every photo at several sizes and add up the votes, such as 1,1.5,2; takes the place of
    /// --scale
    #[arg(long, value_name = "FACTOR,...", value_delimiter = ',', value_parser = scale, conflicts_with = "scale")]
    pub(super) scales: Vec<f64>,
    /// Look at the mirror image of every photo as well
    #[arg(long)]
    pub(super) flip: bool,
    /// How thoroughly to look at every photo, in place of --scale, --scales and --flip
    #[arg(long, value_enum, conflicts_with_all = ["scale", "scales", "flip"])]
    pub(super) quality: Option<Quality>,
    /// Look at large photos in overlapping windows of the size that the network was trained at: so many
    /// along the side that takes most, 1 to 64; auto: as many as keep a pixel of the network within 4 x 4
    /// of the photo's; off: the whole photo at once
    #[arg(long, value_name = "auto|N|off", default_value_t)]
    pub(super) tiles: Tiling,
}

impl LooksArgument {
    /// The looks at every photo, by a model with this card.
    pub(super) fn looks(&self, scale: &ScaleArgument, card: &Card) -> anyhow::Result<Vec<Look>> {
        if self.quality == Some(Quality::Best) {
            return Look::best(card).context(
                "the model's card names no looks for --quality best: choose them with --scales and --flip",
            );
        }
        let scales = match self.scales.as_slice() {
            [] => &[scale.scale],
            scales => scales,
        };
        Ok(Look::all(scales, self.flip))
    }
}

fn scale(text: &str) -> Result<f64, String> {
    let [low, high] = SCALES;
    let factor = text.parse().ok();
    factor
        .filter(|factor| (low..=high).contains(factor))
        .ok_or_else(|| format!("a factor is a number from {low} to {high}"))
}

/// The devices that a command runs on together.
#[derive(clap::Args)]
pub(super) struct DevicesArgument {
    /// auto, cpu, wgpu or wgpu:N (see `flowseg devices`); cuda:N in a build with CUDA,
    /// remote:ws://HOST:PORT in one with remote devices. Several, with commas between, share
    /// every batch: cuda:0,cuda:1
    #[arg(
        long = "device",
        value_name = "DEVICE,...",
        default_value = "auto",
        value_delimiter = ','
    )]
    pub(super) devices: Vec<Choice>,
}

impl DevicesArgument {
    pub(super) fn open(&self) -> anyhow::Result<Vec<Device>> {
        let opened = self.devices.iter().map(|choice| Ok(open(choice)?.device));
        opened.collect()
    }
}

/// Opens a device and says which.
pub(super) fn open(choice: &Choice) -> anyhow::Result<Opened> {
    let opened = device::open(choice.clone())?;
    crash::set_adapter(&opened.name);
    match &opened.note {
        Some(note) => err!("device: {opened} ({note})"),
        None => err!("device: {opened}"),
    }
    Ok(opened)
}

/// Which model to use.
#[derive(clap::Args)]
pub(super) struct ModelArgument {
    /// A model file, a run folder, or the name of a built-in model (street, fashion, cells or scenes) or of an
    /// installed one, see `flowseg models`
    #[arg(long, value_name = "MODEL", default_value = "street")]
    pub(super) model: OsString,
}

impl ModelArgument {
    /// Loads the model; it must have classes to be of use for segmentation.
    pub(super) fn load(&self, device: &Device) -> anyhow::Result<Model> {
        Ok(models::load(&self.model, device)?)
    }
}
