//! Files that are something else than their names promise.

/// What git-lfs writes in place of a file, by its specification.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Bytes of a text that are looked at.
const START: usize = 1024;

/// What a file is that came in place of a model, a checkpoint or a photo, and what to do about it:
/// the end of a sentence that begins with the file's name. None for anything else.
pub fn describe_foreign(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("empty (0 bytes): copy or download it again");
    }
    if bytes.starts_with(POINTER) {
        return Some(
            "a git-lfs pointer and not the file itself: fetch the file with `git lfs pull`",
        );
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(START)]).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // Servers answer with such a document where a login is needed or the file is gone.
    let page = ["<!doctype html", "<html", "<head", "<body"];
    let document = text.strip_prefix("<?xml").unwrap_or_default();
    if page.iter().any(|start| text.starts_with(start)) || document.contains("<html") {
        return Some("a web page and not the file itself: download it again, logged in if need be");
    }
    if document.contains("<error>") {
        return Some("a server's error message and not the file itself: download it again");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_place_of_a_file_is_described() {
        let word = |bytes: &[u8]| describe_foreign(bytes).unwrap_or("nothing");
        assert!(word(b"").starts_with("empty"));
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
        assert!(word(pointer).contains("git lfs pull"));
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
            assert_eq!(describe_foreign(other), None);
        }
    }
}
