//! Output files and their paths.

use crate::data;
use crate::export::{self, Artifact, Coco, Format, Shapes};
use crate::files::{self, FileError, Plan, ScratchFile};
use crate::format::counted;
use crate::own_png;
use anyhow::bail;
use serde_json::Value;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A photo and its output files.
pub(super) struct Photo {
    pub path: PathBuf,
    /// See [`Keys::of`].
    pub place_key: String,
    /// Name in files about all photos.
    pub name: String,
    pub outputs: Outputs,
    /// Frame number in an animation, from 0.
    pub frame: Option<usize>,
    /// The animation, or the folder of frames, that it belongs to.
    pub sequence: Option<PathBuf>,
    /// Index in the batch.
    pub place: usize,
    /// Whether an earlier run has completed its files, where those are not to be made again.
    pub is_done: bool,
}

impl Photo {
    /// Key in the manifest.
    pub(super) fn key(&self) -> String {
        key(&self.place_key, self.frame.map(|at| at as u64 + 1))
    }

    /// The paths of its files as text.
    pub(super) fn output_names(&self) -> Vec<String> {
        let names = self.outputs.paths().map(Path::to_string_lossy);
        names.map(|name| name.into_owned()).collect()
    }
}

/// The key of a photo's path, with the frame number, from 1, in an animation.
pub(super) fn key(place: &str, frame: Option<u64>) -> String {
    frame.map_or_else(|| place.to_owned(), |frame| format!("{place}#{frame}"))
}

/// The key of the line about a sequence, given its path's.
pub(super) fn sequence_key(place: &str) -> String {
    format!("sequence:{place}")
}

/// Makes the keys of paths in the manifest. Every folder is looked up once.
#[derive(Default)]
pub(super) struct Keys {
    /// Real paths of folders.
    folders: HashMap<PathBuf, PathBuf>,
}

impl Keys {
    /// The key of a path: its name in the real folder, the same for all spellings. A link to a photo has a name of its
    /// own, and so a mask of its own. Bytes that are not Unicode are escaped, so that no two paths share a key.
    pub(super) fn of(&mut self, path: &Path) -> String {
        let real = match path.file_name() {
            Some(name) => self.folder(files::folder_of(path)).join(name),
            None => self.folder(path),
        };
        match real.to_str() {
            Some(text) => text.to_owned(),
            None => format!(
                "bytes:{}",
                real.as_os_str().as_encoded_bytes().escape_ascii()
            ),
        }
    }

    /// The key of the line about a sequence.
    pub(super) fn of_sequence(&mut self, path: &Path) -> String {
        sequence_key(&self.of(path))
    }

    fn folder(&mut self, path: &Path) -> PathBuf {
        if let Some(real) = self.folders.get(path) {
            return real.clone();
        }
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.folders.insert(path.to_owned(), real.clone());
        real
    }
}

/// Files of one photo.
pub(super) struct Outputs {
    pub masks: Vec<(Format, PathBuf)>,
    /// Labels that another program has corrected: they are done, and not written.
    pub corrected: Vec<(Format, PathBuf)>,
    /// Whether other outputs are older than a corrected mask, and so show the one from before.
    pub are_behind: bool,
    /// When a mask was corrected last, if one was: Unix time in milliseconds.
    pub corrected_at: Option<u64>,
    /// Outputs that show every state of the flow, not only the last.
    pub flow: Vec<(Artifact, PathBuf)>,
}

impl Outputs {
    /// The files in a folder, named after a photo without its extension.
    pub(super) fn of(folder: &Path, stem: &OsStr, formats: &[Format], flow: &[Artifact]) -> Self {
        let path = |suffix: &str| {
            let mut name = stem.to_owned();
            name.push(suffix);
            folder.join(name)
        };
        let masks = formats
            .iter()
            .filter_map(|&format| Some((format, path(format.suffix()?))));
        let flow = flow.iter().map(|&kind| (kind, path(kind.suffix())));
        Self {
            masks: masks.collect(),
            corrected: Vec::new(),
            are_behind: false,
            corrected_at: None,
            flow: flow.collect(),
        }
    }

    /// Adds the files to a plan.
    pub(super) fn plan(&self, plan: &mut Plan, photo: &Path) {
        for (format, path) in &self.masks {
            let what = format!("the {} of {}", format.noun(), photo.display());
            if format.is_folder() {
                plan.folder(path, what)
            } else {
                plan.write(path, what)
            }
        }
        for (artifact, path) in &self.flow {
            plan.write(
                path,
                format!("the {} of {}", artifact.noun(), photo.display()),
            );
        }
    }

    /// Refuses to replace what this program did not write; see [`Format::keep_foreign`]. A file for which
    /// `is_corrected` holds is accepted, and not written.
    ///
    /// # Errors
    /// The file, and what to do.
    pub(super) fn keep_foreign(
        &mut self,
        is_corrected: impl Fn(Format, &Path) -> bool,
    ) -> Result<(), FileError> {
        for (format, path) in std::mem::take(&mut self.masks) {
            match format.keep_foreign(&path) {
                Ok(()) => self.masks.push((format, path)),
                Err(_) if is_corrected(format, &path) => self.corrected.push((format, path)),
                Err(error) => return Err(error),
            }
        }
        for (artifact, path) in &self.flow {
            artifact.keep_foreign(path)?;
        }
        Ok(())
    }

    /// Whether all files are there and, as far as their sizes and the ends of PNGs tell, whole, and show the mask as it
    /// was corrected last.
    pub(super) fn are_complete(&self) -> bool {
        !self.are_behind && self.are_whole()
    }

    /// Whether a file was written before the photo, and is so about an earlier one that had its name. A photo from after
    /// `now`, as for [`now_in`], is of another clock, such as a camera's: what is written now would be older, too.
    pub(super) fn are_older_than(&self, photo: &Path, now: SystemTime) -> bool {
        let photo = modified(photo).filter(|time| *time <= now);
        let mut times = self.written().filter_map(modified);
        photo.is_some_and(|photo| times.any(|time| time < photo))
    }

    /// Whether the masks, as far as they tell, have the size of a photo, as far as that is known.
    pub(super) fn fit(&self, photo: &Path, sizes: &mut Sizes) -> bool {
        let masks = self.masks.iter();
        let mut masks = masks.filter(|(format, _)| format.says_size()).peekable();
        if masks.peek().is_none() {
            return true;
        }
        let size = sizes.of(photo);
        size.is_none_or(|size| masks.all(|(format, path)| format.fits(path, size)))
    }

    /// What a mask that is there says that it was made with.
    pub(super) fn made_with(&self) -> Option<Value> {
        let mut masks = self.masks.iter();
        let text = masks.find_map(|(format, path)| format.made_with(path))?;
        serde_json::from_str(&text).ok()
    }

    fn are_whole(&self) -> bool {
        let masks = self.masks.iter();
        let mut masks = masks.map(|(format, path)| match format {
            // The labels of a photo without regions are empty.
            Format::Yolo => path.exists(),
            Format::Binary => {
                let masks = export::binary_masks(path);
                masks.is_some_and(|masks| masks.iter().all(|mask| is_whole(mask)))
            }
            _ => is_whole(path),
        });
        masks.all(|done| done) && self.flow.iter().all(|(_, path)| is_whole(path))
    }

    /// The paths of corrected masks, whose labels are those of the other files too.
    fn corrected_maps(&self) -> impl Iterator<Item = &Path> {
        let maps = self.corrected.iter().filter(|(format, _)| format.is_map());
        maps.map(|(_, path)| path.as_path())
    }

    /// Finds out when a mask was corrected, and whether files that show the mask were written before: they are written
    /// again. Files about all photos say it themselves.
    pub(super) fn look_behind(&mut self) {
        self.corrected_at = self.corrected_maps().map(milliseconds).max();
        // A time to come is another clock's, and is never reached by what is written now.
        let now = SystemTime::now();
        let times = self.corrected_maps().filter_map(modified);
        let Some(corrected) = times.filter(|time| *time <= now).max() else {
            return;
        };
        let masks = self.masks.iter();
        let masks = masks.filter(|(format, _)| format.shows_mask());
        let mut masks = masks.filter_map(|(_, path)| modified(path));
        self.are_behind = masks.any(|time| time < corrected);
    }

    /// The labels of a mask of this width and height that another program has corrected.
    pub(super) fn corrected_labels(&self, size: [u32; 2]) -> Option<Vec<u16>> {
        let size = size.map(|side| side as usize);
        self.corrected.iter().find_map(|(format, path)| {
            let (width, height, labels) = format.label_map(path)?;
            ([width, height] == size).then_some(labels)
        })
    }

    /// The paths of masks and flows, which this program writes.
    pub(super) fn written(&self) -> impl Iterator<Item = &Path> {
        let masks = self.masks.iter().map(|(_, path)| path.as_path());
        masks.chain(self.flow.iter().map(|(_, path)| path.as_path()))
    }

    /// The same, and those of corrected masks.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let corrected = self.corrected.iter().map(|(_, path)| path.as_path());
        self.written().chain(corrected)
    }
}

/// The sizes of photos. The frames of an animation follow each other, and its file is read once.
#[derive(Default)]
pub(super) struct Sizes(Option<(PathBuf, Option<[u32; 2]>)>);

impl Sizes {
    /// Width and height of a photo as its file stores it; see [`data::stored_size`].
    fn of(&mut self, photo: &Path) -> Option<[u32; 2]> {
        if let Some((path, size)) = &self.0
            && path == photo
        {
            return *size;
        }
        let size = data::stored_size(photo);
        self.0 = Some((photo.to_owned(), size));
        size
    }
}

/// Pairs of photos that are named in one error.
const NAMED: usize = 5;

/// Refuses photos whose outputs would have the same paths, such as `a.jpg` and `a.tif`. The outputs' names do not
/// depend on which other photos there are, so that those of a part of the photos are those of all.
///
/// # Errors
/// The number of pairs, the first of them, and what to do.
pub(super) fn refuse_namesakes(photos: &[Photo]) -> anyhow::Result<()> {
    let mut named: HashMap<&Path, &Photo> = HashMap::new();
    let mut pairs: Vec<[&Path; 2]> = Vec::new();
    for photo in photos {
        let Some(output) = photo.outputs.paths().next() else {
            continue;
        };
        let first = *named.entry(output).or_insert(photo);
        let pair = [first, photo].map(|photo| photo.path.as_path());
        // Frames of two animations are one pair.
        if first.place != photo.place && pairs.last() != Some(&pair) {
            pairs.push(pair);
        }
    }
    if pairs.is_empty() {
        return Ok(());
    }
    let listed = pairs.iter().take(NAMED);
    let listed = listed.map(|[one, other]| format!("{} and {}", one.display(), other.display()));
    let more = match pairs.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    bail!(
        "{} of photos would have one mask: {}{more}: use another folder for one of each, or rename it",
        counted(pairs.len(), "pair"),
        listed.collect::<Vec<_>>().join("; "),
    )
}

/// When a regular file, or a folder of masks, was written last.
fn modified(path: &Path) -> Option<SystemTime> {
    let there = fs::metadata(path).ok()?;
    let is_written = there.is_file() || there.is_dir();
    is_written.then(|| there.modified().ok()).flatten()
}

/// The time that a file has which is written now into a folder, if the clock of its drive is behind, else that of this
/// machine.
pub(super) fn now_in(folder: &Path) -> SystemTime {
    let written = || {
        let mut file = ScratchFile::beside(&folder.join("now")).ok()?;
        let file = file.file();
        file.write_all(b"now").ok()?;
        file.metadata().ok()?.modified().ok()
    };
    let now = SystemTime::now();
    written().map_or(now, |time| time.min(now))
}

/// When a file was written last, as Unix time in milliseconds; 0 if it is not known.
pub(super) fn milliseconds(path: &Path) -> u64 {
    let since = modified(path).and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Whether something is there that is neither an empty file nor a PNG that was cut off.
fn is_whole(path: &Path) -> bool {
    if !path.is_file() {
        return path.exists();
    }
    let end = || {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(
            length.saturating_sub(own_png::END.len() as u64),
        ))?;
        file.read_to_end(&mut end)?;
        std::io::Result::Ok(end)
    };
    let is_png = path.extension().is_some_and(|ending| ending == "png");
    end().is_ok_and(|end| !end.is_empty() && (!is_png || end == own_png::END))
}

/// Files written once for all photos.
pub(super) struct Tables {
    pub coco: Vec<(Shapes, PathBuf)>,
    /// `classes.txt` and `data.yaml`.
    pub yolo: Option<[PathBuf; 2]>,
}

impl Tables {
    /// In a folder.
    pub(super) fn of(folder: &Path, formats: &[Format], shapes: &[Shapes]) -> Self {
        let coco = if formats.contains(&Format::Coco) {
            shapes
        } else {
            &[]
        };
        let coco = coco.iter().enumerate().map(|(at, &shapes)| {
            let name = match (at, shapes) {
                (0, _) => "annotations.json",
                (_, Shapes::Polygons) => "annotations.polygons.json",
                (_, Shapes::Rle) => "annotations.rle.json",
            };
            (shapes, folder.join(name))
        });
        let yolo = formats.contains(&Format::Yolo);
        let yolo = yolo.then(|| ["classes.txt", "data.yaml"].map(|name| folder.join(name)));
        Self {
            coco: coco.collect(),
            yolo,
        }
    }

    /// Refuses to replace what another program wrote: annotations, and labels in the form of YOLO where neither list
    /// says which classes they have.
    ///
    /// # Errors
    /// The file, and what to do.
    pub(super) fn keep_foreign(&self, photos: &[Photo], goes_on: bool) -> anyhow::Result<()> {
        for (_, path) in &self.coco {
            // What cannot be continued is refused then.
            if !goes_on && !Coco::is_own(path) {
                files::refuse_existing(
                    path,
                    "a file of annotations saved by another program or by an earlier version of FlowSeg",
                )?;
            }
        }
        let Some([list, yaml]) = &self.yolo else {
            return Ok(());
        };
        // One of them is enough: it is compared with the classes of now before the other is written.
        if list.exists() || yaml.exists() {
            return Ok(());
        }
        let masks = photos.iter().flat_map(|photo| &photo.outputs.masks);
        for (format, path) in masks.filter(|(format, _)| *format == Format::Yolo) {
            format.keep_foreign(path)?;
            // Empty ones have no classes.
            if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
                bail!(
                    "{} has labels such as {}, but neither classes.txt nor data.yaml, so their classes are unknown: \
                     put one of the two back, move the labels away, or choose another folder",
                    files::folder_of(list).display(),
                    path.display()
                );
            }
        }
        Ok(())
    }

    /// Adds the files to a plan.
    pub(super) fn plan(&self, plan: &mut Plan) {
        for (_, path) in &self.coco {
            plan.write(path, "the COCO annotations");
        }
        for path in self.yolo.iter().flatten() {
            plan.write(path, "the list of classes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn all_spellings_of_a_path_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("in");
        fs::create_dir(&inside).unwrap();
        let mut keys = Keys::default();
        let plain = keys.of(&inside.join("a.png"));
        assert_eq!(keys.of(&inside.join("../in/a.png")), plain);
        assert_ne!(keys.of(&inside.join("b.png")), plain);
    }

    #[test]
    fn a_photo_is_read_once_and_only_for_masks_that_tell_their_size() {
        let folder = tempfile::tempdir().unwrap();
        let photo = folder.path().join("a.png");
        image::RgbImage::new(3, 2).save(&photo).unwrap();
        let mut sizes = Sizes::default();
        let outputs = |format| Outputs::of(folder.path(), "b".as_ref(), &[format], &[]);
        for format in [Format::Yolo, Format::Binary, Format::Colours] {
            assert!(outputs(format).fit(&photo, &mut sizes));
        }
        assert!(sizes.0.is_none());
        assert_eq!(sizes.of(&photo), Some([3, 2]));
        fs::remove_file(&photo).unwrap();
        assert_eq!(sizes.of(&photo), Some([3, 2]));
        assert_eq!(sizes.of(&folder.path().join("c.png")), None);
    }

    #[test]
    fn the_time_in_a_folder_leaves_no_file_there() {
        let folder = tempfile::tempdir().unwrap();
        let before = SystemTime::now();
        let now = now_in(folder.path());
        // Files may have the time of the last tick.
        assert!(now > before - Duration::from_secs(3) && now <= SystemTime::now());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(now_in(&folder.path().join("missing")) >= before);
    }

    #[test]
    fn masks_of_an_earlier_photo_are_not_done() {
        let folder = tempfile::tempdir().unwrap();
        let photo = folder.path().join("a.jpg");
        let outputs = Outputs::of(folder.path(), "a".as_ref(), &[Format::Yolo], &[]);
        let write = |path: &Path, time: SystemTime| {
            let file = File::create(path).unwrap();
            file.set_modified(time).unwrap();
        };
        let now = SystemTime::now();
        let [day, hour] = [24, 1].map(|hours| Duration::from_secs(hours * 3600));
        write(&folder.path().join("a.txt"), now - hour);
        for (time, is_done) in [
            (now - day, true),
            (now - hour, true),
            (now - hour / 2, false),
            // Of a camera whose clock is ahead.
            (now + day, true),
        ] {
            write(&photo, time);
            let older = outputs.are_older_than(&photo, now);
            assert_eq!(older, !is_done, "{time:?}");
        }
        // The clock of the masks' drive is two hours behind, so that masks from now on are older than the photo, too.
        write(&photo, now - hour / 2);
        assert!(!outputs.are_older_than(&photo, now - 2 * hour));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_unicode_have_keys_of_their_own() {
        use std::os::unix::ffi::OsStrExt;
        let key = |name: &[u8]| Keys::default().of(Path::new(OsStr::from_bytes(name)));
        assert_ne!(key(b"/a\xfe.png"), key(b"/a\xff.png"));
        assert_ne!(key(b"/a\xff.png"), key("/a\u{fffd}.png".as_bytes()));
    }
}
