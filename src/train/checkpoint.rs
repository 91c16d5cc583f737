//! Checkpoints: there whole or not at all, and read again, the newest that can be.

use super::TrainError;
use super::folder::{CHECKPOINTS, RunFolder};
use super::optimizer::AdamW;
use super::repa::Projector;
use super::unlogged::Unlogged;
use crate::files::{self, FileError};
use crate::model::tensors::{self, Precision, Tensors, read};
use crate::model::{self, Model};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A checkpoint that is being replaced by a new one of the same step. It has the prefix of temporary
/// files, so that one that a kill left behind is removed later.
const REPLACED: &str = ".flowseg-replaced";

/// What a checkpoint knows besides tensors. Order, augmentation and times are functions of the
/// configuration's seed and the step, so that the step is all the random state there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimiser steps taken, skipped ones included.
    pub step: u64,
    /// The best validation score so far, and its step.
    pub best: Option<(f64, u64)>,
    /// The factor on the loss in half precision.
    #[serde(default = "one")]
    pub loss_scale: f32,
    /// The steps since the last line of loss.
    #[serde(default)]
    pub unlogged: Unlogged,
}

fn one() -> f32 {
    1.0
}

impl Default for Progress {
    /// A run that begins.
    fn default() -> Self {
        Self {
            step: 0,
            best: None,
            loss_scale: 1.0,
            unlogged: Unlogged::default(),
        }
    }
}

/// Everything that a run continues from.
pub struct Checkpoint {
    /// The weights as trained.
    pub model: Model,
    /// Their moving average.
    pub average: Model,
    /// From the network's tokens to the teacher's, in a run with REPA.
    pub projector: Option<Projector>,
    /// The optimiser's moments.
    pub optimizer: AdamW,
    /// [`Progress::loss_scale`] as of now, `[1]` on the device.
    pub loss_scale: Tensor<1>,
    /// How far the run is.
    pub progress: Progress,
}

impl RunFolder {
    /// Refuses a disk that can't hold what a run keeps at the least: two checkpoints at once, since the
    /// one before goes only when the next is whole, and the best and the finished model.
    ///
    /// # Errors
    /// What is needed and what there is.
    pub fn check_room(&self, checkpoint: &Checkpoint) -> Result<(), FileError> {
        let network = checkpoint.model.network.num_params() as u64;
        let projector = checkpoint.projector.as_ref().map_or(0, Module::num_params) as u64;
        // Weights, average and both moments; the models are in half precision.
        let saved = 4 * (4 * network + 3 * projector);
        files::check_room(&self.path(""), 2 * saved + 2 * 2 * network)
    }

    /// Saves a checkpoint under a temporary name, then renames it, and drops all but the last
    /// `keep`.
    ///
    /// # Errors
    /// A disk that refuses; the checkpoints before are untouched.
    pub fn save(&self, checkpoint: &Checkpoint, keep: usize) -> Result<PathBuf, FileError> {
        let step = format!("step-{:08}", checkpoint.progress.step);
        let all = self.path(CHECKPOINTS);
        let path = all.join(step);
        files::write_folder(&path, |folder| {
            Self::fill(checkpoint, folder).map_err(|error| error.moved(folder, &path))?;
            if path.exists() {
                // The same step saved again, after a resume. Until the new one is in place the old
                // one is only renamed, so that a kill in between loses nothing.
                files::rename_folder(&path, &all.join(REPLACED))?;
            }
            Ok(())
        })?;
        self.drop_old(keep);
        Ok(path)
    }

    /// Writes the files of a checkpoint into a folder.
    fn fill(checkpoint: &Checkpoint, folder: &Path) -> Result<(), FileError> {
        let inside = |name: &str| folder.join(name);
        let failed = |name: &str, source| FileError::Write {
            path: inside(name),
            source,
        };
        model::file::write(
            &inside("model.safetensors"),
            &checkpoint.model,
            Precision::Single,
        )?;
        model::file::write(
            &inside("ema.safetensors"),
            &checkpoint.average,
            Precision::Single,
        )?;
        let write = |name: &str, tensors: &Tensors| {
            let bytes = tensors::to_safetensors(tensors, HashMap::new(), Precision::Single)
                .map_err(|e| failed(name, std::io::Error::other(e)))?;
            files::write_atomic(&inside(name), &bytes)
        };
        write("optimizer.safetensors", &checkpoint.optimizer.export())?;
        if let Some(projector) = &checkpoint.projector {
            write("projector.safetensors", &tensors::export(projector))?;
        }
        let progress = Progress {
            loss_scale: read(checkpoint.loss_scale.clone())[0],
            ..checkpoint.progress.clone()
        };
        let progress =
            serde_json::to_vec_pretty(&progress).map_err(|e| failed("progress.json", e.into()))?;
        files::write_atomic(&inside("progress.json"), &progress)
    }

    fn drop_old(&self, keep: usize) {
        let saved = self.saved();
        for path in &saved[..saved.len().saturating_sub(keep)] {
            if let Err(error) = fs::remove_dir_all(path) {
                tracing::warn!(
                    "cannot remove the old checkpoint {}: {error}",
                    path.display()
                );
            }
        }
        // Left by a process that was killed while it saved.
        for entry in fs::read_dir(self.path(CHECKPOINTS))
            .into_iter()
            .flatten()
            .flatten()
        {
            if files::is_temporary(&entry.file_name()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Loads the newest checkpoint that can be read; none where none was saved yet. Newer ones that
    /// are damaged are reported in the log and moved out of the way, so that they are neither taken
    /// for checkpoints nor crowd out whole ones. `device` is where training happens; the moving
    /// average lives on the same device outside any graph. A projector is filled with the
    /// checkpoint's weights; where it has none, REPA is new to the run and starts fresh.
    ///
    /// # Errors
    /// Checkpoints of which none can be read.
    pub fn resume(
        &self,
        projector: Option<Projector>,
        device: &Device,
    ) -> Result<Option<Checkpoint>, TrainError> {
        let mut damaged: Vec<(PathBuf, FileError)> = Vec::new();
        for path in self.saved().into_iter().rev() {
            match load(&path, projector.clone(), device) {
                Ok(checkpoint) => {
                    damaged.iter().for_each(|(path, why)| set_aside(path, why));
                    return Ok(Some(checkpoint));
                }
                Err(error) => damaged.push((path, error)),
            }
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        let reasons: Vec<String> = damaged.iter().map(|(_, why)| why.to_string()).collect();
        Err(TrainError::Damaged {
            folder: self.path(CHECKPOINTS),
            reasons: reasons.join("; "),
        })
    }
}

/// Gives a damaged checkpoint another name, and says so.
fn set_aside(path: &Path, why: &FileError) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("damaged-{name}"));
    match files::rename_folder(path, &aside) {
        Ok(()) => tracing::warn!(
            "{why}: this checkpoint is damaged and the one before is taken; it is kept as {}",
            aside.display()
        ),
        Err(error) => tracing::warn!(
            "{why}: this checkpoint is damaged and the one before is taken; it cannot be moved out of the way ({error})"
        ),
    }
}

/// Reads a checkpoint; a failure names the file.
fn load(
    path: &Path,
    projector: Option<Projector>,
    device: &Device,
) -> Result<Checkpoint, FileError> {
    let broken = |name: &str, reason: String| FileError::Read {
        path: path.join(name),
        source: std::io::Error::other(reason),
    };
    let bytes = |name: &str| files::read(&path.join(name));
    let tensors = |name: &str| {
        let read = tensors::from_safetensors(&bytes(name)?);
        read.map(|(found, _)| found)
            .map_err(|e| broken(name, e.to_string()))
    };
    let progress: Progress = serde_json::from_slice(&bytes("progress.json")?)
        .map_err(|e| broken("progress.json", e.to_string()))?;
    let model = model::file::read(&path.join("model.safetensors"), device)?;
    let average = model::file::read(&path.join("ema.safetensors"), device)?;
    let moments = tensors("optimizer.safetensors")?;
    let name = "projector.safetensors";
    let projector = match projector {
        Some(fresh) if path.join(name).exists() => {
            let filled = tensors::import(fresh, tensors(name)?);
            Some(filled.map_err(|e| broken(name, e.to_string()))?)
        }
        other => other,
    };
    let inner = device.clone().inner();
    Ok(Checkpoint {
        model,
        average,
        projector,
        optimizer: AdamW::import(&moments, progress.step, &inner),
        loss_scale: Tensor::from_data([progress.loss_scale], &inner),
        progress,
    })
}
