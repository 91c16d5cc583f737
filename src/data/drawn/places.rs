//! Finds photos by the paths in annotations.
//!
//! Paths come from other machines: with other folders, backslashes or another Unicode form. They are
//! looked up among the files of the data set's folder, and nothing outside of it is ever read.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::super::photo::{PHOTO_EXTENSIONS, has_photo_ending};
use super::super::split::{Key, key};
use super::super::split_name::{self, TRAINING};

/// The photos in a folder and its subfolders.
pub(super) struct Photos {
    by_path: HashMap<Key, PathBuf>,
    /// By file name only; `None` if several have the same name.
    by_name: HashMap<Key, Option<PathBuf>>,
    /// By file name without its extension, likewise.
    by_stem: HashMap<Key, Option<PathBuf>>,
}

impl Photos {
    /// Lists a folder. Unreadable folders count as empty.
    pub(super) fn below(folder: &Path) -> Self {
        let mut photos = Self {
            by_path: HashMap::new(),
            by_name: HashMap::new(),
            by_stem: HashMap::new(),
        };
        for path in files(folder) {
            let Ok(relative) = path.strip_prefix(folder) else {
                continue;
            };
            let name = relative.file_name().unwrap_or_default().as_encoded_bytes();
            let of = relative.parent().unwrap_or(Path::new(""));
            let stem = relative.file_stem().unwrap_or_default();
            for (map, name) in [
                (&mut photos.by_name, name),
                (&mut photos.by_stem, stem.as_encoded_bytes()),
            ] {
                map.entry(key(Path::new(""), name))
                    .and_modify(|found| *found = None)
                    .or_insert_with(|| Some(path.clone()));
            }
            photos.by_path.insert(key(of, name), path);
        }
        photos
    }

    /// The photo with a path relative to the folder.
    pub(super) fn at(&self, relative: &Path) -> Option<&Path> {
        let name = relative.file_name()?.as_encoded_bytes();
        let of = relative.parent().unwrap_or(Path::new(""));
        Some(self.by_path.get(&key(of, name))?.as_path())
    }

    /// A photo with a path relative to the folder, without its extension.
    pub(super) fn like(&self, stem: &Path) -> Option<&Path> {
        PHOTO_EXTENSIONS.iter().find_map(|ending| {
            let cased = [(*ending).to_owned(), ending.to_uppercase()];
            cased.iter().find_map(|ending| {
                let mut name = stem.as_os_str().to_owned();
                name.push(".");
                name.push(ending);
                self.at(Path::new(&name))
            })
        })
    }

    /// The only photo with a file name.
    pub(super) fn named(&self, name: &str) -> Option<&Path> {
        let found = self.by_name.get(&key(Path::new(""), name.as_bytes()))?;
        found.as_deref()
    }

    /// The only photo with a file name without its extension.
    pub(super) fn stemmed(&self, stem: &OsStr) -> Option<&Path> {
        let key = key(Path::new(""), stem.as_encoded_bytes());
        self.by_stem.get(&key)?.as_deref()
    }

    /// All paths, in no particular order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.by_path.values().map(PathBuf::as_path)
    }
}

/// The files with a photo's extension in a folder and its subfolders, sorted, without hidden ones.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    walk(folder).filter(|path| has_photo_ending(path))
}

/// The files in a folder and its subfolders, sorted, without hidden ones.
pub(super) fn walk(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
    WalkDir::new(folder)
        .min_depth(1)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(move |entry| entry.depth() == 0 || !hidden(entry.file_name()))
        .flatten()
        .filter(|entry| !entry.file_type().is_dir())
        .map(walkdir::DirEntry::into_path)
}

/// A path with slashes instead of backslashes.
pub(super) fn slashed(name: &str) -> String {
    name.replace('\\', "/")
}

/// The file name at the end of a path with slashes.
pub(super) fn base(slashed: &str) -> &str {
    slashed.rsplit('/').next().unwrap_or_default()
}

/// Resolves a path named by a file in the folder `from`, which is relative to the root. The result is
/// relative to the root; `None` if it leads out of the root or is absolute.
pub(super) fn inside(from: &Path, slashed: &str) -> Option<PathBuf> {
    if is_absolute(slashed) {
        return None;
    }
    let mut place = PathBuf::new();
    for part in from.join(slashed).components() {
        match part {
            Component::Normal(part) => place.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                if !place.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

/// A path with its last part named `from` replaced; `None` if there is none.
pub(super) fn swapped(path: &Path, from: &str, to: impl AsRef<Path>) -> Option<PathBuf> {
    let parts: Vec<Component> = path.components().collect();
    let at = parts.iter().rposition(|part| part.as_os_str() == from)?;
    let mut new: PathBuf = parts[..at].iter().collect();
    new.push(to);
    new.extend(&parts[at + 1..]);
    Some(new)
}

/// The folder of a data set, for paths that may be absolute.
pub(super) struct Root {
    dir: PathBuf,
    /// The folder's absolute path, as it was given and without links.
    absolute: Vec<PathBuf>,
}

impl Root {
    pub(super) fn of(dir: &Path) -> Self {
        let absolute = [std::path::absolute(dir), dir.canonicalize()];
        Self {
            dir: dir.to_path_buf(),
            absolute: absolute.into_iter().flatten().collect(),
        }
    }

    /// [`inside`], also for an absolute path: one below this folder, or else one of another place or machine by its
    /// longest end for which, below this folder, `is_there` holds.
    pub(super) fn inside(
        &self,
        from: &Path,
        slashed: &str,
        is_there: impl Fn(&Path) -> bool,
    ) -> Option<PathBuf> {
        if !is_absolute(slashed) {
            return inside(from, slashed);
        }
        let own = |folder: &PathBuf| Path::new(slashed).strip_prefix(folder).ok()?.to_str();
        if let Some(below) = self.absolute.iter().find_map(own) {
            return inside(Path::new(""), below);
        }
        let parts: Vec<&str> = slashed.split('/').filter(|part| !part.is_empty()).collect();
        let mut ends =
            (0..parts.len()).filter_map(|at| inside(Path::new(""), &parts[at..].join("/")));
        ends.find(|end| !end.as_os_str().is_empty() && is_there(&self.dir.join(end)))
    }
}

/// Whether a path with slashes is absolute here or on Windows.
fn is_absolute(slashed: &str) -> bool {
    slashed.starts_with('/') || slashed.as_bytes().get(1) == Some(&b':')
}

/// The error for such a path, to follow the name of the file that holds it.
pub(super) fn leads_out(what: &str, named: &str) -> String {
    format!(
        "{what} names \"{}\", which leads out of the data folder: put the photo into the folder and \
         give its path relative to this file",
        named.escape_debug()
    )
}

/// Whether a file has the extension of a text file.
pub(super) fn is_text(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("txt"))
}

/// The text file with the path of a photo apart from the extension, in any usual letter case.
pub(super) fn text_like(photo: &Path) -> Option<PathBuf> {
    let mut paths = ["txt", "TXT", "Txt"]
        .iter()
        .map(|ending| photo.with_extension(ending));
    paths.find(|path| path.is_file())
}

/// Words beside the name of a split that do not say what the photos show.
const KINDS: [&str; 22] = [
    "annotation",
    "annotations",
    "batch",
    "data",
    "dataset",
    "frame",
    "frames",
    "image",
    "images",
    "img",
    "imgs",
    "json",
    "label",
    "labelme",
    "labels",
    "photo",
    "photos",
    "picture",
    "pictures",
    "rgb",
    "set",
    "split",
];

/// The split that the whole name of a folder or of a list stands for, apart from a year, a number or the kind of the
/// files, as in `val2017` and `train_images`; not in names of what the photos show, as `crash test 3`.
pub(in super::super) fn split_of_whole(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic());
    let words = words.filter(|word| !word.is_empty() && !KINDS.contains(word));
    split_of(name).filter(|_| words.count() == 1)
}

/// The split, other than training, of which a folder that is [not one by its whole name](split_of_whole) holds a word.
pub(in super::super) fn split_hinted(name: &str) -> Option<&'static str> {
    split_of(name).filter(|split| *split != TRAINING && split_of_whole(name).is_none())
}

/// The split named by a word in a name.
pub(super) fn split_of(name: &str) -> Option<&'static str> {
    let mut words = name.split(|c: char| !c.is_alphabetic());
    words.find_map(split_name::of_word)
}

/// The split named by the folders of a relative path; `training` if there is none.
pub(super) fn split_of_path(relative: &Path) -> &'static str {
    let folders = relative.parent().into_iter().flat_map(Path::components);
    let mut named = folders.filter_map(|part| split_of(part.as_os_str().to_str()?));
    named.next().unwrap_or(TRAINING)
}

/// The folders in one that are called like splits, sorted.
pub(in super::super) fn split_folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let named = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| split_of(name).is_some())
    };
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| named(path) && path.is_dir())
        .collect();
    folders.sort();
    folders
}

/// Distinct sample names, from photo paths relative to their folder.
#[derive(Default)]
pub(super) struct Names(std::collections::HashSet<String>);

impl Names {
    /// The path without its extension and with dashes between its parts; with the extension if that
    /// name is taken.
    pub(super) fn of(&mut self, relative: &Path) -> String {
        let flat = |path: &Path| path.to_string_lossy().replace(['/', '\\'], "-");
        let short = flat(&relative.with_extension(""));
        if self.0.insert(short.clone()) {
            return short;
        }
        let full = flat(relative);
        let numbered = (2..).map(|number: u64| format!("{full} ({number})"));
        let mut candidates = std::iter::once(full.clone()).chain(numbered);
        candidates
            .find(|name| self.0.insert(name.clone()))
            .unwrap_or(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let at = |from: &str, name: &str| {
            inside(Path::new(from), &slashed(name)).map(|path| path.to_string_lossy().into_owned())
        };
        assert_eq!(at("a/b", "..\\images\\x.jpg").unwrap(), "a/images/x.jpg");
        assert_eq!(at("", "./x.jpg").unwrap(), "x.jpg");
        for out in [
            "../x.jpg",
            "a/../../x.jpg",
            "/etc/passwd",
            "C:\\x.jpg",
            "\\\\host\\x",
        ] {
            assert_eq!(at("", out), None, "{out}");
        }
        assert_eq!(base("C:/Users/me/x.jpg"), "x.jpg");
    }

    #[test]
    fn absolute_paths_are_found_below_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("images/train")).unwrap();
        let root = Root::of(dir.path());
        let at = |name: &str| root.inside(Path::new("lists"), &slashed(name), Path::is_dir);
        let own = |below: &str| at(&dir.path().join(below).to_string_lossy());
        assert_eq!(own("images/gone"), Some(PathBuf::from("images/gone")));
        assert_eq!(own("../x"), None);
        let train = Some(PathBuf::from("images/train"));
        assert_eq!(at("/home/me/images/train"), train);
        assert_eq!(at("D:\\me\\images\\train"), train);
        assert_eq!(at("../images/train"), train);
        for out in ["/etc", "/images/..", "/..", "/", "C:\\train"] {
            assert_eq!(at(out), None, "{out}");
        }
    }

    #[test]
    fn words_in_names_tell_the_split() {
        assert_eq!(split_of("instances_train2017"), Some("training"));
        assert_eq!(split_of("Val"), Some("validation"));
        assert_eq!(split_of("trainer"), None);
        assert_eq!(split_of_whole("val2017"), Some("validation"));
        assert_eq!(split_of_whole("Train_images"), Some("training"));
        for usual in ["val_img", "labelme_val", "val_batch1", "val_rgb"] {
            assert_eq!(split_of_whole(usual), Some("validation"), "{usual}");
            assert_eq!(split_hinted(usual), None, "{usual}");
        }
        assert_eq!(split_hinted("test-night"), Some("test"));
        assert_eq!(split_hinted("train-night"), None);
        for other in ["Val Gardena", "crash test 3", "train_val", "trainer"] {
            assert_eq!(split_of_whole(other), None, "{other}");
        }
        assert_eq!(split_of_path(Path::new("json/valid/x.json")), "validation");
        assert_eq!(split_of_path(Path::new("test.json")), "training");
    }

    #[test]
    fn samples_of_one_name_stay_apart() {
        let mut names = Names::default();
        let mut of = |name: &str| names.of(Path::new(name));
        assert_eq!(
            [of("a/x.jpg"), of("a/x.png"), of("a-x.jpg")],
            ["a-x", "a-x.png", "a-x.jpg"]
        );
        assert_eq!(of("a-x.jpg"), "a-x.jpg (2)");
    }
}
