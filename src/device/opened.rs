//! A device that computations run on, with what to call it.

use super::backend::on_cpu;
use burn::tensor::Device;
use std::fmt;

/// A device that is ready for tensors.
pub struct Opened {
    /// For tensors.
    pub device: Device,
    /// Name to display.
    pub name: String,
    /// What `auto` chose and why; `None` for other choices.
    pub note: Option<String>,
}

impl Opened {
    /// Whether it is the CPU, to which the tighter limits of the checks apply.
    pub fn is_cpu(&self) -> bool {
        on_cpu(&self.device)
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
