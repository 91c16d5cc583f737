//! DINOv2, the frozen teacher of REPA: ViT-S, B or L/14, with or without registers (Oquab et al.,
//! "DINOv2: Learning Robust Visual Features without Supervision"; Darcet et al., "Vision
//! Transformers Need Registers").

use super::resize::{self, Filter};
use super::tensors::{HostTensor, Tensors};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, TensorData, activation, module};

/// Mean and deviation of the photos that it was trained on, by channel, in [0, 1].
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];
const NORM_EPSILON: f64 = 1e-6;
/// Pixels of the network's photo for each of the teacher's tokens, a side: with 14 of the teacher's
/// own pixels each, a photo is shrunk to 14/16.
const PIXELS_PER_TOKEN: usize = 16;

/// Why tensors are no DINOv2.
#[derive(Debug, thiserror::Error)]
pub enum TeacherError {
    /// A tensor that every DINOv2 has.
    #[error(
        "no tensor {0}: a DINOv2 ViT-S, B or L/14 is expected, with Hugging Face or original names"
    )]
    Missing(String),
    /// A size that does not fit the others.
    #[error("tensor {0} has a shape that a DINOv2 ViT-S, B or L/14 cannot have")]
    Odd(String),
}

struct Affine {
    /// `[in, out]`
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl Affine {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let y = x
            .reshape([batch * tokens, width])
            .matmul(self.weight.clone());
        let out = y.dims()[1];
        (y + self.bias.clone().unsqueeze()).reshape([batch, tokens, out])
    }
}

struct Norm {
    weight: Tensor<1>,
    bias: Tensor<1>,
}

impl Norm {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let (weight, bias) = (self.weight.clone(), Some(self.bias.clone()));
        module::layer_norm(x, weight, bias, NORM_EPSILON)
    }
}

struct Block {
    norm1: Norm,
    qkv: Affine,
    projection: Affine,
    scale1: Tensor<1>,
    norm2: Norm,
    up: Affine,
    down: Affine,
    scale2: Tensor<1>,
}

impl Block {
    fn forward(&self, x: Tensor<3>, heads: usize) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        // [3, B, heads, L, d]
        let parts = self
            .qkv
            .forward(self.norm1.forward(x.clone()))
            .reshape([batch, tokens, 3, heads, width / heads])
            .permute([2, 0, 3, 1, 4]);
        let part = |i: usize| parts.clone().narrow(0, i, 1).squeeze_dim::<4>(0);
        let options = AttentionModuleOptions::default();
        let mixed = module::attention(part(0), part(1), part(2), None, None, options);
        let mixed = mixed.swap_dims(1, 2).reshape([batch, tokens, width]);
        let x = x + self.projection.forward(mixed) * self.scale1.clone().unsqueeze();
        let h = activation::gelu(self.up.forward(self.norm2.forward(x.clone())));
        x + self.down.forward(h) * self.scale2.clone().unsqueeze()
    }
}

/// The encoder. Its tensors are on a device outside any graph: it is never trained.
pub struct Dinov2 {
    /// `[3 p p, D]`
    patches: Affine,
    /// `[1, 1, D]`, its position added.
    class_token: Tensor<3>,
    /// `[1, R, D]`
    registers: Option<Tensor<3>>,
    /// `[1, side * side, D]`
    positions: Tensor<3>,
    /// Side of the table of positions.
    side: usize,
    patch: usize,
    heads: usize,
    blocks: Vec<Block>,
    norm: Norm,
    parameters: usize,
}

impl Dinov2 {
    /// Builds the encoder from a checkpoint's tensors, with Hugging Face or original names.
    /// `heads` is what its configuration says; without one heads are 64 wide, as in all published
    /// sizes.
    ///
    /// # Errors
    /// Tensors of something else.
    pub fn new(
        tensors: Tensors,
        heads: Option<usize>,
        device: &Device,
    ) -> Result<Self, TeacherError> {
        let parameters = tensors.values().map(|tensor| tensor.data.len()).sum();
        let mut source = Source {
            tensors: original_names(tensors),
            device,
        };
        let position = source.take("pos_embed")?;
        let class = source.take("cls_token")?;
        let width = *class.shape.last().unwrap_or(&0);
        let odd = |name: &str| TeacherError::Odd(name.to_owned());
        let cells = (position.data.len() / width.max(1)).saturating_sub(1);
        let side = cells.isqrt();
        if width == 0 || side == 0 || (side * side + 1) * width != position.data.len() {
            return Err(odd("pos_embed"));
        }
        let heads = heads.unwrap_or(width / 64);
        if heads == 0 || !width.is_multiple_of(heads) {
            return Err(odd("cls_token"));
        }
        let (of_class, of_cells) = position.data.split_at(width);
        let class: Vec<f32> = class
            .data
            .iter()
            .zip(of_class)
            .map(|(a, b)| a + b)
            .collect();
        let three = |data: &[f32]| {
            let shape = [1, data.len() / width, width];
            Tensor::<3>::from_data(TensorData::new(data.to_vec(), shape), device)
        };
        let (class_token, positions) = (three(&class), three(of_cells));
        let registers = source.tensors.remove("register_tokens");
        let registers = registers.map(|tokens| three(&tokens.data));
        let kernel = source.take("patch_embed.proj.weight")?;
        let [_, 3, patch, other] = kernel.shape[..] else {
            return Err(odd("patch_embed.proj.weight"));
        };
        if patch != other || kernel.data.len() != width * 3 * patch * patch {
            return Err(odd("patch_embed.proj.weight"));
        }
        let kernel = HostTensor {
            shape: vec![width, 3 * patch * patch],
            data: kernel.data,
        };
        let patches = Affine {
            weight: source.matrix(kernel),
            bias: source.vector("patch_embed.proj.bias", width)?,
        };
        let depth = (0..)
            .take_while(|i| source.has(&format!("blocks.{i}.norm1.weight")))
            .count();
        let blocks = (0..depth)
            .map(|i| source.block(&format!("blocks.{i}"), width))
            .collect::<Result<Vec<_>, _>>()?;
        if blocks.is_empty() {
            return Err(TeacherError::Missing("blocks.0.norm1.weight".into()));
        }
        Ok(Self {
            patches,
            class_token,
            registers,
            positions,
            side,
            patch,
            heads,
            blocks,
            norm: source.norm("norm", width)?,
            parameters,
        })
    }

    /// Numbers in its checkpoint.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// D, the width of its tokens.
    pub fn width(&self) -> usize {
        self.class_token.dims()[2]
    }

    /// Rows and columns of its tokens for a photo of `[height, width]`: one for every 16 pixels.
    pub fn grid(&self, size: [usize; 2]) -> [usize; 2] {
        size.map(|side| ((side + PIXELS_PER_TOKEN / 2) / PIXELS_PER_TOKEN).max(1))
    }

    /// What the encoder sees of photos `[B, 3, H, W]` in [0, 1]: normalised by channel and resized
    /// bicubically to 14/16 of each side, in whole patches.
    pub fn prepare(&self, photos: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = photos.dims();
        let device = photos.device();
        let channel = |values: [f32; 3]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
        };
        let normalized = (photos - channel(MEAN)) / channel(DEVIATION);
        let to = self.grid([height, width]).map(|side| side * self.patch);
        resize::planes(normalized, to, Filter::Cubic)
    }

    /// The patch tokens after the final norm of what [`prepare`](Self::prepare) made:
    /// `[B, rows * columns, D]`, row by row; class token and registers are dropped.
    pub fn patch_tokens(&self, prepared: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = prepared.dims();
        let p = self.patch;
        let (rows, columns) = (height / p, width / p);
        let patches = prepared
            .reshape([batch, channels, rows, p, columns, p])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, rows * columns, channels * p * p]);
        // The models with registers were published with an antialiased table.
        let filter = match self.registers {
            Some(_) => Filter::CubicAntialiased,
            None => Filter::Cubic,
        };
        let from = [self.side; 2];
        let positions = resize::tokens(self.positions.clone(), from, [rows, columns], filter);
        let d = self.width();
        let repeated = |x: &Tensor<3>| x.clone().expand([batch, x.dims()[1], d]);
        let mut tokens = vec![repeated(&self.class_token)];
        tokens.extend(self.registers.as_ref().map(repeated));
        let extra: usize = tokens.iter().map(|t| t.dims()[1]).sum();
        tokens.push(self.patches.forward(patches) + positions);
        let mut x = Tensor::cat(tokens, 1);
        for block in &self.blocks {
            x = block.forward(x, self.heads);
        }
        self.norm.forward(x.narrow(1, extra, rows * columns))
    }
}

/// A checkpoint under its original names.
struct Source<'a> {
    tensors: Tensors,
    device: &'a Device,
}

impl Source<'_> {
    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn take(&mut self, name: &str) -> Result<HostTensor, TeacherError> {
        self.tensors
            .remove(name)
            .ok_or_else(|| TeacherError::Missing(name.to_owned()))
    }

    fn vector(&mut self, name: &str, width: usize) -> Result<Tensor<1>, TeacherError> {
        let tensor = self.take(name)?;
        if tensor.data.len() != width {
            return Err(TeacherError::Odd(name.to_owned()));
        }
        Ok(Tensor::from_data(
            TensorData::new(tensor.data, [width]),
            self.device,
        ))
    }

    /// `[out, in]` as `[in, out]`.
    fn matrix(&self, tensor: HostTensor) -> Tensor<2> {
        let shape = [tensor.shape[0], tensor.shape[1]];
        let stored = Tensor::<2>::from_data(TensorData::new(tensor.data, shape), self.device);
        stored.transpose()
    }

    fn affine(&mut self, name: &str, from: usize, to: usize) -> Result<Affine, TeacherError> {
        let weight = self.take(&format!("{name}.weight"))?;
        if weight.shape != [to, from] {
            return Err(TeacherError::Odd(format!("{name}.weight")));
        }
        Ok(Affine {
            weight: self.matrix(weight),
            bias: self.vector(&format!("{name}.bias"), to)?,
        })
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<Norm, TeacherError> {
        Ok(Norm {
            weight: self.vector(&format!("{name}.weight"), width)?,
            bias: self.vector(&format!("{name}.bias"), width)?,
        })
    }

    fn block(&mut self, b: &str, width: usize) -> Result<Block, TeacherError> {
        let bias = self.tensors.get(&format!("{b}.mlp.fc1.bias"));
        let inner = bias.map_or(4 * width, |bias| bias.data.len());
        Ok(Block {
            norm1: self.norm(&format!("{b}.norm1"), width)?,
            qkv: self.affine(&format!("{b}.attn.qkv"), width, 3 * width)?,
            projection: self.affine(&format!("{b}.attn.proj"), width, width)?,
            scale1: self.vector(&format!("{b}.ls1.gamma"), width)?,
            norm2: self.norm(&format!("{b}.norm2"), width)?,
            up: self.affine(&format!("{b}.mlp.fc1"), width, inner)?,
            down: self.affine(&format!("{b}.mlp.fc2"), inner, width)?,
            scale2: self.vector(&format!("{b}.ls2.gamma"), width)?,
        })
    }
}

/// Hugging Face names and their original ones. Longer ones come first.
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

/// Tensors under their original names, whichever of the two they have; queries, keys and values
/// side by side.
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
        // One that is missing shows as a missing qkv.
        if let [Some(q), Some(k), Some(v)] = parts {
            let mut shape = q.shape.clone();
            shape[0] *= 3;
            let data = [q.data, k.data, v.data].concat();
            renamed.insert(named(".attn.qkv."), HostTensor { shape, data });
        }
    }
    renamed
}
