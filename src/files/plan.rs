//! Checks before the work starts that outputs can be written and overwrite no input.

use super::signature::is_picture;
use super::system::{self, FileId};
use super::target::{Target, folder_of};
use super::temporary::{TemporaryFile, permissions_of};
use super::{FileError, is_dash, refuse_existing};
use crate::own_gif::is_own_gif;
use crate::own_png::is_own_png;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// The planned outputs of a command.
#[derive(Default)]
pub struct Plan {
    outputs: Vec<Output>,
    filled: Vec<PathBuf>,
    /// Whether the user has agreed that the outputs replace other files.
    replaces: bool,
}

struct Output {
    path: PathBuf,
    what: String,
    is_folder: bool,
}

impl Plan {
    /// A plan of outputs that may replace pictures: the user has agreed in a dialog, or the caller looks at
    /// what is there.
    pub fn replacing() -> Self {
        Self {
            replaces: true,
            ..Self::default()
        }
    }

    /// Adds a file; `what` describes it in errors, as in "the mask of a.jpg".
    pub fn write(&mut self, path: impl Into<PathBuf>, what: impl Into<String>) {
        self.outputs.push(Output {
            path: path.into(),
            what: what.into(),
            is_folder: false,
        });
    }

    /// Adds an existing folder that will receive files whose names are not known yet.
    pub fn fill(&mut self, folder: impl Into<PathBuf>) {
        self.filled.push(folder.into());
    }

    /// Adds a folder that is created, or filled if it exists; `what` describes it in errors.
    pub fn folder(&mut self, path: impl Into<PathBuf>, what: impl Into<String>) {
        self.outputs.push(Output {
            path: path.into(),
            what: what.into(),
            is_folder: true,
        });
    }

    /// Checks that every output can be written: its folder exists and allows creating files, its
    /// name is valid, and there is no folder, write-protected file or picture of another program in its
    /// place. No two outputs
    /// may be the same file, none may be `-`, and none may be one of `inputs`, however the paths are spelled and
    /// whatever links lead there; folders to fill must not contain inputs. `inputs` is called only
    /// if something exists that could be an input.
    ///
    /// # Errors
    /// The first output that fails, and what is in its way.
    pub fn check(&self, inputs: impl FnOnce() -> Vec<PathBuf>) -> Result<(), FileError> {
        let mut folders = Folders::default();
        let mut places: HashMap<Place, &Output> = HashMap::new();
        for output in &self.outputs {
            if is_dash(&output.path) {
                return Err(FileError::Dash {
                    kind: "file",
                    advice: ", or ./- for a file of this name",
                });
            }
            let place = if output.is_folder {
                folders.prove_folder(&output.path).map(Some)
            } else {
                folders.prove(&output.path)
            };
            let Some(place) = place.map_err(FileError::write(&output.path))? else {
                continue;
            };
            if let Some(first) = places.insert(place, output) {
                return Err(FileError::Twice {
                    first: first.what.clone(),
                    second: output.what.clone(),
                    path: output.path.clone(),
                });
            }
        }
        for folder in &self.filled {
            let probe = folders.probe(folder);
            probe.map_err(FileError::write(folder))?;
        }
        let exists = |place: &Place| matches!(place, Place::There(_));
        let own = self.outputs.iter().filter(|output| output.is_folder);
        let filled: HashMap<PathBuf, &PathBuf> = own
            .map(|output| &output.path)
            .chain(&self.filled)
            .filter_map(|folder| Some((folder.canonicalize().ok()?, folder)))
            .collect();
        if filled.is_empty() && !places.keys().any(exists) {
            return Ok(());
        }
        self.keep_inputs(inputs(), &places, &filled)?;
        if self.replaces {
            return Ok(());
        }
        // Pipes are not opened.
        let paths = self.outputs.iter().map(|output| &output.path);
        let mut files = paths.filter(|path| path.is_file());
        files.try_for_each(|path| keep_pictures(path))
    }

    /// Whether an output is the program's standard output, such as `/dev/stdout`.
    pub fn has_standard_output(&self) -> bool {
        let mut targets = self.outputs.iter().map(|output| Target::of(&output.path));
        targets.any(|target| matches!(target, Ok(Target::Output)))
    }

    /// Refuses outputs in the place of an input, and inputs in folders to fill.
    fn keep_inputs(
        &self,
        inputs: Vec<PathBuf>,
        places: &HashMap<Place, &Output>,
        filled: &HashMap<PathBuf, &PathBuf>,
    ) -> Result<(), FileError> {
        for input in inputs {
            let Some(file) = identity(&input) else {
                continue;
            };
            if let Some(output) = places.get(&Place::There(file)) {
                return Err(FileError::Input {
                    what: output.what.clone(),
                    output: output.path.clone(),
                    input,
                });
            }
            if filled.is_empty() {
                continue;
            }
            let home = folder_of(&input).canonicalize().ok();
            if let Some(folder) = home.and_then(|home| filled.get(&home)) {
                let folder = folder.to_path_buf();
                return Err(FileError::InputFolder { folder, input });
            }
        }
        Ok(())
    }
}

/// Refuses to replace a picture that this program did not write, of any format. The outputs of a plan are PNGs
/// and GIFs, which are marked, or no pictures.
fn keep_pictures(path: &Path) -> Result<(), FileError> {
    if !is_picture(path) || is_own_png(path) || is_own_gif(path) {
        return Ok(());
    }
    let what = "a picture saved by another program or by an earlier version of FlowSeg";
    refuse_existing(path, what)
}

/// The destination of an output, the same for every spelling of its path.
#[derive(PartialEq, Eq, Hash)]
enum Place {
    /// An existing file.
    There(FileId),
    /// A name in a folder, where no file exists yet.
    Free(PathBuf, OsString),
}

/// The identity of an existing file. `None` for missing files, and for devices and pipes, which hold
/// nothing that could be lost.
fn identity(path: &Path) -> Option<FileId> {
    let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
    system::file_id(path, &metadata)
}

/// Folders that have been probed, by the paths that refer to them.
#[derive(Default)]
struct Folders(HashMap<PathBuf, Folder>);

#[derive(Clone)]
struct Folder {
    real: PathBuf,
    /// Whether the file system ignores letter case in names.
    folds: bool,
}

impl Folders {
    /// The place of an output that can be written; `None` for a device or a pipe.
    fn prove(&mut self, path: &Path) -> io::Result<Option<Place>> {
        let Target::File(file) = Target::of(path)? else {
            return Ok(None);
        };
        let folder = self.probe(folder_of(&file))?;
        let name = file
            .file_name()
            .ok_or_else(|| io::Error::other("the path has no file name"))?;
        permissions_of(&file)?;
        Ok(Some(match identity(&file) {
            Some(file) => Place::There(file),
            None => {
                let key = folder.key(name.to_owned());
                Place::Free(folder.real, key)
            }
        }))
    }

    /// The place of a folder that can be created or filled.
    fn prove_folder(&mut self, path: &Path) -> io::Result<Place> {
        if path.is_dir() {
            self.probe(path)?;
        } else if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let folder = self.probe(folder_of(path))?;
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::other("the path has no folder name"))?;
        // Too long a name is refused here, not after the work.
        if let Err(error) = fs::symlink_metadata(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let key = folder.key(name.to_owned());
        Ok(Place::Free(folder.real, key))
    }

    /// Tries to write into a folder, once for all its files.
    fn probe(&mut self, path: &Path) -> io::Result<Folder> {
        if let Some(folder) = self.0.get(path) {
            return Ok(folder.clone());
        }
        let probe = TemporaryFile::beside(&path.join("probe"))?;
        let upper = probe.path().file_name().unwrap_or_default();
        let upper = upper.to_string_lossy().to_uppercase();
        let folder = Folder {
            // Some disks of Windows, such as those in main memory, have no canonical paths.
            real: path.canonicalize().or_else(|_| std::path::absolute(path))?,
            folds: probe.path().with_file_name(upper).exists(),
        };
        self.0.insert(path.to_owned(), folder.clone());
        Ok(folder)
    }
}

impl Folder {
    /// The same key for all names that the folder treats as equal.
    fn key(&self, name: OsString) -> OsString {
        match name.to_str() {
            // Such file systems also fold the Unicode forms of a letter.
            Some(text) if self.folds => text.nfc().collect::<String>().to_lowercase().into(),
            _ => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_other_programs_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], mut plan: Plan| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            plan.write(path, "the output");
            plan.check(Vec::new).map_err(|error| error.to_string())
        };
        let foreign = image::RgbImage::new(3, 2);
        let mut png = std::io::Cursor::new(Vec::new());
        foreign.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 16];
        for (name, bytes) in [
            ("a.png", png.get_ref().as_slice()),
            ("a.onnx", &jpeg),
            ("a.jpg", &jpeg),
            ("a.json", b"II*\0\x08\0\0\0"),
            ("a.csv", b"GIF89a"),
            ("b.png", b"RIFF\x10\0\0\0WEBPVP8 "),
            ("c.png", b"\0\0\0\x18ftypheic"),
            ("a.tif", b"II*\0\x08\0\0\0"),
            ("b.tiff", b"MM\0+\0\x08\0\0"),
            ("race.gif", b"GIF89a\x01\0\x01\0\0\0\0!\xff"),
            ("a.toml", b"8BPS\0\x01"),
            ("b.json", b"qoif\0\0"),
            ("a.safetensors", b"P5\n640 480\n255\n"),
        ] {
            let error = check(name, bytes, Plan::default()).unwrap_err();
            assert!(error.contains(name) && error.contains("picture"), "{error}");
            // In a dialog, the user has agreed.
            check(name, bytes, Plan::replacing()).unwrap();
        }
        let own = crate::pictures::png(&foreign).unwrap();
        let mut animation = Vec::new();
        let mut gif = crate::pictures::Gif::new(&mut animation);
        for _ in 0..2 {
            let shown = std::time::Duration::from_millis(250);
            gif.frame(foreign.clone(), shown).unwrap();
        }
        drop(gif);
        for (name, bytes) in [
            ("own.png", own.as_slice()),
            ("race.gif", animation.as_slice()),
            ("table.csv", b"a,b\n"),
            ("empty.png", b""),
        ] {
            check(name, bytes, Plan::default()).unwrap();
        }
    }

    #[test]
    fn names_that_a_folder_takes_for_one_have_one_key() {
        let key = |folds, name: &str| {
            let real = PathBuf::new();
            Folder { real, folds }.key(name.into())
        };
        for (one, other) in [
            ("p.Overlay.PNG", "P.overlay.png"),
            ("\u{c9}.png", "e\u{301}.png"),
        ] {
            assert_eq!(key(true, one), key(true, other));
            assert_ne!(key(false, one), key(false, other));
        }
        assert_ne!(key(true, "a.png"), key(true, "b.png"));
    }
}
