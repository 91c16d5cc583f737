//! Settings as text: files, `KEY=VALUE` overrides, and suggestions for unknown keys.

use super::error::ConfigError;
use super::sections::keys;
use crate::data::scenes::is_procedural;
use crate::{files, models};
use std::path::Path;
use toml::{Table, Value};

/// The settings that name files and folders.
const PATHS: [&str; 6] = [
    "model.init",
    "model.encoder",
    "repa.teacher",
    "repa.cache",
    "data.path",
    "data.token_cache",
];

/// Those of them that may name a built-in or installed model instead.
const MODELS: [&str; 2] = ["model.init", "model.encoder"];

/// Names of settings in other programs that differ too much in spelling from the ones here.
const ELSEWHERE: [(&str, &str); 5] = [
    ("lr", "train.learning_rate"),
    ("wd", "train.weight_decay"),
    ("bs", "train.batch_size"),
    ("epochs", "train.steps"),
    ("iters", "train.steps"),
];

/// The value of a setting as TOML where it is that, else as text, so that strings need no quotes. A
/// path is always text: folders may be called 2024 or true. Several data folders are a TOML list.
fn parse_value(key: &str, text: &str) -> Value {
    let value = toml_value(text);
    let is_path = PATHS.iter().any(|path| key.ends_with(path));
    match value {
        Value::String(_) => value,
        Value::Array(_) if key.ends_with("data.path") => value,
        _ if is_path => Value::String(text.to_owned()),
        _ => value,
    }
}

fn toml_value(text: &str) -> Value {
    format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The key and the value of a `KEY=VALUE`.
pub(super) fn key_and_value(text: &str) -> Result<(&str, Value), ConfigError> {
    let (key, value) = text
        .split_once('=')
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| ConfigError::Set(text.to_owned()))?;
    Ok((key, parse_value(key, value)))
}

/// The value of a setting in a table of sections.
pub(super) fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (section, name) = key.split_once('.')?;
    table.get(section)?.get(name)
}

pub(super) fn set(table: &mut Table, key: &str, value: Value) -> Result<(), ConfigError> {
    let unknown = || unknown(key);
    let (section, name) = key.split_once('.').ok_or_else(unknown)?;
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    section
        .as_table_mut()
        .ok_or_else(unknown)?
        .insert(name.to_owned(), value);
    Ok(())
}

/// Removes the stages from a configuration.
pub(super) fn take_stages(table: &mut Table) -> Result<Vec<Table>, ConfigError> {
    match table.remove("stages") {
        None => Ok(Vec::new()),
        Some(stages) => stages.try_into().map_err(|_| {
            ConfigError::Toml("stages is a list of tables: write [[stages]] above each".into())
        }),
    }
}

/// For `stages.N.KEY`: the stage N, from 1, and KEY.
pub(super) fn stage_of<'a, 'k>(
    key: &'k str,
    stages: &'a mut [Table],
) -> Result<Option<(&'a mut Table, &'k str)>, ConfigError> {
    let Some((number, name)) = key.strip_prefix("stages.").and_then(|k| k.split_once('.')) else {
        return Ok(None);
    };
    let count = stages.len();
    let index = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    match index.and_then(|i| stages.get_mut(i)) {
        Some(stage) => Ok(Some((stage, name))),
        None => Err(ConfigError::Toml(format!(
            "there is no stage {number}: the configuration has {count}, numbered from 1"
        ))),
    }
}

/// A path that means the same file or folder from any working directory; procedural data sets have no
/// paths, and stay. So does what no text could hold.
fn absolute(path: &str) -> String {
    if is_procedural(Path::new(path)) {
        return path.to_owned();
    }
    let whole = std::path::absolute(Path::new(path)).ok();
    whole
        .and_then(|whole| whole.to_str().map(str::to_owned))
        .unwrap_or_else(|| path.to_owned())
}

/// Whether a setting of [`MODELS`] names a model rather than a file.
fn is_model(name: &str) -> bool {
    let path = Path::new(name);
    models::is_built_in(path) || models::is_name(name) && !files::exists(path)
}

/// Applies [`absolute`] to every path in a table of sections. Names of models stay, and so does [`unset_word`].
pub(super) fn make_absolute(table: &mut Table) {
    for name in PATHS {
        let Some((section, key)) = name.split_once('.') else {
            continue;
        };
        let section = table.get_mut(section).and_then(Value::as_table_mut);
        let values: &mut [Value] = match section.and_then(|section| section.get_mut(key)) {
            Some(Value::Array(values)) => values,
            Some(value) => std::slice::from_mut(value),
            None => continue,
        };
        for value in values {
            if let Value::String(path) = value
                && !(MODELS.contains(&name) && is_model(path))
                && unset_word(name) != Some(path.as_str())
            {
                *path = absolute(path);
            }
        }
    }
}

/// The word in the place of a value that leaves an optional setting out: `--help` prints it as the default. A file of
/// that name is written `./none`. `None` for settings that always have a value.
pub(super) fn unset_word(key: &str) -> Option<&'static str> {
    Some(match key {
        "model.init" | "model.encoder" | "repa.teacher" | "repa.cache" => "none",
        "data.token_cache" => "tokens in run",
        "model.patch_size"
        | "model.hidden_size"
        | "model.heads"
        | "model.pixel_width"
        | "model.transformer_blocks"
        | "model.field_blocks" => "preset",
        _ => return None,
    })
}

/// Removes every setting whose value is its [`unset_word`].
pub(super) fn leave_out(table: &mut Table) {
    for key in keys() {
        let value = get(table, key.name).and_then(Value::as_str);
        if value.is_some() && value == unset_word(key.name) {
            unset(table, key.name);
        }
    }
}

/// Removes a setting, so that an override of the whole run applies.
pub(super) fn unset(table: &mut Table, key: &str) {
    if let Some((section, name)) = key.split_once('.')
        && let Some(Value::Table(section)) = table.get_mut(section)
    {
        section.remove(name);
    }
}

pub(super) fn refuse_unknown(table: &Table) -> Result<(), ConfigError> {
    for (section, value) in table {
        let known_section = keys().any(|k| k.name.starts_with(&format!("{section}.")));
        match value {
            Value::Table(entries) if known_section => {
                for key in entries.keys() {
                    let full = format!("{section}.{key}");
                    if !keys().any(|k| k.name == full) {
                        return Err(unknown(&full));
                    }
                }
            }
            Value::Table(entries) if !entries.is_empty() => {
                let first = entries.keys().next().map_or("", String::as_str);
                return Err(unknown(&format!("{section}.{first}")));
            }
            _ => return Err(unknown(section)),
        }
    }
    Ok(())
}

fn unknown(key: &str) -> ConfigError {
    let lower = key.to_lowercase();
    let bare = |name: &str| -> String {
        let bare = name.split_once('.').map_or(name, |(_, bare)| bare);
        bare.to_owned()
    };
    // A bare key is compared with bare names, so that `steps` finds `train.steps`.
    let distance = |name: &str| {
        strsim::damerau_levenshtein(&lower, name).min(if lower.contains('.') {
            usize::MAX
        } else {
            strsim::damerau_levenshtein(&lower, &bare(name))
        })
    };
    let elsewhere = ELSEWHERE.iter().find(|(known, _)| *known == bare(&lower));
    let nearest = match elsewhere {
        Some((_, name)) => Some((*name).to_owned()),
        None => keys()
            .map(|k| (distance(k.name), k.name))
            .min()
            .filter(|(d, _)| *d <= key.len().div_ceil(2))
            .map(|(_, name)| name.to_owned()),
    };
    ConfigError::Unknown {
        key: key.to_owned(),
        nearest,
    }
}
