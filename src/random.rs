//! Normal random numbers, drawn on the host so that a seed gives the same numbers on every device.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A standard normal number (Box-Muller).
pub fn normal(rng: &mut impl RngExt) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

/// Standard normal noise of the given shape.
pub fn noise(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| normal(&mut rng))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
