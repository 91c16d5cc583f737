//! Run folders: checkpoints that are there whole or not at all, and where to resume.

use super::optimizer::AdamW;
use super::repa::Projector;
use crate::files::{self, FileError};
use crate::model::Model;
use crate::model::tensors::{self, Precision, Tensors, read};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a checkpoint knows besides tensors. Order, augmentation and times are functions of the
/// configuration's seed and the step, so that the step is all the random state there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimiser steps taken.
    pub step: u64,
    /// The best validation score so far, and its step.
    pub best: Option<(f64, u64)>,
    /// The factor on the loss in half precision.
    #[serde(default = "one")]
    pub loss_scale: f32,
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
        }
    }
}

/// A run's folder.
#[derive(Clone)]
pub struct RunFolder {
    root: PathBuf,
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
    /// Opens or creates a run folder.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn create(root: &Path) -> Result<Self, FileError> {
        for folder in ["checkpoints", "samples"] {
            files::create_folder(&root.join(folder))?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

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
        files::check_room(&self.root, 2 * saved + 2 * 2 * network)
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Saves a checkpoint under a temporary name, then renames it, and drops all but the last
    /// `keep`.
    ///
    /// # Errors
    /// A disk that refuses; the checkpoints before are untouched.
    pub fn save(&self, checkpoint: &Checkpoint, keep: usize) -> Result<PathBuf, FileError> {
        let step = format!("step-{:08}", checkpoint.progress.step);
        let path = self.path("checkpoints").join(step);
        let failed = FileError::write(&path);
        files::write_folder(&path, |folder| {
            Self::fill(checkpoint, folder).map_err(|error| error.moved(folder, &path))?;
            if path.exists() {
                // The same step saved again, after a resume: the contents are the same.
                fs::remove_dir_all(&path).map_err(&failed)?;
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
        files::write_model(
            &inside("model.safetensors"),
            &checkpoint.model,
            Precision::Single,
        )?;
        files::write_model(
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
        for entry in fs::read_dir(self.path("checkpoints"))
            .into_iter()
            .flatten()
            .flatten()
        {
            if files::is_temporary(&entry.file_name()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Checkpoint folders, oldest first.
    pub fn saved(&self) -> Vec<PathBuf> {
        let mut saved: Vec<PathBuf> = fs::read_dir(self.path("checkpoints"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with("step-"))
            })
            .collect();
        saved.sort();
        saved
    }

    /// Loads the newest checkpoint, if there is one. `device` is where training happens; the
    /// moving average lives on the same device outside any graph. A projector is filled with the
    /// checkpoint's weights; where it has none, REPA is new to the run and starts fresh.
    ///
    /// # Errors
    /// A checkpoint that can't be read.
    pub fn resume(
        &self,
        projector: Option<Projector>,
        device: &Device,
    ) -> Result<Option<Checkpoint>, FileError> {
        let Some(path) = self.saved().pop() else {
            return Ok(None);
        };
        let progress_path = path.join("progress.json");
        let broken = |e: String| FileError::Read {
            path: progress_path.clone(),
            source: std::io::Error::other(e),
        };
        let progress: Progress = serde_json::from_slice(&files::read(&progress_path)?)
            .map_err(|e| broken(e.to_string()))?;
        let model = files::read_model(&path.join("model.safetensors"), device)?;
        let average = files::read_model(&path.join("ema.safetensors"), device)?;
        let tensors = |name: &str| {
            let bytes = files::read(&path.join(name))?;
            let read = tensors::from_safetensors(&bytes);
            read.map(|(found, _)| found)
                .map_err(|e| broken(e.to_string()))
        };
        let moments = tensors("optimizer.safetensors")?;
        let projector = match projector {
            Some(fresh) if path.join("projector.safetensors").exists() => {
                let found = tensors("projector.safetensors")?;
                Some(tensors::import(fresh, found).map_err(|e| broken(e.to_string()))?)
            }
            other => other,
        };
        let inner = device.clone().inner();
        let optimizer = AdamW::import(&moments, &inner);
        Ok(Some(Checkpoint {
            model,
            average,
            projector,
            optimizer,
            loss_scale: Tensor::from_data([progress.loss_scale], &inner),
            progress,
        }))
    }
}
