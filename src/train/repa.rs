//! Representation alignment: the tokens of one block are aligned with those of a frozen DINOv2 (Yu
//! et al., "Representation Alignment for Generation").

use super::TrainError;
use super::memory::TeacherSize;
use crate::data::Batch;
use crate::files;
use crate::format::hex;
use crate::kernels::MatmulPrecision;
use crate::model::dinov2::{Dinov2, HEAD_WIDTH, start_encoder};
use crate::model::init::Initializer;
use crate::model::linear::Linear;
use crate::model::resize::{self, Filter};
use crate::model::tensors::{self, HostTensor, Precision, Tensors, read};
use crate::model::vit::Vit;
use crate::patches::Patches;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Separates the projector's random stream from the network's.
const PROJECTOR_SEED: u64 = 0x0070_726f_6a65_6374;

/// Maps the network's tokens to the teacher's: three linear layers with SiLU between them.
#[derive(Module, Debug)]
pub struct Projector {
    /// `[D, hidden]`
    pub linear1: Linear,
    /// `[hidden, hidden]`
    pub linear2: Linear,
    /// `[hidden, teacher's width]`
    pub linear3: Linear,
}

impl Projector {
    /// Fresh weights drawn from `seed`.
    pub fn new(from: usize, hidden: usize, to: usize, seed: u64, device: &Device) -> Self {
        let mut init = Initializer::new(seed ^ PROJECTOR_SEED, device);
        Self {
            linear1: init.linear(from, hidden, true),
            linear2: init.linear(hidden, hidden, true),
            linear3: init.linear(hidden, to, true),
        }
    }

    /// `[B, L, D]` to `[B, L, teacher's width]`.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let h = activation::silu(self.linear1.forward(tokens, MatmulPrecision::Single));
        let h = activation::silu(self.linear2.forward(h, MatmulPrecision::Single));
        self.linear3.forward(h, MatmulPrecision::Single)
    }
}

fn unusable(path: &Path, reason: String) -> TrainError {
    let path = path.to_owned();
    TrainError::Teacher { path, reason }
}

/// The bytes and the tensors of a `.safetensors` or `.pth` file.
fn checkpoint(path: &Path) -> Result<(Vec<u8>, Tensors), TrainError> {
    let bytes = files::read(path)?;
    let tensors = tensors::from_file(path, &bytes).map_err(|e| unusable(path, e.to_string()))?;
    Ok((bytes, tensors))
}

/// Loads the first blocks of a DINOv2 into a network's encoder.
///
/// # Errors
/// If the file cannot be read or contains something else.
pub fn encoder(encoder: Vit, path: &Path) -> Result<Vit, TrainError> {
    let (_, tensors) = checkpoint(path)?;
    start_encoder(encoder, tensors).map_err(|e| unusable(path, e.to_string()))
}

/// What the `config.json` beside a teacher says.
struct Declared {
    heads: usize,
    /// Whether it is of the teacher's width.
    is_own: bool,
}

impl Declared {
    /// The number of heads, unless it is another model's.
    fn own_heads(&self) -> Option<usize> {
        self.is_own.then_some(self.heads)
    }
}

/// The number of heads that the `config.json` beside a teacher gives. A configuration of another width belongs to
/// another model: a warning says that it is left out.
fn declared(teacher: &Path, width: usize) -> Option<Declared> {
    let path = teacher.with_file_name("config.json");
    let json = std::fs::read(&path).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&json).ok()?;
    let heads = json["num_attention_heads"].as_u64()? as usize;
    let is_own = json["hidden_size"].as_u64() == Some(width as u64);
    if !is_own {
        tracing::warn!(
            "{} is not about {}: its hidden_size is {}, and the tensors are {width} wide; heads are taken to be \
             {HEAD_WIDTH} wide",
            path.display(),
            teacher.display(),
            json["hidden_size"]
        );
    }
    Some(Declared { heads, is_own })
}

/// The name of a teacher's cache folder. The same tensors have other features with another number of heads. Older
/// versions took the `declared` number of another model's configuration, and kept those features without it in the name.
fn cache_name(digest: &str, width: usize, heads: usize, declared: Option<usize>) -> String {
    let usual = width / HEAD_WIDTH;
    if heads == usual && declared.is_none_or(|declared| declared == usual) {
        digest.to_owned()
    } else {
        format!("{digest}-{heads}-heads")
    }
}

/// The frozen teacher, and the cache of its features.
pub struct Teacher {
    encoder: Dinov2,
    /// The name of the folder of its cached features.
    cache_name: String,
    /// The folder of this teacher's cached features.
    cache: Option<PathBuf>,
    /// Whether a write into the cache has failed; nothing is written after that.
    failed: AtomicBool,
}

impl Teacher {
    /// Reads a teacher from a `.safetensors` or `.pth` file. A `config.json` beside it, in the
    /// format of Hugging Face and of the same width, may give the number of heads.
    ///
    /// # Errors
    /// If the file cannot be read or contains something else, or the cache folder cannot be
    /// created.
    pub fn open(path: &Path, cache: Option<&Path>, device: &Device) -> Result<Self, TrainError> {
        let (bytes, tensors) = checkpoint(path)?;
        let width = Dinov2::width_of(&tensors);
        let declared = width.and_then(|width| declared(path, width));
        let heads = declared.as_ref().and_then(Declared::own_heads);
        let encoder = Dinov2::new(tensors, heads, &device.clone().inner())
            .map_err(|e| unusable(path, e.to_string()))?;
        // First digits of the file's digest.
        let digest = &hex(&Sha256::digest(&bytes))[..16];
        let declared = declared.map(|declared| declared.heads);
        let mut teacher = Self {
            cache_name: cache_name(digest, encoder.width(), encoder.heads(), declared),
            encoder,
            cache: None,
            failed: AtomicBool::new(false),
        };
        teacher.set_cache(cache)?;
        Ok(teacher)
    }

    /// Sets the folder for cached features; `None` disables the cache.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn set_cache(&mut self, cache: Option<&Path>) -> Result<(), TrainError> {
        self.cache = cache.map(|folder| folder.join(&self.cache_name));
        self.failed = AtomicBool::new(false);
        match &self.cache {
            None => Ok(()),
            Some(folder) => Ok(files::create_folder(folder)?),
        }
    }

    /// Width of the teacher's tokens.
    pub fn width(&self) -> usize {
        self.encoder.width()
    }

    /// Its size, for the memory estimate.
    pub fn size(&self) -> TeacherSize {
        TeacherSize {
            parameters: self.encoder.parameters() as u64,
            width: self.width() as u64,
        }
    }

    /// The teacher's tokens for the photos `share` of a batch, resized to the network's grid of
    /// patches: `[share, L, width]`, outside any graph.
    pub fn tokens(
        &self,
        batch: &Batch,
        share: Range<usize>,
        cut: Patches,
        device: &Device,
    ) -> Tensor<3> {
        let photos = whole_patches(batch.images_of(share.clone()), cut);
        let size = cut.whole();
        let own = self.encoder.grid(size);
        let shape = [share.len(), own[0] * own[1], self.width()];
        let tokens = match &self.cache {
            None => self.encode(&photos, share.len(), size, device),
            Some(folder) => {
                let rows = self.cached(folder, &photos, size, device);
                Tensor::from_data(TensorData::new(rows.concat(), shape), device)
            }
        };
        resize::tokens(tokens, own, cut.grid(), Filter::Linear)
    }

    /// `images: [len, 3, H, W]` in [-1, 1].
    fn encode(&self, images: &[f32], len: usize, size: [usize; 2], device: &Device) -> Tensor<3> {
        let data = TensorData::new(images.to_vec(), [len, 3, size[0], size[1]]);
        let photos = (Tensor::<4>::from_data(data, device) + 1.0) * 0.5;
        self.encoder.patch_tokens(self.encoder.prepare(photos))
    }

    /// The tokens of each photo, from the cache or computed and cached. They are rounded to half
    /// precision in both cases, so that a run does not depend on the state of the cache.
    fn cached(
        &self,
        folder: &Path,
        photos: &[f32],
        size: [usize; 2],
        device: &Device,
    ) -> Vec<Vec<f32>> {
        let images: Vec<&[f32]> = photos.chunks_exact(3 * size[0] * size[1]).collect();
        let folder = folder.join(format!("{}x{}", size[0], size[1]));
        // The content identifies file, size and flip.
        let files: Vec<PathBuf> = images
            .par_iter()
            .map(|image| {
                let key = hex(&Sha256::digest(bytemuck::cast_slice(image)));
                folder
                    .join(&key[..2])
                    .join(format!("{}.safetensors", &key[..32]))
            })
            .collect();
        let own = self.encoder.grid(size);
        let numbers = own[0] * own[1] * self.width();
        let mut rows: Vec<Option<Vec<f32>>> = files
            .par_iter()
            .map(|file| read_cached(file, numbers))
            .collect();
        let missing: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].is_none()).collect();
        if !missing.is_empty() {
            let some: Vec<f32> = missing.iter().flat_map(|&i| images[i]).copied().collect();
            let found = read(self.encode(&some, missing.len(), size, device));
            for (&i, tokens) in missing.iter().zip(found.chunks_exact(numbers)) {
                let shape = vec![own[0] * own[1], self.width()];
                keep(&self.failed, || write_cached(&files[i], shape, tokens));
                let rounded = tokens.iter().map(|&v| half::f16::from_f32(v).to_f32());
                rows[i] = Some(rounded.collect());
            }
        }
        rows.into_iter().flatten().collect()
    }
}

/// Consecutive photos `[3, H, W]`, padded to whole patches like the network's input, so that its
/// tokens and the teacher's cover the same part of a photo.
fn whole_patches(photos: &[f32], cut: Patches) -> Cow<'_, [f32]> {
    let ([height, width], [whole_height, whole_width]) = (cut.size, cut.whole());
    if cut.size == cut.whole() {
        return Cow::Borrowed(photos);
    }
    let plane = |plane: &[f32]| -> Vec<f32> {
        (0..whole_height)
            .flat_map(|y| (0..whole_width).map(move |x| (y.min(height - 1), x.min(width - 1))))
            .map(|(y, x)| plane[y * width + x])
            .collect()
    };
    photos
        .chunks_exact(height * width)
        .flat_map(plane)
        .collect()
}

/// Cached tokens; `None` if the file is missing, damaged or of the wrong size.
fn read_cached(file: &Path, numbers: usize) -> Option<Vec<f32>> {
    let bytes = std::fs::read(file).ok()?;
    let (mut found, _) = tensors::from_safetensors(&bytes).ok()?;
    let tokens = found.remove("tokens")?.data;
    (tokens.len() == numbers).then_some(tokens)
}

/// Writes into the cache until that fails for the first time, which is logged. It costs time later, but does not
/// stop the run.
fn keep(failed: &AtomicBool, write: impl FnOnce() -> Result<(), String>) {
    if !failed.load(Ordering::Relaxed)
        && let Err(error) = write()
    {
        failed.store(true, Ordering::Relaxed);
        tracing::warn!("no more of the teacher's features are cached: {error}");
    }
}

/// Caches tokens.
fn write_cached(file: &Path, shape: Vec<usize>, tokens: &[f32]) -> Result<(), String> {
    let data = tokens.to_vec();
    let tensors = Tensors::from([("tokens".to_owned(), HostTensor { shape, data })]);
    tensors::to_safetensors(&tensors, HashMap::new(), Precision::Half)
        .map_err(|e| e.to_string())
        .and_then(|bytes| {
            let folder = file.parent().unwrap_or(Path::new("."));
            files::create_folder(folder)
                .and_then(|()| files::write_atomic(file, &bytes))
                .map_err(|e| e.to_string())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::noise;

    #[test]
    fn a_cache_that_cannot_be_written_is_given_up() {
        let failed = AtomicBool::new(false);
        let mut written = 0;
        for result in [Ok(()), Err("disk full".to_owned()), Ok(())] {
            keep(&failed, || {
                written += 1;
                result
            });
        }
        assert_eq!(written, 2);
    }

    #[test]
    fn only_a_configuration_of_the_same_width_gives_the_heads() {
        let folder = tempfile::tempdir().unwrap();
        let teacher = folder.path().join("teacher.safetensors");
        let declared_heads = || declared(&teacher, 48).and_then(|declared| declared.own_heads());
        assert_eq!(declared_heads(), None);
        for (json, expected) in [
            (r#"{"hidden_size": 48, "num_attention_heads": 4}"#, Some(4)),
            (r#"{"hidden_size": 384, "num_attention_heads": 6}"#, None),
            (r#"{"num_attention_heads": 6}"#, None),
            (r#"{"hidden_size": 48}"#, None),
            ("[]", None),
            ("{", None),
        ] {
            std::fs::write(folder.path().join("config.json"), json).unwrap();
            assert_eq!(declared_heads(), expected, "{json}");
        }
    }

    #[test]
    fn features_of_other_heads_are_cached_apart() {
        for declared in [None, Some(6)] {
            assert_eq!(cache_name("0123", 384, 6, declared), "0123");
        }
        assert_eq!(cache_name("0123", 384, 8, Some(8)), "0123-8-heads");
        // Not where an older version kept those of 12 heads.
        assert_eq!(cache_name("0123", 384, 6, Some(12)), "0123-6-heads");
    }

    #[test]
    fn photos_are_padded_as_the_network_pads_them() {
        let device = Device::flex();
        for size in [[5, 7], [6, 9], [1, 1]] {
            let photos = noise([2, 3, size[0], size[1]], 1, &device);
            let cut = Patches { size, side: 3 };
            let expected = read(cut.continued(photos.clone()));
            assert_eq!(*whole_patches(&read(photos), cut), expected);
        }
    }
}
