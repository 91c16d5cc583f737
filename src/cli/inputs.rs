//! The photos given on a command line: files, folders, patterns, and lists on standard input.

mod earlier;
mod unread;
mod unreadable;

use crate::data::{PHOTO_EXTENSIONS, has_photo_ending};
use crate::files::folder_of;
use crate::terminal::err;
use anyhow::{Context, bail};
use glob::{MatchOptions, glob_with};
use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead, ErrorKind};
use std::path::{Component, Path, PathBuf};
pub(super) use unread::Unread;
use unreadable::{ending, left_out};
use walkdir::{DirEntry, WalkDir};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub path: PathBuf,
    /// The folders between it and the folder argument; empty for a file argument.
    pub below: PathBuf,
}

/// The argument that means standard input.
const STANDARD_INPUT: &str = "-";
/// Characters that make a pattern.
const SIGNS: [char; 3] = ['*', '?', '['];

/// The photos for the arguments `named`, in their order; those in a folder sorted by name. For the
/// argument `-`, `list` is read, one path per line. Files below `output` that are not named directly
/// are an earlier run's and are left out, and so is in any folder what a run made of these photos. A photo that
/// several arguments name is found once, for the first of them. Pictures of formats that cannot be read are
/// counted on standard error, and subfolders that cannot be read listed there.
///
/// # Errors
/// A folder that cannot be read or holds no photo, a pattern without a match, or a list that cannot be read.
pub(super) fn find(
    named: &[PathBuf],
    output: &Path,
    list: impl BufRead,
) -> anyhow::Result<(Vec<Input>, Unread)> {
    let mut finder = Finder {
        // If it does not exist yet, it holds nothing.
        output: output.canonicalize().ok(),
        found: Vec::new(),
        seen: HashSet::new(),
        named: HashSet::new(),
        unreadable: BTreeSet::new(),
        unread: Unread::default(),
    };
    let added = finder.add_all(named, list);
    if let Some(note) = left_out(&finder.unreadable) {
        err!("{note}");
    }
    finder.unread.list();
    added?;
    if finder.found.is_empty() {
        bail!("standard input names no photo: write one path per line");
    }
    finder.leave_out_earlier();
    Ok((finder.found, finder.unread))
}

/// A path whose folder is the real one: the same for all spellings. A link to a photo has a name of its own,
/// and so a mask of its own.
fn real(path: &Path) -> PathBuf {
    let folder = folder_of(path).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Paths, one per line.
fn lines(list: impl BufRead) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for line in list.split(b'\n') {
        let line = line.context("cannot read paths from standard input")?;
        if line.contains(&0) {
            bail!(
                "the list of photos on standard input holds NUL bytes: write one path per line, in UTF-8 \
                 (find -print, not -print0)"
            );
        }
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        // PowerShell may begin with the mark of UTF-8.
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if !line.is_empty() {
            paths.push(path(line));
        }
    }
    Ok(paths)
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

struct Finder {
    output: Option<PathBuf>,
    found: Vec<Input>,
    /// The real paths of the photos of the arguments so far.
    seen: HashSet<PathBuf>,
    /// The real paths of files that an argument or a line of a list named.
    named: HashSet<PathBuf>,
    /// The real paths of pictures in folders that cannot be read.
    unreadable: BTreeSet<PathBuf>,
    unread: Unread,
}

impl Finder {
    fn add_all(&mut self, named: &[PathBuf], list: impl BufRead) -> anyhow::Result<()> {
        let mut list = Some(list);
        for name in named {
            if name.as_os_str() != STANDARD_INPUT {
                match as_pattern(name) {
                    Some(pattern) => self.add_once(|finder| finder.add_matches(pattern))?,
                    None => self.add_once(|finder| finder.add_path(name))?,
                }
            } else if let Some(list) = list.take() {
                for path in lines(list)? {
                    self.add_once(|finder| finder.add_path(&path))?;
                }
            }
        }
        Ok(())
    }

    /// Adds the photos of an argument without those of earlier arguments.
    fn add_once(
        &mut self,
        add: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.unread.begin();
        let before = self.found.len();
        add(self)?;
        let mut added = self.found.split_off(before);
        let places: Vec<PathBuf> = added.iter().map(|input| real(&input.path)).collect();
        let mut place = places.iter();
        added.retain(|_| place.next().is_some_and(|place| !self.seen.contains(place)));
        self.seen.extend(places);
        self.found.extend(added);
        Ok(())
    }

    /// Adds a file or the photos of a folder, whatever its name looks like.
    fn add_path(&mut self, name: &Path) -> anyhow::Result<()> {
        if name.is_dir() {
            if !self.add_folder(name)? {
                self.unread.first()?;
                bail!(
                    "{} holds no photo: give a folder with {} files",
                    name.display(),
                    PHOTO_EXTENSIONS.join(", ")
                );
            }
            return Ok(());
        }
        self.named.insert(real(name));
        // A file that is missing or not a photo is reported in its turn.
        self.found.push(Input {
            path: name.to_owned(),
            below: PathBuf::new(),
        });
        Ok(())
    }

    /// Adds the photos of a folder and its subfolders. Returns whether there is one.
    fn add_folder(&mut self, folder: &Path) -> anyhow::Result<bool> {
        let before = self.found.len();
        let output = self.output.clone();
        let left_out = |entry: &DirEntry| {
            is_hidden(entry) || entry.file_type().is_dir() && is(entry.path(), &output)
        };
        let wanted = |entry: &DirEntry| entry.depth() == 0 || !left_out(entry);
        let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(wanted) {
            let path = match entry {
                Ok(entry) if entry.file_type().is_file() => entry.into_path(),
                Ok(_) => continue,
                // Broken and circular links: such a photo is reported in its turn.
                Err(error) if leads_nowhere(&error) => match error.path() {
                    Some(path) => path.to_owned(),
                    None => continue,
                },
                Err(error) => {
                    let (depth, path) = (error.depth(), error.path().unwrap_or(folder));
                    let what = format!("cannot read the folder {}", path.display());
                    let error = anyhow::Error::new(error).context(what);
                    if depth == 0 {
                        return Err(error);
                    }
                    self.unread.add(error);
                    continue;
                }
            };
            if has_photo_ending(&path) {
                let below = folder_of(&path).strip_prefix(folder);
                let below = below.unwrap_or(Path::new("")).to_owned();
                self.found.push(Input { path, below });
            } else if ending(&path).is_some() {
                self.unreadable.insert(real(&path));
            }
        }
        Ok(self.found.len() > before)
    }

    /// Adds the matches of a pattern; folders before its first wildcard are not mirrored. Folders that
    /// match are searched, unless the pattern does that itself by `**`.
    fn add_matches(&mut self, pattern: &str) -> anyhow::Result<()> {
        let fixed = fixed_part(pattern);
        let searches = pattern.contains("**");
        let output = self.output.clone();
        let mut seen = HashSet::new();
        for path in matches(pattern)? {
            let path = match path.with_context(|| format!("cannot look for {pattern}")) {
                Ok(path) => path,
                Err(error) => {
                    self.unread.add(error);
                    continue;
                }
            };
            let below = without_dots(folder_of(&path));
            let below = below
                .strip_prefix(&fixed)
                .unwrap_or(Path::new(""))
                .to_owned();
            if self.is_output(&path, &fixed) {
                continue;
            }
            if path.is_dir() {
                if !searches && !is(&path, &output) && self.add_folder(&path)? {
                    seen.insert(path);
                }
            } else if seen.insert(path.clone()) {
                self.found.push(Input { path, below });
            }
        }
        if seen.is_empty() {
            self.unread.first()?;
            bail!("no file matches {pattern}: check the pattern, or give a folder");
        }
        Ok(())
    }

    /// Leaves out what earlier runs made of the photos.
    fn leave_out_earlier(&mut self) {
        let pictures = self.found.iter().map(|input| {
            let real = real(&input.path);
            earlier::Picture {
                path: &input.path,
                below: &input.below,
                is_named: self.named.contains(&real),
                real,
            }
        });
        let pictures: Vec<earlier::Picture> = pictures.collect();
        let earlier = earlier::outputs(&pictures, self.output.as_deref());
        if !earlier.is_empty() {
            err!("{}", earlier::note(&earlier));
        }
        self.found.retain(|input| !earlier.contains(&input.path));
    }

    /// Whether a file is below the output folder, which is below `named`.
    fn is_output(&self, file: &Path, named: &Path) -> bool {
        let Some(output) = &self.output else {
            return false;
        };
        let real = |path: &Path| path.canonicalize().unwrap_or_default();
        let named = if named.as_os_str().is_empty() {
            Path::new(".")
        } else {
            named
        };
        let named = real(named);
        *output != named && output.starts_with(named) && real(folder_of(file)).starts_with(output)
    }
}

/// The paths for arguments of which some are patterns, as a Unix shell would give them: a pattern that
/// nothing matches stays as it is.
pub(super) fn expand(named: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut found = Vec::with_capacity(named.len());
    for name in named {
        let matching = as_pattern(&name).and_then(|pattern| matches(pattern).ok());
        let before = found.len();
        found.extend(matching.into_iter().flatten().flatten());
        if found.len() == before {
            found.push(name);
        }
    }
    found
}

/// A path that is a pattern; a file name may look like one. The system's error for a missing file with
/// such a name is not the same everywhere: Windows allows neither `*` nor `?` in names.
fn as_pattern(name: &Path) -> Option<&str> {
    let there = match name.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::InvalidFilename
        ),
    };
    name.to_str()
        .filter(|pattern| !there && pattern.contains(SIGNS))
}

/// The folders of a pattern before its first wildcard.
fn fixed_part(pattern: &str) -> PathBuf {
    let parts = Path::new(pattern).components();
    let fixed = parts.take_while(|part| !part.as_os_str().to_string_lossy().contains(SIGNS));
    without_dots(&fixed.collect::<PathBuf>())
}

/// A path without the components that stand for the folder itself, as matches of patterns come.
fn without_dots(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

/// The files and folders that match a pattern. Hidden ones need a pattern with a leading dot.
fn matches(pattern: &str) -> anyhow::Result<impl Iterator<Item = glob::GlobResult>> {
    let options = MatchOptions {
        // As the shell of the system would.
        case_sensitive: !cfg!(windows),
        require_literal_separator: true,
        // The crate panics at names that are not Unicode if it is asked for leading dots.
        require_literal_leading_dot: false,
    };
    let paths = glob_with(pattern, options)
        .with_context(|| format!("{pattern} is neither a file nor a pattern"))?;
    let fixed = fixed_part(pattern);
    let leads_by = move |path: &Path, start: &[u8]| {
        let below = path.strip_prefix(&fixed).unwrap_or(path);
        let mut parts = below.components();
        parts.any(|part| match part {
            Component::Normal(name) => name.as_encoded_bytes().starts_with(start),
            _ => false,
        })
    };
    let asked = leads_by(&without_dots(Path::new(pattern)), b".");
    // What macOS leaves beside photos is none in any case.
    let unwanted: &[u8] = if asked { b"._" } else { b"." };
    let hidden = move |path: &glob::GlobResult| {
        let path = match path {
            Ok(path) => path.as_path(),
            Err(error) => error.path(),
        };
        leads_by(path, unwanted)
    };
    Ok(paths.filter(move |path| !hidden(path)))
}

/// Hidden files are skipped; macOS leaves one beside every photo on non-Apple disks.
fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn leads_nowhere(error: &walkdir::Error) -> bool {
    let missing = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
    error.loop_ancestor().is_some() || error.depth() > 0 && error.io_error().is_some_and(missing)
}

fn is(path: &Path, folder: &Option<PathBuf>) -> bool {
    folder
        .as_ref()
        .is_some_and(|folder| path.canonicalize().is_ok_and(|path| path == *folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder with photos, each an empty file.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(folder_of(&path)).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    /// Found photos: paths relative to the root, and the folders to mirror.
    fn found(root: &Path, named: &[&str], list: &str) -> anyhow::Result<Vec<(String, String)>> {
        let named: Vec<PathBuf> = named
            .iter()
            .map(|name| match *name {
                STANDARD_INPUT => name.into(),
                name => root.join(name),
            })
            .collect();
        let list = list.replace("ROOT", &root.to_string_lossy());
        let (found, _) = find(&named, &root.join("photos/out"), list.as_bytes())?;
        let text = |path: &Path| path.to_string_lossy().replace('\\', "/");
        let pairs = found.iter().map(|input| {
            let path = input.path.strip_prefix(root).unwrap();
            (text(path), text(&input.below))
        });
        Ok(pairs.collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(a, b): &(&str, &str)| (a.to_string(), b.to_string());
        pairs.iter().map(owned).collect()
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_nowhere_stop_nothing() {
        use std::os::unix::fs::symlink;
        let root = folder(&["photos/a.png"]);
        let photos = root.path().join("photos");
        symlink(&photos, photos.join("again")).unwrap();
        symlink("missing", photos.join("lost.png")).unwrap();
        symlink("missing", photos.join("lost.txt")).unwrap();
        let all = found(root.path(), &["photos"], "").unwrap();
        assert_eq!(all, pairs(&[("photos/a.png", ""), ("photos/lost.png", "")]));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_stops_nothing() {
        let root = folder(&["photos/a.png"]);
        let photos = root.path().join("photos");
        // Nobody can follow it, not even root.
        std::os::unix::fs::symlink("loop", photos.join("loop")).unwrap();
        let all = || {
            find(
                std::slice::from_ref(&photos),
                &root.path().join("out"),
                &b""[..],
            )
        };
        let (found, unread) = all().unwrap();
        assert_eq!(found.len(), 1);
        let error = unread.report().unwrap_err().to_string();
        assert!(error.contains("1 folder could not be read"), "{error}");
        fs::remove_file(photos.join("a.png")).unwrap();
        let error = all().unwrap_err().to_string();
        assert!(error.contains("cannot read the folder"), "{error}");
    }

    const FILES: &[&str] = &[
        "photos/b.JPG",
        "photos/a.png",
        "photos/notes.txt",
        "photos/._a.png",
        "photos/.thumbs/a.png",
        "photos/day 1/c.tif",
        "photos/day 1/late/d.webp",
        "photos/out/a.png",
        "c[1].png",
    ];

    #[test]
    fn folders_are_walked_and_their_tree_is_kept() {
        let root = folder(FILES);
        let all = [
            ("photos/a.png", ""),
            ("photos/b.JPG", ""),
            ("photos/day 1/c.tif", "day 1"),
            ("photos/day 1/late/d.webp", "day 1/late"),
        ];
        assert_eq!(found(root.path(), &["photos"], "").unwrap(), pairs(&all));
        // The output folder itself, if named.
        let own = found(root.path(), &["photos/out"], "").unwrap();
        assert_eq!(own, pairs(&[("photos/out/a.png", "")]));
        fs::create_dir(root.path().join("empty")).unwrap();
        let error = found(root.path(), &["empty"], "").unwrap_err().to_string();
        assert!(error.contains("empty holds no photo"), "{error}");
    }

    #[test]
    fn patterns_are_for_shells_that_have_none() {
        let root = folder(FILES);
        let of = |pattern: &str| found(root.path(), &[pattern], "").unwrap();
        assert_eq!(of("photos/*.png"), pairs(&[("photos/a.png", "")]));
        assert_eq!(
            of("photos/**/*.[tw]*"),
            pairs(&[
                ("photos/day 1/c.tif", "day 1"),
                ("photos/day 1/late/d.webp", "day 1/late"),
                ("photos/notes.txt", ""),
            ])
        );
        assert_eq!(of("photos/**/a.png"), pairs(&[("photos/a.png", "")]));
        assert_eq!(
            of("photos/.t*/*.png"),
            pairs(&[("photos/.thumbs/a.png", ".thumbs")])
        );
        // Folders are searched as if they were named, but for the one that masks are written to.
        assert_eq!(
            of("photos/[do]*"),
            pairs(&[
                ("photos/day 1/c.tif", ""),
                ("photos/day 1/late/d.webp", "late")
            ])
        );
        // A file of that name takes precedence over the pattern.
        assert_eq!(of("c[1].png"), pairs(&[("c[1].png", "")]));
        let error = found(root.path(), &["photos/*.gif"], "").unwrap_err();
        assert!(error.to_string().contains("no file matches"), "{error}");
    }

    #[test]
    fn patterns_may_begin_with_this_folder() {
        assert_eq!(fixed_part("./photos/**/*.jpg"), Path::new("photos"));
        assert_eq!(fixed_part("*.jpg"), Path::new(""));
        assert_eq!(
            without_dots(Path::new("./photos/./a")),
            Path::new("photos/a")
        );
        assert_eq!(without_dots(folder_of(Path::new("a.jpg"))), Path::new(""));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_not_unicode_do_not_disturb_patterns() {
        use std::os::unix::ffi::OsStrExt;
        let root = folder(&["photos/a.png"]);
        let latin = std::ffi::OsStr::from_bytes(b"photos/b\xe9.png");
        fs::write(root.path().join(latin), "").unwrap();
        let all = found(root.path(), &["photos/*.png"], "").unwrap();
        assert_eq!(all, pairs(&[("photos/a.png", "")]));
    }

    #[test]
    fn patterns_for_the_window_become_files_or_stay() {
        let root = folder(FILES);
        let path = |name: &str| root.path().join(name);
        let named = ["photos/*.png", "c[1].png", "photos/*.gif", "photos"].map(path);
        let found = expand(named.to_vec());
        let expected = ["photos/a.png", "c[1].png", "photos/*.gif", "photos"].map(path);
        assert_eq!(found, expected);
        let uri = PathBuf::from("file:///a?b");
        assert_eq!(expand(vec![uri.clone()]), [uri]);
    }

    #[test]
    fn a_photo_that_several_arguments_name_is_found_once() {
        let root = folder(FILES);
        let named = ["photos/day 1/c.tif", "photos/day 1/c.tif", "-", "photos"];
        let list = "ROOT/photos/day 1/../a.png\nROOT/photos/a.png\n";
        let found = find(
            &named.map(|name| match name {
                STANDARD_INPUT => name.into(),
                name => root.path().join(name),
            }),
            &root.path().join("photos/out"),
            list.replace("ROOT", &root.path().to_string_lossy())
                .as_bytes(),
        );
        let (found, _) = found.unwrap();
        let found: Vec<PathBuf> = found.into_iter().map(|input| input.path).collect();
        let expected = [
            "photos/day 1/c.tif",
            "photos/day 1/../a.png",
            "photos/b.JPG",
            "photos/day 1/late/d.webp",
        ];
        assert_eq!(found, expected.map(|name| root.path().join(name)));
    }

    #[test]
    fn standard_input_lists_paths() {
        let root = folder(FILES);
        let list = "\u{feff}ROOT/photos/b.JPG\r\n\nROOT/photos/day 1\nROOT/missing[1].png";
        assert_eq!(
            found(root.path(), &["-", "c[1].png", "-"], list).unwrap(),
            pairs(&[
                ("photos/b.JPG", ""),
                ("photos/day 1/c.tif", ""),
                ("photos/day 1/late/d.webp", "late"),
                ("missing[1].png", ""),
                ("c[1].png", ""),
            ])
        );
        for (list, words) in [
            ("\n", "standard input names no photo"),
            ("ROOT/photos/b.JPG\0ROOT/photos/a.png\0", "NUL bytes"),
        ] {
            let error = found(root.path(), &["-"], list).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
