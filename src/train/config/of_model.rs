//! The settings of a run that goes on from a model: what its card says of it.

use super::error::ConfigError;
use super::settings::{get, key_and_value, take_stages, unset_word};
use super::{Config, PROVENANCE};
use crate::encoding::Order;
use crate::flow::Prediction;
use crate::model::config::NetworkConfig;
use crate::model::{Card, Fit};
use serde::Serialize;
use std::path::Path;
use toml::{Table, Value};

/// The settings of a run that begins with `--init` and without a configuration.
pub const FINE_TUNE: &str = include_str!("../../../assets/presets/fine-tune.toml");

/// The settings of a run that starts from a model, each KEY=VALUE. The learning rate and the length of the run
/// are not among them.
#[derive(Clone, Debug, Default)]
pub struct OfModel {
    /// Where its weights are.
    pub files: Vec<String>,
    /// What its weights depend on: the network, the encoding, the prediction and the source.
    pub network: Vec<String>,
    /// What it was trained with, which a configuration may change: the size and shape of the photos, and the
    /// solver steps of a validation.
    pub defaults: Vec<String>,
}

impl OfModel {
    /// Refuses a configuration that sets what the model's weights depend on to another value. What the
    /// `overrides` set may differ.
    ///
    /// # Errors
    /// The first such setting, with both values; TOML that cannot be read.
    pub fn check(&self, text: &str, overrides: &[String]) -> Result<(), ConfigError> {
        let Ok(mut table) = text.parse::<Table>() else {
            // Reading the settings says what is wrong.
            return Ok(());
        };
        table.remove(PROVENANCE);
        let stages = take_stages(&mut table)?;
        let overridden = |key: &str| {
            let mut keys = overrides.iter().filter_map(|set| set.split_once('='));
            keys.any(|(other, _)| other.trim() == key)
        };
        for set in &self.network {
            let (key, own) = key_and_value(set)?;
            let found = std::iter::once(&table).chain(&stages);
            let mut found = found.filter_map(|table| get(table, key));
            let other = found.find(|value| {
                let is_unset = value
                    .as_str()
                    .is_some_and(|word| unset_word(key) == Some(word));
                **value != own && !is_unset
            });
            if let Some(value) = other.filter(|_| !overridden(key)) {
                return Err(ConfigError::Toml(format!(
                    "{key} is {value}, but the model of --init has {own}: leave it out, or change the \
                     model's with --set {key}={value}"
                )));
            }
        }
        Ok(())
    }
}

/// The settings of a run that starts from the model at `path` with this card.
///
/// # Errors
/// A path that is not UTF-8, and a network of sizes that no setting gives.
pub fn settings_of(card: &Card, path: &Path) -> Result<OfModel, ConfigError> {
    let text = path.to_str().ok_or_else(|| {
        let path = path.display();
        ConfigError::Toml(format!("{path} is not UTF-8, as settings are: rename it"))
    })?;
    let network = &card.network;
    let mut files = vec![setting("model.init", text)?];
    let mut settings = vec![
        setting("model.condition", network.condition)?,
        setting("model.encoding", card.encoding)?,
        setting("model.patch_output", network.patch_output)?,
        setting("flow.source", card.source)?,
    ];
    for (key, size) in sizes(network) {
        settings.push(setting(key, size)?);
    }
    let mut defaults = vec![
        setting("data.size", card.size)?,
        setting("data.crop", card.fit == Fit::Aspect)?,
        setting("train.validate_steps", card.default_steps())?,
    ];
    let order = if card.order.is_empty() {
        Order::Index
    } else {
        Order::Assigned
    };
    let order = setting("model.order", order)?;
    // With appended classes the points are those of the card, however the first ones were assigned.
    match card.base_classes {
        Some(_) => defaults.push(order),
        None => settings.push(order),
    }
    settings.push(match card.prediction {
        Prediction::Logits => "loss.objective=cross-entropy".to_owned(),
        Prediction::Posterior => "loss.objective=variational".to_owned(),
        prediction => setting("model.prediction", prediction)?,
    });
    if let Some(vit) = &network.encoder {
        // Its encoder comes with its other weights.
        files.push(setting("model.encoder", text)?);
        settings.extend([
            setting("model.encoder_blocks", vit.blocks)?,
            setting("model.encoder_width", vit.width)?,
            setting("model.encoder_layers", &vit.layers)?,
            setting("model.encoder_int8", vit.int8)?,
        ]);
    }
    let all = [&files[..], &settings, &defaults].concat();
    let described = Config::parse("", &all)?.network(card.classes.len());
    if described != *network {
        return Err(ConfigError::Toml(format!(
            "{} has a network that no settings describe, and cannot be trained on: choose another model",
            path.display()
        )));
    }
    Ok(OfModel {
        files,
        network: settings,
        defaults,
    })
}

/// The settings that are sizes of a network, with their values for this one.
pub(crate) fn sizes(network: &NetworkConfig) -> [(&'static str, usize); 8] {
    [
        ("model.patch_size", network.patch_size),
        ("model.hidden_size", network.hidden_size),
        ("model.heads", network.heads),
        ("model.pixel_width", network.pixel_width),
        ("model.transformer_blocks", network.transformer_blocks),
        ("model.field_blocks", network.field_blocks),
        ("model.code_dims", network.state_channels),
        ("model.stem_width", network.stem_width),
    ]
}

fn setting(key: &str, value: impl Serialize) -> Result<String, ConfigError> {
    let value = Value::try_from(value).map_err(|error| super::one_line(&error))?;
    Ok(format!("{key}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    /// The settings of a run that starts from a model, as `flowseg train` reads them.
    fn parse(of: &OfModel, text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
        let own: Vec<String> = overrides.iter().map(|set| (*set).to_owned()).collect();
        of.check(text, &own)?;
        let overrides = [&of.files[..], &of.network, &own].concat();
        Config::parse_over(&of.defaults, text, &overrides)
    }

    #[test]
    fn a_configuration_changes_the_photos_of_a_model_but_not_its_network() {
        let card = Card::read(models::BUILT_IN[3].1).unwrap();
        let of = settings_of(&card, Path::new("scenes")).unwrap();
        let own = parse(&of, "", &[]).unwrap();
        assert_eq!((own.data.size, own.fit()), (card.size, card.fit));
        assert_eq!(own.train.validate_steps, card.default_steps());
        let patch = card.network.patch_size;
        let [low, high] = [2 * patch, 4 * patch];
        let crop = card.fit == Fit::Stretch;
        let staged = format!(
            "data.size = [{low}, {low}]\ndata.crop = {crop}\ntrain.validate_steps = 7\n[[stages]]\n[[stages]]\n\
             data.size = [{high}, {low}]\n"
        );
        let plan = parse(&of, &staged, &[]).unwrap().plan().unwrap();
        assert_eq!(plan[0].config.data.size, [low, low]);
        assert_eq!(plan[1].config.data.size, [high, low]);
        for stage in &plan {
            assert_eq!(stage.config.data.crop, crop);
            assert_eq!(stage.config.train.validate_steps, 7);
            let network = stage.config.network(card.classes.len());
            assert_eq!(network, card.network);
        }
        let last = parse(&of, &staged, &["train.validate_steps=3"]).unwrap();
        assert_eq!(last.plan().unwrap()[1].config.train.validate_steps, 3);
        // What the weights depend on may be repeated, but not contradicted.
        let heads = card.network.heads;
        parse(&of, &format!("model.heads = {heads}"), &[]).unwrap();
        parse(&of, "model.heads = \"preset\"", &[]).unwrap();
        let width = 2 * card.network.hidden_size;
        for text in [
            format!("model.hidden_size = {width}"),
            format!("[[stages]]\n[[stages]]\nmodel.hidden_size = {width}"),
        ] {
            let error = parse(&of, &text, &[]).unwrap_err().to_string();
            for word in ["model.hidden_size", "--init", &width.to_string()] {
                assert!(error.contains(word), "{error}");
            }
            let wider = format!("model.hidden_size={width}");
            assert!(of.check(&text, &[wider]).is_ok());
        }
    }

    #[test]
    fn every_built_in_model_is_described_by_settings() {
        for (name, bytes) in models::BUILT_IN {
            let card = Card::read(bytes).unwrap();
            let settings = settings_of(&card, Path::new(name)).unwrap();
            let config = parse(&settings, FINE_TUNE, &[]).unwrap();
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
