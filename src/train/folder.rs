//! The folder of a run, and the lock of the process that writes into it.

use super::config::Config;
use super::{TrainError, provenance};
use crate::files;
use crate::run_format::{
    CHECKPOINTS, CONFIG, LOCK, METRICS, SAMPLES, TENSORBOARD, TOKENS, checkpoint_step, metrics_text,
};
use crate::text_file;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const FOLDERS: [&str; 4] = [CHECKPOINTS, SAMPLES, TENSORBOARD, TOKENS];
/// Extensions of log files that a shell or a scheduler may write into the folder of a new run.
const LOGS: [&str; 3] = ["log", "out", "err"];
/// A window that shows the run looks at its lock for less than this time, once a second.
const LOOK: Duration = Duration::from_millis(50);
/// How often a lock that is taken is tried again.
const LOOKS: usize = 3;

#[derive(Clone)]
pub(crate) struct RunFolder {
    root: PathBuf,
    /// Held as long as any clone exists.
    _lock: Option<Arc<File>>,
}

impl RunFolder {
    /// Whether a folder contains a run: its metrics, a checkpoint, or a configuration that a run
    /// wrote.
    pub(crate) fn holds_run(root: &Path) -> bool {
        let begins_with_step = |text: &str| {
            let first = text.lines().next().unwrap_or_default();
            let line: serde_json::Value = serde_json::from_str(first).unwrap_or_default();
            line.get("step").is_some()
        };
        let config = || fs::read_to_string(root.join(CONFIG)).unwrap_or_default();
        let metrics = metrics_text(&root.join(METRICS));
        metrics.is_ok_and(|text| begins_with_step(&text))
            || !checkpoints(root).is_empty()
            || provenance::is_of_a_run(&config()) == Some(true)
    }

    /// The settings that a run wrote into its folder, as TOML.
    ///
    /// # Errors
    /// If they cannot be read, or are not those of a run.
    pub(crate) fn settings(root: &Path) -> Result<String, TrainError> {
        let path = root.join(CONFIG);
        let reason = match text_file::read(&path) {
            // Who reads settings says at which line they are no TOML.
            Ok(text) if provenance::is_of_a_run(&text) != Some(false) => return Ok(text),
            Ok(_) => format!("{} has no [provenance], as a run's has", path.display()),
            Err(error) => error.to_string(),
        };
        Err(TrainError::NoSettings(reason))
    }

    /// Refuses to start a run in a folder that contains one, or anything else, and to resume in a
    /// folder without one. Writes nothing.
    ///
    /// # Errors
    /// What the folder contains, and what to do.
    pub(crate) fn check(root: &Path, resume: bool) -> Result<(), TrainError> {
        if root.is_file() {
            return Err(TrainError::NotAFolder(root.to_owned()));
        }
        match (Self::holds_run(root), resume) {
            (true, true) => Ok(()),
            (true, false) => Err(TrainError::Occupied(root.to_owned())),
            (false, true) => Err(TrainError::NoRun(root.to_owned())),
            (false, false) => match foreign(root) {
                None => Ok(()),
                Some(holds) => Err(TrainError::Foreign {
                    path: root.to_owned(),
                    holds,
                }),
            },
        }
    }

    /// Opens or creates a run folder and locks it until this process ends or all clones of the
    /// result are dropped.
    ///
    /// # Errors
    /// If a write fails, or another process is training there.
    pub(crate) fn create(root: &Path) -> Result<Self, TrainError> {
        files::create_output_folder(root)?;
        let lock = lock(root)?.map(Arc::new);
        for folder in [CHECKPOINTS, SAMPLES] {
            files::create_folder(&root.join(folder))?;
        }
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    /// The path of a file or folder in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder for tokens of fixed views.
    pub(crate) fn tokens(&self, config: &Config) -> PathBuf {
        let shared = config.data.token_cache.clone();
        shared.unwrap_or_else(|| self.path(TOKENS))
    }

    pub(crate) fn saved(&self) -> Vec<PathBuf> {
        checkpoints(&self.root)
    }
}

/// The checkpoint folders of a run folder, oldest first; other entries are ignored.
pub(super) fn checkpoints(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(CHECKPOINTS)).into_iter().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let step = checkpoint_step(entry.file_name().to_str()?)?;
            Some((step, entry.path()))
        })
        .filter(|(_, path)| path.is_dir())
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Lists the contents of a folder that are not from a run. Hidden files and logs are ignored, since
/// a run does not overwrite them.
fn foreign(root: &Path) -> Option<String> {
    const NAMED: usize = 3;
    let is_empty = |path: &Path| fs::read_dir(path).is_ok_and(|mut all| all.next().is_none());
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| {
            let (name, path) = (entry.file_name(), entry.path());
            let log = path
                .extension()
                .is_some_and(|ending| LOGS.iter().any(|log| ending == *log));
            let own =
                name == LOCK || FOLDERS.iter().any(|folder| name == *folder) && is_empty(&path);
            !own && !log && !name.to_string_lossy().starts_with('.')
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.truncate(NAMED);
    (!names.is_empty()).then(|| format!("{}{more}", names.join(", ")))
}

/// Locks a run folder. `None` if the file system does not support locks.
fn lock(root: &Path) -> Result<Option<File>, TrainError> {
    let path = root.join(LOCK);
    let file = files::append(&path)?;
    let mut locked = file.try_lock();
    for _ in 0..LOOKS {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(LOOK);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(TrainError::Busy(root.to_owned())),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(
                "{} cannot be locked ({error}): make sure that no other process is training there",
                path.display()
            );
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn only_a_number_after_the_hyphen_is_a_checkpoint() {
        let root = folder();
        for name in [
            "step-00000010",
            "step-9",
            "step-backup",
            "step-",
            "step-+7",
            "step-3.old",
        ] {
            fs::create_dir_all(root.path().join(CHECKPOINTS).join(name)).unwrap();
        }
        fs::write(root.path().join(CHECKPOINTS).join("step-11"), "a file").unwrap();
        let names: Vec<String> = checkpoints(root.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["step-9", "step-00000010"]);
    }

    #[test]
    fn a_folder_belongs_to_one_process_at_a_time() {
        let root = folder();
        let first = RunFolder::create(root.path()).unwrap();
        let copy = first.clone();
        drop(first);
        let second = RunFolder::create(root.path());
        assert!(matches!(second, Err(TrainError::Busy(path)) if path == root.path()));
        drop(copy);
        RunFolder::create(root.path()).unwrap();
    }

    #[test]
    fn a_run_goes_on_with_its_own_settings_or_not_at_all() {
        let root = folder();
        let path = root.path().join(CONFIG);
        let refused = || {
            let error = RunFolder::settings(root.path()).unwrap_err();
            assert!(matches!(error, TrainError::NoSettings(_)), "{error}");
            error.to_string()
        };
        let missing = refused();
        assert!(
            missing.contains("cannot read") && missing.contains(CONFIG),
            "{missing}"
        );
        assert!(missing.contains("--config"), "{missing}");
        fs::write(&path, "").unwrap();
        assert!(refused().contains("[provenance]"));
        fs::write(&path, b"\xff\xfe").unwrap();
        assert!(refused().contains("UTF-8"));
        for text in ["[provenance]\nversion = \"1\"\n", "no TOML"] {
            fs::write(&path, text).unwrap();
            assert_eq!(RunFolder::settings(root.path()).unwrap(), text);
        }
    }

    #[test]
    fn foreign_files_are_named_and_logs_are_ignored() {
        let root = folder();
        let check = |resume| RunFolder::check(root.path(), resume).map_err(|e| e.to_string());
        let missing = root.path().join("missing");
        RunFolder::check(&missing, false).unwrap();
        let nothing = RunFolder::check(&missing, true);
        assert!(matches!(nothing, Err(TrainError::NoRun(path)) if path == missing));
        check(false).unwrap();
        assert!(check(true).unwrap_err().contains("no run to resume"));
        // The remains of a run that failed before its first step, and a log of the new one.
        drop(RunFolder::create(root.path()).unwrap());
        fs::write(root.path().join("train.log"), "...").unwrap();
        fs::write(root.path().join(".DS_Store"), "").unwrap();
        check(false).unwrap();
        fs::write(root.path().join("config.toml"), "title = \"somebody's\"").unwrap();
        let error = check(false).unwrap_err();
        assert!(error.contains("holds config.toml:"), "{error}");
        for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let error = check(false).unwrap_err();
        assert!(error.contains("a.txt, b.txt, c.txt and 2 more"), "{error}");
        // Metrics make it a run.
        fs::write(root.path().join("metrics.jsonl"), "{\"step\":1}\n").unwrap();
        assert!(matches!(
            RunFolder::check(root.path(), false),
            Err(TrainError::Occupied(_))
        ));
        check(true).unwrap();
        let file = root.path().join("a.txt");
        let error = RunFolder::check(&file, false).unwrap_err().to_string();
        assert!(error.contains("a.txt is a file"), "{error}");
    }
}
