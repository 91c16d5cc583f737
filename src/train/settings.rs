//! Settings as text: `KEY=VALUE` overrides, and unknown keys answered with the nearest known one.

use super::config::{ConfigError, keys};
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
