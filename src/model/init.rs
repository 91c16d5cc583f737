//! Initial weights, drawn on the host so that a seed gives the same network on every device, and
//! placeholders to be overwritten by loaded weights.

use super::linear::Linear;
use crate::random::{self, Draw, normal};
use burn::module::Param;
use burn::tensor::{Device, Shape, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Creates parameters one by one.
pub struct Initializer<'a> {
    /// `None` creates placeholders.
    rng: Option<ChaCha8Rng>,
    device: &'a Device,
}

impl<'a> Initializer<'a> {
    /// Draws parameters for `device` from `seed`.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            rng: Some(random::stream(seed, Draw::Weights)),
            device,
        }
    }

    /// Creates zeros instead of random numbers: much faster, for modules whose weights are loaded
    /// next.
    pub fn placeholders(device: &'a Device) -> Self {
        Self { rng: None, device }
    }

    /// Xavier-uniform weights `[from, to]`, zero bias.
    pub fn linear(&mut self, from: usize, to: usize, bias: bool) -> Linear {
        let bound = (6.0 / (from + to) as f32).sqrt();
        let weights = self.draw(from * to, |rng| rng.random_range(-bound..bound));
        Linear::new(
            self.parameter(weights, [from, to]),
            bias.then(|| self.parameter(vec![0.0; to], [to])),
        )
    }

    /// A linear layer initialised to zero.
    pub fn zero_linear(&mut self, from: usize, to: usize) -> Linear {
        let weight = self.parameter(vec![0.0; from * to], [from, to]);
        Linear::new(weight, Some(self.parameter(vec![0.0; to], [to])))
    }

    /// Normal random numbers with standard deviation `deviation`.
    pub fn normal(&mut self, shape: [usize; 2], deviation: f32) -> Param<Tensor<2>> {
        let values = self.draw(shape[0] * shape[1], |rng| normal(rng) * deviation);
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

    fn draw(&mut self, count: usize, mut number: impl FnMut(&mut ChaCha8Rng) -> f32) -> Vec<f32> {
        match &mut self.rng {
            Some(rng) => (0..count).map(|_| number(rng)).collect(),
            None => vec![0.0; count],
        }
    }

    fn parameter<const R: usize>(
        &self,
        values: Vec<f32>,
        shape: impl Into<Shape>,
    ) -> Param<Tensor<R>> {
        Param::from_data(TensorData::new(values, shape), self.device)
    }
}
