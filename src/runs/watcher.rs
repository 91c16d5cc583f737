//! The thread that follows run folders and loads their pictures.

use super::Run;
use super::folder::{Followed, discover};
use crate::data;
use image::RgbImage;
use image::imageops::{self, FilterType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Updates that wait for a reader before the thread does.
const QUEUE: usize = 8;

/// What the watcher reports.
pub enum Update {
    /// The runs that are followed, in their order: before anything else, and whenever one comes or
    /// goes.
    Runs(Vec<Run>),
    /// The run of this number changed.
    Run(usize, Box<Run>),
    /// A picture that was asked for, or one line that says why there is none.
    Picture(PathBuf, Result<RgbImage, String>),
}

struct Request {
    path: PathBuf,
    side: u32,
}

/// Follows run folders on a thread of its own until it is dropped.
pub struct Watcher {
    stop: Arc<AtomicBool>,
    requests: Option<SyncSender<Request>>,
    updates: Option<Receiver<Update>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Follows `folders` (see [`discover`]) and looks about once a second. `wake` is called after
    /// every update, from the watcher's thread.
    ///
    /// # Errors
    /// A system that can't start another thread.
    pub fn new(folders: Vec<PathBuf>, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        Self::with_period(folders, PERIOD, wake)
    }

    /// [`Watcher::new`] with another time between two looks.
    ///
    /// # Errors
    /// A system that can't start another thread.
    pub fn with_period(
        folders: Vec<PathBuf>,
        period: Duration,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (requests, asked) = sync_channel(1);
        let (sender, updates) = sync_channel(QUEUE);
        let stopped = stop.clone();
        let thread = Builder::new().name("flowseg-runs".into()).spawn(move || {
            let tell = |update| {
                let told = sender.send(update).is_ok();
                wake();
                told
            };
            watch(&folders, period, &asked, &tell, &stopped);
        })?;
        Ok(Self {
            stop,
            requests: Some(requests),
            updates: Some(updates),
            thread: Some(thread),
        })
    }

    /// The next update, if one is there.
    pub fn poll(&self) -> Option<Update> {
        self.updates.as_ref()?.try_recv().ok()
    }

    /// Asks for a picture, to be scaled down where a side is over `side`. Whether the watcher takes
    /// the request: it holds one at a time.
    pub fn load(&self, path: &Path, side: u32) -> bool {
        let path = path.to_owned();
        let requests = self.requests.as_ref();
        requests.is_some_and(|requests| requests.try_send(Request { path, side }).is_ok())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Without a reader a blocked send returns, and without a sender waiting ends.
        self.updates = None;
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(
    folders: &[PathBuf],
    period: Duration,
    asked: &Receiver<Request>,
    tell: &dyn Fn(Update) -> bool,
    stopped: &AtomicBool,
) {
    let stop = || stopped.load(Ordering::Relaxed);
    let mut runs: Vec<Followed> = Vec::new();
    let mut next = Instant::now();
    let mut first = true;
    loop {
        match asked.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Request { path, side }) => {
                let picture = picture(&path, side);
                if !tell(Update::Picture(path, picture)) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let moved = follow(&mut runs, discover(folders)) || first;
                let changed: Vec<bool> = runs
                    .iter_mut()
                    .map(|followed| followed.look(SystemTime::now(), &stop))
                    .collect();
                first = false;
                let all = || Update::Runs(runs.iter().map(|f| f.run.clone()).collect());
                let one = |i: usize| Update::Run(i, Box::new(runs[i].run.clone()));
                let told = match moved {
                    true => tell(all()),
                    false => (0..runs.len()).all(|i| !changed[i] || tell(one(i))),
                };
                if !told || stop() {
                    return;
                }
                next = Instant::now() + period;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Follows exactly `folders`, keeping what is known of those already followed. Whether they differ.
fn follow(runs: &mut Vec<Followed>, folders: Vec<PathBuf>) -> bool {
    if runs.iter().map(|f| &f.run.folder).eq(&folders) {
        return false;
    }
    let mut before = std::mem::take(runs);
    for folder in folders {
        let known = before.iter().position(|f| f.run.folder == folder);
        runs.push(known.map_or_else(|| Followed::new(&folder), |i| before.swap_remove(i)));
    }
    true
}

/// A picture from disk, no side over `side`.
fn picture(path: &Path, side: u32) -> Result<RgbImage, String> {
    let picture = data::read_photo(path).map_err(|error| error.to_string())?;
    let longer = picture.width().max(picture.height());
    if longer <= side {
        return Ok(picture);
    }
    let scaled = |v: u32| ((u64::from(v) * u64::from(side) / u64::from(longer)) as u32).max(1);
    let (width, height) = (scaled(picture.width()), scaled(picture.height()));
    Ok(imageops::resize(
        &picture,
        width,
        height,
        FilterType::Triangle,
    ))
}
