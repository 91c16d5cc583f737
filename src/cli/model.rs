//! The `--model` argument: a file or a built-in model.

use crate::files;
use crate::model::Model;
use anyhow::{Context, bail};
use burn::tensor::Device;
use std::path::Path;

/// The models inside the binary, the default first.
const BUILT_IN: &[(&str, &[u8])] = &[(
    "street",
    include_bytes!("../../assets/models/street.safetensors"),
)];

/// Which model to use.
#[derive(clap::Args)]
pub struct ModelArgument {
    /// A model file, or the name of a built-in model: street
    #[arg(long, value_name = "MODEL", default_value = "street")]
    pub model: String,
}

impl ModelArgument {
    /// Loads the model; it must have classes to be of use for segmentation.
    pub fn load(&self, device: &Device) -> anyhow::Result<Model> {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == self.model);
        let model = match built_in {
            Some((name, bytes)) => Model::from_bytes(bytes, device)
                .with_context(|| format!("the built-in model {name} cannot be read"))?,
            None => files::read_model(Path::new(&self.model), device)?,
        };
        if model.card.classes.len() < 2 {
            bail!(
                "{} has no class table: it is a starting point for training, not a segmentation model",
                self.model
            );
        }
        Ok(model)
    }
}
