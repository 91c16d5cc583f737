//! The graphs as messages. That they compute what the program does is for `.ci/onnx`, with onnxruntime.

use super::*;
use crate::model::tensors::Precision;
use crate::model::testing;
use crate::model::vit::VitConfig;
use burn::tensor::Device;
use std::collections::HashSet;

/// The fields of a message: numbers, wire types, and integers or bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let (value, rest) = match key & 7 {
            0 => {
                found.push((key >> 3, varint(&mut bytes), &[][..]));
                continue;
            }
            2 => {
                let len = varint(&mut bytes) as usize;
                bytes.split_at(len)
            }
            5 => bytes.split_at(4),
            kind => panic!("wire type {kind}"),
        };
        found.push((key >> 3, 0, value));
        bytes = rest;
    }
    found
}

fn of<'a>(fields: &[(u64, u64, &'a [u8])], number: u64) -> Vec<&'a [u8]> {
    let wanted = fields.iter().filter(|(field, ..)| *field == number);
    wanted.map(|(_, _, value)| *value).collect()
}

fn names<'a>(fields: &[(u64, u64, &'a [u8])], number: u64) -> Vec<&'a str> {
    let texts = of(fields, number).into_iter();
    texts
        .map(|text| std::str::from_utf8(text).unwrap())
        .collect()
}

/// A model with everything that a network can have.
fn everything(prediction: Prediction, source: Source) -> Model {
    testing::tiny(&["a", "b", "c"], [8, 12], |card| {
        card.prediction = prediction;
        card.source = source;
        card.network.stem_width = 4;
        card.network.patch_output = true;
        card.network.encoder = Some(VitConfig {
            width: 12,
            heads: 3,
            blocks: 3,
            mlp_width: 16,
            patch_size: 7,
            side: 3,
            registers: 2,
            layers: vec![1, 3],
            int8: true,
        });
    })
}

/// Inputs and outputs of a graph whose nodes use nothing before it is there.
fn checked(file: &[u8]) -> (Vec<String>, Vec<String>) {
    let model = fields(file);
    let graph = fields(of(&model, 7)[0]);
    let declared = |number: u64| -> Vec<String> {
        let infos = of(&graph, number).into_iter();
        infos
            .map(|info| names(&fields(info), 1)[0].to_owned())
            .collect()
    };
    let (inputs, outputs) = (declared(11), declared(12));
    let mut there: HashSet<String> = inputs.iter().cloned().collect();
    for tensor in of(&graph, 5) {
        let tensor = fields(tensor);
        let name = names(&tensor, 8)[0];
        let elements: u64 = tensor.iter().filter(|f| f.0 == 1).map(|f| f.1).product();
        let kind = tensor.iter().find(|f| f.0 == 2).unwrap().1;
        let width = match kind {
            1 => 4,
            3 => 1,
            7 => 8,
            other => panic!("{name} has elements of type {other}"),
        };
        assert_eq!(of(&tensor, 9)[0].len() as u64, elements * width, "{name}");
        assert!(there.insert(name.to_owned()), "{name} is there twice");
    }
    let mut used = HashSet::new();
    for node in of(&graph, 1) {
        let node = fields(node);
        for input in names(&node, 1).into_iter().filter(|name| !name.is_empty()) {
            assert!(there.contains(input), "{input} of {:?}", names(&node, 4));
            used.insert(input);
        }
        for output in names(&node, 2) {
            assert!(there.insert(output.to_owned()), "{output} is there twice");
        }
    }
    let constants = of(&graph, 5).into_iter();
    let constants = constants.map(|tensor| names(&fields(tensor), 8)[0]);
    for name in constants.chain(inputs.iter().map(String::as_str)) {
        assert!(used.contains(name), "{name} is not used");
    }
    assert!(outputs.iter().all(|output| there.contains(output)));
    (inputs, outputs)
}

#[test]
fn graphs_are_whole_and_use_all_their_inputs() {
    for prediction in [
        Prediction::Velocity,
        Prediction::Target,
        Prediction::Logits,
        Prediction::Posterior,
    ] {
        let model = everything(prediction, Source::Image);
        let (inputs, outputs) = checked(&export_graph(&model, Graph::Flow { steps: 3 }).unwrap());
        assert_eq!(inputs, ["photo"]);
        assert_eq!(outputs, ["state", "probabilities", "labels"]);
        let (inputs, outputs) = checked(&export_graph(&model, Graph::Velocity).unwrap());
        let has_step = prediction != Prediction::Velocity;
        let expected = ["state", "t", "photo", "features", "h"];
        assert_eq!(inputs, expected[..4 + usize::from(has_step)]);
        assert_eq!(outputs, ["velocity"]);
        let (inputs, outputs) = checked(&export_graph(&model, Graph::Encoder).unwrap());
        assert_eq!(
            (inputs, outputs),
            (vec!["photo".into()], vec!["features".into()])
        );
    }
    let model = everything(Prediction::Velocity, Source::Noise);
    let (inputs, _) = checked(&export_graph(&model, Graph::Flow { steps: 1 }).unwrap());
    assert_eq!(inputs, ["photo", "noise"]);
}

#[test]
fn a_network_without_an_encoder_says_so() {
    let model = testing::tiny(&["a", "b"], [8, 8], |_| ());
    let error = export_graph(&model, Graph::Encoder).unwrap_err();
    assert!(error.to_string().contains("no image encoder"), "{error}");
    let (inputs, _) = checked(&export_graph(&model, Graph::Velocity).unwrap());
    assert_eq!(inputs, ["state", "t", "photo"]);
}

#[test]
fn the_metadata_says_how_to_use_it() {
    let model = everything(Prediction::Velocity, Source::Image);
    let file = export_graph(&model, Graph::Flow { steps: 4 }).unwrap();
    let file = fields(&file);
    let entries: std::collections::HashMap<&str, &str> = of(&file, 14)
        .into_iter()
        .map(|entry| {
            let entry = fields(entry);
            (names(&entry, 1)[0], names(&entry, 2)[0])
        })
        .collect();
    assert_eq!(entries["flowseg.graph"], "flow");
    assert_eq!(entries["flowseg.steps"], "4");
    assert_eq!(entries["flowseg.classes"], r#"["a","b","c"]"#);
    let points: Vec<Vec<f64>> = serde_json::from_str(entries["flowseg.centroids"]).unwrap();
    assert_eq!(points[1], model.centroids().code(1));
    assert!(entries["flowseg.preprocessing"].contains("multiples of 4"));
}

#[test]
fn a_classifier_takes_one_step_in_every_graph() {
    let model = everything(Prediction::Logits, Source::Image);
    for graph in [Graph::Flow { steps: 9 }, Graph::Velocity, Graph::Encoder] {
        let file = export_graph(&model, graph).unwrap();
        let text = String::from_utf8_lossy(&file);
        assert!(text.contains("flowseg.steps\u{12}\u{1}1"), "{graph:?}");
    }
}

#[test]
fn a_model_that_stretches_photos_says_so() {
    for (fit, words) in [
        (
            Fit::Aspect,
            "about 8 x 12 pixels in all, in the photo's own shape;",
        ),
        (
            Fit::Stretch,
            "to exactly 8 x 12 pixels, whatever its own shape;",
        ),
    ] {
        let model = testing::tiny(&["a", "b"], [8, 12], |card| card.fit = fit);
        let file = export_graph(&model, Graph::Flow { steps: 1 }).unwrap();
        assert!(String::from_utf8_lossy(&file).contains(words), "{fit:?}");
    }
}

#[test]
fn a_size_that_a_graph_cannot_take_is_refused() {
    let exported = |fit, size| {
        let model = testing::tiny(&["a", "b"], size, |card| card.fit = fit);
        export_graph(&model, Graph::Velocity)
    };
    let patch = testing::tiny(&["a", "b"], [8, 12], |_| ())
        .card
        .network
        .patch_size;
    let odd = [2 * patch, 3 * patch + 1];
    let error = exported(Fit::Stretch, odd).unwrap_err().to_string();
    let words = format!("exactly {} x {} pixels", odd[0], odd[1]);
    assert!(error.contains(&words) && !error.contains('\n'), "{error}");
    assert!(exported(Fit::Stretch, [2 * patch, 3 * patch]).is_ok());
    // Photos in their own shape are resized to whole patches near this size.
    assert!(exported(Fit::Aspect, odd).is_ok());
}

#[test]
fn matrices_are_bytes_only_where_nothing_is_rounded() {
    let checkpoint = everything(Prediction::Velocity, Source::Image);
    let stored = checkpoint.to_bytes(Precision::Half).unwrap();
    let stored = Model::from_bytes(&stored, &Device::flex()).unwrap();
    for (model, are_bytes) in [(&checkpoint, false), (&stored, true)] {
        let file = export_graph(model, Graph::Encoder).unwrap();
        checked(&file);
        let file = fields(&file);
        let graph = fields(of(&file, 7)[0]);
        let mut tensors = of(&graph, 5).into_iter();
        let is_bytes = |tensor: &[u8]| {
            let element = fields(tensor).into_iter().find(|field| field.0 == 2);
            element.is_some_and(|(_, element, _)| element == Element::Int8 as u64)
        };
        assert_eq!(tensors.any(is_bytes), are_bytes);
    }
}

#[test]
fn samples_have_the_names_of_the_graphs() {
    let model = everything(Prediction::Posterior, Source::Image);
    for graph in [Graph::Flow { steps: 2 }, Graph::Velocity, Graph::Encoder] {
        let (inputs, outputs) = checked(&export_graph(&model, graph).unwrap());
        let samples = expected(&model, graph, None, [12, 8]);
        for name in inputs.iter().chain(&outputs) {
            let tensor = &samples[name];
            let elements: usize = tensor.shape.iter().product();
            assert_eq!(tensor.data.len(), elements, "{name}");
        }
    }
}
