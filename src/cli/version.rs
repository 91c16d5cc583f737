//! Version information of this build.

/// The commit, and whether the sources had changes.
pub(super) const COMMIT: &str = env!("FLOWSEG_COMMIT");
/// The Rust target triple.
pub(super) const TARGET: &str = env!("FLOWSEG_TARGET");
/// Optional features of this build.
pub(super) const FEATURES: &str = env!("FLOWSEG_FEATURES");

/// What `--version` prints after the name.
pub(super) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("FLOWSEG_COMMIT"),
    "\ntarget: ",
    env!("FLOWSEG_TARGET"),
    "\nfeatures: ",
    env!("FLOWSEG_FEATURES"),
);
