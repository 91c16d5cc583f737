//! Folders that could not be read while photos were looked for.

use crate::cli::output::one_line;
use crate::format::counted;
use crate::terminal::err;
use anyhow::bail;

/// Why folders below the given ones could not be read. The photos elsewhere are still worked on.
#[derive(Debug, Default)]
pub(crate) struct Unread(Vec<anyhow::Error>);

impl Unread {
    pub(super) fn add(&mut self, error: anyhow::Error) {
        self.0.push(error);
    }

    /// Takes the first, where nothing was found without them.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn first(&mut self) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(self.0.remove(0))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lists the folders before the photos are worked on, which may be stopped.
    pub(super) fn list(&self) {
        for error in &self.0 {
            err!("flowseg: {}", one_line(error));
        }
    }

    /// The result once the photos are done.
    ///
    /// # Errors
    /// There is a folder.
    pub(crate) fn report(self) -> anyhow::Result<()> {
        match self.0.len() {
            0 => Ok(()),
            n => bail!(
                "{} could not be read, with any photos there",
                counted(n, "folder")
            ),
        }
    }
}
