//! Checks of this machine's arithmetic: a device against the CPU, and both against numbers computed
//! by reference implementations.

use crate::encoding::Centroids;
use crate::eval::Confusion;
use crate::files::{self, FileError};
use crate::kernels;
use crate::model::config::NetworkConfig;
use crate::model::import::{self, ImportError, Weights};
use crate::model::network::{Network, Query};
use crate::model::tensors::{self, HostTensor, Tensors, TensorsError, read};
use crate::potential::{Operator, Potential};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::fmt;
use std::path::{Path, PathBuf};

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was compared.
    pub name: String,
    /// The largest error found.
    pub error: f64,
    /// The largest error allowed.
    pub limit: f64,
}

impl Check {
    /// Whether the error is within its limit. No number at all is a failure.
    pub fn passed(&self) -> bool {
        self.error <= self.limit
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed() { "ok" } else { "FAILED" };
        let Self { name, error, limit } = self;
        write!(
            f,
            "{name}: max error {error:.3e} (limit {limit:.0e}) {verdict}"
        )
    }
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A damaged file.
    #[error("{}: {source}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TensorsError,
    },
    /// Weights of something else.
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ImportError,
    },
    /// A fixture of no known kind, or an incomplete one.
    #[error("{} is no fixture of a known kind ({reason}): potential, miou and pixnerd are known", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
}

/// The largest absolute difference; infinite for different lengths or anything that is no number.
pub fn max_error(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let differences = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(
        0.0,
        |m, d| if d.is_nan() { f64::INFINITY } else { m.max(d) },
    )
}

/// Reads a safetensors or PyTorch file, told apart by content.
///
/// # Errors
/// Files that are neither.
pub fn read_tensors(path: &Path) -> Result<Tensors, VerifyError> {
    let bytes = files::read(path)?;
    let failed = |source| VerifyError::Tensors {
        path: path.to_owned(),
        source,
    };
    // A zip archive or a bare pickle; a safetensors file starts with the length of its header.
    if bytes.starts_with(b"PK") || bytes.starts_with(&[0x80]) {
        tensors::from_pytorch(path).map_err(failed)
    } else {
        tensors::from_safetensors(&bytes)
            .map(|(tensors, _)| tensors)
            .map_err(failed)
    }
}

/// Checks a fixture, its kind told by its contents. `weights` names the weights where they don't
/// stand beside it.
///
/// # Errors
/// Files that can't be read or are of no known kind.
pub fn fixture(
    path: &Path,
    weights: Option<&Path>,
    device: &Device,
    cpu: bool,
) -> Result<Vec<Check>, VerifyError> {
    let found = read_tensors(path)?;
    if found.contains_key("ground_truth") {
        miou(path, &found)
    } else if found.keys().any(|k| k.starts_with("phi.")) {
        potential(path, &found, device)
    } else if found.contains_key("velocity") {
        let beside = stem(path).with_extension("weights.safetensors");
        let weights = weights.unwrap_or(&beside);
        let (config, tensors) =
            import::pixnerd(read_tensors(weights)?, Weights::Ema).map_err(|source| {
                VerifyError::Import {
                    path: weights.to_owned(),
                    source,
                }
            })?;
        let network = Network::new(&config, 0, device);
        let network = tensors::import(network, tensors).map_err(|source| VerifyError::Tensors {
            path: weights.to_owned(),
            source,
        })?;
        pixnerd(path, &found, &network, cpu)
    } else {
        Err(unknown(path, "none of their tensors is in it"))
    }
}

fn unknown(path: &Path, reason: impl Into<String>) -> VerifyError {
    VerifyError::Unknown {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// `DIR/NAME` of `DIR/NAME.safetensors` or `DIR/NAME.expected.safetensors`.
fn stem(path: &Path) -> PathBuf {
    let bare = path.with_extension("");
    if bare.extension().is_some_and(|e| e == "expected") {
        bare.with_extension("")
    } else {
        bare
    }
}

fn get<'a>(path: &Path, tensors: &'a Tensors, name: &str) -> Result<&'a HostTensor, VerifyError> {
    tensors
        .get(name)
        .ok_or_else(|| unknown(path, format!("no tensor {name}")))
}

fn json(path: &Path) -> Result<serde_json::Value, VerifyError> {
    let path = stem(path).with_extension("json");
    serde_json::from_slice(&files::read(&path)?).map_err(|e| unknown(&path, e.to_string()))
}

/// Compares a network with a fixture's `velocity` and `cond_block.N` for its inputs `x`, `t`, `y`.
///
/// # Errors
/// A fixture without its inputs.
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

/// Centroids, and on the device the potential and its gradient for every operator, temperature
/// and N.
fn potential(path: &Path, expected: &Tensors, device: &Device) -> Result<Vec<Check>, VerifyError> {
    let json = json(path)?;
    let epsilon = json["epsilon"]
        .as_f64()
        .ok_or_else(|| unknown(path, "no epsilon in its JSON"))?;
    let mut checks = Vec::new();
    for (name, reference) in expected {
        // KIND.OPERATOR.tauT.N, where T may hold a point.
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
            read(kernels::potential_value(x, labels, &centroids, potential))
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

fn miou(path: &Path, expected: &Tensors) -> Result<Vec<Check>, VerifyError> {
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
            .map(|v| if v == ignore { crate::data::IGNORE } else { v })
            .collect())
    };
    let mut confusion = Confusion::new(field("classes")? as usize);
    confusion.add(&labels("ground_truth")?, &labels("prediction")?);
    let scores = confusion.scores();
    let mut checks = vec![
        ("miou", scores.miou, field("miou_over_classes_with_union")?),
        (
            "pixel_accuracy",
            scores.pixel_accuracy,
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

/// Compares a device with the CPU on the project's kernels and on a small network, forward and
/// backward.
pub fn against_cpu(device: &Device) -> Vec<Check> {
    let cpu = Device::flex();
    let mut checks = Vec::new();
    let mut check = |name: &str, limit: f64, run: &dyn Fn(&Device) -> Vec<f32>| {
        let (found, expected) = (run(device), run(&cpu));
        let scale = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
        let error = max_error(&found, &expected) / f64::from(scale);
        checks.push(Check {
            name: name.to_owned(),
            error,
            limit,
        });
    };
    for operator in Operator::ALL {
        check(
            &format!("potential gradient {operator:?}"),
            1e-3,
            &|device| {
                let potential = Potential {
                    operator,
                    temperature: 1.0,
                    epsilon: 1e-2,
                };
                let x = crate::model::noise([2, 3, 8, 9], 1, device);
                let labels: Vec<i32> = (0..144).map(|i| i % 13 - 1).collect();
                let labels = Tensor::from_data(TensorData::new(labels, [2, 8, 9]), device);
                read(kernels::potential_gradient(
                    x,
                    labels,
                    &Centroids::kronecker(11),
                    potential,
                ))
            },
        );
    }
    check("neural field", 1e-4, &|device| {
        let [z, w, n] = field_inputs(device);
        read(kernels::neural_field(
            z.reshape([5, 16, 8]),
            w.reshape([5, 256]),
            n.reshape([8]),
        ))
    });
    for (i, name) in ["state", "weights", "norm"].into_iter().enumerate() {
        check(
            &format!("neural field, gradient of the {name}"),
            1e-4,
            &|device| {
                let inputs = field_inputs(&device.clone().autodiff());
                let inputs = inputs.map(|x| x.require_grad());
                let [z, w, n] = inputs.clone();
                let out = kernels::neural_field(
                    z.reshape([5, 16, 8]),
                    w.reshape([5, 256]),
                    n.reshape([8]),
                );
                let gradients = out.square().sum().backward();
                inputs[i].grad(&gradients).map_or(Vec::new(), read)
            },
        );
    }
    check("a small network", 1e-3, &|device| {
        let config = NetworkConfig::miniature();
        let network = Network::new(&config, 7, device);
        // Fresh modulation is zero, which would leave most of the network out.
        let mut tensors = tensors::export(&network);
        for (i, tensor) in tensors.values_mut().enumerate() {
            for (j, v) in tensor.data.iter_mut().enumerate() {
                *v += 0.05 * ((i * 31 + j * 17) % 23) as f32 / 23.0 - 0.025;
            }
        }
        let Ok(network) = tensors::import(network, tensors) else {
            return Vec::new();
        };
        read(network.forward(Query {
            state: crate::model::noise([2, 3, 16, 24], 3, device),
            times: vec![0.2, 0.9],
            image: Some(crate::model::noise([2, 3, 16, 24], 4, device)),
            classes: None,
        }))
    });
    checks
}

fn field_inputs(device: &Device) -> [Tensor<4>; 3] {
    [
        crate::model::noise([5, 16, 8, 1], 1, device),
        crate::model::noise([5, 256, 1, 1], 2, device),
        crate::model::noise([8, 1, 1, 1], 3, device),
    ]
}
