use super::*;
use std::fs;

#[test]
fn the_first_folder_that_has_a_name_counts() {
    let root = tempfile::tempdir().unwrap();
    let file = |path: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, path.to_string_lossy().as_bytes()).unwrap();
        path
    };
    let mine = file("home/b.safetensors");
    let shared = [
        file("usr/share/flowseg/models/a.safetensors"),
        file("usr/share/flowseg/models/b.safetensors"),
    ];
    file("usr/share/flowseg/models/notes.txt");
    let mut folders = vec![root.path().join("missing"), root.path().join("home")];
    folders.extend(folders_beside(&root.path().join("usr/bin/flowseg")));
    let expected = vec![("a".to_owned(), shared[0].clone()), ("b".to_owned(), mine)];
    assert_eq!(models_in(&folders), expected);
}

#[test]
fn a_photo_has_no_bytes_of_a_model() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("photo.png");
    fs::write(&path, [&b"\x89PNG\r\n\x1a\n"[..], &[0; 40]].concat()).unwrap();
    let error = bytes_without_note(&path).err().unwrap().to_string();
    let words = "photo.png is a picture, not a model: give";
    assert!(error.contains(words), "{error}");
    // A checkpoint of another program may be one to start from.
    fs::write(&path, b"PK\x03\x04").unwrap();
    assert!(bytes_without_note(&path).is_ok());
}

#[cfg(unix)]
#[test]
fn a_model_that_is_replaced_meanwhile_is_the_one_that_was_found() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("best.safetensors");
    fs::write(&path, "first").unwrap();
    let found = find(root.path()).unwrap();
    // As a training does, and then it writes the finished model.
    files::write_atomic(&path, b"second").unwrap();
    fs::write(root.path().join("model.safetensors"), "third").unwrap();
    assert_eq!(
        (found.file(), found.bytes()),
        (Some(path.as_path()), &b"first"[..])
    );
    assert_eq!(find(root.path()).unwrap().bytes(), b"third");
}

#[test]
fn shipped_names_come_before_paths_and_those_before_other_names() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    for folder in ["run", "validated", "data"] {
        fs::create_dir(path(folder)).unwrap();
    }
    for file in [
        "run/model.safetensors",
        "run/best.safetensors",
        "validated/best.safetensors",
        "mine",
    ] {
        fs::write(path(file), "").unwrap();
    }
    let installed = path("installed.safetensors");
    let found = |name: &OsStr| {
        let listed = vec![(name.to_str().unwrap().to_owned(), installed.clone())];
        match place_outside(name, || listed) {
            Place::BuiltIn(_) => None,
            Place::Installed(path) | Place::Path(path) => Some(path),
        }
    };
    for (name, expected) in [
        ("run", "run/model.safetensors"),
        ("validated", "validated/best.safetensors"),
        ("mine", "mine"),
        // Neither a folder of photos nor nothing is a model.
        ("data", "installed.safetensors"),
        ("missing", "installed.safetensors"),
    ] {
        assert_eq!(
            found(path(name).as_os_str()),
            Some(path(expected)),
            "{name}"
        );
    }
    // The sources' own folder is called so.
    assert_eq!(found(OsStr::new("src")), Some(installed.clone()));
    assert_eq!(found(OsStr::new(FOR_PHOTOS)), Some(installed.clone()));
    let nothing = place_outside(path("data").as_os_str(), Vec::new);
    assert!(matches!(nothing, Place::Path(found) if found == path("data")));
}

#[test]
fn a_run_without_a_model_names_its_newest_state() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("a run");
    let told = || check_there(run.as_os_str(), &run).unwrap_err().to_string();
    fs::create_dir(&run).unwrap();
    assert!(told().contains("give a model file"), "{}", told());
    let state = |step: u64| {
        let name = run_format::checkpoint_name(step);
        let folder = run.join(run_format::CHECKPOINTS).join(name);
        folder.join(run_format::AVERAGE)
    };
    for step in [9, 30, 200] {
        fs::create_dir_all(state(step).parent().unwrap()).unwrap();
    }
    // The newest one may be damaged.
    for step in [9, 30] {
        fs::write(state(step), "").unwrap();
    }
    let newest = state(30).display().to_string();
    assert!(told().ends_with(&newest), "{}", told());
}

#[test]
fn models_are_found_in_the_layout_of_every_package() {
    let place = |program: &str, models: &str| {
        assert!(folders_beside(Path::new(program)).contains(&PathBuf::from(models)));
    };
    place("/usr/bin/flowseg", "/usr/share/flowseg/models");
    place("/opt/flowseg/flowseg", "/opt/flowseg/models");
    place(
        "/Applications/FlowSeg.app/Contents/MacOS/flowseg",
        "/Applications/FlowSeg.app/Contents/Resources/models",
    );
    assert_eq!(folders_beside(Path::new("/")), Vec::<PathBuf>::new());
}

#[test]
fn a_mistyped_name_is_told_from_a_missing_file() {
    let refusal = |name: &str| {
        let refused = check_there(OsStr::new(name), Path::new(name));
        refused.err().map(|error| error.to_string())
    };
    let streets = "there is no model streets: did you mean street? `flowseg models` lists them";
    assert_eq!(refusal("streets").as_deref(), Some(streets));
    let other = "there is no model qqqqqqqqq: `flowseg models` lists them";
    assert_eq!(refusal("qqqqqqqqq").as_deref(), Some(other));
    // Reading these says what is wrong.
    for file in [
        "streets.safetensors",
        "./streets",
        "no/streets",
        "Cargo.toml",
    ] {
        assert_eq!(refusal(file), None, "{file}");
    }
}

#[cfg(embedded_models)]
#[test]
fn every_model_of_the_program_is_built_in() {
    let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, NAMES);
}
