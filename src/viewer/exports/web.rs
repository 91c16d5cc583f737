//! Exports of a page are downloads, made in turns of its event loop.

use super::{
    Contents, Exports, FlowSnapshot, NewFile, Outcome, PictureKind, Progress, encode, file_name,
    outcome,
};
use crate::export::{self, Artifact, Format, Pictures};
use crate::viewer::exports_all::AllMasks;
use crate::{files, page};
use std::path::PathBuf;
use std::sync::Arc;

impl Contents {
    /// The file's bytes. `progress` is as for a [`Make`](super::Make).
    ///
    /// # Errors
    /// The device or the encoder fails; one line.
    async fn bytes(self, progress: &dyn Fn(f32) -> bool) -> Result<Vec<u8>, String> {
        let picture = match self {
            Contents::Text(text) => return Ok(text.into_bytes()),
            Contents::Made(make) => return make(progress),
            Contents::Picture(picture) => picture,
        };
        let size = picture.size();
        while !picture.arrived().map_err(|error| error.to_string())? {
            page::next_turn().await;
        }
        let rgba = picture.pixels().map_err(|error| error.to_string())?;
        encode(&rgba, size)
    }
}

impl Exports {
    /// Offers a file for download.
    ///
    /// # Errors
    /// Never.
    pub(in crate::viewer) fn save(
        &mut self,
        file: NewFile,
        _: Vec<PathBuf>,
    ) -> std::io::Result<()> {
        self.begin(async move |progress| {
            let path = PathBuf::from(file.name);
            let report = |share: f32| progress.report(share);
            let bytes = file.contents.bytes(&report).await;
            if progress.is_cancelled() {
                return None;
            }
            let written = bytes.and_then(|bytes| {
                files::write_atomic(&path, &bytes).map_err(|error| error.to_string())
            });
            Some(written.map(|()| path))
        })
    }

    /// Offers an artifact for download.
    ///
    /// # Errors
    /// Never.
    pub(in crate::viewer) fn ask(
        &mut self,
        artifact: Artifact,
        flow: FlowSnapshot,
        name: &str,
    ) -> std::io::Result<()> {
        let path = PathBuf::from(file_name(artifact, &flow, name));
        self.begin(async move |progress| {
            let report = |share: f32| progress.report(share);
            outcome(export::write(artifact, &flow.scene(), &path, &report), path)
        })
    }

    /// Offers an animation for download. `name` has no extension.
    ///
    /// # Errors
    /// Never.
    pub(in crate::viewer) fn ask_pictures(
        &mut self,
        _: PictureKind,
        pictures: impl Pictures + 'static,
        name: &str,
        _: Vec<PathBuf>,
    ) -> std::io::Result<()> {
        let path = PathBuf::from(format!("{name}.gif"));
        self.begin(async move |progress| {
            let report = |share: f32| progress.report(share);
            outcome(export::write_animation(&path, &pictures, &report), path)
        })
    }

    /// A page makes no masks of a list of photos.
    ///
    /// # Errors
    /// Always.
    pub(in crate::viewer) fn ask_all(&mut self, _: Format, _: AllMasks) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn begin(
        &mut self,
        work: impl AsyncFnOnce(Arc<Progress>) -> Outcome + 'static,
    ) -> std::io::Result<()> {
        let progress = Arc::new(Progress::default());
        progress.begin();
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let of_work = progress.clone();
        wasm_bindgen_futures::spawn_local(async move {
            page::next_turn().await;
            let outcome = work(of_work.clone()).await;
            // The window receives outcomes in every frame, so there is room.
            let _ = sender.try_send((of_work, outcome));
            wake.request_repaint();
        });
        self.running.push(progress);
        self.forget();
        Ok(())
    }
}
