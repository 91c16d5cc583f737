//! Dialogs of the desktop, and the thread that writes.

use super::{
    Contents, Exports, FlowSnapshot, NewFile, Outcome, PictureKind, Progress, encode, file_name,
    outcome,
};
use crate::export::{self, Artifact, Format, Pictures};
use crate::files::{self, Plan};
use crate::format::counted;
use crate::viewer::exports_all::AllMasks;
use crate::viewer::platform;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Builder;

impl Contents {
    /// The file's bytes. Slow unless it is a text: not to be called on the window's thread. `progress` is told the share
    /// done, 0 to 1, and returns whether to go on.
    ///
    /// # Errors
    /// The device or the encoder fails; one line.
    pub(in crate::viewer) fn bytes(
        self,
        progress: &dyn Fn(f32) -> bool,
    ) -> Result<Vec<u8>, String> {
        let picture = match self {
            Contents::Text(text) => return Ok(text.into_bytes()),
            Contents::Made(make) => return make(progress),
            Contents::Picture(picture) => picture,
        };
        let size = picture.size();
        let rgba = picture.wait().map_err(|error| error.to_string())?;
        encode(&rgba, size)
    }
}

/// Refuses a path that cannot be written or is one of `inputs`.
fn check(path: &Path, what: &str, inputs: &[PathBuf]) -> Result<(), String> {
    // The dialog has asked.
    let mut plan = Plan::replacing();
    plan.write(path, what);
    let checked = plan.check(|| inputs.to_vec());
    checked.map_err(|error| error.to_string())
}

impl Exports {
    /// Asks for a path and writes a file there, unless the path is one of `inputs`.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(in crate::viewer) fn save(
        &mut self,
        file: NewFile,
        inputs: Vec<PathBuf>,
    ) -> std::io::Result<()> {
        let dialog = rfd::AsyncFileDialog::new().set_file_name(file.name);
        let chosen = dialog.save_file();
        self.spawn(move |progress| {
            at_chosen(chosen, progress, |path| {
                write_contents(file.contents, &inputs, path, progress)
            })
        })
    }

    /// Asks for a path and writes an artifact there.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(in crate::viewer) fn ask(
        &mut self,
        artifact: Artifact,
        flow: FlowSnapshot,
        name: &str,
    ) -> std::io::Result<()> {
        let name = file_name(artifact, &flow, name);
        let dialog = rfd::AsyncFileDialog::new().set_title("Export");
        if artifact == Artifact::Frames {
            let chosen = dialog.pick_folder();
            return self.spawn(move |progress| {
                at_chosen(chosen, progress, |folder| {
                    write(artifact, &flow, folder.join(name), progress)
                })
            });
        }
        let ending = artifact.extension();
        let dialog = dialog.add_filter(artifact.label(), &[ending]);
        let chosen = dialog.set_file_name(name).save_file();
        self.spawn(move |progress| {
            at_chosen(chosen, progress, |path| {
                write(artifact, &flow, path, progress)
            })
        })
    }

    /// Asks for a path and writes pictures there, unless the path is one of `inputs`. `name` is the
    /// suggested name, without an extension.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(in crate::viewer) fn ask_pictures(
        &mut self,
        kind: PictureKind,
        pictures: impl Pictures + Send + 'static,
        name: &str,
        inputs: Vec<PathBuf>,
    ) -> std::io::Result<()> {
        let dialog = rfd::AsyncFileDialog::new();
        if kind == PictureKind::Frames {
            let (chosen, name) = (dialog.pick_folder(), format!("{name}.frames"));
            return self.spawn(move |progress| {
                at_chosen(chosen, progress, |folder| {
                    write_pictures(kind, pictures, &inputs, folder.join(name), progress)
                })
            });
        }
        let dialog = dialog.add_filter(Artifact::Gif.label(), &["gif"]);
        let chosen = dialog.set_file_name(format!("{name}.gif")).save_file();
        self.spawn(move |progress| {
            at_chosen(chosen, progress, |path| {
                write_pictures(kind, pictures, &inputs, path, progress)
            })
        })
    }

    /// Writes pictures to a path.
    #[cfg(test)]
    pub(in crate::viewer) fn write_pictures(
        &mut self,
        kind: PictureKind,
        pictures: impl Pictures + Send + 'static,
        path: PathBuf,
    ) -> std::io::Result<()> {
        self.spawn(move |progress| write_pictures(kind, pictures, &[], path, progress))?;
        self.begin_latest();
        Ok(())
    }

    /// Asks for a folder and writes all masks there.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(in crate::viewer) fn ask_all(
        &mut self,
        format: Format,
        masks: AllMasks,
    ) -> std::io::Result<()> {
        let dialog = rfd::AsyncFileDialog::new().set_title("Export all masks");
        let chosen = dialog.pick_folder();
        let contents = counted(masks.masks.len(), format.noun());
        self.spawn(move |progress| {
            let report = |share: f32| progress.report(share);
            at_chosen(chosen, progress, |folder| {
                let written = masks.write(format, &folder, &report);
                written.map(|written| written.map(|()| folder))
            })
        })?;
        if let Some(progress) = self.running.last() {
            progress.contents.get_or_init(|| contents);
        }
        Ok(())
    }

    /// Writes an artifact to a path.
    #[cfg(test)]
    pub(in crate::viewer) fn write(
        &mut self,
        artifact: Artifact,
        flow: FlowSnapshot,
        path: PathBuf,
    ) -> std::io::Result<()> {
        self.spawn(move |progress| write(artifact, &flow, path, progress))?;
        self.begin_latest();
        Ok(())
    }

    /// Records that no dialog asks for the path of the latest one.
    #[cfg(test)]
    fn begin_latest(&self) {
        if let Some(progress) = self.running.last() {
            progress.begin();
        }
    }

    fn spawn(
        &mut self,
        work: impl FnOnce(&Progress) -> Outcome + Send + 'static,
    ) -> std::io::Result<()> {
        let progress = Arc::new(Progress::default());
        let of_thread = progress.clone();
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        Builder::new()
            .name("flowseg-export".into())
            .spawn(move || {
                let outcome = work(&of_thread);
                // Without a receiver, the window has closed.
                let _ = sender.send((of_thread, outcome));
                wake.request_repaint();
            })?;
        self.running.push(progress);
        self.forget();
        Ok(())
    }
}

/// Waits for a dialog and writes at the path that is chosen in it.
fn at_chosen(
    dialog: impl Future<Output = Option<rfd::FileHandle>>,
    progress: &Progress,
    write: impl FnOnce(PathBuf) -> Outcome,
) -> Outcome {
    match platform::chosen(dialog, "write masks with `flowseg segment`") {
        Ok(chosen) => {
            let path = chosen?.path().to_owned();
            // The window may have closed meanwhile.
            progress.begin().then(|| write(path)).flatten()
        }
        Err(error) => Some(Err(error)),
    }
}

fn write_contents(
    contents: Contents,
    inputs: &[PathBuf],
    path: PathBuf,
    progress: &Progress,
) -> Outcome {
    let checked = check(&path, "the export", inputs);
    let bytes = checked.and_then(|()| contents.bytes(&|share| progress.report(share)));
    // However the contents have taken it.
    if progress.is_cancelled() {
        return None;
    }
    let written = bytes
        .and_then(|bytes| files::write_atomic(&path, &bytes).map_err(|error| error.to_string()));
    Some(written.map(|()| path))
}

fn write(artifact: Artifact, flow: &FlowSnapshot, path: PathBuf, progress: &Progress) -> Outcome {
    let report = |share: f32| progress.report(share);
    // Frames always go into a new folder, which cannot be an input.
    if artifact != Artifact::Frames
        && let Err(error) = check(&path, artifact.label(), &flow.inputs)
    {
        return Some(Err(error));
    }
    outcome(export::write(artifact, &flow.scene(), &path, &report), path)
}

fn write_pictures(
    kind: PictureKind,
    pictures: impl Pictures,
    inputs: &[PathBuf],
    path: PathBuf,
    progress: &Progress,
) -> Outcome {
    let report = |share: f32| progress.report(share);
    let written = match kind {
        PictureKind::Frames => export::write_sequence(&path, &pictures, &report),
        PictureKind::Gif => {
            if let Err(error) = check(&path, "the animation", inputs) {
                return Some(Err(error));
            }
            export::write_animation(&path, &pictures, &report)
        }
    };
    outcome(written, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_file_that_is_cancelled_while_it_is_made_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("race.gif");
        let progress = Arc::new(Progress::default());
        let of_window = progress.clone();
        let file = NewFile::made("race.gif", move |report| {
            assert!(report(0.5));
            let share = f32::from_bits(of_window.share.load(Ordering::Relaxed));
            assert_eq!(share, 0.5);
            of_window.cancelled.store(true, Ordering::Relaxed);
            assert!(!report(0.75));
            Ok(vec![1])
        });
        let outcome = write_contents(file.contents, &[], path.clone(), &progress);
        assert!(outcome.is_none() && !path.exists());
        let whole = NewFile::text("curves.csv", "step\n".to_owned());
        let outcome = write_contents(whole.contents, &[], path.clone(), &Progress::default());
        assert_eq!(outcome, Some(Ok(path.clone())));
        assert_eq!(std::fs::read(&path).unwrap(), b"step\n");
    }
}
