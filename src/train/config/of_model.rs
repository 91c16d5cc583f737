//! The settings of a run that goes on from a model: what its card says of it.

use super::Config;
use super::error::ConfigError;
use crate::encoding::Order;
use crate::flow::Prediction;
use crate::model::{Card, Fit};
use serde::Serialize;
use std::path::Path;
use toml::Value;

/// The settings of a run that begins with `--init` and without a configuration.
pub const FINE_TUNE: &str = include_str!("../../../assets/presets/fine-tune.toml");

/// The settings, KEY=VALUE, of a run that starts from the model at `path` with this card: its network,
/// encoding, prediction and source, the size and shape of its photos, and the solver steps that it
/// recommends for a validation. The learning rate and the length of the run are not the model's.
///
/// # Errors
/// A path that is not UTF-8, and a network of sizes that no setting gives.
pub fn settings_of(card: &Card, path: &Path) -> Result<Vec<String>, ConfigError> {
    let text = path.to_str().ok_or_else(|| {
        let path = path.display();
        ConfigError::Toml(format!("{path} is not UTF-8, as settings are: rename it"))
    })?;
    let network = &card.network;
    let mut settings = vec![
        setting("model.init", text)?,
        setting("model.condition", network.condition)?,
        setting("model.encoding", card.encoding)?,
        setting("model.code_dims", network.state_channels)?,
        setting("model.patch_output", network.patch_output)?,
        setting("model.stem_width", network.stem_width)?,
        setting("model.patch_size", network.patch_size)?,
        setting("model.hidden_size", network.hidden_size)?,
        setting("model.heads", network.heads)?,
        setting("model.pixel_width", network.pixel_width)?,
        setting("model.transformer_blocks", network.transformer_blocks)?,
        setting("model.field_blocks", network.field_blocks)?,
        setting("flow.source", card.source)?,
        setting("data.size", card.size)?,
        setting("data.crop", card.fit == Fit::Aspect)?,
        setting("train.validate_steps", card.default_steps())?,
    ];
    let order = if card.order.is_empty() {
        Order::Index
    } else {
        Order::Assigned
    };
    settings.push(setting("model.order", order)?);
    settings.push(match card.prediction {
        Prediction::Logits => "loss.objective=cross-entropy".to_owned(),
        Prediction::Posterior => "loss.objective=variational".to_owned(),
        prediction => setting("model.prediction", prediction)?,
    });
    if let Some(vit) = &network.encoder {
        settings.extend([
            // Its encoder comes with its other weights.
            setting("model.encoder", text)?,
            setting("model.encoder_blocks", vit.blocks)?,
            setting("model.encoder_width", vit.width)?,
            setting("model.encoder_layers", &vit.layers)?,
            setting("model.encoder_int8", vit.int8)?,
        ]);
    }
    let described = Config::parse("", &settings)?.network(card.classes.len());
    if described != *network {
        return Err(ConfigError::Toml(format!(
            "{} has a network that no settings describe, and cannot be trained on: choose another model",
            path.display()
        )));
    }
    Ok(settings)
}

fn setting(key: &str, value: impl Serialize) -> Result<String, ConfigError> {
    let value = Value::try_from(value).map_err(|error| super::one_line(&error))?;
    Ok(format!("{key}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    #[test]
    fn every_built_in_model_is_described_by_settings() {
        for (name, bytes) in models::BUILT_IN {
            let card = Card::read(bytes).unwrap();
            let settings = settings_of(&card, Path::new(name)).unwrap();
            let config = Config::parse(FINE_TUNE, &settings).unwrap();
            assert_eq!(config.network(card.classes.len()), card.network);
            assert_eq!(config.prediction(), card.prediction, "{name}");
            assert_eq!((config.fit(), config.data.size), (card.fit, card.size));
            assert_eq!(config.flow.source, card.source);
            // The name of a built-in model is no path.
            let whole = config.absolute().unwrap();
            assert_eq!(whole.model.init.as_deref(), Some(Path::new(name)));
        }
    }

    #[test]
    fn a_network_that_no_settings_describe_is_refused() {
        let mut card = Card::read(models::BUILT_IN[3].1).unwrap();
        card.network.field_ratio = 3;
        let error = settings_of(&card, Path::new("odd.safetensors")).unwrap_err();
        assert!(error.to_string().contains("odd.safetensors"), "{error}");
    }
}
