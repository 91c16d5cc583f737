//! The thread that follows run folders and loads their sample pictures.

use super::Run;
use super::folder::{Followed, discover};
use crate::data;
use image::RgbImage;
use image::imageops::{self, FilterType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// Time between two reads of the folders.
const PERIOD: Duration = Duration::from_secs(1);
/// Capacity of the queue of updates.
const QUEUE: usize = 8;

pub enum Update {
    /// The followed runs, in order: sent first, and whenever a run appears or disappears.
    Runs(Vec<Run>),
    /// The run with this index changed.
    Run(usize, Box<Run>),
    /// A requested picture, or one line with the reason why it cannot be loaded.
    Picture(PathBuf, Result<RgbImage, String>),
}

struct Request {
    path: PathBuf,
    side: u32,
}

/// Follows run folders on its own thread until it is dropped.
pub struct Watcher {
    folders: Arc<Mutex<Vec<PathBuf>>>,
    stop: Arc<AtomicBool>,
    requests: Option<SyncSender<Request>>,
    updates: Option<Receiver<Update>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Follows `folders` (see [`discover`]) and reads them about once a second. `wake` is called
    /// after every update, on the watcher's thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn new(folders: Vec<PathBuf>, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        Self::with_period(folders, PERIOD, wake)
    }

    /// Like [`Watcher::new`], with another interval between reads.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn with_period(
        folders: Vec<PathBuf>,
        period: Duration,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (requests, asked) = sync_channel(1);
        let (sender, updates) = sync_channel(QUEUE);
        let stopped = stop.clone();
        let folders = Arc::new(Mutex::new(folders));
        let followed = folders.clone();
        let thread = Builder::new().name("flowseg-runs".into()).spawn(move || {
            let send = |update| {
                let sent = sender.send(update).is_ok();
                wake();
                sent
            };
            watch(&followed, period, &asked, &send, &stopped);
        })?;
        Ok(Self {
            folders,
            stop,
            requests: Some(requests),
            updates: Some(updates),
            thread: Some(thread),
        })
    }

    /// Follows one more folder after the others, from the next read on.
    pub fn add(&self, folder: PathBuf) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.push(folder);
    }

    /// The next update, without blocking.
    pub fn poll(&self) -> Option<Update> {
        self.updates.as_ref()?.try_recv().ok()
    }

    /// Requests a picture, scaled down to sides of at most `side` pixels. Returns `false` if
    /// another request is still pending.
    pub fn load(&self, path: &Path, side: u32) -> bool {
        let path = path.to_owned();
        let requests = self.requests.as_ref();
        requests.is_some_and(|requests| requests.try_send(Request { path, side }).is_ok())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Closes both channels, which ends a blocked send and a wait for requests.
        self.updates = None;
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(
    folders: &Mutex<Vec<PathBuf>>,
    period: Duration,
    asked: &Receiver<Request>,
    send: &dyn Fn(Update) -> bool,
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
                if !send(Update::Picture(path, picture)) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                // A copy, so that nobody waits for the disk to add a folder.
                let wanted = folders
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let moved = follow(&mut runs, discover(&wanted)) || first;
                let changed: Vec<bool> = runs
                    .iter_mut()
                    .map(|followed| followed.look(SystemTime::now(), &stop))
                    .collect();
                first = false;
                let all = || Update::Runs(runs.iter().map(|f| f.run.clone()).collect());
                let one = |i: usize| Update::Run(i, Box::new(runs[i].run.clone()));
                let sent = if moved {
                    send(all())
                } else {
                    (0..runs.len()).all(|i| !changed[i] || send(one(i)))
                };
                if !sent || stop() {
                    return;
                }
                next = Instant::now() + period;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Follows exactly `folders`, keeping the state of those already followed. Returns whether they
/// changed.
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

/// Loads a picture from disk, scaled down to sides of at most `side` pixels.
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
