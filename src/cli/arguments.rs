//! Arguments shared by several commands.

use crate::crash;
use crate::device::{self, Choice, Opened};
use crate::inference::{Look, SCALES, Tiling};
use crate::kernels::MatmulPrecision;
use crate::model::{Card, MOST_SOLVER_STEPS, Model};
use crate::models::{self, Found};
use crate::sampler::Solver;
use crate::terminal::err;
use crate::votes::Outlines;
use anyhow::{Context, bail};
use burn::tensor::Device;
use std::ffi::OsString;
use std::num::{IntErrorKind, ParseIntError};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The parser of a whole number within a range.
pub(super) fn whole(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.trim().parse().ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let [low, high] = [range.start(), range.end()];
                format!("it must be a whole number from {low} to {high}")
            })
    }
}

/// Parses a number of solver steps.
pub(super) fn solver_steps() -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static
{
    whole(1..=MOST_SOLVER_STEPS as u64)
}

/// Parses a whole number whose range is checked later or is that of its type, which is unsigned and has at most 64 bits.
pub(super) fn any_whole<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, String> {
    let number = text.trim().parse();
    let most = u64::MAX >> (64 - 8 * size_of::<T>());
    number.map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => format!("it is too large: the largest number is {most}"),
        _ => "it must be a whole number, 0 or more".to_owned(),
    })
}

/// Parses a number whose range is checked later.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let number = text.trim().parse();
    number.map_err(|_| "it must be a number".to_owned())
}

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

    /// [`open`](Self::open) for a command that says by [`Compiling`](super::compiling::Compiling) when kernels
    /// take long.
    pub(super) fn open_quietly(&self) -> anyhow::Result<Opened> {
        open_quietly(&self.device)
    }
}

fn shift(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok();
    factor
        .filter(|factor| (0.001..=1000.0).contains(factor))
        .ok_or_else(|| "a shift must be a number from 0.001 to 1000".to_owned())
}

#[derive(clap::Args)]
pub(super) struct ScaleArgument {
    /// The size that the network sees, as a factor of each side of the size it was trained at, 0.25 to
    /// 4: larger shows more detail and takes longer
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(super) scale: f64,
}

/// Presets for `--scales` and `--flip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Quality {
    /// One pass at the training size
    Fast,
    /// The passes that score best on validation photos, from the model's card (see `flowseg models`)
    Best,
}

/// What makes a pass need less memory of a device.
pub(super) const SMALLER: &str = "a smaller --scale or more --tiles";

/// What makes the votes of a photo take less memory.
pub(super) const SMALLER_VOTES: &str = "fewer --tiles, or a smaller --scale or --scales";

/// How photos are segmented, apart from the number of solver steps.
#[derive(clap::Args)]
pub(super) struct SamplingArguments {
    /// Solver of the ODE
    #[arg(long, value_enum, default_value_t)]
    pub(super) solver: Solver,
    /// Spacing of the solver steps, 0.001 to 1000: with 1 they are equally long; below, the first are longer
    /// and the last shorter; above, the other way round
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = shift)]
    pub(super) shift: f64,
    /// Seed of the noise, for models whose flow starts from noise
    #[arg(long, default_value_t = 0, value_parser = any_whole::<u64>)]
    pub(super) seed: u64,
    #[command(flatten)]
    scale: ScaleArgument,
    /// Test-time augmentation: segment every photo at several sizes, such as 1,1.5,2, and add up the votes
    /// of these passes at the size of the factor nearest to 1; the order does not matter; replaces --scale
    #[arg(long, value_name = "FACTOR,...", value_delimiter = ',', value_parser = scale, conflicts_with = "scale")]
    scales: Vec<f64>,
    /// Also segment the mirror image of every photo and add up the votes
    #[arg(long)]
    flip: bool,
    /// Speed or quality, instead of --scale, --scales and --flip
    #[arg(long, value_enum, conflicts_with_all = ["scale", "scales", "flip"])]
    quality: Option<Quality>,
    /// Segment large photos in overlapping tiles of the network's training size. N, 1 to 64: tiles along
    /// the side that needs more, fewer if the photo would be enlarged more than 8 times; auto: enough that
    /// a network pixel covers at most 4 x 4 photo pixels; off: the whole photo at once
    #[arg(long, value_name = "auto|N|off", default_value_t)]
    pub(super) tiles: Tiling,
    #[command(flatten)]
    pub(super) outlines: OutlinesArgument,
}

#[derive(clap::Args)]
pub(super) struct OutlinesArgument {
    /// Where the outlines of masks run
    #[arg(long, value_enum, default_value_t)]
    pub(super) outlines: Outlines,
}

impl SamplingArguments {
    /// The looks at every photo for a model with this card.
    ///
    /// # Errors
    /// `--quality best` for a model whose card does not say what that is.
    pub(super) fn looks(&self, card: &Card) -> anyhow::Result<Vec<Look>> {
        if self.quality == Some(Quality::Best) {
            return Look::best(card).context(
                "the model's card has no entry for --quality best: use --scales and --flip",
            );
        }
        let scales = match self.scales.as_slice() {
            [] => &[self.scale.scale],
            scales => scales,
        };
        Ok(Look::all(scales, self.flip))
    }
}

fn scale(text: &str) -> Result<f64, String> {
    let [low, high] = SCALES;
    let factor = text.trim().parse().ok();
    factor
        .filter(|factor| (low..=high).contains(factor))
        .ok_or_else(|| format!("a factor must be a number from {low} to {high}"))
}

#[derive(clap::Args)]
pub(super) struct DevicesArgument {
    /// auto, cpu, wgpu or wgpu:N (see `flowseg devices`); cuda:N in a build with CUDA,
    /// remote:ws://HOST:PORT in one with remote devices. Several, separated by commas, share every
    /// batch: cuda:0,cuda:1
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

/// Opens a device and prints its name, and what a GPU that was not asked for may cost.
pub(super) fn open(choice: &Choice) -> anyhow::Result<Opened> {
    let opened = open_quietly(choice)?;
    if *choice == Choice::Auto && !opened.is_cpu() {
        err!(
            "compiling kernels for it can take a minute on a new machine; --device cpu starts at once"
        );
    }
    Ok(opened)
}

fn open_quietly(choice: &Choice) -> anyhow::Result<Opened> {
    let opened = device::open(choice.clone())?;
    crash::set_adapter(&opened.name);
    match &opened.note {
        Some(note) => err!("device: {opened} ({note})"),
        None => err!("device: {opened}"),
    }
    Ok(opened)
}

#[derive(clap::Args)]
pub(super) struct ModelArgument {
    /// A model file, a run folder, or the name of a built-in model (street, fashion, cells or scenes) or of an
    /// installed one (see `flowseg models`)
    #[arg(long, value_name = "MODEL", default_value = "street")]
    pub(super) model: OsString,
}

impl ModelArgument {
    /// Finds the model, and opens its file.
    pub(super) fn find(&self) -> anyhow::Result<Found> {
        Ok(models::find(&self.model)?)
    }

    /// Loads the model, which must have classes.
    pub(super) fn load(&self, device: &Device) -> anyhow::Result<Model> {
        Ok(models::load(&self.model, device)?)
    }
}

#[derive(clap::Args)]
pub(super) struct PrecisionArgument {
    /// Number format of the matrix products: bfloat16 is faster on processors that have it (`flowseg
    /// devices` says so), changes a few pixels, and is refused by most graphics adapters
    #[arg(long, value_enum, default_value_t)]
    precision: MatmulPrecision,
}

impl PrecisionArgument {
    /// The precision, if the device has it.
    pub(super) fn on(&self, device: &Device) -> anyhow::Result<MatmulPrecision> {
        let precision = self.precision;
        if !precision.supported(device) {
            bail!(
                "this device does not support --precision {precision}: leave it out, or choose another \
                 --device"
            );
        }
        if let Some(caution) = precision.caution(device) {
            err!("{caution}");
        }
        Ok(precision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_refused_in_plain_words() {
        let steps = whole(1..=1000);
        assert_eq!([steps("1"), steps(" 1000 ")], [Ok(1), Ok(1000)]);
        for text in ["", "0", "1001", "x", "-1", "2.5"] {
            let error = steps(text).unwrap_err();
            assert_eq!(error, "it must be a whole number from 1 to 1000");
        }
        assert_eq!(any_whole(&u64::MAX.to_string()), Ok(u64::MAX));
        for text in ["-1", "seed", "", "2.5"] {
            let error = any_whole::<u64>(text).unwrap_err();
            assert_eq!(error, "it must be a whole number, 0 or more");
        }
        let error = any_whole::<u64>("18446744073709551616").unwrap_err();
        assert!(error.ends_with("the largest number is 18446744073709551615"));
        let error = any_whole::<u32>("4294967296").unwrap_err();
        assert!(error.ends_with("the largest number is 4294967295"));
        assert_eq!(number("2.5"), Ok(2.5));
        assert!(number("soon").is_err_and(|error| error == "it must be a number"));
    }
}
