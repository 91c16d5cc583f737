//! Parameters of the optimizer's fused update.

/// The numbers of one AdamW update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWUpdate {
    /// Learning rate.
    pub rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay.
    pub decay: f32,
    /// The number of this update, from 1.
    pub step: u32,
}

impl AdamWUpdate {
    /// `1 / (1 - beta^step)` for both moments.
    pub fn bias_corrections(&self) -> (f32, f32) {
        let correct = |beta: f32| 1.0 / (1.0 - f64::from(beta).powi(self.step as i32)) as f32;
        (correct(self.beta1), correct(self.beta2))
    }
}
