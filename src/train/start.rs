//! What a run takes over from the card of the model that it starts from, and where its settings contradict that card.

use super::config::Config;
use crate::encoding::Order;
use crate::flow::Prediction;
use crate::model::Card;
use serde::Serialize;
use std::path::Path;

/// Gives the card of a fresh state what holds for the weights of the model or checkpoint at `path` as well: its licence, and
/// the recommended solver steps of the same kind of flow. A checkpoint without a card has none to take them from.
pub(super) fn inherit(own: &mut Card, path: &Path, start: Option<&Card>) {
    own.licence = licence(&own.licence, path, start);
    if let Some(start) = start
        && start.prediction == own.prediction
        && start.source == own.source
    {
        own.sampling_steps = start.sampling_steps;
    }
}

/// A licence note that includes that of the start. A note that the start's contains already is not repeated, so that
/// repeated runs on the same data do not lengthen it.
fn licence(own: &str, path: &Path, start: Option<&Card>) -> String {
    let of_start = start.map_or("", |card| card.licence.trim());
    if of_start.contains(own) {
        return of_start.to_owned();
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy();
    if of_start.is_empty() {
        format!("{own}; started from {name}, whose licence applies")
    } else {
        format!("{own}; started from {name}: {of_start}")
    }
}

/// The settings of points, prediction and source of which a card has another value, each with that value.
pub(super) fn differing_method(card: &Card, config: &Config) -> Vec<(&'static str, String)> {
    let order = if card.order.is_empty() {
        Order::Index
    } else {
        Order::Assigned
    };
    let prediction = match card.prediction {
        Prediction::Logits => "cross-entropy".to_owned(),
        Prediction::Posterior => "variational".to_owned(),
        prediction => word(prediction),
    };
    let rules = [
        (
            card.encoding == config.model.encoding,
            "model.encoding",
            word(card.encoding),
        ),
        (
            // With appended classes the points are those of the card.
            card.base_classes.is_some() || order == config.model.order,
            "model.order",
            word(order),
        ),
        (
            card.prediction == config.prediction(),
            "model.prediction or loss.objective",
            prediction,
        ),
        (
            card.source == config.flow.source,
            "flow.source",
            word(card.source),
        ),
    ];
    let differing = rules.into_iter().filter(|(same, ..)| !same);
    differing.map(|(_, key, value)| (key, value)).collect()
}

/// What is said of a model with this card that starts a run on the classes `names`, if it has them or the first of them
/// and the settings give its outputs another meaning.
pub(super) fn warning(card: &Card, config: &Config, names: &[String]) -> Option<String> {
    let card = card.with_classes(names)?;
    let mut differing = differing_method(&card, config);
    let dims = card.network.state_channels;
    // The outputs of a classifier are classes, wherever their points are.
    let is_classifier = card.prediction.is_one_step() && config.prediction().is_one_step();
    if is_classifier {
        differing.retain(|(key, _)| !["model.encoding", "model.order"].contains(key));
    }
    // It ignores further channels of the state; for fewer, its first layers start fresh.
    let ignores_dims = is_classifier && dims < config.model.code_dims;
    if dims != config.model.code_dims && !ignores_dims {
        differing.push(("model.code_dims", dims.to_string()));
    }
    let (first, _) = differing.first()?;
    let values: Vec<String> = differing
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    Some(format!(
        "its weights were trained with {}, and the settings differ: what the model knows of its classes is lost unless you \
         set {} as there",
        values.join(", "),
        if differing.len() == 1 {
            *first
        } else {
            "these"
        }
    ))
}

/// A value of few words as a configuration spells it, without quotes.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Source;
    use crate::model::config::NetworkConfig;
    use crate::model::tensors::Precision;
    use crate::model::{self, Model};
    use crate::run_format::MODEL;
    use crate::train::{self, Event};
    use burn::tensor::Device;

    fn card(licence: &str) -> Card {
        let network = NetworkConfig::miniature();
        Card {
            licence: licence.to_owned(),
            sampling_steps: Some(3),
            ..Card::of_network(&network)
        }
    }

    #[test]
    fn the_licence_of_the_start_is_named_once() {
        let own = |data: &str| format!("trained by flowseg on {data}; the data's licence applies");
        let path = Path::new("models/street.safetensors");
        let first = licence(&own("a"), path, Some(&card("research use")));
        let expected = format!(
            "{}; started from street.safetensors: research use",
            own("a")
        );
        assert_eq!(first, expected);
        assert_eq!(licence(&own("a"), path, Some(&card(&first))), first);
        let other = licence(&own("b"), path, Some(&card(&first)));
        assert!(
            other.starts_with(&own("b")) && other.ends_with(&first),
            "{other}"
        );
        for start in [None, Some(&card(" "))] {
            let text = licence(&own("a"), path, start);
            assert!(text.ends_with("street.safetensors, whose licence applies"));
        }
    }

    #[test]
    fn solver_steps_are_those_of_the_same_kind_of_flow() {
        let start = card("research use");
        for (source, expected) in [(start.source, Some(3)), (Source::Image, None)] {
            let mut own = Card {
                source,
                sampling_steps: None,
                ..card("own")
            };
            inherit(&mut own, Path::new("scenes"), Some(&start));
            assert_eq!(own.sampling_steps, expected);
        }
    }

    #[test]
    fn a_start_whose_points_the_settings_move_is_told() {
        let names = ["sky", "road", "bus"].map(str::to_owned);
        let of_start = Card {
            classes: names[..2].to_vec(),
            order: vec![1, 0],
            source: Source::Image,
            ..card("")
        };
        let told = |card: &Card, sets: &[&str], names: &[String]| {
            let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
            warning(card, &Config::parse("", &sets).unwrap(), names).unwrap_or_default()
        };
        let two = &names[..2];
        assert_eq!(told(&of_start, &["model.order=assigned"], two), "");
        // Points of appended classes are those of the card.
        assert_eq!(told(&of_start, &[], &names), "");
        let moved = told(&of_start, &[], two);
        assert!(moved.contains("model.order = assigned, and"), "{moved}");
        assert!(moved.contains("set model.order as there"), "{moved}");
        let by_index = Card {
            order: Vec::new(),
            ..of_start.clone()
        };
        let moved = told(&by_index, &["model.order=assigned"], two);
        assert!(moved.contains("model.order = index"), "{moved}");
        let other = told(
            &by_index,
            &["flow.source=noise", "loss.objective=variational"],
            two,
        );
        for part in ["= velocity, flow.source = image, and", "set these as there"] {
            assert!(other.contains(part), "{other}");
        }
        // The outputs of a classifier do not depend on points.
        let classifier = Card {
            prediction: Prediction::Logits,
            ..by_index
        };
        let moved = [
            "loss.objective=cross-entropy",
            "model.order=assigned",
            "model.encoding=random",
        ];
        let further = [&moved[..], &["model.code_dims=5"]].concat();
        assert_eq!(told(&classifier, &further, two), "");
        // Its first layers have other sizes where the state has fewer channels.
        let mut wide = classifier;
        wide.network.state_channels = 5;
        let fewer = told(&wide, &moved, two);
        assert!(fewer.contains("with model.code_dims = 5, and"), "{fewer}");
        // Other classes have other points anyway.
        assert_eq!(told(&of_start, &[], &names[1..]), "");
    }

    #[test]
    fn a_model_that_is_not_validated_keeps_licence_and_solver_steps_of_its_start() {
        let root = tempfile::tempdir().unwrap();
        let run = |name: &str, toml: &str, more: &[&str]| {
            let short = [
                "data.path=scenes:3@16x24",
                "train.warmup=1",
                "train.validate_samples=2",
            ];
            let config = train::testing::config(toml, &[&short[..], more].concat());
            let (out, report) = (root.path().join(name), &mut |_: Event| ());
            train::run(&config, &out, false, &Device::flex(), report, &|| false).unwrap();
            model::file::read(&out.join(MODEL), &Device::flex()).unwrap()
        };
        // Its last stage is not validated.
        let toml = "train.validate_every = 1\ntrain.validate_steps = 2\n[[stages]]\ntrain.steps = 1\n[[stages]]\n\
                    train.steps = 1\ntrain.validate_every = 0\n";
        let first: Model = run("first", toml, &[]);
        assert_eq!(first.card.sampling_steps, Some(2));
        let mut restricted = first;
        restricted.card.licence = "research use".to_owned();
        let path = root.path().join("start.safetensors");
        model::file::write(&path, &restricted, Precision::Half).unwrap();
        let init = format!("model.init={}", path.display());
        let more = ["train.steps=1", "train.validate_every=0", init.as_str()];
        let second = run("second", "", &more).card;
        assert_eq!(second.sampling_steps, Some(2));
        assert!(
            second
                .licence
                .ends_with("started from start.safetensors: research use")
        );
    }
}
