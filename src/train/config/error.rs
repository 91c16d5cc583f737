//! What is wrong with a configuration.

use crate::model::config::InvalidNetwork;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or values of the wrong kind.
    #[error("{0}")]
    Toml(String),
    /// A key that does not exist.
    #[error("there is no setting {key}{}", nearest.as_ref().map_or(String::new(), |n| format!("; did you mean {n}?")))]
    Unknown {
        key: String,
        /// The most similar one.
        nearest: Option<String>,
    },
    /// `--set` without `=`.
    #[error("KEY=VALUE is expected, for example train.steps=500, not {0}")]
    Set(String),
    /// A value out of its range.
    #[error("{key} is {value}: it must be {rule}")]
    Range {
        key: &'static str,
        value: String,
        rule: &'static str,
    },
    /// A stage that can't be.
    #[error("stage {number}: {reason}")]
    Stage {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Sizes that make no network.
    #[error(transparent)]
    Network(#[from] InvalidNetwork),
}
