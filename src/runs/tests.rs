use super::folder::Followed;
use super::follow::Follower;
use super::testing::append;
use super::*;
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::time::{Instant, SystemTime};

fn line(step: u64, loss: f64) -> String {
    format!(
        "{{\"gradient_norm\":1.0,\"learning_rate\":0.001,\"loss\":{loss},\
         \"photos_per_second\":16.0,\"step\":{step},\"waiting\":0.25}}\n"
    )
}

fn never() -> bool {
    false
}

/// A follower with what it has read so far.
struct Reader {
    path: PathBuf,
    follower: Follower,
    curves: Curves,
}

impl Reader {
    fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("metrics.jsonl"),
            follower: Follower::default(),
            curves: Curves::default(),
        }
    }

    fn read(&mut self) -> bool {
        self.follower
            .read(&self.path, &mut self.curves, &never)
            .unwrap()
    }
}

#[test]
fn appended_lines_are_followed_and_half_a_line_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(folder.path());
    let whole = line(20, 2.0);
    append(&reader.path, &(line(10, 3.0) + &whole[..30]));
    assert!(reader.read());
    assert_eq!(reader.curves.loss, [[10.0, 3.0]]);
    assert!(!reader.read());
    append(&reader.path, &whole[30..]);
    append(
        &reader.path,
        "{\"miou\":0.5,\"pixel_accuracy\":0.75,\"step\":20}\n",
    );
    assert!(reader.read());
    assert_eq!(reader.curves.loss, [[10.0, 3.0], [20.0, 2.0]]);
    assert_eq!(reader.curves.waiting.last(), Some(&[20.0, 0.25]));
    assert_eq!(reader.curves.best_miou(None), Some((0.5, 20)));
    assert_eq!(reader.curves.best_miou(Some(20)), None);
    assert_eq!(
        (reader.curves.last_step(), reader.curves.damaged_lines),
        (20, 0)
    );
}

#[test]
fn a_file_that_was_cut_or_written_anew_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(folder.path());
    append(&reader.path, &(line(10, 3.0) + &line(20, 2.0)));
    assert!(reader.read());
    fs::write(&reader.path, line(10, 3.0)).unwrap();
    assert!(reader.read());
    assert_eq!(reader.curves.loss, [[10.0, 3.0]]);
    // Longer than before, so only the contents show the rewrite.
    fs::write(&reader.path, line(5, 9.0) + &line(6, 8.0) + &line(7, 7.0)).unwrap();
    assert!(reader.read());
    assert_eq!(reader.curves.loss, [[5.0, 9.0], [6.0, 8.0], [7.0, 7.0]]);
}

#[test]
fn steps_taken_again_replace_those_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(folder.path());
    append(
        &reader.path,
        &[10, 20, 30].map(|s| line(s, s as f64)).concat(),
    );
    append(&reader.path, &[20, 25].map(|s| line(s, -1.0)).concat());
    reader.read();
    assert_eq!(
        reader.curves.loss,
        [[10.0, 10.0], [20.0, -1.0], [25.0, -1.0]]
    );
}

#[test]
fn lines_that_are_no_metrics_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(folder.path());
    append(
        &reader.path,
        "hello\n\n{\"step\":3}\n[1]\n{\"loss\":1,\"step\":4,\"new\":[]}\n",
    );
    reader.read();
    assert_eq!(reader.curves.loss, [[4.0, 1.0]]);
    assert_eq!(reader.curves.damaged_lines, 3);
    // No line break anywhere, for example a model file under a wrong name.
    fs::write(&reader.path, vec![7; 5 << 20]).unwrap();
    let Reader {
        path,
        mut follower,
        mut curves,
    } = reader;
    let error = follower.read(&path, &mut curves, &never).unwrap_err();
    assert!(error.to_string().contains("no lines"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However a file is split into pieces as it grows, the final curves are the same.
    #[test]
    fn growth_in_pieces_reads_as_the_whole(cuts in prop::collection::vec(0usize..2000, 0..12)) {
        let text: String = (1..=15).map(|s| line(s, 1.0 / s as f64)).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % text.len()).collect();
        cuts.sort_unstable();
        cuts.push(text.len());
        let folder = tempfile::tempdir().unwrap();
        let mut reader = Reader::new(folder.path());
        let mut from = 0;
        for to in cuts {
            append(&reader.path, &text[from..to]);
            reader.read();
            from = to;
        }
        prop_assert_eq!(reader.curves.loss.len(), 15);
        for (step, point) in (1..).zip(&reader.curves.loss) {
            prop_assert_eq!(point[0], f64::from(step));
            prop_assert!((point[1] - 1.0 / f64::from(step)).abs() < 1e-12);
        }
        prop_assert_eq!(reader.curves.damaged_lines, 0);
    }
}

#[test]
fn a_run_goes_from_waiting_to_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut followed = Followed::new(path);
    let hours = |n: u64| SystemTime::now() + Duration::from_secs(3600 * n);
    assert!(!followed.look(hours(0), &never));
    assert_eq!(followed.run.status, Status::Waiting);

    let config = "[train]\nsteps = 100\nbatch_size = 8\nlog_every = 10\n[data]\nsize = [2, 3]\n";
    fs::write(path.join("config.toml"), config).unwrap();
    append(&path.join("metrics.jsonl"), &line(10, 3.0));
    assert!(followed.look(hours(0), &never));
    assert!(!followed.look(hours(0), &never));
    assert_eq!(followed.run.status, Status::Running);
    assert_eq!(followed.run.progress(), Some(0.1));
    // 90 steps of 8 photos at 16 per second.
    assert_eq!(followed.run.time_left(), Some(Duration::from_secs(45)));
    assert!(!followed.run.is_ending());

    assert!(followed.look(hours(3), &never));
    assert_eq!(followed.run.status, Status::Stale);
    assert_eq!(followed.run.silence, Duration::from_secs(3 * 3600));
    assert_eq!(followed.run.time_left(), None);

    // Without a model, the run is in its last validation, or was killed there.
    append(&path.join("metrics.jsonl"), &line(100, 1.0));
    assert!(followed.look(hours(0), &never));
    assert_eq!(followed.run.status, Status::Running);
    assert!(followed.run.is_ending());
    assert_eq!(followed.run.time_left(), None);
    assert!(followed.look(hours(3), &never));
    assert_eq!(followed.run.status, Status::Stale);
    assert!(!followed.run.is_ending());
    fs::write(path.join("model.safetensors"), "").unwrap();
    assert!(followed.look(hours(3), &never));
    assert_eq!(followed.run.status, Status::Finished);
}

#[test]
fn a_run_whose_process_ended_is_stopped_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("config.toml"), "[train]\nsteps = 100\n").unwrap();
    append(&path.join("metrics.jsonl"), &line(10, 3.0));
    append(&path.join("run.lock"), "");
    let now = SystemTime::now();
    let mut followed = Followed::new(path);
    // Nobody was seen training: the folder may be copied, or the process be on a machine without locks.
    followed.look(now, &never);
    assert_eq!(followed.run.status, Status::Running);
    let lock = fs::File::options().append(true).open(path.join("run.lock"));
    let lock = lock.unwrap();
    lock.try_lock().unwrap();
    assert!(!followed.look(now, &never));
    lock.unlock().unwrap();
    assert!(followed.look(now, &never));
    assert_eq!(followed.run.status, Status::Stopped);
    assert_eq!(followed.run.status.label(), "stopped");
    assert_eq!(followed.run.time_left(), None);
    // It is resumed, and finishes.
    lock.try_lock().unwrap();
    followed.look(now, &never);
    assert_eq!(followed.run.status, Status::Running);
    append(&path.join("metrics.jsonl"), &line(100, 1.0));
    fs::write(path.join("model.safetensors"), "").unwrap();
    lock.unlock().unwrap();
    followed.look(SystemTime::now(), &never);
    assert_eq!(followed.run.status, Status::Finished);
}

#[test]
fn a_model_from_before_does_not_finish_a_longer_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let hours = |n: u64| SystemTime::now() + Duration::from_secs(3600 * n);
    fs::write(path.join("config.toml"), "[train]\nsteps = 100\n").unwrap();
    let model = path.join("model.safetensors");
    fs::write(&model, "").unwrap();
    let before = SystemTime::now() - Duration::from_secs(3600);
    let file = OpenOptions::new().write(true).open(&model).unwrap();
    file.set_modified(before).unwrap();
    append(&path.join("metrics.jsonl"), &line(100, 1.0));
    let mut followed = Followed::new(path);
    followed.look(hours(0), &never);
    assert_eq!(followed.run.status, Status::Running);
    followed.look(hours(3), &never);
    assert_eq!(followed.run.status, Status::Stale);
    file.set_modified(SystemTime::now()).unwrap();
    followed.look(hours(0), &never);
    assert_eq!(followed.run.status, Status::Finished);
    // A finished model that was moved away.
    fs::remove_file(&model).unwrap();
    followed.look(hours(3), &never);
    assert_eq!(followed.run.status, Status::Stale);
    fs::create_dir_all(path.join("checkpoints/step-00000100")).unwrap();
    followed.look(hours(3), &never);
    assert_eq!(followed.run.status, Status::Finished);
}

#[test]
fn a_run_in_stages_is_as_long_as_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let config = "[train]\nsteps = 30\nbatch_size = 8\nlog_every = 10\n\
                  [[stages]]\n[stages.train]\nsteps = 100\n\
                  [[stages]]\n[stages.train]\nbatch_size = 2\nlog_every = 5\n";
    fs::write(path.join("config.toml"), config).unwrap();
    append(&path.join("metrics.jsonl"), &line(30, 3.0));
    let mut followed = Followed::new(path);
    followed.look(SystemTime::now(), &never);
    let plan = |batch_size, log_every| Plan {
        steps: Some(130),
        batch_size: Some(batch_size),
        log_every: Some(log_every),
        validate_every: None,
        comparable_after: None,
    };
    assert_eq!(followed.run.plan, plan(8, 10));
    assert_eq!(followed.run.status, Status::Running);
    // The second stage starts after step 100.
    append(&path.join("metrics.jsonl"), &line(100, 2.0));
    followed.look(SystemTime::now(), &never);
    assert_eq!(followed.run.plan, plan(2, 5));
    assert_eq!(followed.run.status, Status::Running);
    append(&path.join("metrics.jsonl"), &line(130, 1.0));
    followed.look(SystemTime::now(), &never);
    assert_eq!(followed.run.plan, plan(2, 5));
    assert_eq!(followed.run.progress(), Some(1.0));
    assert_eq!(followed.run.status, Status::Running);
    fs::write(path.join("model.safetensors"), "").unwrap();
    followed.look(SystemTime::now(), &never);
    assert_eq!(followed.run.status, Status::Finished);
    // If a stage's length is unknown, so is the total.
    fs::write(path.join("config.toml"), "[[stages]]\n[stages.data]\n").unwrap();
    followed.look(SystemTime::now(), &never);
    assert_eq!(followed.run.plan, Plan::default());
}

#[test]
fn scores_of_stages_at_other_sizes_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let config = "[train]\nsteps = 10\nvalidate_steps = 5\n[data]\nsize = [16, 24]\n\
                  [[stages]]\n[[stages]]\n[stages.data]\nsize = [32, 48]\n\
                  [[stages]]\n[stages.data]\nsize = [32, 48]\n";
    fs::write(path.join("config.toml"), config).unwrap();
    let mut followed = Followed::new(path);
    let mut best_with = |step: u64, miou: f64| {
        let line = format!("{{\"miou\":{miou},\"pixel_accuracy\":0.5,\"step\":{step}}}\n");
        append(&path.join("metrics.jsonl"), &line);
        followed.look(SystemTime::now(), &never);
        followed.run.best_miou()
    };
    assert_eq!(best_with(0, 0.5), Some((0.5, 0)));
    assert_eq!(best_with(10, 0.25), Some((0.5, 0)));
    assert_eq!(best_with(15, 0.125), Some((0.125, 15)));
    assert_eq!(gain(path), None);
    // The third stage is validated like the second.
    assert_eq!(best_with(25, 0.0625), Some((0.125, 15)));
    let same = config.replace("[32, 48]", "[16, 24]");
    fs::write(path.join("config.toml"), same).unwrap();
    assert_eq!(gain(path), Some([0.5, 0.0625]));
    // A stage that is not validated has no scores that others could be compared with.
    let between = config.replace("[data]\nsize = [16, 24]\n", "[data]\nsize = [32, 48]\n");
    let between = between.replacen(
        "[stages.data]\nsize = [32, 48]\n",
        "[stages.data]\nsize = [8, 8]\n[stages.train]\nvalidate_every = 0\n",
        1,
    );
    fs::write(path.join("config.toml"), between).unwrap();
    assert_eq!(gain(path), Some([0.5, 0.0625]));
}

#[test]
fn a_slow_run_is_not_stale_between_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let config = "[train]\nsteps = 100\nbatch_size = 16\nlog_every = 1000\n";
    fs::write(path.join("config.toml"), config).unwrap();
    append(&path.join("metrics.jsonl"), &line(10, 3.0));
    let mut followed = Followed::new(path);
    let later = SystemTime::now() + Duration::from_secs(1800);
    followed.look(later, &never);
    assert_eq!(followed.run.status, Status::Running);
}

/// A validation of a whole split takes hours, in which no line comes.
#[test]
fn a_run_is_not_stale_during_a_validation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let config = "[train]\nsteps = 70\nbatch_size = 8\nlog_every = 10\nvalidate_every = 20\n";
    fs::write(path.join("config.toml"), config).unwrap();
    let metrics = path.join("metrics.jsonl");
    let hours = |n: u64| SystemTime::now() + Duration::from_secs(3600 * n);
    let score = |step: u64| format!("{{\"miou\":0.5,\"pixel_accuracy\":0.5,\"step\":{step}}}\n");
    let mut followed = Followed::new(path);
    let mut after = |text: &str, hours_later: u64| {
        append(&metrics, text);
        followed.look(hours(hours_later), &never);
        let run = &followed.run;
        (run.status.clone(), run.is_validating())
    };
    assert_eq!(after(&line(10, 3.0), 1), (Status::Stale, false));
    assert_eq!(after(&line(20, 2.0), 1), (Status::Running, true));
    assert_eq!(after("", 9), (Status::Stale, false));
    assert_eq!(after(&score(20), 0), (Status::Running, false));
    assert_eq!(after("", 1), (Status::Stale, false));
    // The last step is validated whatever its number.
    assert_eq!(after(&line(70, 1.0), 1), (Status::Running, true));
    let lines_are_from = |time| {
        let file = OpenOptions::new().append(true).open(&metrics).unwrap();
        file.set_modified(time).unwrap();
    };
    let seconds = Duration::from_secs(20);
    // A run that is stopped meanwhile is saved.
    fs::create_dir_all(path.join("checkpoints/step-00000070")).unwrap();
    fs::write(path.join("config.toml"), config.replace("70", "90")).unwrap();
    assert_eq!(after(&line(80, 1.0), 1), (Status::Running, true));
    lines_are_from(SystemTime::now() - seconds);
    fs::create_dir_all(path.join("checkpoints/step-00000080")).unwrap();
    assert_eq!(after("", 1), (Status::Stale, false));
    // One that is resumed writes its lines anew, and then takes the validation.
    lines_are_from(SystemTime::now() + seconds);
    assert_eq!(after("", 1), (Status::Running, true));
    // Lines of loss that come more rarely than validations.
    let rarely = config.replace("log_every = 10", "log_every = 30");
    fs::write(path.join("config.toml"), rarely.replace("70", "900")).unwrap();
    assert_eq!(after(&line(90, 1.0), 1), (Status::Running, false));
    // The next one comes before the next line of loss.
    let both = line(120, 1.0) + &score(120);
    assert_eq!(after(&both, 1), (Status::Running, false));
    // A checkpoint from before it is one of a run that goes on.
    lines_are_from(SystemTime::now() - seconds);
    fs::create_dir_all(path.join("checkpoints/step-00000120")).unwrap();
    assert_eq!(after("", 1), (Status::Running, false));
    // After that one, the line of loss comes first.
    assert_eq!(after(&score(140), 1), (Status::Stale, false));
}

/// The last step is no multiple of the steps between lines.
#[test]
fn the_last_line_of_loss_comes_before_the_last_validation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let config = "[train]\nsteps = 75\nbatch_size = 8\nlog_every = 10\nvalidate_every = 20\n";
    fs::write(path.join("config.toml"), config).unwrap();
    let later = SystemTime::now() + Duration::from_secs(3600);
    let mut followed = Followed::new(path);
    append(&path.join("metrics.jsonl"), &line(70, 2.0));
    followed.look(later, &never);
    assert_eq!(followed.run.status, Status::Stale);
    append(&path.join("metrics.jsonl"), &line(75, 1.0));
    followed.look(later, &never);
    assert_eq!(followed.run.status, Status::Running);
    assert!(followed.run.is_validating());
}

#[test]
fn a_stage_has_its_last_validation_before_the_next_ones_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let config = "[train]\nsteps = 20\nbatch_size = 8\nlog_every = 10\nvalidate_every = 10\n\
                  [[stages]]\n[[stages]]\n[stages.train]\nlog_every = 5\nvalidate_every = 4\n";
    fs::write(path.join("config.toml"), config).unwrap();
    let mut followed = Followed::new(path);
    let mut after = |text: &str| {
        append(&path.join("metrics.jsonl"), text);
        followed.look(SystemTime::now(), &never);
        let Plan {
            log_every,
            validate_every,
            ..
        } = followed.run.plan;
        (log_every, validate_every)
    };
    let score = |step: u64| format!("{{\"miou\":0.5,\"pixel_accuracy\":0.5,\"step\":{step}}}\n");
    let first = line(10, 3.0) + &score(10);
    assert_eq!(after(&first), (Some(10), Some(10)));
    assert_eq!(after(&line(20, 2.0)), (Some(5), Some(10)));
    assert_eq!(after(&score(20)), (Some(5), Some(4)));

    // A stage that is not validated at its end is followed by the next.
    for every in [0, 40] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let config = format!(
            "[train]\nsteps = 100\nbatch_size = 8\nlog_every = 50\nvalidate_every = {every}\n\
             [[stages]]\n[[stages]]\n[stages.train]\nvalidate_every = 20\n"
        );
        fs::write(path.join("config.toml"), config).unwrap();
        let mut followed = Followed::new(path);
        append(&path.join("metrics.jsonl"), &line(100, 3.0));
        followed.look(SystemTime::now(), &never);
        assert_eq!(followed.run.plan.validate_every, Some(20), "{every}");
    }
}

#[test]
fn a_foreign_configuration_makes_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let outer = folder.path().to_owned();
    fs::write(outer.join("config.toml"), "title = \"mine\"\n").unwrap();
    assert!(!is_run(&outer));
    // A run that has not written a line yet.
    let young = outer.join("young");
    fs::create_dir_all(young.join("checkpoints")).unwrap();
    fs::write(young.join("config.toml"), "[train]\n").unwrap();
    assert_eq!(discover(std::slice::from_ref(&outer)), [young]);
    fs::write(outer.join("run.lock"), "").unwrap();
    assert!(is_run(&outer));
}

#[test]
fn sample_pictures_are_listed_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let samples = folder.path().join("samples");
    fs::create_dir(&samples).unwrap();
    for name in [
        "step-00001200-a.png",
        "step-00000400-street-2-step-7.png",
        "step-00000400-a.png",
        "step-00000400.png",
        "a.png",
        "1.txt",
    ] {
        fs::write(samples.join(name), "").unwrap();
    }
    let mut followed = Followed::new(folder.path());
    followed.look(SystemTime::now(), &never);
    let found: Vec<(u64, &str)> = followed
        .run
        .samples
        .iter()
        .map(|s| (s.step, s.name.as_str()))
        .collect();
    assert_eq!(found, [(400, "a"), (400, "street-2-step-7"), (1200, "a")]);
}

#[test]
fn runs_inside_a_folder_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("metrics.jsonl"), "").unwrap();
        path
    };
    let (b, a) = (run("b"), run("a"));
    fs::create_dir(folder.path().join("other")).unwrap();
    let outer = folder.path().to_owned();
    assert!(is_run(&a) && !is_run(&outer));
    assert_eq!(discover(&[outer.clone(), b.clone()]), [a, b]);
    let missing = outer.join("missing");
    assert_eq!(discover(std::slice::from_ref(&missing)), [missing]);
}

/// Waits for the next update.
#[track_caller]
fn wait(watcher: &Watcher) -> Update {
    let start = Instant::now();
    loop {
        match watcher.poll() {
            Some(update) => return update,
            None if start.elapsed() > Duration::from_secs(20) => panic!("no update arrives"),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

#[test]
fn a_watcher_reports_changes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = folder.path().join("metrics.jsonl");
    append(&metrics, &line(1, 3.0));
    let folders = vec![folder.path().to_owned()];
    let (wakes, woken) = std::sync::mpsc::sync_channel(64);
    let period = Duration::from_millis(10);
    let watcher = Watcher::with_period(folders, period, move || {
        let _ = wakes.try_send(());
    })
    .unwrap();
    let Update::Runs(runs) = wait(&watcher) else {
        panic!("expected the runs first")
    };
    assert_eq!((runs.len(), runs[0].curves.last_step()), (1, 1));
    std::thread::sleep(20 * period);
    assert!(watcher.poll().is_none());
    append(&metrics, &line(2, 2.5));
    let Update::Run(0, run) = wait(&watcher) else {
        panic!("expected a changed run")
    };
    assert_eq!(run.curves.loss, [[1.0, 3.0], [2.0, 2.5]]);
    assert_eq!(woken.try_iter().count(), 2);

    // The folder disappears while it is being watched.
    fs::remove_dir_all(folder.path()).unwrap();
    let status = loop {
        if let Update::Run(0, run) = wait(&watcher)
            && let Status::Failed(text) = run.status
        {
            break text;
        }
    };
    assert!(
        status.contains(&*folder.path().to_string_lossy()),
        "{status}"
    );
}

#[test]
fn pictures_are_loaded_on_request_and_scaled_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.png");
    image::RgbImage::new(400, 100).save(&path).unwrap();
    let watcher = Watcher::new(vec![folder.path().to_owned()], || ()).unwrap();
    assert!(matches!(wait(&watcher), Update::Runs(_)));
    assert!(watcher.load(&path, 200));
    let Update::Picture(of, Ok(picture)) = wait(&watcher) else {
        panic!("expected a picture")
    };
    assert_eq!((of, picture.dimensions()), (path, (200, 50)));
    assert!(watcher.load(&folder.path().join("missing.png"), 200));
    let Update::Picture(_, Err(text)) = wait(&watcher) else {
        panic!("expected an error")
    };
    assert!(text.contains("missing.png"), "{text}");
}

#[test]
fn a_watcher_stops_when_dropped_even_if_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = folder.path().join("metrics.jsonl");
    let folders = vec![folder.path().to_owned()];
    let watcher = Watcher::with_period(folders, Duration::from_millis(1), || ()).unwrap();
    // More changes than fit into the channel.
    for step in 1..100 {
        append(&metrics, &line(step, 1.0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let start = Instant::now();
    drop(watcher);
    assert!(start.elapsed() < Duration::from_secs(5));
}
