//! The `--model` argument: a file or a built-in model.

use crate::model::Model;
use crate::models;
use burn::tensor::Device;
use std::ffi::OsString;

/// Which model to use.
#[derive(clap::Args)]
pub struct ModelArgument {
    /// A model file, or the name of a built-in model: street, fashion or scenes
    #[arg(long, value_name = "MODEL", default_value = "street")]
    pub model: OsString,
}

impl ModelArgument {
    /// Loads the model; it must have classes to be of use for segmentation.
    pub fn load(&self, device: &Device) -> anyhow::Result<Model> {
        Ok(models::load(&self.model, device)?)
    }
}
