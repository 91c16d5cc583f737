//! Scoring runs: what is scored, and what predictions must not depend on.

use super::*;
use crate::data::{Dataset, SceneConfig};
use crate::flow::Source;
use crate::inference::{Look, Tiling};
use crate::model::{Model, testing};
use std::collections::BTreeMap;

fn model(source: Source) -> Model {
    testing::tiny(&data(1).classes().names, [16, 24], |card| {
        card.source = source;
    })
}

fn data(len: usize) -> Dataset {
    let config = SceneConfig {
        classes: 4,
        size: [20, 30],
        ..SceneConfig::default()
    };
    Dataset::scenes(config, len)
}

fn scores(model: &Model, scoring: &Scoring) -> Vec<Outcome> {
    score(model, &data(7), scoring, &mut |_| {}, &|| false).unwrap()
}

#[test]
fn outcomes_come_for_every_number_of_steps_and_resolution() {
    let scoring = Scoring {
        steps: vec![1, 3],
        resolutions: vec![Resolution::Label, Resolution::Network],
        batch: 2,
        ..Scoring::default()
    };
    let mut seen = Vec::new();
    let model = model(Source::Image);
    let outcomes = score(
        &model,
        &data(7),
        &scoring,
        &mut |s| seen.push((s.index, s.steps)),
        &|| false,
    )
    .unwrap();
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|o| (o.steps, o.resolution.name()))
        .collect();
    assert_eq!(
        kinds,
        [(1, "label"), (1, "network"), (3, "label"), (3, "network")]
    );
    seen.sort_unstable();
    let expected: Vec<_> = (0..7).flat_map(|i| [(i, 1), (i, 3)]).collect();
    assert_eq!(seen, expected);
    let pixels = |o: &Outcome| (0..4).map(|k| o.confusion.labelled(k)).sum::<u64>();
    // 2 % of the pixels have no label; the network sees 16 x 24 pixels of 20 x 30.
    assert!((4000..=4200).contains(&pixels(&outcomes[0])));
    assert!((2550..=2688).contains(&pixels(&outcomes[1])));
}

#[test]
fn neither_batch_nor_company_changes_a_prediction() {
    for source in [Source::Image, Source::Noise] {
        let model = model(source);
        let with = |batch, samples| {
            let mut labels = BTreeMap::new();
            let scoring = Scoring {
                steps: vec![2],
                batch,
                samples,
                ..Scoring::default()
            };
            let mut keep = |s: &ScoredPhoto| {
                labels.insert(s.index, s.prediction.to_vec());
            };
            score(&model, &data(7), &scoring, &mut keep, &|| false).unwrap();
            labels
        };
        let all = with(3, 0);
        assert_eq!(all.len(), 7);
        assert_eq!(with(1, 0), all, "{source:?}");
        let some = with(4, 3);
        assert_eq!(some.keys().copied().collect::<Vec<_>>(), [0, 2, 4]);
        assert!(
            some.iter().all(|(i, labels)| all[i] == *labels),
            "{source:?}"
        );
    }
}

#[test]
fn the_seed_moves_noise_and_nothing_else() {
    for (source, moves) in [(Source::Image, false), (Source::Noise, true)] {
        let model = model(source);
        let with = |seed| {
            let scoring = Scoring {
                steps: vec![2],
                seed,
                ..Scoring::default()
            };
            scores(&model, &scoring)[0].confusion.clone()
        };
        assert_eq!(with(1) != with(2), moves, "{source:?}");
    }
}

#[test]
fn a_stop_and_foreign_classes_end_it() {
    let scoring = Scoring::default();
    let model = model(Source::Image);
    let stopped = score(&model, &data(7), &scoring, &mut |_| {}, &|| true);
    assert!(matches!(stopped, Err(EvalError::Stopped)));
    let foreign = SceneConfig {
        classes: 5,
        ..SceneConfig::default()
    };
    let foreign = Dataset::scenes(foreign, 2);
    let error = score(&model, &foreign, &scoring, &mut |_| {}, &|| false).unwrap_err();
    assert!(
        error.to_string().contains("the model lacks: \"cyan"),
        "{error}"
    );
}

#[test]
fn a_stop_does_not_wait_for_a_flow_s_end() {
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 20
    };
    let scoring = Scoring {
        steps: vec![1_000_000],
        ..Scoring::default()
    };
    let stopped = score(
        &model(Source::Image),
        &data(7),
        &scoring,
        &mut |_| {},
        &stop,
    );
    assert!(matches!(stopped, Err(EvalError::Stopped)));
    assert!(asked.get() < 30);
}

#[test]
fn a_scale_changes_what_the_network_sees() {
    let model = model(Source::Image);
    let sizes = |scale| {
        let mut sizes = Vec::new();
        let scoring = Scoring {
            steps: vec![1],
            looks: Look::all(&[scale], false),
            ..Scoring::default()
        };
        let mut seen = |seen: &ScoredPhoto| sizes.push(seen.size);
        score(&model, &data(2), &scoring, &mut seen, &|| false).unwrap();
        sizes
    };
    assert_eq!(sizes(1.0), [[16, 24]; 2]);
    assert_eq!(sizes(2.0), [[32, 48]; 2]);
}

#[test]
fn several_looks_are_one_vote_at_the_first_size() {
    let model = model(Source::Image);
    let predictions = |looks: Vec<Look>| {
        let scoring = Scoring {
            steps: vec![1],
            looks,
            ..Scoring::default()
        };
        let mut found = Vec::new();
        let mut seen =
            |seen: &ScoredPhoto| found.push((seen.index, seen.size, seen.prediction.to_vec()));
        score(&model, &data(3), &scoring, &mut seen, &|| false).unwrap();
        found
    };
    let once = predictions(Look::all(&[1.0], false));
    // The same look twice changes nothing; a mirror image and other sizes do.
    assert_eq!(predictions(vec![Look::default(); 2]), once);
    let many = predictions(Look::all(&[1.0, 1.5, 0.5], true));
    assert_eq!(many.len(), 3);
    assert!(
        many.iter()
            .all(|(_, size, labels)| *size == [16, 24] && labels.len() == 16 * 24)
    );
}

#[test]
fn one_window_scores_as_the_whole_photo_does() {
    for source in [Source::Image, Source::Noise] {
        let model = model(source);
        let outcomes = |tiling: Tiling| {
            let scoring = Scoring {
                steps: vec![1, 2],
                looks: Look::all(&[1.0, 0.5], true),
                tiling,
                // Sums over photos depend on their order in floating point.
                batch: 1,
                ..Scoring::default()
            };
            let mut sizes = Vec::new();
            let mut seen = |seen: &ScoredPhoto| sizes.push(seen.size);
            let outcomes = score(&model, &data(3), &scoring, &mut seen, &|| false).unwrap();
            (outcomes, sizes)
        };
        let whole = outcomes(Tiling::Off);
        assert_eq!(outcomes(Tiling::Windows(1)), whole);
        let (_, sizes) = outcomes(Tiling::Windows(2));
        assert!(
            sizes
                .iter()
                .all(|[height, width]| *height > 16 && *width > 24)
        );
    }
}

#[test]
fn spread_indices_cover_the_range() {
    assert_eq!(spread(10, 0).len(), 10);
    assert_eq!(spread(10, 4), [0, 2, 5, 7]);
    assert_eq!(spread(3, 9), [0, 1, 2]);
    assert!(spread(0, 5).is_empty());
}

#[test]
fn a_photo_whose_votes_do_not_fit_into_memory_is_named() {
    for tiling in [Tiling::Off, Tiling::Auto] {
        let scoring = Scoring {
            looks: Look::all(&[1.0, 1000.0], false),
            tiling,
            ..Scoring::default()
        };
        let model = model(Source::Image);
        let refused = score(&model, &data(1), &scoring, &mut |_| {}, &|| false);
        assert!(
            matches!(refused, Err(EvalError::Windows { .. })),
            "{tiling}"
        );
    }
}
