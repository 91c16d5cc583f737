//! Parameters of the optimizer's fused update.

use burn::tensor::Tensor;

/// The hyperparameters of one AdamW update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWUpdate {
    pub rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the square root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay.
    pub decay: f32,
}

impl AdamWUpdate {
    /// `1 / (1 - beta^number)` for both moments; `number` counts the updates from 1.
    pub fn bias_corrections(&self, number: f32) -> (f32, f32) {
        let correct = |beta: f32| 1.0 / (1.0 - f64::from(beta).powi(number as i32)) as f32;
        (correct(self.beta1), correct(self.beta2))
    }
}

/// `1 - beta^number`, `[1]`, on the device: the total weight of the first `number: [1]` values in a
/// moving average with decay `beta`.
pub fn weight_of(beta: f32, number: Tensor<1>) -> Tensor<1> {
    // A decay of 0 has no logarithm.
    let logarithm = f64::from(beta).max(1e-30).ln();
    (number * logarithm).exp().neg() + 1.0
}
