//! What the tests of whole runs share.

use super::config::Config;
use crate::run_format::ValidationLine;
use std::fs;
use std::path::Path;

/// Settings of a run that takes no time.
const SMALL: [&str; 9] = [
    "model.hidden_size=16",
    "model.heads=2",
    "model.pixel_width=8",
    "model.transformer_blocks=1",
    "model.field_blocks=1",
    "train.batch_size=2",
    "train.warmup=2",
    "train.keep=9",
    "data.size=[16,24]",
];

/// The configuration of a run that takes no time, apart from what `toml` and these settings change.
pub(super) fn config(toml: &str, settings: &[&str]) -> Config {
    let settings = SMALL.iter().chain(settings);
    let settings: Vec<String> = settings.map(ToString::to_string).collect();
    Config::parse(toml, &settings).unwrap()
}

/// Raises the score of the validation at a step to one that no other reaches.
pub(super) fn raise_score(path: &Path, step: u64) {
    let high = |line: &str| match serde_json::from_str::<ValidationLine>(line) {
        Ok(line) if line.step == step => {
            serde_json::to_string(&ValidationLine { miou: 0.99, ..line }).unwrap()
        }
        _ => line.to_owned(),
    };
    let lines = fs::read_to_string(path).unwrap();
    let lines: Vec<String> = lines.lines().map(high).collect();
    fs::write(path, lines.join("\n") + "\n").unwrap();
}
