//! Compares a device with the CPU.

use super::check::{Check, max_error};
use crate::encoding::Centroids;
use crate::kernels::{self, MatmulPrecision};
use crate::model::config::NetworkConfig;
use crate::model::network::{Network, Query};
use crate::model::tensors::{self, read};
use crate::potential::{Operator, Potential};
use burn::tensor::{Device, Tensor, TensorData};

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
                let x = crate::random::noise([2, 3, 8, 9], 1, device);
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
            MatmulPrecision::Single,
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
                    MatmulPrecision::Single,
                );
                let gradients = out.square().sum().backward();
                inputs[i].grad(&gradients).map_or(Vec::new(), read)
            },
        );
    }
    check("a small network", 1e-3, &|device| {
        let config = NetworkConfig {
            patch_output: true,
            ..NetworkConfig::miniature()
        };
        let network = Network::new(&config, 7, device);
        // Fresh modulation is zero, which would bypass most of the network.
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
            state: crate::random::noise([2, 3, 16, 24], 3, device),
            times: vec![0.2, 0.9],
            image: Some(crate::random::noise([2, 3, 16, 24], 4, device)),
            features: None,
            classes: None,
        }))
    });
    checks
}

fn field_inputs(device: &Device) -> [Tensor<4>; 3] {
    [
        crate::random::noise([5, 16, 8, 1], 1, device),
        crate::random::noise([5, 256, 1, 1], 2, device),
        crate::random::noise([8, 1, 1, 1], 3, device),
    ]
}
