//! What a batch leaves besides the files of its photos: COCO files, a manifest, lines on standard
//! output, and a list of what failed.

use super::manifest::Manifest;
use super::outputs::{Photo, Tables};
use super::progress::Progress;
use crate::cli::output::one_line;
use crate::export::{Coco, Entry, Selection, class_list, data_yaml};
use crate::files;
use crate::terminal::{err, out};
use anyhow::bail;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// COCO files are written this often, so that a run that is killed can be gone on with.
const SAVE: Duration = Duration::from_secs(60);

/// A photo whose files are written.
pub(super) struct Done {
    /// Width and height of the photo.
    pub size: [u32; 2],
    /// Height and width that the network saw.
    pub network_size: [usize; 2],
    /// The share of every class, by name.
    pub shares: serde_json::Map<String, serde_json::Value>,
    /// What it adds to each of the COCO files.
    pub entries: Vec<Entry>,
}

/// The records of a batch.
pub(super) struct Records {
    json: bool,
    coco: Vec<Coco>,
    saved: Instant,
    manifest: Option<Manifest>,
    failures: Vec<anyhow::Error>,
    progress: Progress,
}

impl Records {
    /// Begins them, or goes on with those of an earlier run.
    ///
    /// # Errors
    /// A disk that refuses, and a COCO file that can't be gone on with.
    pub(super) fn open(
        tables: &Tables,
        selection: &Selection,
        manifest: Option<&Path>,
        json: bool,
        goes_on: bool,
    ) -> anyhow::Result<Self> {
        let coco = tables.coco.iter().map(|(_, path)| {
            if goes_on {
                Coco::resume(path, selection)
            } else {
                Coco::create(path, selection)
            }
        });
        let coco = coco.collect::<Result<_, _>>()?;
        if let Some([list, yaml]) = &tables.yolo {
            files::write_atomic(list, class_list(selection.names()).as_bytes())?;
            files::write_atomic(yaml, data_yaml(selection.names()).as_bytes())?;
        }
        let manifest = manifest.map(|path| Manifest::open(path, goes_on));
        Ok(Self {
            json,
            coco,
            saved: Instant::now(),
            manifest: manifest.transpose()?,
            failures: Vec::new(),
            progress: Progress::new(0),
        })
    }

    /// Leaves out the photos whose files an earlier run has written, all of them and whole.
    ///
    /// # Errors
    /// A manifest that can't be written.
    pub(super) fn without_done<'a>(
        &mut self,
        photos: &'a [Photo],
    ) -> anyhow::Result<Vec<&'a Photo>> {
        let mut left = Vec::new();
        for photo in photos {
            let written = photo.outputs.paths().all(Path::exists);
            if !written || self.coco.iter().any(|coco| !coco.holds(&photo.name)) {
                left.push(photo);
            } else if let Some(manifest) = &mut self.manifest
                && !manifest.has(&photo.path.to_string_lossy())
            {
                manifest.add(&json!({
                    "input": photo.path.to_string_lossy(),
                    "outputs": photo.output_names(),
                    "skipped": true,
                    "error": null,
                }))?;
            }
        }
        let skipped = photos.len() - left.len();
        if skipped > 0 {
            err!("{skipped} of {} photos are done already", photos.len());
        }
        Ok(left)
    }

    /// A number of photos is going to be segmented.
    pub(super) fn begin(&mut self, photos: usize) {
        self.progress = Progress::new(photos);
    }

    /// A photo is done, or has failed.
    ///
    /// # Errors
    /// A disk that refuses the records.
    pub(super) fn add(
        &mut self,
        photo: &Photo,
        time: Duration,
        result: anyhow::Result<Done>,
    ) -> anyhow::Result<()> {
        let image = photo.path.to_string_lossy();
        let seconds = (1000.0 * time.as_secs_f64()).round() / 1000.0;
        self.progress.step(result.is_err());
        let line = match result {
            Ok(done) => {
                if self.json {
                    let (size, shares) = (done.network_size, &done.shares);
                    out!(
                        "{}",
                        json!({"image": image, "network_size": size, "shares": shares})
                    );
                }
                for (coco, entry) in self.coco.iter_mut().zip(done.entries) {
                    coco.add(entry)?;
                }
                json!({
                    "input": image,
                    "outputs": photo.output_names(),
                    "width": done.size[0],
                    "height": done.size[1],
                    "network_size": done.network_size,
                    "shares": done.shares,
                    "seconds": seconds,
                    "error": null,
                })
            }
            Err(error) => {
                let line = json!({
                    "input": image,
                    "outputs": [],
                    "seconds": seconds,
                    "error": one_line(&error),
                });
                self.failures.push(error);
                line
            }
        };
        if let Some(manifest) = &mut self.manifest {
            manifest.add(&line)?;
        }
        if self.saved.elapsed() >= SAVE {
            self.save()?;
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

    /// Closes the records and lists what failed of `photos`.
    ///
    /// # Errors
    /// Photos that failed, and a disk that refuses the records.
    pub(super) fn end(mut self, photos: usize) -> anyhow::Result<()> {
        self.progress.end();
        self.save()?;
        let failed = self.failures.len();
        if photos == 1
            && let Some(error) = self.failures.pop()
        {
            return Err(error);
        }
        for error in &self.failures {
            err!("flowseg: {}", one_line(error));
        }
        match failed {
            0 => Ok(()),
            n => bail!("{n} of {photos} photos got no mask"),
        }
    }
}
