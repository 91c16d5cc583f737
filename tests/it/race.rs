//! `flowseg race`: the default race, interruptions and mistakes.

use crate::common;

use assert_cmd::Command;
use common::{fails, flowseg, names, succeeds};
#[cfg(target_os = "linux")]
use common::{signal, started};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A race of tiny networks.
const SMALL: &str = "classes = 3\nsize = [16, 24]\nsteps = 6\nmeasure_every = 2\nheld_out = 2\n\
    solver_steps = 2\nbatch_size = 2\n[network]\nhidden_size = 16\nheads = 2\npixel_width = 4\n\
    transformer_blocks = 1\nfield_blocks = 1\n";

fn race(out: &Path) -> Command {
    let mut command = flowseg();
    command.args(["race", "--device", "cpu", "-o"]).arg(out);
    command
}

fn summary(out: &Path) -> Value {
    let text = fs::read_to_string(out.join("race.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The paper's claim at the size of a minute: the default race, with all its steps.
#[test]
fn the_reshaped_side_of_the_default_race_is_ahead_with_every_seed() {
    let folder = tempfile::tempdir().unwrap();
    for seed in ["1", "2", "3"] {
        let out = folder.path().join(seed);
        race(&out).args(["--seed", seed]).assert().success();
        let found = summary(&out);
        let miou = |side: &str| found[side]["miou"].as_f64().unwrap();
        assert_eq!(
            (&found["a"]["name"], &found["b"]["name"]),
            (&"vanilla".into(), &"reshaped".into())
        );
        assert_eq!(
            (&found["complete"], &found["step"]),
            (&true.into(), &360.into())
        );
        assert!(
            miou("b") > miou("a") + 0.03 && miou("b") > 0.5,
            "seed {seed}: reshaped {}, vanilla {}",
            miou("b"),
            miou("a")
        );
    }
}

#[test]
fn a_race_writes_its_files_and_its_settings_can_be_reused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("small.toml");
    fs::write(&config, SMALL).unwrap();
    let out = folder.path().join("out");
    let text = succeeds(race(&out).arg(&config).arg("--animation"));
    assert!(text.contains("step 6: mIoU: vanilla"), "{text}");
    let files = [
        "curves.csv",
        "curves.png",
        "race.gif",
        "race.json",
        "race.png",
    ];
    assert_eq!(names(&out), files);
    let table = fs::read_to_string(out.join("curves.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * 4);
    for picture in ["race.png", "curves.png", "race.gif"] {
        assert!(image::open(out.join(picture)).unwrap().width() > 500);
    }
    // The animation is replaced only if it is our own.
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let own = fs::read(out.join("race.gif")).unwrap();
    let mark = b"!\xfe\x07FlowSeg\0";
    assert!(own[..64].windows(mark.len()).any(|bytes| bytes == mark));
    let foreign = image::RgbImage::new(3, 2);
    foreign.save(other.join("race.gif")).unwrap();
    fails(
        race(&other).arg(&config).arg("--animation"),
        &["race.gif", "another program"],
    );
    assert_eq!(names(&other), ["race.gif"]);
    // The printed settings are those of the same race.
    let mut print = flowseg();
    print
        .args(["race", "--print-config", "--seed", "5"])
        .arg(&config);
    let printed = print.output().unwrap().stdout;
    let again = folder.path().join("again.toml");
    fs::write(&again, &printed).unwrap();
    let text = String::from_utf8(printed).unwrap();
    assert!(
        text.contains("seed = 5") && text.contains("epsilon = 0.01"),
        "{text}"
    );
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    // An older animation is removed if it is our own.
    for (folder, animation) in [(&first, &b"GIF89a mine"[..]), (&second, own.as_slice())] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("race.gif"), animation).unwrap();
    }
    race(&first)
        .arg(&config)
        .args(["--seed", "5"])
        .assert()
        .success();
    race(&second).arg(&again).assert().success();
    assert_eq!(summary(&first)["b"], summary(&second)["b"]);
    assert_eq!(names(&first), files);
    assert_eq!(
        names(&second),
        ["curves.csv", "curves.png", "race.json", "race.png"]
    );
    assert_ne!(summary(&first)["b"], summary(&out)["b"]);
}

#[test]
fn the_time_left_is_that_until_the_limit_that_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("small.toml");
    fs::write(&config, SMALL).unwrap();
    let mut command = race(&folder.path().join("out"));
    let output = command.arg(&config).args(["--seconds", "36000"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    // No step is left, but nearly all of the time is.
    let last = text.lines().find(|line| line.starts_with("step 6:"));
    assert!(
        last.is_some_and(|line| line.ends_with("ETA 0:00")),
        "{text}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_race_writes_what_there_is() {
    use std::io::{BufRead, BufReader};

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("small.toml");
    fs::write(&config, SMALL.replace("steps = 6", "steps = 1000000")).unwrap();
    let out = folder.path().join("out");
    let mut child = started(race(&out).arg(&config));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.find(|line| line.as_ref().unwrap().starts_with("step 4: "));
    assert!(line.is_some());
    signal(&child, "-INT");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(
        rest.last().unwrap().starts_with("stopped; wrote "),
        "{rest:?}"
    );
    let found = summary(&out);
    assert_eq!(found["complete"], false);
    assert!(found["step"].as_u64().unwrap() >= 4);
    assert_eq!(
        names(&out),
        ["curves.csv", "curves.png", "race.json", "race.png"]
    );
}

#[test]
fn mistakes_are_found_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let config = folder.path().join("small.toml");
    fs::write(&config, format!("speed = 3\n{SMALL}")).unwrap();
    fails(race(&out).arg(&config), &["small.toml", "speed"]);
    fails(
        race(&out).args(["--steps", "0"]),
        &["steps is 0", "1 to 1000000"],
    );
    fails(race(&out).arg("none.toml"), &["none.toml"]);
    assert!(!out.exists());
    // No output replaces the settings of the race.
    fs::create_dir(&out).unwrap();
    let inside = out.join("race.json");
    fs::write(&inside, SMALL).unwrap();
    fails(race(&out).arg(&inside), &["race.json"]);
    assert_eq!(fs::read_to_string(&inside).unwrap(), SMALL);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    fails(&mut race(&file), &["file"]);
    flowseg().arg("race").assert().code(2);
}
