//! Estimates the memory that a run needs.
//!
//! The counts follow the code: what the optimiser stores, what each operation of the network keeps
//! for the backward pass, and what exists at the same time. A test compares them with the actual
//! peak of this program on the CPU.

use super::TrainError;
use super::config::{Config, Stage};
use crate::format::counted;
use crate::model::config::NetworkConfig;
use burn::tensor::Device;
use std::fmt;

const NUMBER: u64 = 4;
/// Memory of the program itself, in bytes.
const PROGRAM: u64 = 60 << 20;
const SLACK: f64 = 1.05;
/// Batches prepared in advance, per thread of the loader.
const BATCHES_AHEAD: u64 = 3;

/// Memory by purpose, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct MemoryUse {
    pub parameters: u64,
    /// Weights, their moving average and both moments.
    pub state: u64,
    pub gradients: u64,
    /// Kept by the forward pass for the backward pass.
    pub activations: u64,
    /// Batches, targets and the loss.
    pub batches: u64,
    /// The cache of decoded photos, if the device's memory is main memory.
    pub photos: u64,
    /// The teacher and the projector.
    pub teacher: u64,
    /// Copies made to save a checkpoint.
    pub saving: u64,
    pub peak: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TeacherSize {
    pub parameters: u64,
    pub width: u64,
}

/// What the network's operations are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Ops {
    /// The CPU's own.
    #[default]
    Fused,
    /// Composed of ordinary ones, which keep more.
    Composed,
}

/// Inputs of an estimate besides the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Workload {
    pub classes: usize,
    /// Size of all decoded photos, in bytes.
    pub photos: u64,
    pub teacher: Option<TeacherSize>,
    pub ops: Ops,
    /// Devices that share every batch; the estimate is for one of them. 0 counts as 1.
    pub devices: usize,
}

impl MemoryUse {
    /// Estimates the memory of one device.
    pub(crate) fn new(config: &Config, workload: Workload) -> Self {
        let Workload {
            classes,
            photos,
            teacher,
            ops,
            devices,
        } = workload;
        let composed = ops == Ops::Composed;
        let network = config.network(classes);
        let parameters = network.parameters() as u64;
        let t = &config.train;
        let share = t.batch_size.div_ceil(devices.max(1));
        let whole = share as u64;
        let part = share.div_ceil(t.accumulate) as u64;
        let pixels = (config.data.size[0] * config.data.size[1]) as u64;

        // The CPU's cross-entropy keeps the logits and computes their gradient, without
        // intermediate results.
        let fused = !composed && config.prediction().has_class_outputs();
        let copies = if fused { 1 } else { 3 };
        let kept = Kept::new(&network, config.data.size, ops, copies, part);
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
        // A frozen encoder keeps none.
        let encoder = match &network.encoder {
            Some(vit) if config.model.encoder_rate > 0.0 => {
                let sizes = [vit.width, vit.mlp_width, vit.heads].map(|size| size as u64);
                let block = kept_per_token(sizes, kept.tokens, ops);
                part * kept.tokens * vit.blocks as u64 * block
            }
            _ => 0,
        };
        // The backward pass starts with the neural field. Recomputed blocks keep only their inputs,
        // plus, after the field, one whole block and as much again for its gradients.
        let field = kept.ends + kept.backward;
        let activations = repa
            + encoder
            + if t.checkpointing {
                blocks * tokens + field.max(2 * kept.block)
            } else {
                blocks * kept.block + field
            };
        let outputs = network.outputs as u64;
        let ahead = BATCHES_AHEAD * config.data.workers.max(1) as u64;
        // A frozen encoder and a teacher see the whole share at once, whatever its parts.
        let frozen_width = match &network.encoder {
            Some(vit) if config.model.encoder_rate == 0.0 => vit.tokens_width() as u64,
            _ => 0,
        };
        let teacher_width = teacher.map_or(0, |size| size.width);
        let seen = whole * kept.tokens * (frozen_width + teacher_width);
        let batches = seen
            + whole * pixels * (4 * ahead + 15)
            + part * pixels * 4 * if fused { 3 } else { outputs.max(3) };
        let several = u64::from(t.accumulate > 1 || t.checkpointing);
        let gradients = (1 + several) * (parameters + projector);
        let state = 4 * parameters + 3 * projector;
        let teacher = teacher.map_or(0, |size| size.parameters);
        // The optimiser's moments are read back and encoded on the host.
        let saving = if composed {
            0
        } else {
            4 * (parameters + projector)
        };
        // The backward pass frees activations while it allocates gradients; when the gradients are
        // complete, the activations of one block are left.
        let backward = activations.max(gradients + kept.block);
        let during = state + teacher + batches + backward.max(gradients).max(saving);
        let bytes = |numbers: u64| numbers * NUMBER;
        let photos = if composed {
            0
        } else {
            photos.min((config.data.cache_mib as u64) << 20)
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

/// Values that a transformer's block keeps for each of its `tokens`: the inputs of norms, products, attention, gates or
/// scales, and the activation.
fn kept_per_token([width, mlp, heads]: [u64; 3], tokens: u64, ops: Ops) -> u64 {
    match ops {
        Ops::Composed => 23 * width + 4 * mlp + heads * tokens,
        Ops::Fused => 10 * width + 3 * mlp,
    }
}

/// Number of values kept for one part of a batch.
struct Kept {
    tokens: u64,
    block: u64,
    /// Values before and after the blocks.
    ends: u64,
    /// Temporaries of the backward pass through the neural field.
    backward: u64,
}

impl Kept {
    /// `copies` is how many copies of the outputs are kept.
    fn new(network: &NetworkConfig, size: [usize; 2], ops: Ops, copies: u64, part: u64) -> Self {
        let [rows, columns] = network.grid(size);
        let tokens = (rows * columns) as u64;
        let d = network.hidden_size as u64;
        let sizes = [d, network.mlp_width() as u64, network.heads as u64];
        let block = kept_per_token(sizes, tokens, ops);
        let pixels = (network.patch_size * network.patch_size) as u64;
        let (e, fields) = (network.pixel_width as u64, network.field_blocks as u64);
        let generated = network.field_weights() as u64;
        let outputs = network.outputs as u64;
        // Neighbourhoods at two resolutions and in two memory orders, and features on their way to
        // the pixels.
        let stem = match network.stem_width as u64 {
            0 => 0,
            width => 60 + 6 * width + 3 * e,
        };
        let ends = 2 * d
            + 2 * network.in_channels() as u64 * pixels
            + (fields + 2) * e * pixels
            + fields * generated
            + copies * outputs * pixels
            + stem * pixels;
        // Gradients of the output and of the first field's weights; the gradients of its pixels
        // reuse the memory of the final layer's gradients.
        let backward = generated + outputs * pixels;
        Self {
            tokens,
            block: part * tokens * block,
            ends: part * tokens * ends,
            backward: part * tokens * backward,
        }
    }
}

/// Memory available for a run: `train.memory_gib`, or what the device reports.
fn available(config: &Config, device: &Device) -> Option<u64> {
    if config.train.memory_gib > 0.0 {
        Some((config.train.memory_gib * f64::from(1 << 30)) as u64)
    } else {
        crate::device::memory(device)
    }
}

/// The memory that a stage needs, compared with the device's memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MemoryEstimate {
    pub stage: usize,
    /// `[height, width]`
    pub size: [usize; 2],
    pub batch_size: usize,
    /// Number of parts that a batch, or a device's share of it, is split into.
    pub accumulate: usize,
    /// Devices that share a batch; the estimate is for one of them.
    pub devices: usize,
    pub needed: MemoryUse,
    pub available: Option<u64>,
    /// The largest batch that fits in one part, with other settings unchanged.
    pub largest_batch: Option<usize>,
    /// The longest edge of a square photo that fits, with other settings unchanged.
    pub longest_edge: Option<usize>,
    /// A change that makes the stage fit, and the bytes that it then needs.
    pub suggestion: Option<(String, u64)>,
}

impl MemoryEstimate {
    pub(crate) fn new(stage: &Stage, workload: Workload, device: &Device) -> Self {
        let config = &stage.config;
        let of = |config: &Config| MemoryUse::new(config, workload).peak;
        let changed = |change: &dyn Fn(&mut Config)| {
            let mut config = config.clone();
            change(&mut config);
            of(&config)
        };
        let devices = workload.devices.max(1);
        let available = available(config, device).map(|bytes| {
            // CPU devices share main memory.
            if crate::device::on_cpu(device) {
                bytes / devices as u64
            } else {
                bytes
            }
        });
        let needed = MemoryUse::new(config, workload);
        let patch = config.network(workload.classes).patch_size;
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
            .filter(|limit| needed.peak > *limit)
            .and_then(|limit| suggest(config, limit, &of));
        Self {
            stage: stage.number,
            size: config.data.size,
            batch_size: config.train.batch_size,
            accumulate: config.train.accumulate,
            devices,
            needed,
            available,
            largest_batch: available.and_then(largest),
            longest_edge: available.and_then(longest),
            suggestion,
        }
    }

    /// Whether the stage fits; true if the available memory is unknown.
    pub(crate) fn fits(&self) -> bool {
        self.available.is_none_or(|limit| self.needed.peak <= limit)
    }

    /// Refuses a stage that does not fit.
    ///
    /// # Errors
    /// One line with the amounts and a suggestion.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        match self.available {
            Some(available) if !self.fits() => Err(TrainError::TooLarge {
                stage: self.stage,
                needed: gib(self.needed.peak),
                available: gib(available),
                suggestion: match &self.suggestion {
                    Some((change, bytes)) => format!("{change} needs {} GiB", gib(*bytes)),
                    None => "choose a smaller model.preset".into(),
                },
            }),
            _ => Ok(()),
        }
    }
}

/// The first change that makes a stage fit: a batch in parts, recomputed blocks, both, a smaller
/// size.
fn suggest(config: &Config, limit: u64, of: &dyn Fn(&Config) -> u64) -> Option<(String, u64)> {
    let batch = config.train.batch_size;
    let parts = || (1..).map(|i| 1usize << i).take_while(|n| *n <= batch);
    let split = |n: usize, checkpointing: bool| {
        let mut changed = config.clone();
        let n = n.max(config.train.accumulate);
        changed.train.accumulate = n;
        changed.train.checkpointing = checkpointing || config.train.checkpointing;
        let name = if checkpointing {
            format!("train.checkpointing=true with train.accumulate={n}")
        } else {
            format!("train.accumulate={n}")
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

/// The largest number up to `limit` that satisfies a monotone condition.
fn largest_count(limit: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut good, mut bad) = (0, limit + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if holds(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    (good > 0).then_some(good)
}

/// `1.25` for 1.25 GiB.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 30))
}

impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width] = self.size;
        let e = &self.needed;
        writeln!(
            f,
            "stage {}: {height} x {width}, {} per step in {}",
            self.stage,
            counted(self.batch_size, "photo"),
            counted(self.accumulate, "part")
        )?;
        if self.devices > 1 {
            writeln!(f, "  on each of {} devices, for its share:", self.devices)?;
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
                "  the device does not report its memory: set train.memory_gib to compare"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_teacher_are_there_for_all_parts_of_a_batch() {
        let batches = |accumulate: usize, width: u64| {
            let sets = [
                "train.batch_size=8".to_owned(),
                format!("train.accumulate={accumulate}"),
            ];
            let config = Config::parse("", &sets).unwrap();
            let teacher = (width > 0).then_some(TeacherSize {
                parameters: 0,
                width,
            });
            let workload = Workload {
                classes: 3,
                teacher,
                ..Workload::default()
            };
            let [rows, columns] = config.network(3).grid(config.data.size);
            let tokens = 8 * rows * columns;
            (
                MemoryUse::new(&config, workload).batches,
                NUMBER * tokens as u64,
            )
        };
        for accumulate in [1, 4] {
            let (without, _) = batches(accumulate, 0);
            let (with, tokens) = batches(accumulate, 384);
            assert_eq!(with - without, 384 * tokens);
        }
    }
}
