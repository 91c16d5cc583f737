//! Folders that could not be read while photos were looked for.

use crate::cli::output::one_line;
use crate::format::counted;
use crate::terminal::err;
use anyhow::bail;

/// Why folders below the given ones could not be read. The photos elsewhere are still worked on.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    errors: Vec<anyhow::Error>,
    /// How many are of earlier arguments.
    earlier: usize,
}

impl Unread {
    pub(super) fn add(&mut self, error: anyhow::Error) {
        self.errors.push(error);
    }

    /// Begins another argument.
    pub(super) fn begin(&mut self) {
        self.earlier = self.errors.len();
    }

    /// Takes the first of this argument, where nothing was found without it.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn first(&mut self) -> anyhow::Result<()> {
        if self.earlier == self.errors.len() {
            return Ok(());
        }
        Err(self.errors.remove(self.earlier))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Lists the folders before the photos are worked on, which may be stopped.
    pub(super) fn list(&self) {
        for error in &self.errors {
            err!("flowseg: {}", one_line(error));
        }
    }

    /// The result once the photos are done.
    ///
    /// # Errors
    /// There is a folder.
    pub(crate) fn report(self) -> anyhow::Result<()> {
        match self.errors.len() {
            0 => Ok(()),
            n => bail!(
                "{} could not be read, with any photos there",
                counted(n, "folder")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn an_argument_fails_by_folders_of_its_own() {
        let mut unread = Unread::default();
        unread.add(anyhow!("of the first"));
        unread.begin();
        assert!(unread.first().is_ok());
        unread.add(anyhow!("of the second"));
        let error = unread.first().unwrap_err().to_string();
        assert_eq!(error, "of the second");
        let error = unread.report().unwrap_err().to_string();
        assert!(error.contains("1 folder"), "{error}");
    }
}
