//! Paths that refer to no file of a disk.

/// What such a path refers to.
#[cfg_attr(not(unix), allow(dead_code))]
#[derive(Debug, PartialEq)]
pub(crate) enum Special {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
    /// A device, a pipe or an open file.
    Stream,
}
