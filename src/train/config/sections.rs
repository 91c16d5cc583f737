//! The sections of a configuration: every setting with its meaning and its default.

use crate::data::{DataPaths, FurtherClasses};
use crate::encoding::{COLOUR_AXES, Encoding, Order};
use crate::flow::{Prediction, Source};
use crate::model::config::{Condition, Preset};
use crate::model::matmul_precision::MatmulPrecision;
use crate::potential::Operator;
use crate::train::objective::{Objective, TimeDistribution};
use crate::train::wrong_states::States;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One documented setting.
pub struct Key {
    /// `section.key`
    pub name: &'static str,
    /// What it does.
    pub help: &'static str,
}

/// Declares a section: a struct with its defaults, and its entry in the list of keys.
macro_rules! section {
    ($(#[$doc:meta])* $section:ident $title:literal {
        $($(#[doc = $help:literal])+ $key:ident: $type:ty = $default:expr,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $section {
            $($(#[doc = $help])+ pub $key: $type,)+
        }
        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }
        impl $section {
            pub(super) const KEYS: &'static [Key] = &[$(Key {
                name: concat!($title, ".", stringify!($key)),
                help: concat!($($help),+),
            },)+];
        }
    };
}

section! {
    /// The network.
    ModelSection "model" {
        /// Sizes to start from: tiny, small, base, large or xlarge.
        preset: Preset = Preset::Tiny,
        /// How the photo enters: concat or none.
        condition: Condition = Condition::Concat,
        /// What the network predicts: velocity or target.
        prediction: Prediction = Prediction::Velocity,
        /// How classes become centroids: kronecker, random or farthest-point.
        encoding: Encoding = Encoding::Kronecker,
        /// Dimensions of the classes' codes, 3 to 16: channels of the state. The first three are the
        /// paper's colours.
        code_dims: usize = COLOUR_AXES,
        /// Which class gets which centroid: index, the paper's, or assigned: the same points, given to
        /// classes so that patches of several classes decode to one of theirs.
        order: Order = Order::Index,
        /// Weights to start from: a public PixNerd checkpoint (.safetensors, .ckpt) or a FlowSeg
        /// model.
        init: Option<PathBuf> = None,
        /// Tokens add outputs of their own, interpolated between the middles of their patches, to the
        /// neural field's; of use with many classes and a cross-entropy or variational objective.
        patch_output: bool = false,
        /// A DINOv2 ViT-S, B or L/14 whose first blocks look at the photo once, before the flow; their
        /// tokens are added to the network's own. Files as for repa.teacher. None leaves it out.
        encoder: Option<PathBuf> = None,
        /// Blocks of the encoder that are kept, counted from its input.
        encoder_blocks: usize = 6,
        /// Width of the encoder's tokens: 384 for ViT-S, 768 for B, 1024 for L.
        encoder_width: usize = 384,
        /// Blocks of the encoder, counted from 1, whose tokens are joined; empty for the last one alone.
        encoder_layers: Vec<usize> = Vec::new(),
        /// Store the encoder's matrices as bytes with a scale for each row.
        encoder_int8: bool = false,
        /// Learning rate of the encoder as a share of the network's; 0 leaves it as it is. Stages may
        /// differ.
        encoder_rate: f64 = 0.1,
        /// Width of the pixel stem, which shows the neural field the surroundings of each pixel; 0 leaves
        /// it out.
        stem_width: usize = 0,
        /// Side of a patch in pixels, where it differs from the preset's.
        patch_size: Option<usize> = None,
        /// Width of a token, where it differs from the preset's.
        hidden_size: Option<usize> = None,
        /// Attention heads, where they differ from the preset's.
        heads: Option<usize> = None,
        /// Features a pixel, where they differ from the preset's.
        pixel_width: Option<usize> = None,
        /// Transformer blocks, where they differ from the preset's.
        transformer_blocks: Option<usize> = None,
        /// Neural field blocks, where they differ from the preset's.
        field_blocks: Option<usize> = None,
    }
}

section! {
    /// What the network is trained towards.
    LossSection "loss" {
        /// reshaped, annealed, vanilla; cross-entropy: the discriminative twin, which predicts class
        /// logits from the photo in one step; or variational: the flow by way of the posterior over
        /// the classes at every time.
        objective: Objective = Objective::Reshaped,
        /// T(d) of the potential: log, sqrt, linear or normalized-gradient.
        operator: Operator = Operator::Log,
        /// tau of the potential, above 0.
        temperature: f64 = 1.0,
        /// eps of the potential, above 0: it bounds the pull near a wrong centroid.
        epsilon: f64 = 0.01,
        /// Leave ignored pixels out of the loss; otherwise they are drawn to the middle of the cube.
        mask_ignored: bool = true,
        /// Weighs a pixel by (pixels of an average class / pixels of its class)^this, within a tenth and
        /// ten; 0 weighs all alike, 0.5 is a usual choice for a long tail.
        class_balance: f64 = 0.0,
    }
}

section! {
    /// The path.
    FlowSection "flow" {
        /// Where the path starts: image or noise.
        source: Source = Source::Image,
        /// The distribution of t besides its point mass at 0: power, uniform or logit-normal.
        time: TimeDistribution = TimeDistribution::Power,
        /// Share of samples at t = 0.
        time_zero: f64 = 0.3,
        /// Exponent of the power distribution: t = u^exponent.
        time_exponent: f64 = 3.0,
        /// Mean of the logit-normal distribution.
        time_mean: f64 = 0.0,
        /// Standard deviation of the logit-normal distribution.
        time_deviation: f64 = 1.0,
        /// Which states training shows: truth, those on the way to the true mask; corrupted, some on the
        /// way to a mask with wrong regions; or rollout, some on the way to the network's own decision.
        states: States = States::Truth,
        /// Share of samples whose state is a wrong one, with corrupted and rollout.
        states_share: f64 = 0.5,
    }
}

section! {
    /// Alignment of one block's tokens with a frozen teacher (REPA).
    RepaSection "repa" {
        /// A DINOv2 ViT-S, B or L/14, with or without registers: .safetensors with Hugging Face
        /// names or the original .pth. None switches REPA off.
        teacher: Option<PathBuf> = None,
        /// Weight of the alignment beside the flow's loss.
        weight: f64 = 0.5,
        /// The transformer block whose output is aligned, from 1.
        layer: usize = 8,
        /// Hidden width of the projector, three linear layers with SiLU.
        projector_width: usize = 2048,
        /// Folder to keep the teacher's features in, half precision, keyed by file, size and
        /// teacher. Of use only where photos repeat, so it takes data.crop = false and
        /// data.photometric = false (flips may stay on).
        cache: Option<PathBuf> = None,
    }
}

section! {
    /// The data.
    DataSection "data" {
        /// A data folder in any known layout, or scenes:N for N classes of procedural scenes. A list of
        /// several trains on all of them; the first alone is validated on.
        path: DataPaths = PathBuf::from("scenes:20").into(),
        /// How often an epoch shows each photo of every data set of the list, 0 to 100; empty for once
        /// each. Stages may differ.
        weights: Vec<f64> = Vec::new(),
        /// Classes that the first data set of a list lacks: add, which appends them to the model's, or
        /// ignore, which ignores their pixels. Classes are the same where their names are, in any case.
        further_classes: FurtherClasses = FurtherClasses::Add,
        /// Leave pairs out that cannot be read, instead of refusing the data set.
        skip_bad: bool = false,
        /// [height, width] that the network sees.
        size: [usize; 2] = [96, 128],
        /// The least and the greatest random magnification of a training crop; at 1 it shows as much as
        /// the whole photo does at the training size.
        scale: [f32; 2] = [0.75, 1.75],
        /// Random crops of the training size's aspect; without them the whole photo is seen, stretched to
        /// the training size. The model's card says which, and photos are then segmented likewise.
        crop: bool = true,
        /// Random horizontal flips.
        flip: bool = true,
        /// Random brightness, contrast, saturation and hue.
        photometric: bool = true,
        /// Share of samples, 0 to 1, whose photo is chosen for a rare class; crops then show it.
        balance: f32 = 0.0,
        /// Memory for decoded photos, in MiB.
        cache_mib: usize = 1024,
        /// Threads that prepare batches.
        workers: usize = 1,
    }
}

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Down to `train.final_rate` of the peak along a cosine.
    #[default]
    Cosine,
    /// At the peak to the end.
    Constant,
}

section! {
    /// The run.
    TrainSection "train" {
        /// Optimiser steps; in a stage, its own length.
        steps: u64 = 2000,
        /// Photos a step.
        batch_size: usize = 8,
        /// Parts that a batch is split into to save memory; the result is that of the whole batch.
        accumulate: usize = 1,
        /// Peak learning rate.
        learning_rate: f64 = 1e-3,
        /// Steps over which the learning rate rises from 0.
        warmup: u64 = 100,
        /// How the learning rate goes on after the warm-up: cosine or constant.
        schedule: Schedule = Schedule::Cosine,
        /// Learning rate at the end of a cosine, as a share of the peak.
        final_rate: f64 = 0.02,
        /// Decoupled weight decay of matrices; norms and biases have none.
        weight_decay: f64 = 0.01,
        /// Decay of AdamW's first moment.
        beta1: f64 = 0.9,
        /// Decay of AdamW's second moment.
        beta2: f64 = 0.98,
        /// Greatest norm of the whole gradient; 0 switches clipping off.
        clip: f64 = 1.0,
        /// Decay of the moving average of the weights.
        ema: f64 = 0.999,
        /// Let the average forget quickly while the run is young: after n steps its decay is
        /// (1 + n) / (10 + n) where that is less than train.ema, a ninth of the run so far. 0.999 then
        /// holds from step 8990 on. Without it the average remembers the random start.
        ema_warmup: bool = true,
        /// Numbers of the matrix products: single, half or bfloat16. Weights, optimiser and
        /// everything else stay in single precision.
        precision: MatmulPrecision = MatmulPrecision::Single,
        /// Compute each transformer block again on the way back instead of keeping its
        /// activations: a quarter more time for much less memory.
        checkpointing: bool = false,
        /// Steps in a row without a finite gradient after which the run stops. Each is skipped.
        bad_steps: u64 = 5,
        /// Memory that the run may take in GiB; 0 takes what the device reports.
        memory_gib: f64 = 0.0,
        /// Seed of weights, order, augmentation and times.
        seed: u64 = 0,
        /// Steps between lines of loss.
        log_every: u64 = 20,
        /// Steps between checkpoints.
        checkpoint_every: u64 = 250,
        /// Checkpoints kept, besides the best model.
        keep: usize = 2,
        /// Steps between validations; 0 switches them off.
        validate_every: u64 = 500,
        /// Photos of a validation; 0 takes the whole split.
        validate_samples: usize = 0,
        /// Sampling steps of a validation, which the model's card then recommends.
        validate_steps: usize = 5,
    }
}

/// All settings in the order of the documentation.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [
        ModelSection::KEYS,
        LossSection::KEYS,
        FlowSection::KEYS,
        RepaSection::KEYS,
        DataSection::KEYS,
        TrainSection::KEYS,
    ]
    .into_iter()
    .flatten()
}
