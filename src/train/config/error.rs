//! Errors of a configuration.

use crate::model::config::InvalidNetwork;
use std::borrow::Cow;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or values of the wrong type.
    #[error("{0}")]
    Toml(String),
    /// A key that does not exist.
    #[error("there is no setting {key}{}", nearest.as_ref().map_or(String::new(), |n| format!("; did you mean {n}?")))]
    Unknown {
        key: String,
        /// The most similar key.
        nearest: Option<String>,
    },
    /// `--set` without `=`.
    #[error("expected KEY=VALUE, for example train.steps=500, instead of {0}")]
    Set(String),
    /// A value out of its range.
    #[error("{key} is {value}: it must be {rule}")]
    Range {
        key: &'static str,
        value: String,
        rule: Cow<'static, str>,
    },
    /// An invalid stage.
    #[error("stage {number}: {reason}")]
    Stage {
        /// Its number, from 1.
        number: usize,
        reason: String,
    },
    /// Model sizes that do not form a network.
    #[error(transparent)]
    Network(#[from] InvalidNetwork),
}
