//! Short races with tiny networks.

use super::*;
use crate::texts::Language;
use crate::train::objective::Objective;
use burn::tensor::Device;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A race that takes a second or two.
fn short(steps: u64) -> RaceConfig {
    RaceConfig {
        classes: 4,
        size: [16, 24],
        steps,
        measure_every: 2,
        held_out: 3,
        solver_steps: 2,
        batch_size: 2,
        network: NetworkSizes {
            patch_size: 8,
            hidden_size: 16,
            heads: 2,
            pixel_width: 4,
            transformer_blocks: 1,
            field_blocks: 1,
        },
        ..RaceConfig::default()
    }
}

/// Follows a race to its end.
fn follow(race: &Race, config: RaceConfig) -> (Option<Record>, Result<(), RaceError>) {
    let begin = Instant::now();
    let mut record: Option<Record> = None;
    loop {
        assert!(begin.elapsed() < Duration::from_secs(120), "timed out");
        match race.wait(Duration::from_millis(100)).unwrap() {
            None => {}
            Some(Event::Ready(held_out)) => record = Some(Record::new(config.clone(), held_out)),
            Some(Event::Snapshot(snapshot)) => {
                record.as_mut().unwrap().add(snapshot);
            }
            Some(Event::Ended(outcome)) => return (record, outcome),
        }
    }
}

fn run(config: RaceConfig) -> (Option<Record>, Result<(), RaceError>) {
    let race = Race::start(
        config.clone(),
        &Device::flex(),
        StartOptions::default(),
        || (),
    )
    .unwrap();
    follow(&race, config)
}

#[test]
fn both_sides_start_alike_and_part_by_their_objective_alone() {
    let (record, outcome) = run(short(5));
    outcome.unwrap();
    let record = record.unwrap();
    // At the start, after every second step and at the end.
    let steps: Vec<u64> = record.points[0].iter().map(|point| point.step).collect();
    assert_eq!(steps, [0, 2, 4, 5]);
    let [a, b] = &record.frames()[0];
    assert_eq!((&a.mask, a.miou, a.loss), (&b.mask, b.miou, None));
    assert!(a.states.is_empty() && a.targets.is_empty());
    let [a, b] = record.last().unwrap();
    assert_ne!(a.states, b.states);
    for side in [a, b] {
        assert_eq!(side.states.len(), 3);
        assert!(side.states.iter().all(|state| state.len() == 3 * 16 * 24));
        assert!(side.loss.is_some_and(f64::is_finite) && (0.0..=1.0).contains(&side.miou));
        assert!(side.gradient.is_some());
        assert!(side.traversals.trajectories > 0);
    }
    let held_out = &record.held_out;
    assert_eq!((held_out.classes.len(), held_out.truth.len()), (4, 16 * 24));
    assert_eq!((held_out.photo.width(), held_out.photo.height()), (24, 16));
}

#[test]
fn a_side_is_the_same_whatever_it_races_against() {
    let mut against_twin = short(3);
    against_twin.a.objective = Objective::CrossEntropy;
    let [usual, other] = [short(3), against_twin].map(|config| run(config).0.unwrap());
    let [a, b] = other.last().unwrap();
    assert_eq!(b.states, usual.last().unwrap()[1].states);
    // The twin takes one step, and its targets are centroids.
    assert_eq!(a.states.len(), 2);
    assert_eq!(a.targets, a.states[1]);
    assert!(a.gradient.is_none());
}

#[test]
fn races_are_repeatable_and_their_seeds_differ() {
    let seeded = |seed| {
        let config = RaceConfig { seed, ..short(3) };
        let record = run(config).0.unwrap();
        record
            .last()
            .unwrap()
            .each_ref()
            .map(|side| side.states.clone())
    };
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn pauses_single_steps_and_stops_are_obeyed() {
    let config = RaceConfig {
        measure_every: 100_000,
        ..short(1_000_000)
    };
    let race = Race::start(config, &Device::flex(), StartOptions::default(), || ()).unwrap();
    let steps = |race: &Race| loop {
        match race.wait(Duration::from_secs(60)).unwrap().unwrap() {
            Event::Snapshot(snapshot) if snapshot.side == 0 => return snapshot.step,
            Event::Ended(outcome) => panic!("{outcome:?}"),
            _ => {}
        }
    };
    assert_eq!(steps(&race), 0);
    race.single_step();
    let paused = steps(&race);
    assert!(race.paused() && paused > 0);
    race.single_step();
    assert_eq!(steps(&race), paused + 1);
    race.pause(false);
    while race.steps() == paused + 1 {
        std::thread::yield_now();
    }
    // Steps that have not been measured are when the race pauses.
    race.pause(true);
    assert!(steps(&race) > paused + 1);
    race.stop();
    loop {
        if let Ok(Some(Event::Ended(outcome))) = race.wait(Duration::from_secs(60)) {
            outcome.unwrap();
            break;
        }
    }
}

#[test]
fn a_race_pauses_where_it_is_asked_to() {
    let options = StartOptions {
        pause_at: Some(3),
        low_priority: true,
    };
    let race = Race::start(short(1000), &Device::flex(), options, || ()).unwrap();
    let mut last = 0;
    while let Some(event) = race.wait(Duration::from_secs(2)).unwrap() {
        if let Event::Snapshot(snapshot) = event {
            last = snapshot.step;
        }
    }
    assert_eq!((last, race.steps()), (3, 3));
}

/// A pause right after a measured step, in which nothing is left to be measured, does not count.
#[test]
fn the_seconds_of_a_race_leave_pauses_out() {
    let config = RaceConfig {
        measure_every: 1,
        ..short(1000)
    };
    let options = StartOptions {
        pause_at: Some(3),
        low_priority: false,
    };
    let race = Race::start(config, &Device::flex(), options, || ()).unwrap();
    let seconds_at = |step: u64| loop {
        match race.wait(Duration::from_secs(60)).unwrap().unwrap() {
            Event::Snapshot(found) if found.step == step => return found.seconds,
            Event::Ended(outcome) => panic!("{outcome:?}"),
            _ => {}
        }
    };
    let before = seconds_at(3);
    let pause = Duration::from_secs(2);
    std::thread::sleep(pause);
    race.single_step();
    let trained = seconds_at(4) - before;
    assert!(trained < 0.75 * pause.as_secs_f64(), "{trained} s");
}

#[test]
fn a_race_ends_by_time() {
    let config = RaceConfig {
        seconds: Some(1.0),
        ..short(1_000_000)
    };
    let (record, outcome) = run(config);
    outcome.unwrap();
    let last = record.unwrap().last().unwrap()[0].clone();
    assert!(
        last.step > 0 && (0.9..30.0).contains(&last.seconds),
        "{} {}",
        last.step,
        last.seconds
    );
}

#[test]
fn data_that_cannot_be_opened_ends_the_race_with_its_name() {
    let config = RaceConfig {
        data: Some("no-such-folder".into()),
        ..short(3)
    };
    let (record, outcome) = run(config);
    let error = outcome.unwrap_err().to_string();
    assert!(
        record.is_none() && error.contains("no-such-folder"),
        "{error}"
    );
}

#[test]
fn files_hold_the_measurements() {
    let (record, _) = run(short(4));
    let record = record.unwrap();
    let table = curves_csv(&record);
    let rows: Vec<&str> = table.lines().collect();
    // A header, and three measurements of two sides.
    assert_eq!(rows.len(), 7);
    assert!(rows[1].starts_with("0,a,vanilla,") && rows[6].starts_with("4,b,reshaped,"));
    let columns = |row: &str| row.split(',').count();
    assert!(rows.iter().all(|row| columns(row) == columns(rows[0])));
    let summary = summary(&record, true);
    assert_eq!(
        (&summary["step"], &summary["b"]["name"]),
        (&4.into(), &"reshaped".into())
    );
    assert!(summary["a"]["miou"].as_f64().is_some());

    // They may be replaced; a table and a summary of another program may not.
    let folder = tempfile::tempdir().unwrap();
    for (name, own, foreign) in [
        ("curves.csv", table.clone(), "step,mine\n"),
        ("race.json", summary.to_string(), "{\"step\": 1}"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, own).unwrap();
        keep_foreign(folder.path()).unwrap();
        std::fs::write(&path, foreign).unwrap();
        let error = keep_foreign(folder.path()).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        std::fs::remove_file(&path).unwrap();
    }

    let mut gif = Vec::new();
    let shares = std::cell::RefCell::new(Vec::new());
    let report = |share: f32| {
        shares.borrow_mut().push(share);
        true
    };
    animation(&record, Language::English, &mut gif, &report).unwrap();
    assert_eq!(shares.into_inner(), [1.0 / 3.0, 2.0 / 3.0, 1.0]);
    let cancelled = animation(&record, Language::English, &mut Vec::new(), &|_| false);
    assert!(matches!(cancelled, Err(RaceError::Cancelled)));
    let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(gif)).unwrap();
    assert_eq!(image::AnimationDecoder::into_frames(decoder).count(), 3);
    // The curves have the colours of both sides.
    let picture = curves(&record, Language::English).unwrap();
    for colour in chart::COLOURS {
        assert!(picture.pixels().any(|pixel| pixel.0 == colour));
    }
}

#[test]
fn a_long_race_keeps_evenly_spread_frames() {
    let (record, _) = run(short(1));
    let frame = record.as_ref().unwrap().last().unwrap().clone();
    let record = record.unwrap();
    let mut long = Record::new(record.config.clone(), record.held_out.clone());
    for step in 0..1000 {
        for side in &frame {
            let snapshot = Snapshot {
                step,
                ..Snapshot::clone(side)
            };
            assert_eq!(long.add(Arc::new(snapshot)), side.side == 1);
        }
        let steps: Vec<u64> = long.frames().iter().map(|[a, _]| a.step).collect();
        assert!(steps.len() <= 121 && steps[0] == 0 && steps.last() == Some(&step));
        let gaps: Vec<u64> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let (last, others) = gaps.split_last().unwrap_or((&0, &[]));
        assert!(
            others.windows(2).all(|pair| pair[0] == pair[1]),
            "{steps:?}"
        );
        assert!(others.first().is_none_or(|gap| last <= gap));
    }
    assert_eq!(long.points[0].len(), 1000);
}
