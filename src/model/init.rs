//! Fresh weights, drawn on the host so that a seed means the same network on every device.

use super::blocks::Linear;
use burn::module::Param;
use burn::tensor::{Device, Shape, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws parameters one after the other.
pub struct Initializer<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
}

impl<'a> Initializer<'a> {
    /// A source of parameters on `device`.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            device,
        }
    }

    /// Xavier-uniform weights `[from, to]`, zero bias.
    pub fn linear(&mut self, from: usize, to: usize, bias: bool) -> Linear {
        let bound = (6.0 / (from + to) as f32).sqrt();
        let weights = (0..from * to)
            .map(|_| self.rng.random_range(-bound..bound))
            .collect();
        Linear {
            weight: self.parameter(weights, [from, to]),
            bias: bias.then(|| self.parameter(vec![0.0; to], [to])),
        }
    }

    /// A linear layer that starts at zero.
    pub fn zero_linear(&mut self, from: usize, to: usize) -> Linear {
        Linear {
            weight: self.parameter(vec![0.0; from * to], [from, to]),
            bias: Some(self.parameter(vec![0.0; to], [to])),
        }
    }

    /// Normal numbers of standard deviation `deviation`.
    pub fn normal(&mut self, shape: [usize; 2], deviation: f32) -> Param<Tensor<2>> {
        let values = (0..shape[0] * shape[1])
            .map(|_| normal(&mut self.rng) * deviation)
            .collect();
        self.parameter(values, shape)
    }

    /// Ones, `[width]`.
    pub fn ones(&mut self, width: usize) -> Param<Tensor<1>> {
        self.parameter(vec![1.0; width], [width])
    }

    /// Zeros, `[width]`.
    pub fn zeros(&mut self, width: usize) -> Param<Tensor<1>> {
        self.parameter(vec![0.0; width], [width])
    }

    fn parameter<const R: usize>(
        &self,
        values: Vec<f32>,
        shape: impl Into<Shape>,
    ) -> Param<Tensor<R>> {
        Param::from_data(TensorData::new(values, shape), self.device)
    }
}

/// A standard normal number (Box-Muller).
pub fn normal(rng: &mut impl RngExt) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}
