//! The sections of a configuration: every setting with its meaning and its default.

use crate::data::{DataPaths, FurtherClasses};
use crate::encoding::{COLOUR_AXES, Encoding, Order};
use crate::flow::{Prediction, Source};
use crate::kernels::MatmulPrecision;
use crate::model::config::{Condition, Preset};
use crate::potential::Operator;
use crate::train::objective::{Objective, TimeDistribution};
use crate::train::wrong_states::States;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One documented setting.
pub struct Key {
    /// `section.key`
    pub name: &'static str,
    pub help: &'static str,
}

/// Declares a section: a struct with its defaults, and its entries in the list of keys.
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
    /// The network, what it predicts, and the weights that it starts from.
    ModelSection "model" {
        /// Preset for all sizes: tiny, small, base, large or xlarge.
        preset: Preset = Preset::Tiny,
        /// How the photo is fed to the network: concat (beside the state, as extra channels) or none (the
        /// network sees only the state, and flow.source is image unless there is an encoder or a stem).
        condition: Condition = Condition::Concat,
        /// What the network predicts: velocity or target.
        prediction: Prediction = Prediction::Velocity,
        /// How classes become centroids: kronecker, random or farthest-point.
        encoding: Encoding = Encoding::Kronecker,
        /// Dimensions of the class centroids, 3 to 16: channels of the state. The first three are
        /// the paper's colours.
        code_dims: usize = COLOUR_AXES,
        /// Which class gets which centroid: index (the paper's) or assigned, which gives the same
        /// centroids to the classes so that mixtures of several classes decode to one of them.
        order: Order = Order::Index,
        /// Weights to start from: a public PixNerd checkpoint (.safetensors, .ckpt) or a FlowSeg
        /// model.
        init: Option<PathBuf> = None,
        /// Adds an output of every token, interpolated between patch centres, to that of the neural
        /// field; useful with many classes and a cross-entropy or variational objective.
        patch_output: bool = false,
        /// A DINOv2 ViT-S, B or L/14 whose first blocks encode the photo once, before the flow; their
        /// tokens are added to the network's own. Same file formats as repa.teacher, without registers.
        /// `none` disables it.
        encoder: Option<PathBuf> = None,
        /// Number of the encoder's blocks that are kept, counted from its input.
        encoder_blocks: usize = 6,
        /// Width of the encoder's tokens: 384 for ViT-S, 768 for B, 1024 for L.
        encoder_width: usize = 384,
        /// Blocks of the encoder, counted from 1, whose tokens are concatenated; empty for the last
        /// one only.
        encoder_layers: Vec<usize> = Vec::new(),
        /// Store the encoder's matrices as int8 with one scale per row.
        encoder_int8: bool = false,
        /// Learning rate of the encoder as a share of the network's; 0 freezes it. May differ
        /// between stages.
        encoder_rate: f64 = 0.1,
        /// Width of the pixel stem, which gives the neural field the neighbourhood of each pixel; 0
        /// disables it.
        stem_width: usize = 0,
        /// Side of a patch in pixels, if it differs from the preset.
        patch_size: Option<usize> = None,
        /// Width of a token, if it differs from the preset.
        hidden_size: Option<usize> = None,
        /// Attention heads, if they differ from the preset.
        heads: Option<usize> = None,
        /// Features per pixel, if they differ from the preset.
        pixel_width: Option<usize> = None,
        /// Transformer blocks, if they differ from the preset.
        transformer_blocks: Option<usize> = None,
        /// Neural field blocks, if they differ from the preset.
        field_blocks: Option<usize> = None,
    }
}

section! {
    /// What the network is trained towards.
    LossSection "loss" {
        /// reshaped, annealed, vanilla; cross-entropy (the discriminative twin, which predicts
        /// class logits from the photo in one step); or variational (the flow follows the posterior
        /// over the classes at every time).
        objective: Objective = Objective::Reshaped,
        /// T(d) of the potential: log, sqrt, linear or normalized-gradient.
        operator: Operator = Operator::Log,
        /// tau of the potential, from 0.001 to 1000.
        temperature: f64 = 1.0,
        /// eps of the potential, above 0: limits the gradient near a wrong centroid.
        epsilon: f64 = 0.01,
        /// Leave ignored pixels out of the loss; otherwise their target is the centre of the cube.
        mask_ignored: bool = true,
        /// Weights a pixel by (pixels of an average class / pixels of its class)^class_balance, clamped to
        /// 0.1..10: 0 weights all pixels equally, 1 would weight all classes equally, 0.5 is usual for a
        /// long tail.
        class_balance: f64 = 0.0,
        /// Weights a sample by (1 - t)^time_weight, 0 to 4. With 2, an error of the predicted target counts
        /// the same at all times; with 0, wrong states near t = 1 dominate.
        time_weight: f64 = 0.0,
    }
}

section! {
    /// The path of the flow, and the times and states that are seen in training.
    FlowSection "flow" {
        /// Where the path starts: image or noise.
        source: Source = Source::Image,
        /// The distribution of t besides its point mass at 0: power, uniform or logit-normal.
        time: TimeDistribution = TimeDistribution::Power,
        /// Share of samples at t = 0, 0 to 1.
        time_zero: f64 = 0.3,
        /// Exponent of the power distribution: t = u^exponent.
        time_exponent: f64 = 3.0,
        /// Mean of the logit-normal distribution.
        time_mean: f64 = 0.0,
        /// Standard deviation of the logit-normal distribution.
        time_deviation: f64 = 1.0,
        /// States seen in training: truth (on the way to the true mask), corrupted (some on the way
        /// to a mask with wrong regions) or rollout (some on the way to the network's own
        /// decision).
        states: States = States::Truth,
        /// Share of samples with a wrong state, for corrupted and rollout, 0 to 1.
        states_share: f64 = 0.5,
    }
}

section! {
    /// Alignment of one block's tokens with a frozen teacher (REPA).
    RepaSection "repa" {
        /// A DINOv2 ViT-S, B or L/14, with or without registers: .safetensors with Hugging Face
        /// names or the original .pth. `none` disables REPA.
        teacher: Option<PathBuf> = None,
        /// Weight of the alignment loss; the flow's loss has weight 1.
        weight: f64 = 0.5,
        /// The transformer block whose output is aligned, from 1.
        layer: usize = 8,
        /// Hidden width of the projector, three linear layers with SiLU.
        projector_width: usize = 2048,
        /// Folder that caches the teacher's features, in half precision, keyed by file, size and
        /// teacher. Useful only if photos repeat, so it requires data.crop = false,
        /// data.photometric = false and data.tint = 0 (flips may stay on).
        cache: Option<PathBuf> = None,
    }
}

section! {
    /// The photos and labels, and how they are prepared.
    DataSection "data" {
        /// A data folder in any known layout, or scenes:N for N classes of procedural scenes. A list of
        /// several trains on all of them; the first alone is validated on.
        path: DataPaths = PathBuf::from("scenes:20").into(),
        /// How often an epoch shows each photo of every data set of the list, 0 to 100; empty for once
        /// each. Stages may differ.
        weights: Vec<f64> = Vec::new(),
        /// Classes that the first data set of a list lacks: add, which appends them to the model's, or
        /// ignore, which ignores their pixels. Classes with the same name, in any letter case,
        /// are one class.
        further_classes: FurtherClasses = FurtherClasses::Add,
        /// Leave pairs out that cannot be read, instead of refusing the data set.
        skip_bad: bool = false,
        /// [height, width] that the network sees, in pixels; sides that are not multiples of
        /// the patch size are padded.
        size: [usize; 2] = [96, 128],
        /// Smallest and largest random magnification of a training crop: at 1 a crop has the area of the
        /// photo, at 2 a quarter of it, enlarged; below 1 the photo is padded.
        scale: [f32; 2] = [0.75, 1.75],
        /// Random crops with the training size's aspect ratio; without them the whole photo is
        /// stretched to the training size. The model's card records it, and photos are segmented
        /// likewise.
        crop: bool = true,
        /// Random horizontal flips.
        flip: bool = true,
        /// Random brightness, contrast, saturation and hue.
        photometric: bool = true,
        /// Share of samples, 0 to 1, whose photo is chosen for a rare class; crops then contain it.
        balance: f32 = 0.0,
        /// Share of samples, 0 to 1, in which half of the classes get a brightness and a tint of their
        /// own, so that outlines are found whatever the colours.
        tint: f32 = 0.0,
        /// Augmented crops of each photo that are drawn once and then repeated, one per epoch, so that a
        /// frozen encoder sees each only once: its tokens are kept in a file, in half precision. 0
        /// draws a new crop every time; otherwise model.encoder_rate must be 0.
        token_views: u64 = 0,
        /// Folder for files of tokens, which runs may share: runs with the same encoder, data, crops
        /// and seed use the same file. A photo whose file was changed or copied since counts as
        /// different data.
        token_cache: Option<PathBuf> = None,
        /// Memory for decoded photos, in MiB.
        cache_mib: usize = 1024,
        /// Threads that prepare batches.
        workers: usize = 1,
    }
}

/// The learning rate after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Decays to `train.final_rate` of the peak along a cosine.
    #[default]
    Cosine,
    /// Stays at the peak.
    Constant,
}

section! {
    /// The run.
    TrainSection "train" {
        /// Optimiser steps; in a stage, its own length.
        steps: u64 = 2000,
        /// Photos per step.
        batch_size: usize = 8,
        /// Parts that a batch is split into to save memory; the result is that of the whole batch.
        accumulate: usize = 1,
        /// Peak learning rate.
        learning_rate: f64 = 1e-3,
        /// Steps over which the learning rate rises from 0.
        warmup: u64 = 100,
        /// The learning rate after the warm-up: cosine or constant.
        schedule: Schedule = Schedule::Cosine,
        /// Learning rate at the end of a cosine, as a share of the peak.
        final_rate: f64 = 0.02,
        /// Decoupled weight decay of matrices, 0 to 10; norms and biases have none.
        weight_decay: f64 = 0.01,
        /// Decay of AdamW's first moment, at least 0 and below 1.
        beta1: f64 = 0.9,
        /// Decay of AdamW's second moment, at least 0 and below 1.
        beta2: f64 = 0.98,
        /// Maximum norm of the whole gradient; 0 disables clipping.
        clip: f64 = 1.0,
        /// Decay of the moving average of the weights, at least 0 and below 1.
        ema: f64 = 0.999,
        /// Lets the average forget its random start: after n steps its decay is (1 + n) / (10 + n)
        /// if that is less than train.ema, which averages over a ninth of the run so far. 0.999
        /// applies from step 8990 on.
        ema_warmup: bool = true,
        /// Precision of the matrix products: single, half (whose gradients need a loss scale, which the
        /// run adjusts) or bfloat16. Weights, optimiser and everything else stay in single precision.
        precision: MatmulPrecision = MatmulPrecision::Single,
        /// Recompute each transformer block in the backward pass instead of keeping its
        /// activations: a quarter more time, much less memory.
        checkpointing: bool = false,
        /// Number of consecutive steps without a finite gradient after which the run stops, at its next
        /// logged line. Each is skipped.
        bad_steps: u64 = 5,
        /// Memory that the run may use, in GiB; 0 means what the device reports.
        memory_gib: f64 = 0.0,
        /// Seed of weights, order, augmentation and times.
        seed: u64 = 0,
        /// Steps between logged lines of loss.
        log_every: u64 = 20,
        /// Steps between checkpoints. One that is due after a skipped step waits for the next that is not.
        checkpoint_every: u64 = 250,
        /// Number of checkpoints to keep, besides the best model.
        keep: usize = 2,
        /// Steps between validations; 0 disables them.
        validate_every: u64 = 500,
        /// Also validate before the first step, unless validations are disabled: what a start from
        /// model.init is worth.
        validate_start: bool = false,
        /// Photos of a validation; 0 takes the whole split.
        validate_samples: usize = 0,
        /// Solver steps in a validation, which the model's card then recommends.
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
