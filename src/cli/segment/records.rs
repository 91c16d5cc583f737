//! Records of a whole batch: COCO files, a manifest, lines on standard output, and a list of failures.

use super::flicker::{Flicker, STILL, Sampled};
use super::made_with::{difference, of_files};
use super::manifest::{CORRECTED, CORRECTED_AT, KEY, Manifest};
use super::outputs::{Keys, Photo, Tables};
use super::standing::Standing;
use crate::cli::output::one_line;
use crate::cli::progress::Progress;
use crate::device::Failed;
use crate::export::{Coco, Entry, Selection, class_list, data_yaml, former_data_yaml};
use crate::files;
use crate::format::counted;
use crate::terminal::{self, err, out};
use anyhow::bail;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// COCO files are written this often, so that a killed run can be resumed.
const SAVE: Duration = Duration::from_secs(60);

/// A photo whose files are written.
pub(super) struct Done {
    /// Width and height of the photo.
    pub size: [u32; 2],
    /// Height and width of the network's input.
    pub network_size: [usize; 2],
    /// The share of every class, 0 to 1, by name.
    pub shares: serde_json::Map<String, serde_json::Value>,
    pub shown: Shown,
    /// Its entry in each of the COCO files.
    pub entries: Vec<Entry>,
    /// Duration of a frame of an animation.
    pub delay: Option<Duration>,
    /// The compared pixels of a frame of a sequence.
    pub sampled: Option<Sampled>,
}

/// The mask that a photo's files show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The network's.
    Network,
    /// One that a person has corrected.
    Corrected,
    /// Some files show a corrected one, and others the network's.
    Both,
}

/// The records of a batch.
pub(super) struct Records {
    json: bool,
    coco: Vec<Coco>,
    saved: Instant,
    manifest: Option<Manifest>,
    /// What masks are made with.
    made_with: Value,
    /// The number of photos, also of those that an earlier run has done.
    photos: usize,
    standing: Standing,
    /// The number of photos with files of a corrected mask beside those of the network's.
    mixed: usize,
    /// From the first photo on.
    progress: Option<Progress>,
    /// The sequence, the index in the batch and the pixels of the previous frame.
    before: Option<(PathBuf, usize, Sampled)>,
    sequences: Vec<Sequence>,
    /// How many pictures every sequence has, also those of earlier runs.
    pictures: HashMap<PathBuf, usize>,
}

/// Frames of an animation or a folder.
struct Sequence {
    path: PathBuf,
    pictures: usize,
    flicker: Flicker,
}

impl Records {
    /// Starts new records, or continues those of an earlier run with the photos that it has done: `goes_on` are all
    /// photos.
    ///
    /// # Errors
    /// A failed write, or a COCO file that can't be continued.
    pub(super) fn open(
        tables: &Tables,
        selection: &Selection,
        manifest: Option<&Path>,
        made_with: Value,
        json: bool,
        goes_on: Option<&[Photo]>,
    ) -> anyhow::Result<Self> {
        // What an earlier run has recorded decides which photos are done.
        let earlier = manifest.filter(|_| goes_on.is_some());
        let earlier = earlier.map(|path| Manifest::open(path, true)).transpose()?;
        let redone = goes_on.unwrap_or_default().iter();
        let redone = redone.filter(|photo| !is_done(photo, earlier.as_ref()));
        let redone: HashSet<&str> = redone.map(|photo| photo.name.as_str()).collect();
        let corrected_at = goes_on.unwrap_or_default().iter();
        let corrected_at: HashMap<&str, u64> = corrected_at
            .filter_map(|photo| Some((photo.name.as_str(), photo.outputs.corrected_at?)))
            .collect();
        let coco = tables.coco.iter().map(|(shapes, path)| match goes_on {
            Some(_) => Coco::resume(path, selection, *shapes, &redone, &corrected_at),
            None => Coco::create(path, selection),
        });
        let mut coco: Vec<Coco> = coco.collect::<Result<_, _>>()?;
        if let Some([list, yaml]) = &tables.yolo {
            let names = selection.names();
            let mut missing = Vec::new();
            for (path, text, former) in [
                (list, class_list(names), None),
                (yaml, data_yaml(names), Some(former_data_yaml(names))),
            ] {
                let there = fs::read(path).ok();
                let is_there = |text: &String| there.as_deref() == Some(text.as_bytes());
                if is_there(&text) {
                    continue;
                }
                if !former.as_ref().is_some_and(is_there) {
                    files::refuse_existing(path, "a list of other classes, or was edited")?;
                }
                missing.push((path, text));
            }
            // Once both are found to be of these classes.
            for (path, text) in missing {
                files::write_atomic(path, text.as_bytes())?;
            }
        }
        // Before the first mask is written: if this run is killed, no regions of a former mask are left for the next.
        for coco in &mut coco {
            coco.save()?;
        }
        let manifest = match (earlier, manifest) {
            (None, Some(path)) => Some(Manifest::open(path, false)?),
            (earlier, _) => earlier,
        };
        Ok(Self {
            json,
            coco,
            saved: Instant::now(),
            manifest,
            made_with,
            photos: 0,
            standing: Standing::default(),
            mixed: 0,
            progress: None,
            before: None,
            sequences: Vec::new(),
            pictures: HashMap::new(),
        })
    }

    /// Leaves out the photos whose files were all completed by an earlier run, and removes the lines of
    /// the others from the manifest.
    ///
    /// # Errors
    /// A manifest that can't be written.
    pub(super) fn without_done<'a>(
        &mut self,
        photos: &'a [Photo],
    ) -> anyhow::Result<Vec<&'a Photo>> {
        let is_done = |photo: &&Photo| {
            let mut coco = self.coco.iter();
            is_done(photo, self.manifest.as_ref()) && coco.all(|coco| coco.holds(&photo.name))
        };
        let (done, left): (Vec<&Photo>, Vec<&Photo>) = photos.iter().partition(is_done);
        self.note_other_settings(&done);
        if let Some(manifest) = self.manifest.take() {
            let new = done.iter().filter(|photo| !manifest.has(&photo.key()));
            let new: Vec<&Photo> = new.copied().collect();
            // Each gets a line, in place of those of earlier runs.
            let mut removed: HashSet<String> =
                left.iter().chain(&new).map(|photo| photo.key()).collect();
            // Frames that are segmented again change the flicker of their sequences.
            let mut keys = Keys::default();
            let sequences = left.iter().filter_map(|photo| photo.sequence.as_deref());
            removed.extend(sequences.map(|sequence| keys.of_sequence(sequence)));
            let mut manifest = manifest.without(&removed)?;
            for photo in new {
                let mut line = json!({
                    "input": photo.path.to_string_lossy(),
                    "outputs": photo.output_names(),
                    "skipped": true,
                    "error": null,
                });
                number(&mut line, photo);
                identify(&mut line, &photo.path, || photo.place_key.clone());
                manifest.add(&line)?;
            }
            self.manifest = Some(manifest);
        }
        let skipped = done.len();
        if skipped > 0 {
            let verb = if skipped == 1 { "is" } else { "are" };
            err!("{skipped} of {} photos {verb} done already", photos.len());
        }
        Ok(left)
    }

    /// Says how many of the photos that are done have masks that other settings or another model made, as far as the
    /// masks themselves or else the manifest know: a run without the manifest may have made a mask again.
    fn note_other_settings(&self, done: &[&Photo]) {
        let of_files = of_files(&self.made_with);
        let other = |photo: &&Photo| {
            if let Some(there) = photo.outputs.made_with() {
                return Some(difference(&there, &of_files));
            }
            let there = self.manifest.as_ref()?.made_with(&photo.key())?;
            Some(difference(there, &self.made_with))
        };
        let others: Vec<String> = done
            .iter()
            .filter_map(other)
            .filter(|difference| !difference.is_empty())
            .collect();
        if let Some(first) = others.first() {
            err!(
                "{} of the {} that are done {} made with other settings ({first}): without --skip-existing, all are \
                 made again",
                others.len(),
                done.len(),
                if others.len() == 1 { "was" } else { "were" }
            );
        }
    }

    /// Starts the progress display for the photos that are `left` of all.
    pub(super) fn begin(&mut self, photos: &[Photo], left: usize) {
        self.progress = Some(Progress::new(left, "photo"));
        self.photos = photos.len();
        for sequence in photos.iter().filter_map(|photo| photo.sequence.as_ref()) {
            *self.pictures.entry(sequence.clone()).or_default() += 1;
        }
    }

    /// How far the batch has come.
    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Records a photo that is done or has failed.
    ///
    /// # Errors
    /// A record that cannot be written, the failure of the only photo, or one that [ends the run](ends_run).
    pub(super) fn add(
        &mut self,
        photo: &Photo,
        time: Duration,
        result: anyhow::Result<Done>,
    ) -> anyhow::Result<()> {
        let image = photo.path.to_string_lossy();
        let seconds = (1000.0 * time.as_secs_f64()).round() / 1000.0;
        if let Some(progress) = &mut self.progress {
            progress.step(result.is_err());
        }
        let mut failed = None;
        let mut line = match result {
            Ok(mut done) => {
                let flicker = self.compare(photo, done.sampled.take());
                self.mixed += usize::from(done.shown == Shown::Both);
                if self.json {
                    let (size, shares) = (done.network_size, &done.shares);
                    let mut line = json!({"image": image, "network_size": size, "shares": shares});
                    number(&mut line, photo);
                    join(&mut line, flicker.map(Flicker::json));
                    out!("{line}");
                }
                for (coco, entry) in self.coco.iter_mut().zip(done.entries) {
                    coco.add(entry)?;
                }
                let mut line = json!({
                    "input": image,
                    "outputs": photo.output_names(),
                    "width": done.size[0],
                    "height": done.size[1],
                    "network_size": done.network_size,
                    "shares": done.shares,
                    "made_with": self.made_with,
                    "seconds": seconds,
                    "error": null,
                });
                if let Some(time) = photo.outputs.corrected_at {
                    line[CORRECTED] = (done.shown == Shown::Corrected).into();
                    line[CORRECTED_AT] = time.into();
                }
                if let Some(delay) = done.delay {
                    line["delay_ms"] = (delay.as_secs_f64() * 1000.0).into();
                }
                join(&mut line, flicker.map(Flicker::json));
                self.standing.succeeded();
                line
            }
            Err(error) => {
                let line = json!({
                    "input": image,
                    "outputs": [],
                    "seconds": seconds,
                    "error": one_line(&error),
                });
                if self.photos == 1 || ends_run(&error) {
                    failed = Some(error);
                } else {
                    self.standing.failed(&error);
                }
                line
            }
        };
        number(&mut line, photo);
        let recorded = self.record(photo, line, failed.is_some());
        // A full disk refuses the records as well: the photo's error comes first.
        failed.map_or(recorded, Err)
    }

    /// Adds a line about a photo to the manifest, and writes the COCO files if it is time, or `at_once`.
    fn record(&mut self, photo: &Photo, mut line: Value, at_once: bool) -> anyhow::Result<()> {
        if let Some(manifest) = &mut self.manifest {
            identify(&mut line, &photo.path, || photo.place_key.clone());
            manifest.add(&line)?;
        }
        if at_once || self.saved.elapsed() >= SAVE {
            self.save()?;
        }
        Ok(())
    }

    /// Compares a frame of a sequence with the previous one.
    fn compare(&mut self, photo: &Photo, sampled: Option<Sampled>) -> Option<Flicker> {
        let (path, after) = (photo.sequence.as_ref()?, sampled?);
        // Nothing else comes between the pictures of a sequence.
        if self.sequences.last().is_none_or(|of| of.path != *path) {
            self.sequences.push(Sequence {
                path: path.clone(),
                pictures: 0,
                flicker: Flicker::default(),
            });
        }
        let before = self.before.as_ref();
        let before = before.filter(|(of, at, _)| of == path && at + 1 == photo.place);
        let flicker = before.and_then(|(_, _, before)| Flicker::between(before, &after));
        if let Some(sequence) = self.sequences.last_mut() {
            sequence.pictures += 1;
            sequence.flicker.add(flicker.unwrap_or_default());
        }
        self.before = Some((path.clone(), photo.place, after));
        flicker
    }

    /// Prints the flicker of each sequence, over the pictures that were segmented in this run.
    fn report_flicker(&mut self) -> anyhow::Result<()> {
        for Sequence {
            path,
            pictures,
            flicker,
        } in &self.sequences
        {
            let (Some(share), Some(still)) = (flicker.share(), flicker.still()) else {
                continue;
            };
            let mut line = json!({"sequence": path.to_string_lossy(), "pictures": pictures});
            let all = self.pictures.get(path).copied().unwrap_or(*pictures);
            let mut over = pictures.to_string();
            if *pictures < all {
                line["of"] = all.into();
                over = format!("{pictures} of {all}");
            }
            join(&mut line, Some(flicker.json()));
            if let Some(manifest) = &mut self.manifest {
                let mut line = line.clone();
                identify(&mut line, path, || Keys::default().of(path));
                manifest.add(&line)?;
            }
            if self.json {
                out!("{line}");
            } else {
                out!(
                    "{}: flicker {:.2} % over {over} pictures ({:.1} % of the pixels are still: no \
                     channel changes by more than {STILL} of 255)",
                    terminal::name(&path.to_string_lossy()),
                    100.0 * share,
                    100.0 * still
                );
            }
        }
        Ok(())
    }

    fn save(&mut self) -> anyhow::Result<()> {
        for coco in &mut self.coco {
            coco.save()?;
        }
        self.saved = Instant::now();
        Ok(())
    }

    /// Ends the display of a run that cannot go on, and names the photos that had failed before.
    pub(super) fn abandon(&self) {
        if let Some(progress) = &self.progress {
            progress.end();
        }
        self.standing.name_others();
    }

    /// Closes the records and names the failures.
    ///
    /// # Errors
    /// Photos that failed, or a record that cannot be written.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        if let Some(progress) = &self.progress {
            progress.end();
        }
        // Before a record that cannot be written ends this.
        self.standing.name_others();
        self.save()?;
        self.report_flicker()?;
        if self.mixed > 0 {
            err!(
                "some files of {} show a corrected mask and others the network's: only corrected PNG and TIFF masks, \
                 upright and of the photo's size, are copied into the others",
                counted(self.mixed, "photo")
            );
        }
        match self.standing.failures() {
            0 => Ok(()),
            n => bail!("{n} of {} photos got no mask", self.photos),
        }
    }
}

/// Whether every other photo would fail as well: the device failed, or no file can be written to the disk.
pub(super) fn ends_run(error: &anyhow::Error) -> bool {
    let of_disk = |error: &io::Error| {
        matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
        )
    };
    let causes = error.chain();
    let mut causes = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    error.is::<Failed>() || causes.any(of_disk)
}

/// Adds the frame number, from 1.
fn number(line: &mut Value, photo: &Photo) {
    if let Some(frame) = photo.frame {
        line["frame"] = (frame + 1).into();
    }
}

/// Adds the key of a path that JSON cannot hold.
fn identify(line: &mut Value, path: &Path, key: impl FnOnce() -> String) {
    if path.to_str().is_none() {
        line[KEY] = key().into();
    }
}

/// Whether an earlier run has completed the files of a photo, and the manifest, if there is one, knows of the last
/// correction of its mask: other runs write to that file too, so that its time does not tell.
fn is_done(photo: &Photo, manifest: Option<&Manifest>) -> bool {
    let (Some(time), Some(manifest)) = (photo.outputs.corrected_at, manifest) else {
        return photo.is_done;
    };
    photo.is_done && manifest.has_corrected(&photo.key(), time)
}

/// Adds the entries of an object.
fn join(line: &mut Value, object: Option<Value>) {
    let entries = object.as_ref().and_then(Value::as_object);
    for (name, value) in entries.into_iter().flatten() {
        line[name] = value.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::super::outputs::Outputs;
    use super::*;
    use crate::export::{ExportError, Format};
    use crate::files::FileError;

    /// Records without files of all photos.
    fn records() -> Records {
        let tables = Tables::of(Path::new("out"), &[], &[]);
        let selection = Selection::all(&["sky".to_owned()]);
        Records::open(&tables, &selection, None, Value::Null, false, None).unwrap()
    }

    fn photo(name: &str, place: usize, sequence: Option<&str>) -> Photo {
        Photo {
            path: name.into(),
            place_key: name.to_owned(),
            name: name.to_owned(),
            outputs: Outputs::of(Path::new("out"), name.as_ref(), &[], &[]),
            frame: None,
            sequence: sequence.map(PathBuf::from),
            place,
            is_done: false,
        }
    }

    #[test]
    fn a_full_disk_ends_the_run_and_a_bad_photo_does_not() {
        let photos = ["a", "b"].map(|name| photo(name, 0, None));
        let mut records = records();
        records.begin(&photos, 2);
        let mut add = |error| records.add(&photos[0], Duration::ZERO, Err(error));
        add(anyhow::anyhow!("a.png is cut")).unwrap();
        let write = |kind: ErrorKind| FileError::Write {
            path: "out/a.png".into(),
            source: kind.into(),
        };
        add(write(ErrorKind::PermissionDenied).into()).unwrap();
        for kind in [
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::ReadOnlyFilesystem,
        ] {
            let exported = ExportError::from(write(kind));
            for error in [write(kind).into(), exported.into()] {
                let ended = add(error).unwrap_err();
                assert!(ends_run(&ended), "{ended}");
            }
        }
        assert_eq!(records.standing().failures(), 2);
        let error = records.end().unwrap_err().to_string();
        assert_eq!(error, "2 of 2 photos got no mask");
    }

    #[test]
    fn the_failure_of_the_only_photo_is_that_of_the_run() {
        let photos = [photo("a", 0, None)];
        let mut records = records();
        records.begin(&photos, 1);
        let error = anyhow::anyhow!("a.png is cut");
        let ended = records.add(&photos[0], Duration::ZERO, Err(error));
        assert_eq!(ended.unwrap_err().to_string(), "a.png is cut");
    }

    /// A run that is killed before its first photo leaves no regions of an earlier run's masks.
    #[test]
    fn annotations_begin_anew_with_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let shapes = [crate::export::Shapes::default()];
        let tables = Tables::of(folder.path(), &[Format::Coco], &shapes);
        let path = folder.path().join("annotations.json");
        fs::write(&path, "of an earlier run").unwrap();
        let selection = Selection::all(&["sky".to_owned()]);
        let records = Records::open(&tables, &selection, None, Value::Null, false, None);
        drop(records.unwrap());
        let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(written["images"], json!([]));
    }
}
