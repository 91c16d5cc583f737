//! Text files as people save them: UTF-8 with or without a byte-order mark and with any line
//! endings. Anything else is refused with an explanation, because a file in another encoding reads
//! as nonsense.

use std::fs;
use std::path::{Path, PathBuf};

/// Why a file cannot be read as text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The bytes are not UTF-8.
    #[error("{} is not UTF-8 text ({found}): save it again as UTF-8", path.display())]
    Encoding {
        path: PathBuf,
        /// A guess at the actual encoding.
        found: String,
    },
}

/// Reads a UTF-8 text file. A byte-order mark is removed; CR LF and CR become `\n`.
///
/// # Errors
/// If the file cannot be read or is in another encoding.
pub fn read(path: &Path) -> Result<String, TextError> {
    let bytes = fs::read(path).map_err(|source| TextError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    let text = decode(bytes).map_err(|found| TextError::Encoding {
        path: path.to_path_buf(),
        found,
    })?;
    Ok(if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    })
}

/// The text, or a guess at its encoding.
fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err("it starts like UTF-16, which PowerShell and Notepad write".to_owned());
    }
    if bytes.contains(&0) {
        return Err("it contains zero bytes, as UTF-16 and binary files do".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        format!("line {line} is in another encoding, such as Latin-1")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The line, counted from 1, at which a text is not valid TOML, and why. If that line contains a
/// backslash, the reason explains what a backslash means in TOML.
pub fn toml_reason(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>();
    let message = plain_reason(&message.join(" "));
    let Some(start) = error.span().map(|span| span.start) else {
        return message;
    };
    let before = text.get(..start).unwrap_or_default();
    let number = 1 + before.matches('\n').count();
    let backslash = text
        .lines()
        .nth(number - 1)
        .is_some_and(|line| line.contains('\\'));
    let hint = if backslash { BACKSLASH } else { "" };
    format!("line {number}: {message}{hint}")
}

/// What a reader of TOML or JSON says of a value, without the names of Rust's types.
pub fn plain_reason(message: &str) -> String {
    const KINDS: [(&str, &[&str]); 3] = [
        (
            "a whole number of at least 0",
            &["u8", "u16", "u32", "u64", "usize"],
        ),
        ("a whole number", &["i8", "i16", "i32", "i64", "isize"]),
        ("a number", &["f32", "f64"]),
    ];
    let mut reason = message.to_owned();
    for (plain, types) in KINDS {
        for name in types {
            reason = reason.replace(&format!("expected {name}"), &format!("expected {plain}"));
        }
    }
    reason = reason.replace("expected a sequence", "expected a list");
    let Some((before, choice)) = reason.split_once("unknown variant ") else {
        return reason;
    };
    let choice = choice.replacen(", expected ", " must be ", 1);
    format!("{before}{choice}")
}

/// Hint for Windows paths in TOML.
pub const BACKSLASH: &str =
    " (in double quotes a backslash starts an escape: write / in paths, or use single quotes)";

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(bytes: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        fs::write(&path, bytes).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn marks_and_line_ends_do_not_show() {
        assert_eq!(
            reading("\u{feff}a\r\nb\rc\n".as_bytes()).unwrap(),
            "a\nb\nc\n"
        );
        assert_eq!(reading(b"").unwrap(), "");
    }

    #[test]
    fn other_encodings_are_named() {
        let utf16: Vec<u8> = "\u{feff}a=1\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [&utf16[..], &utf16[2..], b"\xFE\xFF\0a"] {
            let error = reading(bytes).unwrap_err();
            assert!(
                error.contains("UTF-16") && error.contains("settings.toml"),
                "{error}"
            );
        }
        let error = reading(b"road\nStra\xDFe\n").unwrap_err();
        assert!(
            error.contains("line 2") && error.contains("Latin-1"),
            "{error}"
        );
        let absent = read(Path::new("no/such/file.toml"))
            .unwrap_err()
            .to_string();
        assert!(absent.contains("cannot read no/such/file.toml"), "{absent}");
    }

    #[test]
    fn reasons_name_no_types_of_rust() {
        for (message, reason) in [
            (
                "invalid type: string \"two\", expected usize",
                "invalid type: string \"two\", expected a whole number of at least 0",
            ),
            (
                "invalid value: integer `-1`, expected u64",
                "invalid value: integer `-1`, expected a whole number of at least 0",
            ),
            (
                "unknown variant `gigantic`, expected one of `tiny`, `small`",
                "`gigantic` must be one of `tiny`, `small`",
            ),
            ("missing field `a`", "missing field `a`"),
        ] {
            assert_eq!(plain_reason(message), reason);
        }
    }

    #[test]
    fn mistakes_in_toml_have_a_line_and_backslashes_a_hint() {
        let reason = |text: &str| {
            let error = text.parse::<toml::Table>().unwrap_err();
            let reason = toml_reason(text, &error);
            assert!(!reason.contains('\n'), "{reason}");
            reason
        };
        let windows = reason("a = 1\npath = \"C:\\Users\\me\"\n");
        assert!(
            windows.starts_with("line 2: ") && windows.contains("write /"),
            "{windows}"
        );
        let plain = reason("a = 1\nb =\n");
        assert!(
            plain.starts_with("line 2: ") && !plain.contains("write /"),
            "{plain}"
        );
    }
}
