//! Opening files: dialogs, dropped files and pasted paths. Folders are listed on a separate thread,
//! since disks can be slow.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

use super::platform;
use crate::data::{has_photo_ending, natural};
use crate::{files, models, runs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The extension of model files.
const MODEL: &str = "safetensors";
/// The most bytes of pasted text that is searched for paths.
const LONGEST: usize = 1 << 20;

/// The kinds of dialogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialog {
    Photos,
    Folder,
    Model,
    Runs,
}

/// The result of classifying paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of the opening, counted from when its paths were known; 0 for an error alone.
    pub number: u64,
    pub photos: Vec<PathBuf>,
    /// The index of the one to show.
    pub shown: usize,
    /// Whether they were named, by their folder or one by one, rather than found beside a single named
    /// one.
    pub named: bool,
    pub runs: Vec<PathBuf>,
    /// The model of the first of the runs that has one yet, finished or the best so far.
    pub of_run: Option<PathBuf>,
    pub model: Option<PathBuf>,
    /// What cannot be opened, one line each.
    pub errors: Vec<String>,
}

/// Opens paths and dialogs on separate threads.
pub(super) struct FileOpener {
    sender: SyncSender<Found>,
    found: Receiver<Found>,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Cloned into every running thread, so that its count shows them.
    running: Arc<()>,
    begun: Begun,
    /// The numbers of the latest openings that led to photos, and to a model.
    latest: [u64; 2],
}

/// The number of openings so far whose paths are known.
#[derive(Clone, Default)]
struct Begun(Arc<AtomicU64>);

impl Begun {
    /// The number of the next one.
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl FileOpener {
    /// `wake` is called whenever there is a result.
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (sender, found) = sync_channel(4);
        Self {
            sender,
            found,
            wake: Arc::new(wake),
            running: Arc::default(),
            begun: Begun::default(),
            latest: [0, 0],
        }
    }

    /// Whether a path is being opened, or a dialog is open.
    pub(super) fn busy(&self) -> bool {
        Arc::strong_count(&self.running) > 1
    }

    /// The next result, if there is one, without photos and a model in whose place others have been opened since.
    pub(super) fn poll(&mut self) -> Option<Found> {
        let mut found = self.found.try_recv().ok()?;
        let [photos, model] = &mut self.latest;
        if !found.photos.is_empty() && is_late(found.number, photos) {
            found.photos.clear();
        }
        if found.model.is_some() && is_late(found.number, model) {
            found.model = None;
        }
        Some(found)
    }

    /// A number for photos or a model that are chosen now and need no opening.
    pub(super) fn number(&self) -> u64 {
        self.begun.next()
    }

    /// Records that photos with this number are shown, so that earlier ones do not replace them.
    pub(super) fn outdate_photos(&mut self, number: u64) {
        self.latest[0] = number.max(self.latest[0]);
    }

    /// The same for a model.
    pub(super) fn outdate_model(&mut self, number: u64) {
        self.latest[1] = number.max(self.latest[1]);
    }

    /// Classifies paths on a separate thread.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn open(&self, paths: Vec<PathBuf>) -> std::io::Result<()> {
        let number = self.begun.next();
        self.spawn(move || {
            Some(Found {
                number,
                ..classify(&paths)
            })
        })
    }
}

/// Whether an opening is older than the latest one so far, which it becomes otherwise.
fn is_late(number: u64, latest: &mut u64) -> bool {
    let is_late = number < *latest;
    *latest = number.max(*latest);
    is_late
}

/// Whether a path has the extension of a model file.
pub(super) fn is_model(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case(MODEL))
}

/// The path of a command-line argument, which may be a `file:` URI.
pub(super) fn argument(path: PathBuf) -> PathBuf {
    let uri = path.to_str().and_then(of_uri);
    uri.filter(|_| !path.exists()).unwrap_or(path)
}

/// The local path of a `file:` URI.
fn of_uri(text: &str) -> Option<PathBuf> {
    let uri = url::Url::parse(text).ok()?;
    (uri.scheme() == "file").then_some(())?;
    #[cfg(not(target_arch = "wasm32"))]
    return uri.to_file_path().ok();
    #[cfg(target_arch = "wasm32")]
    None
}

/// The files named by pasted text: one path or `file:` URI per line, as terminals and file managers
/// copy them; empty for any other text.
pub(super) fn named(text: &str) -> Vec<PathBuf> {
    if text.len() > LONGEST || !platform::DESKTOP {
        return Vec::new();
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let found: Vec<PathBuf> = lines.clone().filter_map(existing).collect();
    if found.is_empty() && lines.clone().count() == 1 {
        // A single line that is clearly meant as a path is opened, so that an error explains what is
        // wrong with it.
        let only = lines.map(unquoted).map(Path::new);
        return only
            .filter(|path| path.is_absolute())
            .map(ToOwned::to_owned)
            .collect();
    }
    found
}

/// The file named by a line. A URI counts even if its file does not exist.
fn existing(line: &str) -> Option<PathBuf> {
    let plain = [line, unquoted(line)].map(PathBuf::from);
    if let Some(path) = plain.into_iter().find(|path| path.exists()) {
        return Some(path);
    }
    if let Some(path) = of_uri(unquoted(line)) {
        return Some(path);
    }
    // Shells escape spaces in paths by backslashes.
    let escaped = PathBuf::from(without_escapes(line));
    escaped.exists().then_some(escaped)
}

fn unquoted(line: &str) -> &str {
    let within = |quote| line.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(line)
}

fn without_escapes(line: &str) -> String {
    let mut escaped = false;
    let kept = line.chars().filter(|&c| {
        escaped = c == '\\' && !escaped;
        !escaped
    });
    kept.collect()
}

/// Classifies paths as runs, folders of photos or models; everything else counts as a photo. A single
/// photo is listed with the other photos of its folder.
pub(super) fn classify(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            if runs::is_run(path) {
                found.runs.push(path.clone());
                continue;
            }
            match photos_in(path) {
                Ok(photos) if photos.is_empty() && holds_runs(path) => {
                    found.runs.push(path.clone());
                }
                Ok(photos) if photos.is_empty() => found.errors.push(format!(
                    "{} holds no photos and no training runs: choose a folder with JPEG, PNG, WebP \
                     or TIFF files",
                    path.display()
                )),
                Ok(photos) => found.photos.extend(photos),
                Err(error) => found.errors.push(error),
            }
        } else if is_model(path) {
            found.model = Some(path.clone());
        } else {
            found.photos.push(path.clone());
        }
    }
    found.of_run = model_of(&found.runs);
    found.named = found.photos.len() > 1;
    if let ([only], [path]) = (paths, found.photos.as_slice())
        && only == path
        && let Some(folder) = path.parent()
        && let Ok(photos) = photos_in(folder)
        && let Some(at) = photos.iter().position(|photo| photo == path)
    {
        found.photos = photos;
        found.shown = at;
    }
    found
}

/// The model of the first run that has one yet.
fn model_of(folders: &[PathBuf]) -> Option<PathBuf> {
    runs::discover(folders)
        .iter()
        .find_map(|run| models::model_at(run))
}

/// Whether a folder contains run folders.
fn holds_runs(folder: &Path) -> bool {
    runs::discover(&[folder.to_owned()]) != [folder]
}

/// The photos of a folder in natural order.
fn photos_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    // A file without a folder is in the current one, and its siblings are named likewise.
    let listed = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(listed).map_err(|source| {
        let path = listed.to_owned();
        files::FileError::Read { path, source }.to_string()
    })?;
    let mut photos: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| folder.join(entry.file_name()))
        .filter(|path| has_photo_ending(path))
        .collect();
    photos.sort_by_cached_key(|path| natural(&path.to_string_lossy()));
    Ok(photos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::PHOTO_EXTENSIONS;

    #[test]
    fn a_folder_shows_every_photo_that_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut photos = PHOTO_EXTENSIONS.map(|end| folder.path().join(format!("a.{end}")));
        photos[0].set_extension("JPG");
        for photo in &photos {
            std::fs::write(photo, "").unwrap();
        }
        let found = classify(&[folder.path().to_owned()]).photos;
        assert_eq!(found.len(), photos.len());
        assert!(photos.iter().all(|photo| found.contains(photo)));
        assert!(found.contains(&folder.path().join("a.heic")));
    }

    #[test]
    fn a_photo_brings_its_folder_and_a_run_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["b2.png", "b10.png", "a.JPG", "notes.txt"] {
            std::fs::write(path(name), "").unwrap();
        }
        let found = classify(&[path("b10.png")]);
        assert_eq!(
            found.photos,
            [path("a.JPG"), path("b2.png"), path("b10.png")]
        );
        assert_eq!((found.shown, found.named), (2, false));
        assert!(classify(&[folder.path().to_owned()]).named);
        let two = classify(&[path("b10.png"), path("a.JPG")]);
        assert_eq!(two.photos, [path("b10.png"), path("a.JPG")]);

        let empty = path("runs/empty");
        std::fs::create_dir_all(&empty).unwrap();
        assert!(classify(std::slice::from_ref(&empty)).errors[0].contains("holds no photos"));
        std::fs::write(empty.join("metrics.jsonl"), "").unwrap();
        assert_eq!(classify(std::slice::from_ref(&empty)).runs, [empty]);
        // A folder of runs is followed as one.
        assert_eq!(classify(&[path("runs")]).runs, [path("runs")]);
        assert_eq!(classify(&[path("runs")]).of_run, None);
        let best = path("runs/empty").join(crate::run_format::BEST);
        std::fs::write(&best, "").unwrap();
        assert_eq!(classify(&[path("runs")]).of_run, Some(best));
        assert_eq!(
            classify(&[path("m.safetensors")]).model,
            Some(path("m.safetensors"))
        );
    }

    #[test]
    fn a_foreign_configuration_hides_no_photos_and_no_runs() {
        let folder = tempfile::tempdir().unwrap();
        let outer = folder.path().to_owned();
        std::fs::write(outer.join("config.toml"), "title = \"mine\"\n").unwrap();
        let run = outer.join("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::write(run.join("metrics.jsonl"), "").unwrap();
        let only = std::slice::from_ref(&outer);
        assert_eq!(classify(only).runs, only);
        assert_eq!(runs::discover(only), [run]);
        let photo = outer.join("a.jpg");
        std::fs::write(&photo, "").unwrap();
        assert_eq!(classify(only).photos, [photo]);
    }

    #[test]
    fn pasted_text_names_files_in_every_way_that_people_copy_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let names = ["plain.jpg", "my photo.jpg", "café 100%.jpg", "two.jpg"];
        for name in names {
            std::fs::write(path(name), "").unwrap();
        }
        let text = |name: &str| path(name).to_string_lossy().into_owned();
        let uri = |name: &str| url::Url::from_file_path(path(name)).unwrap().to_string();
        assert!(uri(names[2]).ends_with("/caf%C3%A9%20100%25.jpg"));
        let one = |name| vec![path(name)];
        for (pasted, expected) in [
            (text("plain.jpg"), one("plain.jpg")),
            (format!("  {}\n", text("my photo.jpg")), one("my photo.jpg")),
            (format!("\"{}\"", text("plain.jpg")), one("plain.jpg")),
            (format!("'{}'", text("my photo.jpg")), one("my photo.jpg")),
            (uri("my photo.jpg"), one("my photo.jpg")),
            (uri(names[2]), one(names[2])),
            (
                uri("plain.jpg").replace("file://", "file://localhost"),
                one("plain.jpg"),
            ),
            (
                format!("{}\r\n{}\r\n", uri("two.jpg"), uri("plain.jpg")),
                vec![path("two.jpg"), path("plain.jpg")],
            ),
            (
                format!("# copied\n{}\n{}", text("two.jpg"), text("my photo.jpg")),
                vec![path("two.jpg"), path("my photo.jpg")],
            ),
            // A path without a file is opened anyway, and the error explains what is wrong.
            (text("missing.jpg"), one("missing.jpg")),
            (uri("missing.jpg"), one("missing.jpg")),
            ("a sentence\nand another".to_owned(), vec![]),
            ("https://example.org/a.jpg".to_owned(), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(named(&pasted), expected, "{pasted}");
        }
        #[cfg(unix)]
        assert_eq!(
            named(&text("my photo.jpg").replace(' ', "\\ ")),
            one("my photo.jpg")
        );
        assert_eq!(argument(uri("my photo.jpg").into()), path("my photo.jpg"));
        assert_eq!(argument("plain.jpg".into()), Path::new("plain.jpg"));
    }

    #[test]
    fn a_slow_opening_does_not_replace_a_later_one() {
        let mut opener = FileOpener::new(|| ());
        let paths = |name: &str| vec![PathBuf::from(name)];
        let mut found = |number, photos: &[PathBuf], runs: &[PathBuf]| {
            let (photos, runs) = (photos.to_vec(), runs.to_vec());
            let found = Found {
                number,
                photos,
                runs,
                ..Found::default()
            };
            opener.sender.send(found).unwrap();
            let found = opener.poll().unwrap();
            (found.photos, found.runs)
        };
        let (photo, other, run) = (paths("a.jpg"), paths("b.jpg"), paths("run"));
        assert_eq!(found(2, &photo, &[]), (photo.clone(), vec![]));
        // Runs are listed beside others.
        assert_eq!(found(1, &other, &run), (vec![], run));
        assert_eq!(found(3, &other, &[]), (other.clone(), vec![]));
        // Pasted photos count as well.
        let mut opener = FileOpener::new(|| ());
        let mut open = |pasted: Option<u64>| {
            opener.open(photo.clone()).unwrap();
            let pasted = pasted.unwrap_or_else(|| opener.number());
            opener.outdate_photos(pasted);
            let late = opener.found.recv().unwrap();
            opener.sender.send(late).unwrap();
            opener.poll().unwrap().photos.len()
        };
        assert_eq!(open(None), 0);
        // They had to wait for an answer: the files came after them.
        assert_eq!(open(Some(2)), 1);
    }

    #[test]
    fn a_slow_opening_does_not_replace_a_model_that_is_chosen_later() {
        let mut opener = FileOpener::new(|| ());
        let mut open = |chosen: Option<u64>| {
            opener.open(vec!["m.safetensors".into()]).unwrap();
            let chosen = chosen.unwrap_or_else(|| opener.number());
            opener.outdate_model(chosen);
            let late = opener.found.recv().unwrap();
            opener.sender.send(late).unwrap();
            opener.poll().unwrap().model
        };
        assert_eq!(open(None), None);
        assert!(open(Some(2)).is_some());
    }

    #[test]
    fn a_great_folder_is_listed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |i: usize| folder.path().join(format!("IMG_{i:05}.jpg"));
        for i in 0..10_000 {
            std::fs::write(path(i), "").unwrap();
        }
        let begin = std::time::Instant::now();
        let found = classify(&[folder.path().to_owned()]);
        assert_eq!((found.photos.len(), found.shown), (10_000, 0));
        let found = classify(&[path(7777)]);
        assert_eq!((found.photos.len(), found.shown), (10_000, 7777));
        assert!(begin.elapsed() < std::time::Duration::from_secs(2));
    }
}
