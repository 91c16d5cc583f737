//! Recognises files that are not what their names promise.

/// The start of a git-lfs pointer file, according to its specification.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Maximum bytes of a text that are examined.
const START: usize = 1024;

/// What a file is, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// With its article, to follow "is".
    pub name: &'static str,
    pub remedy: &'static str,
}

impl FileKind {
    pub(crate) const fn new(name: &'static str, remedy: &'static str) -> Self {
        Self { name, remedy }
    }
}

const EMPTY: FileKind = FileKind {
    name: "empty (0 bytes)",
    remedy: "copy or download it again",
};
const LFS: FileKind = FileKind {
    name: "a git-lfs pointer instead of the file itself",
    remedy: "run `git lfs pull` where it was cloned",
};
const WEB_PAGE: FileKind = FileKind {
    name: "an HTML web page",
    remedy: "download the file itself; a login or error page was saved in its place",
};
const SERVER_ERROR: FileKind = FileKind {
    name: "a server's error message",
    remedy: "download the file again",
};

/// The kind of a file that was given as a model, a checkpoint or a photo but is an empty file, a
/// git-lfs pointer or a server's answer. `None` for anything else.
pub fn foreign(bytes: &[u8]) -> Option<FileKind> {
    if bytes.is_empty() {
        return Some(EMPTY);
    }
    if bytes.starts_with(POINTER) {
        return Some(LFS);
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(START)]).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // Servers answer with such a document if a login is needed or the file is gone.
    let page = ["<!doctype html", "<html", "<head", "<body"];
    let document = text.strip_prefix("<?xml").unwrap_or_default();
    if page.iter().any(|start| text.starts_with(start)) || document.contains("<html") {
        return Some(WEB_PAGE);
    }
    document.contains("<error>").then_some(SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_place_of_a_file_is_described() {
        let word = |bytes: &[u8]| foreign(bytes).map_or("nothing", |kind| kind.name);
        assert!(word(b"").starts_with("empty"));
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
        assert!(word(pointer).contains("git-lfs"));
        for page in [
            "<!DOCTYPE html>\n<html>",
            "\u{feff}\r\n <HTML lang=en>",
            "<?xml version=\"1.0\"?><!DOCTYPE html><html xmlns=\"x\">",
        ] {
            assert!(word(page.as_bytes()).contains("web page"), "{page}");
        }
        let denied = b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>";
        assert!(word(denied).contains("error message"));
        for other in [
            &b"<svg xmlns=\"x\">"[..],
            b"version 2",
            b"\x89PNG",
            b"PK\x03\x04",
        ] {
            assert_eq!(foreign(other), None);
        }
    }
}
