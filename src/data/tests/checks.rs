//! The check of all pairs before a run.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime};

use super::*;

fn checking(dataset: &Dataset, memory: Option<&Path>) -> Check {
    dataset.check(memory, &mut |_, _| {}, &|| false).unwrap()
}

/// A data set with a truncated photo, labels of another size and an unknown label.
fn spoilt() -> tempfile::TempDir {
    let dir = plain(8);
    let at = |path: &str| dir.path().join(path);
    let cut = at("images/training/p01.png");
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    save_labels(&at("annotations/training/p03.png"), [3, 2], &[0; 6]);
    save_labels(&at("annotations/training/p06.png"), [4, 2], &[77; 8]);
    dir
}

fn opened(dir: &tempfile::TempDir) -> Dataset {
    Dataset::open(dir.path(), "training").unwrap()
}

#[test]
fn bad_pairs_refuse_the_data_set_or_are_left_out() {
    let dir = spoilt();
    let bad: Vec<usize> = checking(&opened(&dir), None)
        .bad
        .iter()
        .map(|(i, _)| *i)
        .collect();
    assert_eq!(bad, [1, 3, 6]);
    let refused = message(opened(&dir).checked(checking(&opened(&dir), None), false));
    says(
        &refused,
        &[
            "3 of 8 pairs",
            "training split",
            "p01.png",
            "cut short",
            "--skip-bad",
        ],
    );
    let kept = opened(&dir)
        .checked(checking(&opened(&dir), None), true)
        .unwrap();
    let names: Vec<String> = (0..kept.len()).map(|i| kept.sample_name(i)).collect();
    assert_eq!(names, ["p00", "p02", "p04", "p05", "p07"]);
    // The classes counted by the check belong to the kept pairs.
    let counted = kept.class_pixels().to_vec();
    let fresh: Vec<_> = (0..kept.len())
        .map(|i| kept.load_labels(i).unwrap().present_classes(3))
        .collect();
    assert_eq!(counted, fresh);
    // All kept pairs can be loaded.
    for i in [0, 2, 4, 5, 7] {
        fs::write(
            dir.path().join(format!("images/training/p{i:02}.png")),
            "rubbish",
        )
        .unwrap();
    }
    says(
        &message(opened(&dir).checked(checking(&opened(&dir), None), true)),
        &["8 of 8 pairs"],
    );
}

#[test]
fn nothing_labelled_is_refused() {
    let dir = plain(3);
    for i in 0..3 {
        let labels = dir.path().join(format!("annotations/training/p{i:02}.png"));
        save_labels(&labels, [4, 2], &[255; 8]);
    }
    let refused = message(opened(&dir).checked(checking(&opened(&dir), None), true));
    says(&refused, &["training split", "no labelled pixel"]);
    let report = inspect(dir.path(), &|_, _| {}).unwrap();
    says(
        &report.problems().join("\n"),
        &["training split has no labelled pixel"],
    );
    // One labelled pixel is enough.
    let one = [255, 255, 255, 255, 255, 255, 255, 2];
    save_labels(
        &dir.path().join("annotations/training/p01.png"),
        [4, 2],
        &one,
    );
    opened(&dir)
        .checked(checking(&opened(&dir), None), false)
        .unwrap();
}

#[test]
fn what_was_good_is_read_again_only_where_it_changed() {
    let (dir, memory) = (spoilt(), tempfile::tempdir().unwrap());
    let checked = || checking(&opened(&dir), Some(memory.path()));
    assert_eq!(checked().bad.len(), 3);
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 1);
    // A photo is damaged without a change of size or time.
    let photo = dir.path().join("images/training/p02.png");
    let (before, time) = (
        fs::read(&photo).unwrap(),
        fs::metadata(&photo).unwrap().modified().unwrap(),
    );
    fs::write(&photo, vec![0; before.len()]).unwrap();
    fs::File::options()
        .write(true)
        .open(&photo)
        .unwrap()
        .set_modified(time)
        .unwrap();
    assert_eq!(checked().bad.len(), 3, "the cached result is used");
    assert_eq!(checking(&opened(&dir), None).bad.len(), 4);
    // With a later time, another meaning of the labels or a damaged cache, pairs are read again.
    let later = SystemTime::now() + Duration::from_secs(5);
    fs::File::options()
        .write(true)
        .open(&photo)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(checked().bad.len(), 4);
    fs::write(&photo, before).unwrap();
    assert_eq!(checked().bad.len(), 3);
    fs::write(dir.path().join("classes.txt"), "a\nb\n").unwrap();
    assert_eq!(checked().bad.len(), 8, "class 2 is unknown now");
    let file = fs::read_dir(memory.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(&file, "{ no json").unwrap();
    assert_eq!(checked().bad.len(), 8);
    // A cache that names classes that do not exist is ignored.
    fs::write(dir.path().join("classes.txt"), "a\nb\nc\n").unwrap();
    assert_eq!(checked().bad.len(), 3);
    let text = fs::read_to_string(&file).unwrap().replace("[[0,", "[[999,");
    fs::write(&file, text).unwrap();
    let kept = opened(&dir).checked(checked(), true).unwrap();
    assert!(
        kept.class_pixels()
            .iter()
            .flatten()
            .all(|(class, _)| *class < 3)
    );
}

#[test]
fn a_memory_that_cannot_be_written_changes_nothing() {
    let dir = spoilt();
    let file = dir.path().join("classes.txt");
    assert_eq!(
        checking(&opened(&dir), Some(&file.join("below"))).bad.len(),
        3
    );
    assert_eq!(fs::read_to_string(file).unwrap(), "a\nb\r\nc\n\n");
}

#[test]
fn a_check_tells_how_far_it_is_and_stops() {
    let dir = plain(20);
    let seen = RefCell::new(Vec::new());
    let mut progress = |done, of| seen.borrow_mut().push((done, of));
    opened(&dir).check(None, &mut progress, &|| false).unwrap();
    let seen = seen.into_inner();
    assert_eq!(seen.last(), Some(&(20, 20)));
    assert!(
        seen.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "{seen:?}"
    );
    let memory = tempfile::tempdir().unwrap();
    let stopped = opened(&dir).check(Some(memory.path()), &mut |_, _| {}, &|| true);
    assert!(stopped.is_none());
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
    let asked = Cell::new(0);
    let second = || asked.replace(asked.get() + 1) > 0;
    // More pairs than are read at once, for any number of threads.
    let pairs = 8 * rayon::current_num_threads();
    let many = plain(pairs);
    assert!(
        opened(&many)
            .check(Some(memory.path()), &mut |_, _| {}, &second)
            .is_none()
    );
    // The pairs read so far are recorded.
    let file = fs::read_dir(memory.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let remembered: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let count = remembered["pairs"].as_object().unwrap().len();
    assert!((1..pairs).contains(&count), "{count}");
    // Scenes are rendered and never bad.
    let scenes = Dataset::open(Path::new("scenes:3@16x16"), "training").unwrap();
    let check = checking(&scenes, None);
    assert!(check.bad.is_empty());
    let kept = scenes.clone().checked(check, false).unwrap();
    assert_eq!(kept.class_pixels().len(), scenes.len());
}
