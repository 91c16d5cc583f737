//! What this build is.

/// The commit, and whether the sources had changes.
pub(super) const COMMIT: &str = env!("FLOWSEG_COMMIT");
/// The system and the processor that it was built for, as Rust names them.
pub(super) const TARGET: &str = env!("FLOWSEG_TARGET");
/// The optional features that it was built with.
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
