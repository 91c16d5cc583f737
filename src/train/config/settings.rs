//! Settings as text: `KEY=VALUE` overrides, and unknown keys answered with the nearest known one.

use super::{ConfigError, keys};
use toml::{Table, Value};

/// A value as TOML where it is one, else as text, so that strings need no quotes.
pub(super) fn parse_value(text: &str) -> Value {
    format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
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

/// Takes the stages out of a configuration.
pub(super) fn take_stages(table: &mut Table) -> Result<Vec<Table>, ConfigError> {
    match table.remove("stages") {
        None => Ok(Vec::new()),
        Some(stages) => stages.try_into().map_err(|_| {
            ConfigError::Toml("stages is a list of tables: write [[stages]] above each".into())
        }),
    }
}

/// For `stages.N.KEY` the stage N, from 1, and KEY.
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

/// Removes a setting, so that an override of the whole run holds.
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
    // A bare key is compared with the bare names, so that `steps` finds `train.steps`.
    let distance = |name: &str| {
        let bare = name.split_once('.').map_or(name, |(_, bare)| bare);
        strsim::damerau_levenshtein(key, name).min(if key.contains('.') {
            usize::MAX
        } else {
            strsim::damerau_levenshtein(key, bare)
        })
    };
    let nearest = keys()
        .map(|k| (distance(k.name), k.name))
        .min()
        .filter(|(d, _)| *d <= key.len().div_ceil(2))
        .map(|(_, name)| name.to_owned());
    ConfigError::Unknown {
        key: key.to_owned(),
        nearest,
    }
}
