//! Pictures of formats that cannot be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Extensions of pictures that cannot be read.
const UNREADABLE: [&str; 12] = [
    "avif", "jp2", "j2k", "jxl", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf",
];

/// How many pictures were left out, and why; `None` if there are none.
pub(super) fn left_out(unreadable: &BTreeSet<PathBuf>) -> Option<String> {
    let endings: BTreeSet<&str> = unreadable.iter().filter_map(|path| ending(path)).collect();
    let endings: Vec<&str> = endings.into_iter().collect();
    let (last, others) = endings.split_last()?;
    let endings = match others {
        [] => (*last).to_owned(),
        others => format!("{} and {last}", others.join(", ")),
    };
    let (files, them) = match unreadable.len() {
        1 => ("file", "it"),
        _ => ("files", "them"),
    };
    let count = unreadable.len();
    Some(format!(
        "{count} {files} left out: {endings} cannot be read, convert {them} to PNG or JPEG"
    ))
}

/// The extension of a picture that cannot be read, in small letters.
pub(super) fn ending(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?;
    UNREADABLE
        .into_iter()
        .find(|known| ending.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_cannot_be_read_are_counted_by_their_endings() {
        let note = |names: &[&str]| left_out(&names.iter().map(PathBuf::from).collect());
        assert_eq!(note(&[]), None);
        assert_eq!(
            note(&["x.AVIF"]).unwrap(),
            "1 file left out: avif cannot be read, convert it to PNG or JPEG"
        );
        assert_eq!(
            note(&["x.avif", "y.jp2", "z.jp2", "a.Nef"]).unwrap(),
            "4 files left out: avif, jp2 and nef cannot be read, convert them to PNG or JPEG"
        );
        assert_eq!(ending(Path::new("a.txt")), None);
    }
}
