//! DINOv2: ViT-S, B or L/14, with or without registers (Oquab et al., "DINOv2: Learning Robust
//! Visual Features without Supervision"; Darcet et al., "Vision Transformers Need Registers"), read
//! from its public checkpoints: the frozen teacher of REPA, and the initial weights of a network's
//! encoder.

use super::init::Initializer;
use super::resize::{self, Filter};
use super::tensors::{self, HostTensor, Tensors, TensorsError};
use super::vit::{Vit, VitConfig};
use burn::tensor::{Device, Tensor, TensorData};

/// Side of the square of photo pixels per teacher token. The teacher's patches have 14 x 14 pixels,
/// so photos are shrunk to 14/16.
const PIXELS_PER_TOKEN: usize = 16;
/// Width of a head in all published sizes.
pub const HEAD_WIDTH: usize = 64;
/// Rows, and columns, of an encoder's position table: the published grid of 37 x 37 would be a
/// twentieth of a small encoder's size.
pub const ENCODER_SIDE: usize = 16;

/// Why tensors are not those of a DINOv2.
#[derive(Debug, thiserror::Error)]
pub enum TeacherError {
    /// A tensor that every DINOv2 has is missing.
    #[error(
        "no tensor {0}: a DINOv2 ViT-S, B or L/14 is expected, with Hugging Face or original names"
    )]
    Missing(String),
    /// A size that does not fit the others.
    #[error("tensor {0} has a shape that a DINOv2 ViT-S, B or L/14 cannot have")]
    Odd(String),
    /// Tensors that do not form a complete network.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// An encoder of sizes other than the network's.
    #[error("its {what} is {found}, but the configuration's is {expected}")]
    Sizes {
        what: &'static str,
        found: usize,
        expected: usize,
    },
}

/// The frozen teacher. Its tensors are on a device outside any graph: it is never trained.
pub struct Dinov2 {
    vit: Vit,
    parameters: usize,
}

impl Dinov2 {
    /// Builds the teacher from a checkpoint's tensors, with Hugging Face or original names. `heads`
    /// comes from its configuration; without it heads are [`HEAD_WIDTH`] wide, as in all published sizes.
    ///
    /// # Errors
    /// If the tensors are not those of a DINOv2.
    pub fn new(
        tensors: Tensors,
        heads: Option<usize>,
        device: &Device,
    ) -> Result<Self, TeacherError> {
        let parameters = tensors.values().map(|tensor| tensor.data.len()).sum();
        let (config, tensors) = read(tensors, heads)?;
        let vit = Vit::init(&config, &mut Initializer::placeholders(device));
        let vit = tensors::import(vit, tensors)?;
        Ok(Self { vit, parameters })
    }

    /// The width of the tokens of a checkpoint; `None` if it has no class token.
    pub(crate) fn width_of(tensors: &Tensors) -> Option<usize> {
        let mut named = tensors.iter();
        let class = named.find(|(name, _)| name.ends_with("cls_token"));
        class.and_then(|(_, token)| token.shape.last().copied())
    }

    /// Number of attention heads.
    pub(crate) fn heads(&self) -> usize {
        self.vit.config().heads
    }

    /// Number of parameters in its checkpoint.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    pub fn width(&self) -> usize {
        self.vit.config().width
    }

    /// Rows and columns of its tokens for a photo of `[height, width]`: one token per 16 x 16
    /// pixels.
    pub fn grid(&self, size: [usize; 2]) -> [usize; 2] {
        size.map(|side| ((side + PIXELS_PER_TOKEN / 2) / PIXELS_PER_TOKEN).max(1))
    }

    /// The teacher's input for photos `[B, 3, H, W]` in [0, 1]: normalised per channel and resized
    /// bicubically to 14/16 of each side, in whole patches.
    pub fn prepare(&self, photos: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = photos.dims();
        self.vit.prepare(photos, self.grid([height, width]))
    }

    /// See [`Vit::patch_tokens`].
    pub fn patch_tokens(&self, prepared: Tensor<4>) -> Tensor<3> {
        self.vit.patch_tokens(prepared)
    }
}

/// Loads a checkpoint's first blocks into an encoder of the same width. Positions are resized to
/// the encoder's table; the final norm, which fits only the last block, is loaded only with all
/// blocks.
///
/// # Errors
/// If the tensors are not those of a DINOv2, or its sizes differ from the encoder's.
pub fn start_encoder(encoder: Vit, checkpoint: Tensors) -> Result<Vit, TeacherError> {
    let to = encoder.config().clone();
    let (from, mut tensors) = read(checkpoint, Some(to.heads))?;
    for (what, found, expected) in [
        // The checkpoint may have more blocks than are kept.
        ("number of blocks", from.blocks.min(to.blocks), to.blocks),
        ("width", from.width, to.width),
        ("patch size", from.patch_size, to.patch_size),
        ("MLP's width", from.mlp_width, to.mlp_width),
        ("number of registers", from.registers, to.registers),
    ] {
        if found != expected {
            return Err(TeacherError::Sizes {
                what,
                found,
                expected,
            });
        }
    }
    let fresh = tensors::export(&encoder);
    tensors.retain(|name, _| fresh.contains_key(name));
    if from.blocks > to.blocks {
        for name in ["norm.weight", "norm.bias"] {
            tensors.insert(name.to_owned(), fresh[name].clone());
        }
    }
    if let Some(positions) = tensors.get_mut("positions") {
        let shape = [1, from.side * from.side, from.width];
        let table = TensorData::new(std::mem::take(&mut positions.data), shape);
        let table = Tensor::<3>::from_data(table, &Device::flex());
        let sides = [[from.side; 2], [to.side; 2]];
        let table = resize::tokens(table, sides[0], sides[1], Filter::CubicAntialiased);
        *positions = HostTensor {
            shape: vec![to.side * to.side, to.width],
            data: tensors::read(table),
        };
    }
    Ok(tensors::import(encoder, tensors)?)
}

/// The sizes of a checkpoint, and its tensors under the names of [`Vit`].
fn read(tensors: Tensors, heads: Option<usize>) -> Result<(VitConfig, Tensors), TeacherError> {
    let mut source = original_names(tensors);
    source.remove("mask_token");
    let mut take = |name: &str| {
        source
            .remove(name)
            .ok_or_else(|| TeacherError::Missing(name.to_owned()))
    };
    let odd = |name: &str| TeacherError::Odd(name.to_owned());
    let position = take("pos_embed")?;
    let class = take("cls_token")?;
    let width = *class.shape.last().unwrap_or(&0);
    let cells = (position.data.len() / width.max(1)).saturating_sub(1);
    let side = cells.isqrt();
    if width == 0 || side == 0 || (side * side + 1) * width != position.data.len() {
        return Err(odd("pos_embed"));
    }
    let heads = heads.unwrap_or(width / HEAD_WIDTH);
    if heads == 0 || !width.is_multiple_of(heads) || class.data.len() != width {
        return Err(odd("cls_token"));
    }
    let kernel = take("patch_embed.proj.weight")?;
    let [_, 3, patch, other] = kernel.shape[..] else {
        return Err(odd("patch_embed.proj.weight"));
    };
    if patch != other || kernel.data.len() != width * 3 * patch * patch {
        return Err(odd("patch_embed.proj.weight"));
    }
    let (of_class, of_cells) = position.data.split_at(width);
    let class = class
        .data
        .iter()
        .zip(of_class)
        .map(|(a, b)| a + b)
        .collect();
    let rows = |data: Vec<f32>| HostTensor {
        shape: vec![data.len() / width, width],
        data,
    };
    let mut out = Tensors::from([
        ("class_token".to_owned(), rows(class)),
        ("positions".to_owned(), rows(of_cells.to_vec())),
    ]);
    let kernel = HostTensor {
        shape: vec![width, 3 * patch * patch],
        data: kernel.data,
    };
    let name = "patch_embed.proj.weight";
    out.insert("patches.weight".into(), transposed(kernel, name)?);
    out.insert("patches.bias".into(), take("patch_embed.proj.bias")?);
    let registers = take("register_tokens").ok().map(|tokens| rows(tokens.data));
    let count = registers.as_ref().map_or(0, |tokens| tokens.shape[0]);
    out.extend(registers.map(|tokens| ("registers".to_owned(), tokens)));
    for part in ["weight", "bias"] {
        out.insert(format!("norm.{part}"), take(&format!("norm.{part}"))?);
    }
    let mut blocks = 0;
    while source.contains_key(&format!("blocks.{blocks}.norm1.weight")) {
        block(&mut source, &mut out, blocks)?;
        blocks += 1;
    }
    let Some(up) = out.get("blocks.0.up.bias") else {
        return Err(TeacherError::Missing("blocks.0.norm1.weight".into()));
    };
    let config = VitConfig {
        width,
        heads,
        blocks,
        mlp_width: up.data.len(),
        patch_size: patch,
        side,
        registers: count,
        layers: Vec::new(),
        int8: false,
    };
    Ok((config, out))
}

/// Moves the tensors of a block. Matrices are transposed from `[out, in]` to `[in, out]`.
fn block(from: &mut Tensors, to: &mut Tensors, index: usize) -> Result<(), TeacherError> {
    const PLAIN: [(&str, &str); 10] = [
        ("norm1.weight", "norm1.weight"),
        ("norm1.bias", "norm1.bias"),
        ("attn.qkv.bias", "qkv.bias"),
        ("attn.proj.bias", "projection.bias"),
        ("ls1.gamma", "scale1"),
        ("norm2.weight", "norm2.weight"),
        ("norm2.bias", "norm2.bias"),
        ("mlp.fc1.bias", "up.bias"),
        ("mlp.fc2.bias", "down.bias"),
        ("ls2.gamma", "scale2"),
    ];
    const MATRICES: [(&str, &str); 4] = [
        ("attn.qkv.weight", "qkv.weight"),
        ("attn.proj.weight", "projection.weight"),
        ("mlp.fc1.weight", "up.weight"),
        ("mlp.fc2.weight", "down.weight"),
    ];
    let mut take = |name: &str| {
        let name = format!("blocks.{index}.{name}");
        let tensor = from.remove(&name);
        tensor
            .map(|tensor| (name.clone(), tensor))
            .ok_or(TeacherError::Missing(name))
    };
    for (theirs, ours) in PLAIN {
        let (_, tensor) = take(theirs)?;
        to.insert(format!("blocks.{index}.{ours}"), tensor);
    }
    for (theirs, ours) in MATRICES {
        let (name, tensor) = take(theirs)?;
        to.insert(format!("blocks.{index}.{ours}"), transposed(tensor, &name)?);
    }
    Ok(())
}

fn transposed(tensor: HostTensor, name: &str) -> Result<HostTensor, TeacherError> {
    super::pixnerd::transposed(tensor, name).map_err(|_| TeacherError::Odd(name.to_owned()))
}

/// Hugging Face names and the original ones. Longer ones come first.
const NAMES: [(&str, &str); 13] = [
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "register_tokens"),
    ("embeddings.position_embeddings", "pos_embed"),
    (
        "embeddings.patch_embeddings.projection.",
        "patch_embed.proj.",
    ),
    ("encoder.layer.", "blocks."),
    (".attention.output.dense.", ".attn.proj."),
    (".attention.attention.query.", ".attn.q."),
    (".attention.attention.key.", ".attn.k."),
    (".attention.attention.value.", ".attn.v."),
    (".layer_scale1.lambda1", ".ls1.gamma"),
    (".layer_scale2.lambda1", ".ls2.gamma"),
    ("layernorm.", "norm."),
    ("embeddings.mask_token", "mask_token"),
];

/// Tensors with original names, whichever of the two they had; queries, keys and values are joined.
fn original_names(tensors: Tensors) -> Tensors {
    let mut renamed: Tensors = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let prefixes = ["dinov2.", "dinov2_with_registers."];
            let bare = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
            let bare = bare.unwrap_or(&name);
            let bare = NAMES
                .iter()
                .fold(bare.to_owned(), |name, (hf, own)| name.replace(hf, own));
            (bare, tensor)
        })
        .collect();
    let queries: Vec<String> = renamed
        .keys()
        .filter(|name| name.contains(".attn.q."))
        .cloned()
        .collect();
    for query in queries {
        let named = |part: &str| query.replace(".attn.q.", part);
        let parts = [".attn.q.", ".attn.k.", ".attn.v."].map(|part| renamed.remove(&named(part)));
        // If one is missing, qkv will be reported as missing.
        if let [Some(q), Some(k), Some(v)] = parts {
            let mut shape = q.shape.clone();
            shape[0] *= 3;
            let data = [q.data, k.data, v.data].concat();
            renamed.insert(named(".attn.qkv."), HostTensor { shape, data });
        }
    }
    renamed
}
