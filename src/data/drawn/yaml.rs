//! The subset of YAML used by descriptions of data sets.

use std::path::Path;

use saphyr_parser::{Event, Parser};

use super::super::error::DataError;
use crate::text_file;

/// Maximum bytes of a description; real ones have a few thousand.
const LARGEST: u64 = 4 << 20;
/// Maximum nesting of lists and tables.
const DEEPEST: usize = 32;

/// A value of a document; every scalar is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Value>),
    Table(Vec<(String, Value)>),
}

impl Value {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(entries) => Some(&entries.iter().find(|(name, _)| name == key)?.1),
            _ => None,
        }
    }

    /// The text of a non-empty scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() && text != "~" && text != "null" => Some(text),
            _ => None,
        }
    }

    /// A text, or the texts of a list.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::List(list) => list.iter().filter_map(Self::text).collect(),
            other => other.text().into_iter().collect(),
        }
    }
}

/// Reads a file of one document. Aliases are rejected, so a small file cannot expand.
///
/// # Errors
/// A file that cannot be read, is too large or is not YAML.
pub(super) fn read(path: &Path) -> Result<Value, DataError> {
    let size = std::fs::metadata(path)
        .map_err(DataError::read(path))?
        .len();
    if size > LARGEST {
        return Err(DataError::description(
            path,
            "is too large for the description of a data set: give the data set's folder",
        ));
    }
    let text = text_file::read(path)?;
    parse(&text).map_err(|reason| {
        let reason = format!("cannot be read as YAML ({reason}): correct it");
        DataError::description(path, reason)
    })
}

/// An incomplete value while events are read, and the key of the next entry.
struct Open {
    value: Value,
    key: Option<String>,
}

fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let start = |value| Open { value, key: None };
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(text, ..) => Value::Text(text.into_owned()),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEEPEST => {
                return Err(format!("line {line}: too many levels"));
            }
            Event::SequenceStart(..) => {
                open.push(start(Value::List(Vec::new())));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(start(Value::Table(Vec::new())));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(complete) => complete.value,
                None => return Err(format!("line {line}: unexpected end of a block")),
            },
            Event::Alias(_) => return Err(format!("line {line}: aliases are not supported")),
            _ => continue,
        };
        let Some(outer) = open.last_mut() else {
            return Ok(done);
        };
        match (&mut outer.value, outer.key.take(), done) {
            (Value::List(list), _, done) => list.push(done),
            (Value::Table(entries), Some(key), done) => entries.push((key, done)),
            (Value::Table(_), None, Value::Text(key)) => outer.key = Some(key),
            _ => return Err(format!("line {line}: a key must be text")),
        }
    }
    Err("it is empty".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_as_people_write_them() {
        let value = parse(
            "# data\npath: .\ntrain: images/train\nval: [a, 'b c']\nnames:\n  0: road\n  1: \"Stra\u{df}e\"\nnc: 2\n",
        )
        .unwrap();
        assert_eq!(value.get("train").unwrap().text(), Some("images/train"));
        assert_eq!(value.get("val").unwrap().texts(), ["a", "b c"]);
        let names = value.get("names").unwrap();
        assert_eq!(names.get("1").unwrap().text(), Some("Stra\u{df}e"));
        assert_eq!(value.get("test"), None);
        let inline = parse("names: ['a', b]").unwrap();
        assert_eq!(inline.get("names").unwrap().texts(), ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_has_a_line() {
        let bomb = "a: &x [1, 1]\nb: [*x, *x]\n";
        assert!(parse(bomb).unwrap_err().contains("line 2"));
        assert!(parse("a: [1").is_err());
        assert!(parse("a: b: c").unwrap_err().contains("line 1"));
        assert!(parse("").is_err());
        assert!(parse(&"[".repeat(10_000)).is_err());
        let deep = format!("a: {}1{}", "[".repeat(40), "]".repeat(40));
        assert!(parse(&deep).unwrap_err().contains("levels"));
    }
}
