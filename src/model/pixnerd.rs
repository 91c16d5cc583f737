//! Converts public PixNerd checkpoints: names, shapes and the configuration that they imply.

use super::config::{Condition, InvalidNetwork, NetworkConfig, POSITION_FEATURES, STATE_CHANNELS};
use super::tensors::{HostTensor, Tensors, TensorsError};

/// One of a checkpoint's two sets of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Weights {
    /// The moving average: prefix `ema_denoiser.`.
    #[default]
    Ema,
    /// The weights as trained: prefix `denoiser.`.
    Raw,
}

impl Weights {
    fn prefix(self) -> &'static str {
        match self {
            Weights::Ema => "ema_denoiser.",
            Weights::Raw => "denoiser.",
        }
    }
}

/// Why a checkpoint cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Tensors that cannot be read or do not fit.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    #[error(transparent)]
    Network(#[from] InvalidNetwork),
    /// A tensor that every PixNerd checkpoint has is missing.
    #[error(
        "no tensor {0}: this is not a PixNerd checkpoint, or it lacks these weights (try --weights raw)"
    )]
    NotPixnerd(String),
    /// A size that does not follow from the others.
    #[error("tensor {0} has a shape that PixNerd cannot have")]
    Odd(String),
}

/// Selects one set of weights of a checkpoint (the tensors whose names have its prefix, or all if
/// none has one) and infers the configuration from names and shapes. The tensors are returned under
/// this crate's module paths, with linear weights transposed to `[in, out]`.
///
/// # Errors
/// If the checkpoint is not PixNerd's.
pub fn convert(
    checkpoint: Tensors,
    weights: Weights,
) -> Result<(NetworkConfig, Tensors), ImportError> {
    let prefix = weights.prefix();
    let prefixed = checkpoint
        .keys()
        .any(|k| k.starts_with("ema_denoiser.") || k.starts_with("denoiser."));
    let mut found: Tensors = checkpoint
        .into_iter()
        .filter_map(|(name, tensor)| {
            let name = if prefixed {
                name.strip_prefix(prefix)?.to_owned()
            } else {
                name
            };
            // `torch.compile` inserts this into all names below the compiled module.
            Some((name.replace("_orig_mod.", ""), tensor))
        })
        .collect();
    let config = infer(&found, prefix)?;
    config.validate()?;
    let mut tensors = Tensors::new();
    for (ours, theirs, transpose) in names(&config) {
        let tensor = found
            .remove(&theirs)
            .ok_or_else(|| ImportError::NotPixnerd(format!("{prefix}{theirs}")))?;
        let tensor = if transpose {
            transposed(tensor, &theirs)?
        } else {
            tensor
        };
        tensors.insert(ours, tensor);
    }
    match found.keys().next() {
        Some(first) => {
            let first = format!("{prefix}{first}");
            Err(TensorsError::Unexpected {
                count: found.len(),
                first,
            }
            .into())
        }
        None => Ok((config, tensors)),
    }
}

fn infer(tensors: &Tensors, prefix: &str) -> Result<NetworkConfig, ImportError> {
    let shape = |name: &str| match tensors.get(name) {
        Some(tensor) => Ok(tensor.shape.as_slice()),
        None => Err(ImportError::NotPixnerd(format!("{prefix}{name}"))),
    };
    let two = |name: &str| match shape(name)? {
        [a, b] => Ok([*a, *b]),
        _ => Err(ImportError::Odd(name.to_owned())),
    };
    let [hidden_size, patch_values] = two("s_embedder.proj.weight")?;
    let [pixel_width, pixel_values] = two("x_embedder.embedder.0.weight")?;
    let [table_rows, _] = two("y_embedder.embedding_table.weight")?;
    let head_width = shape("blocks.0.attn.q_norm.weight")?
        .first()
        .copied()
        .unwrap_or(0);
    let blocks = (0..).take_while(|i| has_block(tensors, *i)).count();
    let field_blocks = (0..blocks)
        .filter(|i| tensors.contains_key(&format!("blocks.{i}.param_generator1.0.weight")))
        .count();
    let transformer_blocks = blocks - field_blocks;
    let odd = |name: &str| ImportError::Odd(name.to_owned());
    let channels = pixel_values
        .checked_sub(POSITION_FEATURES)
        .filter(|&c| c > 0)
        .ok_or_else(|| odd("x_embedder.embedder.0.weight"))?;
    let condition = match channels {
        STATE_CHANNELS => Condition::None,
        c if c == 2 * STATE_CHANNELS => Condition::Concat,
        _ => return Err(odd("x_embedder.embedder.0.weight")),
    };
    let patch_size = (patch_values / channels).isqrt();
    if patch_size * patch_size * channels != patch_values {
        return Err(odd("s_embedder.proj.weight"));
    }
    if head_width == 0 || hidden_size % head_width != 0 || table_rows == 0 || pixel_width == 0 {
        return Err(odd("blocks.0.attn.q_norm.weight"));
    }
    let field_ratio = if field_blocks == 0 {
        1
    } else {
        let name = format!("blocks.{transformer_blocks}.param_generator1.0.weight");
        let [generated, _] = two(&name)?;
        let unit = 2 * pixel_width * pixel_width;
        if generated == 0 || generated % unit != 0 {
            return Err(ImportError::Odd(name));
        }
        generated / unit
    };
    Ok(NetworkConfig {
        condition,
        patch_size,
        hidden_size,
        heads: hidden_size / head_width,
        pixel_width,
        field_ratio,
        transformer_blocks,
        field_blocks,
        class_conditions: table_rows - 1,
        state_channels: STATE_CHANNELS,
        stem_width: 0,
        outputs: STATE_CHANNELS,
        patch_output: false,
        encoder: None,
    })
}

fn has_block(tensors: &Tensors, index: usize) -> bool {
    let prefix = format!("blocks.{index}.");
    tensors
        .range(prefix.clone()..)
        .next()
        .is_some_and(|(name, _)| name.starts_with(&prefix))
}

/// For every tensor: this crate's path, PixNerd's name, and whether the matrix is transposed.
pub fn names(config: &NetworkConfig) -> Vec<(String, String, bool)> {
    let mut names = Vec::new();
    let mut linear = |ours: &str, theirs: &str, bias: bool| {
        names.push((format!("{ours}.weight"), format!("{theirs}.weight"), true));
        if bias {
            names.push((format!("{ours}.bias"), format!("{theirs}.bias"), false));
        }
    };
    linear("patch_embedder", "s_embedder.proj", true);
    linear("pixel_embedder", "x_embedder.embedder.0", true);
    linear("time_embedder.linear1", "t_embedder.mlp.0", true);
    linear("time_embedder.linear2", "t_embedder.mlp.2", true);
    linear("final_layer.linear", "final_layer.linear", true);
    for i in 0..config.transformer_blocks {
        let b = format!("blocks.{i}");
        linear(
            &format!("{b}.modulation"),
            &format!("{b}.adaLN_modulation.0"),
            true,
        );
        linear(&format!("{b}.attn.qkv"), &format!("{b}.attn.qkv"), false);
        linear(&format!("{b}.attn.proj"), &format!("{b}.attn.proj"), true);
        for w in ["w1", "w2", "w3"] {
            linear(&format!("{b}.mlp.{w}"), &format!("{b}.mlp.{w}"), false);
        }
    }
    for i in 0..config.field_blocks {
        let theirs = format!(
            "blocks.{}.param_generator1.0",
            config.transformer_blocks + i
        );
        linear(&format!("fields.{i}.generator"), &theirs, true);
    }
    let mut plain = |ours: String, theirs: String| names.push((ours, theirs, false));
    plain(
        "class_table".into(),
        "y_embedder.embedding_table.weight".into(),
    );
    plain("final_layer.norm".into(), "final_layer.norm.weight".into());
    for i in 0..config.transformer_blocks {
        for norm in ["norm1", "norm2", "attn.q_norm", "attn.k_norm"] {
            plain(
                format!("blocks.{i}.{norm}"),
                format!("blocks.{i}.{norm}.weight"),
            );
        }
    }
    for i in 0..config.field_blocks {
        let theirs = config.transformer_blocks + i;
        plain(
            format!("fields.{i}.norm"),
            format!("blocks.{theirs}.norm.weight"),
        );
    }
    names
}

/// A matrix `[rows, columns]` as `[columns, rows]`.
///
/// # Errors
/// [`ImportError::Odd`] with the name, for a tensor that is not a matrix.
pub(super) fn transposed(tensor: HostTensor, name: &str) -> Result<HostTensor, ImportError> {
    let [rows, columns] = tensor.shape[..] else {
        return Err(ImportError::Odd(name.to_owned()));
    };
    let data = (0..columns)
        .flat_map(|c| (0..rows).map(move |r| r * columns + c))
        .map(|i| tensor.data[i])
        .collect();
    Ok(HostTensor {
        shape: vec![columns, rows],
        data,
    })
}
