//! What a run will need in memory, before it starts.
//!
//! The counts follow the code: what the optimiser keeps, what each operation of the network keeps
//! for its way back, and what is alive at once where the two overlap. They are held against the
//! real peak of this program on the CPU by a test.

use super::TrainError;
use super::config::{Config, Stage};
use crate::model::config::NetworkConfig;
use burn::tensor::Device;
use std::fmt;

/// Bytes of a number.
const NUMBER: u64 = 4;
/// The program itself before anything is loaded.
const PROGRAM: u64 = 60 << 20;
/// What an allocator needs beyond what it is asked for.
const SLACK: f64 = 1.05;
/// Batches that wait ready, for each thread of the loader.
const BATCHES_AHEAD: u64 = 3;

/// What memory goes to, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Parameters of the network.
    pub parameters: u64,
    /// Weights, their moving average and both moments.
    pub state: u64,
    /// Gradients of all parameters.
    pub gradients: u64,
    /// What the forward pass keeps for the backward pass.
    pub activations: u64,
    /// Batches, targets and the loss.
    pub batches: u64,
    /// Decoded photos that are kept, where the device's memory is the system's.
    pub photos: u64,
    /// The teacher and the projector.
    pub teacher: u64,
    /// Copies that are made to save a checkpoint.
    pub saving: u64,
    /// The most that is in use at once.
    pub peak: u64,
}

/// The teacher's part in an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TeacherSize {
    /// Its parameters.
    pub parameters: u64,
    /// Width of its tokens.
    pub width: u64,
}

/// What an estimate has to know besides the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// Classes of the data.
    pub classes: usize,
    /// Bytes of all photos, decoded.
    pub photos: u64,
    /// The teacher, where there is one.
    pub teacher: Option<TeacherSize>,
    /// Whether the network's operations are composed from ordinary ones, which keep more than the
    /// CPU's fused ones.
    pub composed: bool,
    /// Devices that share every batch; an estimate is for one of them. 0 counts as 1.
    pub devices: usize,
}

impl Estimate {
    /// Estimates a stage.
    pub fn new(config: &Config, around: Surroundings) -> Self {
        let Surroundings {
            classes,
            photos,
            teacher,
            composed,
            devices,
        } = around;
        let network = config.network(classes);
        let parameters = network.parameters() as u64;
        let t = &config.train;
        let share = t.batch_size.div_ceil(devices.max(1));
        let whole = share as u64;
        let part = share.div_ceil(t.accumulate) as u64;
        let pixels = (config.data.size[0] * config.data.size[1]) as u64;

        // The CPU's cross-entropy keeps the logits and makes their gradient, nothing between.
        let fused = !composed && config.prediction().has_class_outputs();
        let copies = if fused { 1 } else { 3 };
        let kept = Kept::new(&network, config.data.size, composed, copies, part);
        let blocks = network.transformer_blocks as u64;
        let tokens = part * kept.tokens * network.hidden_size as u64;
        let projector = teacher.map_or(0, |size| {
            let (d, h) = (
                network.hidden_size as u64,
                config.repa.projector_width as u64,
            );
            (d + 1) * h + (h + 1) * h + (h + 1) * size.width
        });
        let repa = teacher.map_or(0, |size| {
            let hidden = config.repa.projector_width as u64;
            part * kept.tokens * (4 * hidden + 4 * size.width)
        });
        // Inputs of norms, products, attention, activation and scales; nothing of a frozen one.
        let encoder = match &network.encoder {
            Some(vit) if config.model.encoder_rate > 0.0 => {
                let block = 10 * vit.width + 3 * vit.mlp_width;
                part * kept.tokens * (vit.blocks * block) as u64
            }
            _ => 0,
        };
        // On the way back the neural field comes first. Recomputed blocks keep what lies between
        // them, and after it one block whole with as much again for its gradients.
        let field = kept.ends + kept.way_back;
        let activations = repa
            + encoder
            + match t.checkpointing {
                true => blocks * tokens + field.max(2 * kept.block),
                false => blocks * kept.block + field,
            };
        let outputs = network.outputs as u64;
        let ahead = BATCHES_AHEAD * config.data.workers.max(1) as u64;
        let batches = whole * pixels * (4 * ahead + 15)
            + part * pixels * 4 * if fused { 3 } else { outputs.max(3) };
        let several = u64::from(t.accumulate > 1 || t.checkpointing);
        let gradients = (1 + several) * (parameters + projector);
        let state = 4 * parameters + 3 * projector;
        let teacher = teacher.map_or(0, |size| size.parameters);
        // The optimiser's moments, read and encoded, on the host.
        let saving = match composed {
            true => 0,
            false => 4 * (parameters + projector),
        };
        // Activations are freed on the way back while gradients come; what is left of the first
        // when the second are whole are those of one block.
        let backward = activations.max(gradients + kept.block);
        let during = state + teacher + batches + backward.max(gradients).max(saving);
        let bytes = |numbers: u64| numbers * NUMBER;
        let photos = match composed {
            true => 0,
            false => photos.min((config.data.cache_mib as u64) << 20),
        };
        Self {
            parameters,
            state: bytes(state),
            gradients: bytes(gradients),
            activations: bytes(activations),
            batches: bytes(batches),
            photos,
            teacher: bytes(teacher + projector),
            saving: bytes(saving),
            peak: PROGRAM + photos + (bytes(during) as f64 * SLACK) as u64,
        }
    }
}

/// Numbers that one part of a batch keeps.
struct Kept {
    /// Tokens of an image.
    tokens: u64,
    /// By one transformer block.
    block: u64,
    /// Before the blocks and behind them.
    ends: u64,
    /// Needed at once on the way back through the neural field, besides.
    way_back: u64,
}

impl Kept {
    /// `copies` of the outputs are kept.
    fn new(
        network: &NetworkConfig,
        size: [usize; 2],
        composed: bool,
        copies: u64,
        part: u64,
    ) -> Self {
        let [rows, columns] = network.grid(size);
        let tokens = (rows * columns) as u64;
        let (d, mlp) = (network.hidden_size as u64, network.mlp_width() as u64);
        let heads = network.heads as u64;
        // Inputs of norms, products, attention, gates and the activation.
        let block = match composed {
            false => 10 * d + 3 * mlp,
            true => 23 * d + 4 * mlp + heads * tokens,
        };
        let pixels = (network.patch_size * network.patch_size) as u64;
        let (e, fields) = (network.pixel_width as u64, network.field_blocks as u64);
        let generated = network.field_weights() as u64;
        let outputs = network.outputs as u64;
        let ends = 2 * d
            + 2 * network.in_channels() as u64 * pixels
            + (fields + 2) * e * pixels
            + fields * generated
            + copies * outputs * pixels;
        // Gradients of the output and of the first field's weights; those of its pixels take the
        // place of what the final layer kept.
        let way_back = generated + outputs * pixels;
        Self {
            tokens,
            block: part * tokens * block,
            ends: part * tokens * ends,
            way_back: part * tokens * way_back,
        }
    }
}

/// Memory that a device has for a run, where it is known: `train.memory_gib`, or what the device
/// reports.
pub fn available(config: &Config, device: &Device) -> Option<u64> {
    match config.train.memory_gib > 0.0 {
        true => Some((config.train.memory_gib * f64::from(1 << 30)) as u64),
        false => crate::device::memory(device),
    }
}

/// A stage's estimate against what the device has.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The stage's number, from 1.
    pub stage: usize,
    /// `[height, width]`
    pub size: [usize; 2],
    /// Photos a step.
    pub batch_size: usize,
    /// Parts that a batch, or a device's share of it, is split into.
    pub accumulate: usize,
    /// Devices that share a batch; the numbers are for one of them.
    pub devices: usize,
    /// What it needs.
    pub estimate: Estimate,
    /// What there is, where that is known.
    pub available: Option<u64>,
    /// The largest batch in one part that fits, all else equal.
    pub largest_batch: Option<usize>,
    /// The longest edge of a square photo that fits, all else equal.
    pub longest_edge: Option<usize>,
    /// A change that would make it fit, and what it would need then.
    pub suggestion: Option<(String, u64)>,
}

impl Fit {
    /// Compares a stage with the device.
    pub fn new(stage: &Stage, around: Surroundings, device: &Device) -> Self {
        let config = &stage.config;
        let of = |config: &Config| Estimate::new(config, around).peak;
        let changed = |change: &dyn Fn(&mut Config)| {
            let mut config = config.clone();
            change(&mut config);
            of(&config)
        };
        let devices = around.devices.max(1);
        let available = available(config, device).map(|bytes| {
            // Several threads on the processor share its memory.
            match crate::device::on_cpu(device) {
                true => bytes / devices as u64,
                false => bytes,
            }
        });
        let estimate = Estimate::new(config, around);
        let patch = config.network(around.classes).patch_size;
        let largest = |limit: u64| {
            largest_count(4096, |n| {
                changed(&|c| {
                    c.train.batch_size = n;
                    c.train.accumulate = 1;
                }) <= limit
            })
        };
        let longest = |limit: u64| {
            let patches = largest_count(4096 / patch, |n| {
                changed(&|c| c.data.size = [n * patch; 2]) <= limit
            });
            patches.map(|n| n * patch)
        };
        let suggestion = available
            .filter(|limit| estimate.peak > *limit)
            .and_then(|limit| suggest(config, limit, &of));
        Self {
            stage: stage.number,
            size: config.data.size,
            batch_size: config.train.batch_size,
            accumulate: config.train.accumulate,
            devices,
            estimate,
            available,
            largest_batch: available.and_then(largest),
            longest_edge: available.and_then(longest),
            suggestion,
        }
    }

    /// Whether it fits, as far as can be known.
    pub fn fits(&self) -> bool {
        self.available
            .is_none_or(|limit| self.estimate.peak <= limit)
    }

    /// Refuses what does not fit.
    ///
    /// # Errors
    /// The numbers and a suggestion, in one line.
    pub fn check(&self) -> Result<(), TrainError> {
        match self.available {
            Some(available) if !self.fits() => Err(TrainError::TooLarge {
                stage: self.stage,
                needed: gib(self.estimate.peak),
                available: gib(available),
                suggestion: match &self.suggestion {
                    Some((change, bytes)) => format!("{change} needs {} GiB", gib(*bytes)),
                    None => "take a smaller model.preset".into(),
                },
            }),
            _ => Ok(()),
        }
    }
}

/// The first of some changes that makes a run fit: parts of a batch, recomputed blocks, both, a
/// smaller size.
fn suggest(config: &Config, limit: u64, of: &dyn Fn(&Config) -> u64) -> Option<(String, u64)> {
    let batch = config.train.batch_size;
    let parts = || (1..).map(|i| 1usize << i).take_while(|n| *n <= batch);
    let split = |n: usize, checkpointing: bool| {
        let mut changed = config.clone();
        changed.train.accumulate = n.max(config.train.accumulate);
        changed.train.checkpointing = checkpointing || config.train.checkpointing;
        let name = match checkpointing {
            false => format!("train.accumulate={n}"),
            true => format!("train.checkpointing=true with train.accumulate={n}"),
        };
        (name, of(&changed))
    };
    let plain = parts().map(|n| split(n, false));
    let recomputed = std::iter::once(1).chain(parts()).map(|n| split(n, true));
    let smaller = (1..6).map(|i| {
        let mut changed = config.clone();
        changed.data.size = config.data.size.map(|side| (side >> i).max(1));
        changed.train.accumulate = batch;
        let [height, width] = changed.data.size;
        let name = format!("data.size=[{height}, {width}] with train.accumulate={batch}");
        let needed = of(&changed);
        (name, needed)
    });
    plain
        .chain(recomputed)
        .chain(smaller)
        .find(|(_, needed)| *needed <= limit)
}

/// The largest number up to `limit` for which something holds that holds for all smaller ones.
fn largest_count(limit: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut good, mut bad) = (0, limit + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match holds(middle) {
            true => good = middle,
            false => bad = middle,
        }
    }
    (good > 0).then_some(good)
}

/// `1.25` for 1.25 GiB.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 30))
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width] = self.size;
        let e = &self.estimate;
        writeln!(
            f,
            "stage {}: {height} x {width}, {} photos a step in {} parts",
            self.stage, self.batch_size, self.accumulate
        )?;
        if self.devices > 1 {
            writeln!(f, "  on each of {} devices, with a share:", self.devices)?;
        }
        for (what, bytes) in [
            ("weights, average, moments", e.state),
            ("gradients", e.gradients),
            ("activations", e.activations),
            ("batches and loss", e.batches),
            ("decoded photos", e.photos),
            ("teacher and projector", e.teacher),
            ("while saving, in place of activations", e.saving),
            ("expected peak", e.peak),
        ] {
            if bytes > 0 {
                writeln!(f, "  {what:<38} {:>8} GiB", gib(bytes))?;
            }
        }
        let Some(available) = self.available else {
            return write!(
                f,
                "  the device does not say what it has: set train.memory_gib to compare"
            );
        };
        writeln!(f, "  {:<38} {:>8} GiB", "available", gib(available))?;
        let number = |n: Option<usize>| n.map_or("none".to_owned(), |n| n.to_string());
        write!(
            f,
            "  largest batch in one part {}, longest edge {}",
            number(self.largest_batch),
            number(self.longest_edge)
        )
    }
}
