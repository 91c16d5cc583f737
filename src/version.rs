//! Version information of this build.

/// The commit, and whether the sources had changes.
pub(crate) const COMMIT: &str = env!("FLOWSEG_COMMIT");
/// The Rust target triple.
pub(crate) const TARGET: &str = env!("FLOWSEG_TARGET");
/// Optional features of this build.
pub(crate) const FEATURES: &str = env!("FLOWSEG_FEATURES");

/// What `--version` prints after the name.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("FLOWSEG_COMMIT"),
    "\ntarget: ",
    env!("FLOWSEG_TARGET"),
    "\nfeatures: ",
    env!("FLOWSEG_FEATURES"),
);

/// Version, commit, target and features on one line.
pub(crate) fn line() -> String {
    format!(
        "flowseg {}, commit {COMMIT}, {TARGET}, features: {FEATURES}",
        env!("CARGO_PKG_VERSION")
    )
}
