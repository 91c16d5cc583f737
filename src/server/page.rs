//! The files of the viewer's page, as `.ci/web` builds it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Why a folder is not a page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error(
        "{0} has no index.html: build the page with .ci/web, and name the folder that it prints"
    )]
    NoIndex(PathBuf),
    #[error("cannot read the page ({0}): check the folder's permissions")]
    Read(#[from] walkdir::Error),
}

/// A folder of static files. Only what is in it when the server starts is served.
pub struct Page {
    /// The files by their paths in an address, such as `/index.html`.
    files: BTreeMap<String, PathBuf>,
}

impl Page {
    /// Lists a folder.
    ///
    /// # Errors
    /// A folder that cannot be read or has no `index.html`.
    pub fn open(folder: &Path) -> Result<Self, PageError> {
        if !folder.join("index.html").is_file() {
            return Err(PageError::NoIndex(folder.to_owned()));
        }
        let mut files = BTreeMap::new();
        for entry in WalkDir::new(folder) {
            let entry = entry?;
            let below = entry.path().strip_prefix(folder).ok();
            if let Some(below) = below.filter(|_| entry.file_type().is_file()) {
                let parts = below.iter().map(|part| part.to_string_lossy());
                let address: String = parts.map(|part| format!("/{part}")).collect();
                files.insert(address, entry.into_path());
            }
        }
        Ok(Self { files })
    }

    /// Media type and contents of the file at an address; `None` if there is none.
    pub(super) fn read(&self, address: &str) -> Option<io::Result<(&'static str, Vec<u8>)>> {
        let address = if address == "/" {
            "/index.html"
        } else {
            address
        };
        let path = self.files.get(address)?;
        Some(std::fs::read(path).map(|bytes| (media_type(path), bytes)))
    }
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
