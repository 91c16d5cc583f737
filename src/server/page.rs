//! The files of the viewer's page, as `.ci/web` builds it.

use crate::files::{self, FileError};
use hyper::body::Bytes;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Why a folder is not a page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error(
        "{0} has no index.html: build the page with .ci/web, and give the folder that it prints"
    )]
    NoIndex(PathBuf),
    #[error("cannot read the page ({0}): check the folder's permissions")]
    Read(#[from] walkdir::Error),
    #[error("cannot read the page ({0}): check the folder's permissions")]
    File(#[from] FileError),
}

/// The static files of a folder as they were when the server started, in memory: all who read one share
/// its bytes.
pub struct Page {
    /// The files by their paths in an address, such as `/index.html`.
    files: BTreeMap<String, PageFile>,
}

/// A file of the page.
pub(super) struct PageFile {
    pub media_type: &'static str,
    pub bytes: Bytes,
    /// The `ETag`, which other contents do not have.
    pub tag: String,
}

impl PageFile {
    fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = files::read(path)?;
        Ok(Self {
            media_type: media_type(path),
            tag: format!("\"{:x}\"", Sha256::digest(&bytes)),
            bytes: bytes.into(),
        })
    }

    /// Whether the tags of an `If-None-Match` include the file's.
    pub(super) fn is_among(&self, tags: &[u8]) -> bool {
        let mut tags = tags.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag.as_bytes())
    }
}

impl Page {
    /// Reads a folder. Links are followed.
    ///
    /// # Errors
    /// A folder that cannot be read or has no `index.html`.
    pub fn open(folder: &Path) -> Result<Self, PageError> {
        if !folder.join("index.html").is_file() {
            return Err(PageError::NoIndex(folder.to_owned()));
        }
        let mut files = BTreeMap::new();
        for entry in WalkDir::new(folder).follow_links(true) {
            let entry = match entry {
                Err(error) if leads_nowhere(&error) => continue,
                entry => entry?,
            };
            let below = entry.path().strip_prefix(folder).ok();
            if let Some(below) = below.filter(|_| entry.file_type().is_file()) {
                let parts = below.iter().map(|part| part.to_string_lossy());
                let address: String = parts.map(|part| format!("/{part}")).collect();
                files.insert(address, PageFile::read(entry.path())?);
            }
        }
        Ok(Self { files })
    }

    /// The file at the path of an address; `None` if there is none.
    pub(super) fn file(&self, address: &str) -> Option<&PageFile> {
        let address = percent_decode_str(address).decode_utf8().ok()?;
        let address = if address == "/" {
            "/index.html"
        } else {
            &*address
        };
        self.files.get(address)
    }
}

/// Whether an error is about a link to nothing, such as an editor's lock.
fn leads_nowhere(error: &walkdir::Error) -> bool {
    let missing = error.io_error().map(std::io::Error::kind) == Some(ErrorKind::NotFound);
    error.depth() > 0 && missing
}

/// Browsers compile only what is sent as WebAssembly while it arrives, and run only what is sent as a
/// script.
fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("webp") => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded_and_tags_tell_contents() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("index.html", "page"), ("my model.bin", "page"), ("é", "")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let page = Page::open(folder.path()).unwrap();
        let tag = |address: &str| page.file(address).map(|file| file.tag.clone());
        assert!(tag("/").is_some());
        assert_eq!(tag("/"), tag("/index.html"));
        assert_eq!(tag("/"), tag("/my%20model.bin"));
        assert!(tag("/%C3%A9").is_some_and(|other| Some(other) != tag("/")));
        for missing in [
            "/my+model.bin",
            "/%C3",
            "/%2e%2e/index.html",
            "//index.html",
        ] {
            assert_eq!(tag(missing), None, "{missing}");
        }
        let file = page.file("/").unwrap();
        assert!(file.is_among(file.tag.as_bytes()) && file.is_among(b"*"));
        assert!(file.is_among(format!("\"a\", W/{}", file.tag).as_bytes()));
        assert!(!file.is_among(b"\"a\"") && !file.is_among(b""));
    }

    #[cfg(unix)]
    #[test]
    fn linked_files_and_folders_belong_to_the_page() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let [built, page] = ["built", "page"].map(|name| folder.path().join(name));
        std::fs::create_dir_all(built.join("models")).unwrap();
        std::fs::create_dir_all(&page).unwrap();
        std::fs::write(built.join("index.html"), "page").unwrap();
        std::fs::write(built.join("models/a.bin"), "model").unwrap();
        symlink(built.join("index.html"), page.join("index.html")).unwrap();
        symlink(built.join("models"), page.join("models")).unwrap();
        symlink("nowhere", page.join("lock")).unwrap();
        let page = Page::open(&page).unwrap();
        assert_eq!(page.file("/").unwrap().bytes, "page");
        assert_eq!(page.file("/models/a.bin").unwrap().bytes, "model");
        assert!(page.file("/lock").is_none());
    }
}
