//! Comparisons with values computed by reference implementations.

use super::check::{Check, VerifyError, get, json, max_error, read_tensors, stem, unknown};
use crate::encoding::Centroids;
use crate::eval::Confusion;
use crate::kernels;
use crate::model::dinov2::Dinov2;
use crate::model::network::{Network, Query};
use crate::model::tensors::{Tensors, read};
use crate::potential::{Operator, Potential};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::path::Path;

/// Compares a network with a fixture's `velocity` and `cond_block.N` for its inputs `x`, `t`, `y`.
///
/// # Errors
/// If the fixture lacks its inputs.
pub fn pixnerd(
    path: &Path,
    expected: &Tensors,
    network: &Network,
    cpu: bool,
) -> Result<Vec<Check>, VerifyError> {
    let limit = if cpu { 1e-4 } else { 1e-3 };
    let x = get(path, expected, "x")?;
    let shape: [usize; 4] = x.shape[..]
        .try_into()
        .map_err(|_| unknown(path, format!("x has {} axes", x.shape.len())))?;
    let classes = get(path, expected, "y")?
        .data
        .iter()
        .map(|&c| c as usize)
        .collect();
    let query = Query {
        state: Tensor::from_data(TensorData::new(x.data.clone(), shape), &network.device()),
        times: get(path, expected, "t")?.data.clone(),
        image: None,
        features: None,
        classes: Some(classes),
    };
    let mut blocks = Vec::new();
    let velocity = network.forward_observed(query, |i, tokens| blocks.push((i, tokens.clone())));
    let mut checks = Vec::new();
    let name = |part: &str| format!("{} {part}", stem(path).display());
    for (i, tokens) in blocks {
        let part = format!("cond_block.{i}");
        let error = max_error(&read(tokens), &get(path, expected, &part)?.data);
        checks.push(Check {
            name: name(&part),
            error,
            limit,
        });
    }
    let error = max_error(&read(velocity), &get(path, expected, "velocity")?.data);
    checks.push(Check {
        name: name("velocity"),
        error,
        limit,
    });
    Ok(checks)
}

/// Checks centroids, and on the device the potential and its gradient for every operator,
/// temperature and N.
pub(super) fn potential(
    path: &Path,
    expected: &Tensors,
    device: &Device,
) -> Result<Vec<Check>, VerifyError> {
    let json = json(path)?;
    let epsilon = json["epsilon"]
        .as_f64()
        .ok_or_else(|| unknown(path, "no epsilon in its JSON"))?;
    let mut checks = Vec::new();
    for (name, reference) in expected {
        // KIND.OPERATOR.tauT.N, where T may contain a dot.
        let kind = name.split('.').next().unwrap_or_default();
        if kind != "grad" && kind != "phi" {
            continue;
        }
        let Some((operator, temperature, n)) = parse_name(name) else {
            return Err(unknown(path, format!("cannot read the name {name}")));
        };
        let centroids = Centroids::kronecker(n);
        let points = get(path, expected, &format!("x.{n}"))?;
        let labels = get(path, expected, &format!("label.{n}"))?;
        let potential = Potential {
            operator,
            temperature,
            epsilon,
        };
        let count = labels.data.len();
        let labels: Vec<i32> = labels.data.iter().map(|&l| l as i32).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [count]), device);
        let x = TensorData::new(points.data.clone(), [count, 3]);
        let x = Tensor::<2>::from_data(x, device);
        let found = if kind == "phi" {
            read(kernels::reference::potential::value(
                x, labels, &centroids, potential,
            ))
        } else {
            let planar = x.transpose().reshape([1, 3, 1, count]);
            let labels = labels.reshape([1, 1, count]);
            let gradient = kernels::potential_gradient(planar, labels, &centroids, potential);
            read(gradient.reshape([3, count]).transpose())
        };
        let mut error = if found.len() == reference.data.len() {
            0.0
        } else {
            f64::INFINITY
        };
        for (&found, &expected) in found.iter().zip(&reference.data) {
            let relative =
                f64::from((found - expected).abs()) / f64::from(expected.abs()).max(0.01);
            error = if relative.is_nan() {
                f64::INFINITY
            } else {
                relative.max(error)
            };
        }
        checks.push(Check {
            name: format!("{name} (relative)"),
            error,
            limit: 1e-3,
        });
    }
    for (name, points) in expected.iter().filter(|(k, _)| k.starts_with("centroids.")) {
        let n = points.shape.first().copied().unwrap_or(0);
        let found = Centroids::kronecker(n).flat_f32();
        let error = max_error(&found, &points.data);
        checks.push(Check {
            name: format!("{name} (single precision)"),
            error,
            limit: 1e-7,
        });
    }
    Ok(checks)
}

fn parse_name(name: &str) -> Option<(Operator, f64, usize)> {
    let (_, rest) = name.split_once('.')?;
    let (operator, rest) = rest.split_once(".tau")?;
    let (temperature, n) = rest.rsplit_once('.')?;
    let operator = match operator {
        "log" => Operator::Log,
        "sqrt" => Operator::Sqrt,
        "linear" => Operator::Linear,
        _ => return None,
    };
    Some((operator, temperature.parse().ok()?, n.parse().ok()?))
}

/// Checks a confusion matrix and all scores derived from it.
pub(super) fn miou(path: &Path, expected: &Tensors) -> Result<Vec<Check>, VerifyError> {
    let json = json(path)?;
    let field = |name: &str| {
        json[name]
            .as_f64()
            .ok_or_else(|| unknown(path, format!("no {name} in its JSON")))
    };
    let ignore = field("ignore")? as u16;
    let labels = |name: &str| -> Result<Vec<u16>, VerifyError> {
        let values = get(path, expected, name)?.data.iter().map(|&v| v as u16);
        Ok(values
            .map(|v| {
                if v == ignore {
                    crate::labels::IGNORE
                } else {
                    v
                }
            })
            .collect())
    };
    let mut confusion = Confusion::new(field("classes")? as usize);
    confusion.add(&labels("ground_truth")?, &labels("prediction")?);
    let scores = confusion.scores();
    let mut checks = vec![
        (
            "miou",
            scores.miou.unwrap_or(f64::NAN),
            field("miou_over_classes_with_union")?,
        ),
        (
            "pixel_accuracy",
            scores.pixel_accuracy.unwrap_or(f64::NAN),
            field("pixel_accuracy")?,
        ),
    ];
    let expected: Vec<f64> = json["iou"]
        .as_array()
        .map(|values| values.iter().map(|v| v.as_f64().unwrap_or(0.0)).collect())
        .ok_or_else(|| unknown(path, "no iou in its JSON"))?;
    for (found, expected) in scores.iou.iter().zip(expected) {
        checks.push(("iou", found.unwrap_or(0.0), expected));
    }
    Ok(checks
        .into_iter()
        .map(|(name, found, expected)| Check {
            name: name.to_owned(),
            error: (found - expected).abs(),
            limit: 1e-12,
        })
        .collect())
}

/// Checks the resized photo and the patch tokens of a DINOv2, relative to their root mean square.
pub(super) fn dinov2(
    path: &Path,
    expected: &Tensors,
    weights: &Path,
    device: &Device,
) -> Result<Vec<Check>, VerifyError> {
    let heads = json(path).ok();
    let heads = heads.and_then(|json| Some(json["num_attention_heads"].as_u64()? as usize));
    let encoder = Dinov2::new(read_tensors(weights)?, heads, device).map_err(|source| {
        VerifyError::Teacher {
            path: weights.to_owned(),
            source,
        }
    })?;
    let image = get(path, expected, "image")?;
    let shape: [usize; 4] = image.shape[..]
        .try_into()
        .map_err(|_| unknown(path, format!("image has {} axes", image.shape.len())))?;
    let image = Tensor::<4>::from_data(TensorData::new(image.data.clone(), shape), device);
    let prepared = encoder.prepare(image);
    let tokens = encoder.patch_tokens(prepared.clone());
    let mut checks = Vec::new();
    for (name, found) in [
        ("normalized_resized", read(prepared)),
        ("patch_tokens", read(tokens)),
    ] {
        let expected = &get(path, expected, name)?.data;
        let squares: f64 = expected.iter().map(|v| f64::from(*v).powi(2)).sum();
        let size = (squares / expected.len().max(1) as f64).sqrt();
        checks.push(Check {
            name: format!("{} {name} (relative)", stem(path).display()),
            error: max_error(&found, expected) / size,
            limit: 1e-3,
        });
    }
    Ok(checks)
}
