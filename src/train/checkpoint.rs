//! Checkpoints of a run: written atomically; resuming takes the newest readable one.

use super::TrainError;
use super::config::Stage;
use super::folder::RunFolder;
use super::optimizer::AdamW;
use super::repa::Projector;
use super::state::{Progress, TrainState};
use crate::files::{self, FileError};
use crate::model::tensors::{self, HostTensor, Precision, Tensors, read};
use crate::model::{self, Model};
use crate::run_format::{AVERAGE, BEST, CHECKPOINTS, MODEL, checkpoint_name};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Temporary name of a checkpoint while a new one of the same step replaces it. With the prefix of
/// temporary files, a later save removes it if the process was killed; a resume brings it back before
/// that, if the new one is not in place.
const REPLACED: &str = ".flowseg-replaced";
/// The file of REPA's projector in a checkpoint.
const PROJECTOR: &str = "projector.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const PROGRESS: &str = "progress.json";

impl RunFolder {
    /// Checks that the disk has space for what the run writes next: a checkpoint beside the one before it, which is
    /// deleted only afterwards, and the best and the finished model. Warns if it lacks space for all that the run is yet
    /// to write.
    ///
    /// # Errors
    /// If there is too little space; the message states both amounts.
    pub(super) fn check_room(&self, state: &TrainState, plan: &[Stage]) -> Result<(), FileError> {
        let network = state.model.network.num_params() as u64;
        let projector = state.projector.as_ref().map_or(0, Module::num_params) as u64;
        // Weights, average and both moments; the models are in half precision.
        let saved = 4 * (4 * network + 3 * projector);
        let there = self.saved().len() as u64;
        let checkpoints = most_at_once(plan, state.progress.step, there).saturating_sub(there);
        // A file that is there is replaced by a new one, too.
        let models = [BEST, MODEL]
            .iter()
            .filter(|name| !self.path(name).exists());
        let models = models.count().max(1) as u64;
        let room_for = |checkpoints: u64| {
            let checkpoints = checkpoints.max(1).saturating_mul(saved);
            let needed = checkpoints.saturating_add(models * 2 * network);
            files::check_room(&self.path(""), needed)
        };
        room_for(checkpoints.min(2))?;
        if let Err(error) = room_for(checkpoints) {
            tracing::warn!("{error}, or set train.keep lower: the run ends once the disk is full");
        }
        Ok(())
    }

    /// Saves a checkpoint under a temporary name, renames it, and deletes all but the last `keep`.
    ///
    /// # Errors
    /// If a write fails; earlier checkpoints are untouched.
    pub(super) fn save(&self, state: &TrainState, keep: usize) -> Result<PathBuf, FileError> {
        let all = self.path(CHECKPOINTS);
        let path = all.join(checkpoint_name(state.progress.step));
        files::write_folder(&path, |folder| {
            write(state, folder).map_err(|error| error.moved(folder, &path))?;
            if path.exists() {
                // The same step is saved again after a resume. The old checkpoint is only renamed
                // until the new one is in place, so that a kill in between loses nothing.
                files::rename_folder(&path, &all.join(REPLACED))?;
            }
            Ok(())
        })?;
        self.drop_old(keep);
        Ok(path)
    }

    /// Removes all but the last `keep` checkpoints and the newest [usable](is_usable) one: a run that has diverged
    /// returns to it.
    fn drop_old(&self, keep: usize) {
        let saved = self.saved();
        let needed = saved.iter().rfind(|path| is_usable(path) == Some(true));
        let old = &saved[..saved.len().saturating_sub(keep)];
        for path in old.iter().filter(|path| Some(*path) != needed) {
            if let Err(error) = fs::remove_dir_all(path) {
                tracing::warn!(
                    "cannot remove the old checkpoint {}: {error}",
                    path.display()
                );
            }
        }
        // Left over by a process that was killed while saving.
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

    /// The newest [usable](is_usable) checkpoint. Later ones, from which a resume would continue, are removed, which
    /// is logged. `None`, and all stay, if there is no such checkpoint.
    pub(super) fn return_to_finite(&self) -> Option<PathBuf> {
        let mut saved = self.saved();
        let newest = saved
            .iter()
            .rposition(|path| is_usable(path) == Some(true))?;
        for path in &saved[newest + 1..] {
            if is_usable(path) == Some(false) {
                remove_unusable(path);
            }
        }
        Some(saved.swap_remove(newest))
    }

    /// Renames a checkpoint back whose replacement was not finished.
    fn bring_back(&self) -> Result<(), TrainError> {
        let all = self.path(CHECKPOINTS);
        let replaced = all.join(REPLACED);
        let step = match read_progress(&replaced) {
            Ok(progress) => progress.step,
            Err(error) if is_damage(&error) => return Ok(()),
            // Whether there is another one is not known yet.
            Err(error) => return Err(error.into()),
        };
        let path = all.join(checkpoint_name(step));
        if !path.exists() {
            files::rename_folder(&replaced, &path)?;
        }
        Ok(())
    }

    /// Loads the newest undamaged checkpoint; `None` if none has been saved. Newer, damaged ones are
    /// logged and renamed, so that they are neither taken for checkpoints nor counted among those
    /// kept. The moving average is on the same device as the weights, outside any graph. A
    /// projector gets the checkpoint's weights; if there are none, REPA is new to the run and
    /// starts with fresh ones.
    ///
    /// # Errors
    /// If there are checkpoints but all are damaged, or their projector has other sizes; if a file cannot be read for
    /// another reason, which may pass: the run would go on from an older checkpoint, and lose its later metrics, which is
    /// for the user to decide.
    pub(super) fn resume(
        &self,
        projector: Option<Projector>,
        device: &Device,
    ) -> Result<Option<TrainState>, TrainError> {
        let all = self.path(CHECKPOINTS);
        // A list that cannot be read is not an empty one.
        fs::read_dir(&all).map_err(FileError::read(&all))?;
        self.bring_back()?;
        let mut damaged: Vec<(PathBuf, FileError)> = Vec::new();
        let mut saved = self.saved();
        while let Some(path) = saved.pop() {
            if projector
                .as_ref()
                .is_some_and(|fresh| has_other_projector(&path, fresh))
            {
                let what = "the REPA projector has another size (repa.projector_width, repa.teacher): set \
                            it back";
                return Err(TrainError::Changed {
                    path,
                    what: what.to_owned(),
                });
            }
            match read_state(&path, projector.clone(), device) {
                Ok(state) => {
                    damaged.iter().for_each(|(path, why)| set_aside(path, why));
                    return Ok(Some(state));
                }
                Err(error) if is_damage(&error) => damaged.push((path, error)),
                Err(error) if saved.is_empty() => return Err(error.into()),
                Err(error) => return Err(TrainError::unread(&path, error)),
            }
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        let reasons: Vec<String> = damaged.iter().map(|(_, why)| why.to_string()).collect();
        Err(TrainError::Damaged {
            folder: all,
            reasons: reasons.join("; "),
        })
    }
}

/// The largest number of checkpoints that a run has at once which goes on after `step` with `there` of them: at most
/// those that it keeps, and the one being written. One more, which is not counted, is there while none of those kept is
/// [usable](is_usable).
fn most_at_once(plan: &[Stage], step: u64, there: u64) -> u64 {
    let before_last = plan.last().map_or(0, |stage| stage.last.saturating_sub(1));
    let due = plan.iter().map(|stage| {
        let by = |step: u64| step.checked_div(stage.config.train.checkpoint_every);
        let until = by(stage.last.min(before_last)).unwrap_or(0);
        until.saturating_sub(by(stage.first.max(step)).unwrap_or(0))
    });
    // One more at the end.
    let all = there + due.sum::<u64>() + 1;
    let keep = plan.iter().map(|stage| stage.config.train.keep as u64);
    all.min(keep.max().unwrap_or(0).saturating_add(1))
}

/// The progress of a checkpoint.
fn read_progress(checkpoint: &Path) -> Result<Progress, FileError> {
    let path = checkpoint.join(PROGRESS);
    let bytes = files::read(&path)?;
    serde_json::from_slice(&bytes).map_err(|error| FileError::read(&path)(error.into()))
}

/// Whether a checkpoint cannot be read because of what is in its files, or because it lacks one. Any other error is the
/// system's, which knows nothing of the contents.
fn is_damage(error: &FileError) -> bool {
    match error {
        FileError::Read { source, .. } => {
            source.raw_os_error().is_none() || source.kind() == ErrorKind::NotFound
        }
        _ => true,
    }
}

/// Whether a run can go on from a checkpoint: its last step was not skipped, and its numbers are finite, which the
/// gradient of that step does not tell. `None` if it cannot be read.
fn is_usable(checkpoint: &Path) -> Option<bool> {
    let progress = read_progress(checkpoint).ok()?;
    Some(progress.finite && progress.unlogged.in_a_row == 0.0)
}

/// Removes a checkpoint that is not [usable](is_usable), and logs it.
fn remove_unusable(checkpoint: &Path) {
    let why = "its last step had no finite gradient, or its weights are not finite";
    let name = checkpoint.display();
    match fs::remove_dir_all(checkpoint) {
        Ok(()) => tracing::warn!("the checkpoint {name} is removed: {why}"),
        Err(error) => tracing::warn!(
            "cannot remove the checkpoint {name} ({error}): remove it before --resume, which would continue from it \
             although {why}"
        ),
    }
}

/// Writes the files of a checkpoint into a folder.
fn write(state: &TrainState, folder: &Path) -> Result<(), FileError> {
    let inside = |name: &str| folder.join(name);
    let failed = |name: &str, source| FileError::Write {
        path: inside(name),
        source,
    };
    // Copied from the device once, also to see whether all are finite.
    let write_model = |name: &str, model: &Model| {
        let weights = tensors::export(&model.network);
        model::file::write_weights(&inside(name), model, &weights, Precision::Single)?;
        Ok::<bool, FileError>(weights.values().all(HostTensor::is_finite))
    };
    let model_is_finite = write_model(MODEL, &state.model)?;
    let average_is_finite = write_model(AVERAGE, &state.average)?;
    let write_tensors = |name: &str, tensors: &Tensors| {
        let bytes = tensors::to_safetensors(tensors, HashMap::new(), Precision::Single)
            .map_err(|e| failed(name, std::io::Error::other(e)))?;
        files::write_atomic(&inside(name), &bytes)
    };
    let optimizer = state.optimizer.export();
    write_tensors(OPTIMIZER, &optimizer)?;
    let projector = state.projector.as_ref().map(tensors::export);
    if let Some(projector) = &projector {
        write_tensors(PROJECTOR, projector)?;
    }
    let mut others = optimizer
        .values()
        .chain(projector.iter().flat_map(Tensors::values));
    let progress = Progress {
        finite: model_is_finite && average_is_finite && others.all(HostTensor::is_finite),
        loss_scale: read(state.loss_scale.clone())[0],
        ..state.progress.clone()
    };
    let progress = serde_json::to_vec_pretty(&progress).map_err(|e| failed(PROGRESS, e.into()))?;
    files::write_atomic(&inside(PROGRESS), &progress)
}

/// Whether a checkpoint has a readable projector of other sizes.
fn has_other_projector(checkpoint: &Path, fresh: &Projector) -> bool {
    let bytes = files::read(&checkpoint.join(PROJECTOR)).ok();
    let tensors = bytes.and_then(|bytes| tensors::from_safetensors(&bytes).ok());
    tensors.is_some_and(|(tensors, _)| tensors::import(fresh.clone(), tensors).is_err())
}

/// Renames a damaged checkpoint and logs it.
fn set_aside(path: &Path, why: &FileError) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("damaged-{name}"));
    match files::rename_folder(path, &aside) {
        Ok(()) => tracing::warn!(
            "{why}: this checkpoint is damaged, so the previous one is used; it is kept as {}",
            aside.display()
        ),
        Err(error) => tracing::warn!(
            "{why}: this checkpoint is damaged, so the previous one is used; it cannot be renamed ({error})"
        ),
    }
}

/// Reads a checkpoint; errors name the file.
fn read_state(
    path: &Path,
    projector: Option<Projector>,
    device: &Device,
) -> Result<TrainState, FileError> {
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
    let progress = read_progress(path)?;
    let model = model::file::read(&path.join(MODEL), device)?;
    let average = model::file::read(&path.join(AVERAGE), device)?;
    let moments = tensors(OPTIMIZER)?;
    let projector = match projector {
        Some(fresh) if path.join(PROJECTOR).exists() => {
            let filled = tensors::import(fresh, tensors(PROJECTOR)?);
            Some(filled.map_err(|e| broken(PROJECTOR, e.to_string()))?)
        }
        other => other,
    };
    let inner = device.clone().inner();
    Ok(TrainState {
        model,
        average,
        projector,
        optimizer: AdamW::import(&moments, progress.step, &inner),
        loss_scale: Tensor::from_data([progress.loss_scale], &inner),
        progress,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_format::checkpoint_step;
    use crate::train::config::Config;
    use crate::train::unlogged::Unlogged;
    use crate::train::{self, Event};

    /// The steps of the checkpoints in a run folder.
    fn steps(saved: &[PathBuf]) -> Vec<u64> {
        let names = saved.iter().filter_map(|path| path.file_name()?.to_str());
        names.filter_map(checkpoint_step).collect()
    }

    #[test]
    fn room_is_for_the_checkpoints_that_a_run_has_at_once() {
        let resumed = |steps: u64, keep: u64, step: u64, there: u64| {
            let sets = [
                format!("train.steps={steps}"),
                format!("train.keep={keep}"),
                "train.checkpoint_every=4".to_owned(),
            ];
            let plan = Config::parse("", &sets).unwrap().plan().unwrap();
            most_at_once(&plan, step, there)
        };
        let most = |steps, keep| resumed(steps, keep, 0, 0);
        // At 4, 8 and 10.
        assert_eq!((most(10, 1), most(10, 2), most(10, 9)), (2, 3, 3));
        assert_eq!((most(8, 9), most(4, 9)), (2, 1));
        // Only the later steps of a resumed run count, and the checkpoints that are there.
        assert_eq!((resumed(10, 9, 4, 1), resumed(10, 9, 9, 2)), (3, 3));
        assert_eq!((resumed(10, 1, 8, 1), resumed(10, 9, 8, 0)), (2, 1));
        let toml = "train.checkpoint_every = 4\n[[stages]]\ntrain.steps = 4\n[[stages]]\ntrain.steps = 4\n";
        let stages = Config::parse(toml, &["train.keep=9".to_owned()]);
        assert_eq!(most_at_once(&stages.unwrap().plan().unwrap(), 0, 0), 2);
    }

    /// What may be gone at the next try must neither rename a checkpoint nor resume an older one.
    #[cfg(unix)]
    #[test]
    fn a_checkpoint_that_the_system_does_not_read_is_not_damaged() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("run");
        let run = |steps: &str, resume: bool| {
            let settings = [
                "data.path=scenes:3@16x24",
                "train.validate_every=0",
                "train.checkpoint_every=1",
                steps,
            ];
            let config = train::testing::config("", &settings);
            let report = &mut |_: Event| ();
            train::run(&config, &out, resume, &Device::flex(), report, &|| false)
        };
        run("train.steps=3", false).unwrap();
        let newest = out.join(CHECKPOINTS).join(checkpoint_name(3));
        // A link to itself cannot be opened, whoever tries.
        let optimizer = newest.join(OPTIMIZER);
        fs::remove_file(&optimizer).unwrap();
        std::os::unix::fs::symlink(OPTIMIZER, &optimizer).unwrap();
        let error = run("train.steps=4", true).unwrap_err();
        assert!(
            matches!(&error, TrainError::Unread { source: FileError::Read { path, .. }, .. } if *path == optimizer),
            "{error}"
        );
        let advice = format!(
            "move {} away to resume from the one before",
            newest.display()
        );
        assert!(error.to_string().ends_with(&advice), "{error}");
        assert_eq!(steps(&train::folder::checkpoints(&out)), [1, 2, 3]);
        // There is nothing to resume from instead of the only one.
        let others = [1, 2].map(|step| newest.with_file_name(checkpoint_name(step)));
        let aside = others.each_ref().map(|path| path.with_extension("aside"));
        for (path, aside) in others.iter().zip(&aside) {
            fs::rename(path, aside).unwrap();
        }
        let error = run("train.steps=4", true).unwrap_err();
        assert!(matches!(error, TrainError::File(_)), "{error}");
        for (path, aside) in others.iter().zip(&aside) {
            fs::rename(aside, path).unwrap();
        }
        // A file that is cut short is damage.
        fs::remove_file(&optimizer).unwrap();
        fs::write(&optimizer, [0; 3]).unwrap();
        assert_eq!(run("train.steps=4", true).unwrap().step, 4);
        assert!(newest.with_file_name("damaged-step-00000003").is_dir());
        assert_eq!(steps(&train::folder::checkpoints(&out)), [1, 2, 3, 4]);
    }

    #[test]
    fn a_diverged_run_returns_to_a_checkpoint_from_before_its_skipped_steps() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let save_as = |step, in_a_row, finite| {
            let path = folder.path(CHECKPOINTS).join(checkpoint_name(step));
            let unlogged = Unlogged {
                in_a_row,
                ..Unlogged::default()
            };
            let progress = Progress {
                step,
                unlogged,
                finite,
                ..Progress::default()
            };
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join(PROGRESS), serde_json::to_vec(&progress).unwrap()).unwrap();
        };
        let save = |step, in_a_row| save_as(step, in_a_row, true);
        save(3, 1.0);
        assert_eq!(folder.return_to_finite(), None);
        for (step, in_a_row) in [(4, 0.0), (5, 0.0), (6, 1.0), (7, 2.0)] {
            save(step, in_a_row);
        }
        folder.drop_old(1);
        assert_eq!(steps(&folder.saved()), [5, 7]);
        let kept = folder.return_to_finite().unwrap();
        assert_eq!(steps(&[kept]), [5]);
        assert_eq!(steps(&folder.saved()), [5]);
        save_as(6, 0.0, false);
        folder.drop_old(1);
        assert_eq!(steps(&folder.saved()), [5, 6]);
        save(8, 0.0);
        folder.drop_old(1);
        assert_eq!(steps(&folder.saved()), [8]);
    }

    #[test]
    fn no_checkpoint_is_saved_amid_skipped_steps_nor_kept_with_weights_that_are_not_finite() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("run");
        let run = |steps: &str, resume: bool| {
            let settings = [
                "data.path=scenes:3@16x24",
                "train.validate_every=0",
                "train.checkpoint_every=1",
                "train.log_every=1",
                "train.bad_steps=2",
                steps,
            ];
            let config = train::testing::config("", &settings);
            let report = &mut |_: Event| ();
            train::run(&config, &out, resume, &Device::flex(), report, &|| false)
        };
        run("train.steps=2", false).unwrap();
        // Moments that make all weights NaN in the next step, which itself has a finite gradient.
        let path = out
            .join(CHECKPOINTS)
            .join(checkpoint_name(2))
            .join(OPTIMIZER);
        let (mut moments, _) = tensors::from_safetensors(&fs::read(&path).unwrap()).unwrap();
        for (_, moment) in moments
            .iter_mut()
            .filter(|(name, _)| name.starts_with("exp_"))
        {
            moment.data.fill(f32::NAN);
        }
        let bytes = tensors::to_safetensors(&moments, HashMap::new(), Precision::Single).unwrap();
        fs::write(&path, bytes).unwrap();
        let error = run("train.steps=9", true).unwrap_err();
        let TrainError::Diverged {
            step: 5,
            checkpoint: Some(checkpoint),
            ..
        } = error
        else {
            panic!("{error}");
        };
        // That of step 3 cannot be resumed.
        assert_eq!(steps(&[checkpoint]), [2]);
        assert_eq!(steps(&train::folder::checkpoints(&out)), [1, 2]);
    }
}
