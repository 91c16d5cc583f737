use super::target::Target;
use super::*;
use std::ffi::OsString;

fn check_writable(path: &Path) -> Result<(), FileError> {
    let mut plan = Plan::default();
    plan.write(path, "an output");
    plan.check(Vec::new)
}

fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[cfg(any(unix, windows))]
#[test]
fn a_disk_without_room_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    check_room(folder.path(), 1).unwrap();
    assert_eq!(amount(3 << 19), "1.50 MiB");
    assert_eq!(amount(3 << 29), "1.50 GiB");
    let error = check_room(folder.path(), u64::MAX).unwrap_err().to_string();
    for word in [
        &*folder.path().to_string_lossy(),
        "17179869184.00 GiB are",
        "free space",
    ] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn names_as_long_as_the_disk_allows_are_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["n".repeat(251) + ".png", "\u{57ce}".repeat(83) + ".png"] {
        let path = folder.path().join(&name);
        check_writable(&path).unwrap();
        write_atomic(&path, b"mask").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mask");
    }
    // Wine takes a file with such a name for missing, and so would the check of the plan.
    if cfg!(windows) {
        return;
    }
    let path = folder.path().join("n".repeat(253) + ".png");
    for error in [check_writable(&path), write_atomic(&path, b"mask")] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("shorter name"), "{error}");
    }
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    write_atomic(&path, b"old").unwrap();
    let failed = write_with(&path, |file| {
        file.write_all(b"half").unwrap();
        Err(FileError::write(&path)(ErrorKind::StorageFull.into()))
    });
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("a.json") && error.contains("free some space"));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["a.json"]);
}

#[test]
fn a_folder_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames");
    let fill = |folder: &Path| write_atomic(&folder.join("0.png"), b"frame");
    let failed = write_folder(&path, |inside| {
        fill(inside)?;
        Err(FileError::write(inside)(ErrorKind::StorageFull.into()))
    });
    assert!(failed.is_err() && names(folder.path()).is_empty());
    fs::create_dir(&path).unwrap();
    write_folder(&path, fill).unwrap();
    assert_eq!(names(&path), ["0.png"]);
    // Now the folder is not empty.
    write_folder(&path, fill).unwrap_err();
    assert_eq!(names(folder.path()), ["frames"]);
}

#[test]
fn text_becomes_a_part_of_a_name() {
    assert_eq!(name_part("a/b\\c\u{1b}:d", 100), "a_b_c__d");
    assert_eq!(name_part("\u{57ce}\u{57ce}", 5), "\u{57ce}");
}

#[test]
fn a_dash_is_no_output() {
    let error = check_writable(Path::new("-")).unwrap_err().to_string();
    assert!(error.contains("./-"), "{error}");
    let error = create_folder(Path::new("-")).unwrap_err().to_string();
    assert!(error.contains("is not a folder"), "{error}");
    assert!(!is_dash(Path::new("./-")));
}

#[test]
fn an_output_is_proved_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "").unwrap();
    for (output, word) in [
        ("missing/a.json", "create the folder"),
        (".", "give a file name"),
        ("file/a.json", "check the path"),
    ] {
        let error = check_writable(&path(output)).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        let error = error.to_string();
        assert!(
            error.contains(word) && error.contains(&source),
            "{output}: {error}"
        );
        assert!(!error.contains(".flowseg-"), "{error}");
    }
    check_writable(&path("a.json")).unwrap();
    check_writable(&path("file")).unwrap();
    assert_eq!(names(folder.path()), ["file"]);
    // Root may write here, too.
    #[cfg(unix)]
    if !rustix_is_root() {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path("file"), PermissionsExt::from_mode(0o444)).unwrap();
        check_writable(&path("file")).unwrap_err();
        write_atomic(&path("file"), b"").unwrap_err();
    }
}

#[cfg(unix)]
fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    tempfile::tempfile().unwrap().metadata().unwrap().uid() == 0
}

/// Checks one output and one input.
fn check(output: &Path, input: &Path) -> Result<(), FileError> {
    let mut plan = Plan::default();
    plan.write(output, "the mask");
    plan.check(|| vec![input.to_owned()])
}

#[test]
fn an_input_is_not_written_over_whatever_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("album")).unwrap();
    fs::write(path("album/a.png"), "photo").unwrap();
    fs::write(path("album/b.png"), "photo").unwrap();
    fs::hard_link(path("album/a.png"), path("hard.png")).unwrap();
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut spelt = vec!["album/a.png", "album/../album/./a.png", "hard.png"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("album", path("link")).unwrap();
        std::os::unix::fs::symlink("link/a.png", path("soft.png")).unwrap();
        spelt.extend(["link/a.png", "soft.png"]);
    }
    for output in spelt {
        let error = check(&path(output), &path("album/a.png")).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("album/a.png") && error.contains(output),
            "{error}"
        );
        assert!(error.contains("the mask"), "{error}");
    }
    check(&path("album/b.png"), &path("album/a.png")).unwrap();
    check(&path("a.png"), &path("album/a.png")).unwrap();
    let mut plan = Plan::default();
    plan.fill(path("album"));
    let error = plan.check(|| vec![path("album/b.png")]).unwrap_err();
    assert!(matches!(error, FileError::InputFolder { .. }), "{error}");
    plan.check(|| vec![path("hard.png")]).unwrap();
    assert_eq!(fs::read(path("album/a.png")).unwrap(), b"photo");
}

#[test]
fn two_outputs_at_one_place_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("out")).unwrap();
    let twice = |first: &str, second: &str| {
        let mut plan = Plan::default();
        plan.write(path(first), "the overlay of p");
        plan.write(path(second), "the mask of p.overlay");
        plan.check(Vec::new)
    };
    let error = twice("out/p.overlay.png", "out/../out/p.overlay.png").unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("the overlay of p and the mask of p.overlay"),
        "{error}"
    );
    twice("out/a.png", "out/b.png").unwrap();
    // If the file system is case-sensitive, names that differ in case are two files.
    let folds = {
        fs::write(path("case"), "").unwrap();
        path("CASE").exists()
    };
    assert_eq!(twice("out/A.png", "out/a.png").is_err(), folds);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("b.png", path("out/a.png")).unwrap();
        twice("out/a.png", "out/b.png").unwrap_err();
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    #[test]
    fn links_are_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("elsewhere")).unwrap();
        fs::write(path("elsewhere/old"), "old").unwrap();
        symlink("elsewhere/old", path("link")).unwrap();
        symlink(path("link"), path("chain")).unwrap();
        symlink("elsewhere/new", path("dangling")).unwrap();
        write_atomic(&path("chain"), b"1").unwrap();
        write_atomic(&path("dangling"), b"2").unwrap();
        for link in ["link", "chain", "dangling"] {
            assert!(path(link).is_symlink(), "{link}");
        }
        assert_eq!(fs::read(path("elsewhere/old")).unwrap(), b"1");
        assert_eq!(fs::read(path("elsewhere/new")).unwrap(), b"2");
        symlink("circle", path("circle")).unwrap();
        let error = write_atomic(&path("circle"), b"").unwrap_err().to_string();
        assert!(error.contains("circle"), "{error}");
        symlink("gone/file", path("lost")).unwrap();
        let error = write_atomic(&path("lost"), b"").unwrap_err().to_string();
        assert!(
            error.ends_with("the folder of gone/file is missing"),
            "{error}"
        );
    }

    #[test]
    fn pipes_are_written_and_nobody_waits_for_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        check_writable(&path).unwrap();
        let error = write_atomic(&path, b"lost").unwrap_err().to_string();
        assert!(error.contains("no program reads this pipe"), "{error}");
        // More than a pipe buffers, so that the writer has to wait for the reader.
        let sent = vec![7; 1 << 18];
        let received = std::thread::scope(|scope| {
            let reader = scope.spawn(|| fs::read(&path).unwrap());
            while write_atomic(&path, &sent).is_err() {
                std::thread::yield_now();
            }
            reader.join().unwrap()
        });
        assert_eq!(received, sent);
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    }

    #[test]
    fn devices_and_open_files_are_written_in_place() {
        write_atomic(Path::new("/dev/null"), b"gone").unwrap();
        let null = fs::metadata("/dev/null").unwrap().file_type();
        assert!(null.is_char_device());
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("stdout");
        symlink("/dev/fd/1", &link).unwrap();
        assert_eq!(Target::of(&link).unwrap(), Target::Output);
        assert_eq!(Target::of(Path::new("/dev/fd/2")).unwrap(), Target::Error);
        // What a shell passes for >(command): here a pipe of this process.
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = std::io::pipe().unwrap();
        let path = PathBuf::from(format!("/dev/fd/{}", writer.as_raw_fd()));
        write_atomic(&path, b"through").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn permissions_are_those_of_any_new_file_and_kept_on_replacement() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        // The permissions of a new file and a new folder under the umask of this process.
        fs::write(path("file"), "").unwrap();
        fs::create_dir(path("folder")).unwrap();
        write_atomic(&path("ours"), b"").unwrap();
        write_folder(&path("our folder"), |inside| {
            write_atomic(&inside.join("a"), b"")
        })
        .unwrap();
        assert_eq!(mode(&path("ours")), mode(&path("file")));
        assert_eq!(mode(&path("our folder")), mode(&path("folder")));
        assert_eq!(mode(&path("our folder/a")), mode(&path("file")));
        fs::set_permissions(path("ours"), PermissionsExt::from_mode(0o640)).unwrap();
        write_atomic(&path("ours"), b"again").unwrap();
        assert_eq!(mode(&path("ours")), 0o640);
    }
}

#[cfg(windows)]
mod windows {
    use super::*;

    #[test]
    fn names_of_devices_are_written_and_not_replaced() {
        for name in ["NUL", "nul"] {
            write_atomic(Path::new(name), b"gone").unwrap();
            check_writable(Path::new(name)).unwrap();
        }
    }

    #[test]
    fn a_mapped_file_is_replaced_once_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs::write(&path, vec![1; 1 << 16]).unwrap();
        let map = map_file(&path, "model file").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(300));
                drop(map);
            });
            write_atomic(&path, b"new").unwrap();
        });
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn paths_of_more_than_260_characters_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(200)).join("e".repeat(200));
        create_folder(&deep).unwrap();
        let path = deep.join("mask.png");
        check_writable(&path).unwrap();
        write_atomic(&path, b"1").unwrap();
        write_atomic(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(names(&deep), ["mask.png"]);
        check_room(&deep, 1).unwrap();
        remove_file(&path).unwrap();
        assert!(names(&deep).is_empty());
    }
}

/// Every source file of the program, without its tests.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs")
                && !["tests.rs", "testing.rs"]
                    .iter()
                    .any(|name| path.ends_with(name))
            {
                let text = fs::read_to_string(&path).unwrap();
                let is_tests = |(at, mark): &(usize, &str)| {
                    let line = text[at + mark.len()..].lines().next();
                    line.is_some_and(|line| line.ends_with("mod tests {"))
                };
                let tests = text.match_indices("#[cfg(test)]\n").find(is_tests);
                let end = tests.map_or(text.len(), |(at, _)| at);
                found.push((path, text[..end].to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    walk(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
        &mut found,
    );
    found
}

/// Whether a text contains a call, other than at the end of a longer name.
fn has(text: &str, call: &str) -> bool {
    text.match_indices(call).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        call.starts_with('.') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn nothing_is_written_past_this_module() {
    let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/files"));
    let sources = sources();
    assert!(sources.len() > 200, "{} files", sources.len());
    let calls = [
        "File::create",
        "File::options",
        "OpenOptions",
        "fs::write",
        "fs::copy",
        "fs::rename",
        "fs::create_dir",
        "create_dir_all",
        "hard_link",
        "symlink(",
        "tempfile::",
        "save_with_format",
        ".save(path",
        ".save(&path",
        "SVGBackend::new",
        "BitMapBackend::new",
    ];
    let mut own = 0;
    for (path, text) in &sources {
        let found: Vec<&&str> = calls.iter().filter(|call| has(text, call)).collect();
        if path.starts_with(here) || *path == here.with_extension("rs") {
            own += found.len();
        } else {
            assert!(found.is_empty(), "{} calls {found:?}", path.display());
        }
    }
    // Makes sure that the search finds anything.
    assert!(own >= 5, "{own}");
}
