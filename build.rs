//! Names the source, the target and the features of a build for `flowseg --version`, finds the models
//! that go into the binary, and gives executables for Windows their icon, version and manifest.
//!
//! The script runs again when the sources change, and only then: a commit that changes nothing here
//! does not compile the crate again. What it says of the commit is therefore what was true when the
//! sources last changed; packages are built from a clean checkout, or set `FLOWSEG_COMMIT`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What goes into the program.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "src",
    "shaders",
    "assets/icon",
    "assets/models",
    "assets/windows",
];

/// The models that the feature `embedded-models` puts into the binary.
const MODELS: [&str; 4] = ["street", "fashion", "cells", "scenes"];

fn main() {
    for path in SOURCES {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=FLOWSEG_COMMIT");
    let embedded = embeds_models();
    println!("cargo::rustc-check-cfg=cfg(embedded_models)");
    if embedded {
        println!("cargo::rustc-cfg=embedded_models");
    }
    let commit = commit().unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=FLOWSEG_COMMIT={commit}");
    println!("cargo::rustc-env=FLOWSEG_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=FLOWSEG_FEATURES={}", features(embedded));
    if variable("CARGO_CFG_TARGET_OS") == "windows" {
        windows_resources();
        windows_stack();
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Whether the models are wanted and there: the crate as packaged for a registry comes without them.
fn embeds_models() -> bool {
    if env::var_os("CARGO_FEATURE_EMBEDDED_MODELS").is_none() {
        return false;
    }
    let missing: Vec<&str> = MODELS
        .into_iter()
        .filter(|name| !Path::new(&format!("assets/models/{name}.safetensors")).is_file())
        .collect();
    if !missing.is_empty() {
        println!(
            "cargo::warning=assets/models lacks {}: this build has no models inside and reads \
             installed ones, see `flowseg models`",
            missing.join(", ")
        );
    }
    missing.is_empty()
}

/// The features of this build, as a list for people.
fn features(embedded: bool) -> String {
    let all = variable("CARGO_CFG_FEATURE");
    let names: Vec<&str> = all
        .split(',')
        .filter(|name| !matches!(*name, "" | "default"))
        .filter(|name| embedded || *name != "embedded-models")
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The commit that is built: what the packager says, else what `cargo package` wrote down, else what
/// git says.
fn commit() -> Option<String> {
    let given = variable("FLOWSEG_COMMIT");
    let given = given.lines().next().unwrap_or_default().trim();
    if !given.is_empty() {
        return Some(given.to_owned());
    }
    packaged_commit().or_else(checked_out_commit)
}

/// The commit in the file that `cargo package` adds to a crate.
fn packaged_commit() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let commit = rest.split('"').nth(1)?.get(..12)?;
    Some(described(commit, rest.contains("\"dirty\": true")))
}

/// The commit of the work tree, and whether its sources were changed since.
fn checked_out_commit() -> Option<String> {
    // A copy of the sources inside somebody else's repository has nothing to do with its commits.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let status = ["status", "--porcelain", "--untracked-files=no", "--"];
    let changed = git(&[status.as_slice(), SOURCES.as_slice()].concat())?;
    Some(described(&commit, !changed.is_empty()))
}

fn described(commit: &str, changed: bool) -> String {
    let changes = if changed { " with changes" } else { "" };
    format!("{commit}{changes}")
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The icon, the version and the manifest of an executable for Windows. The manifest has no XML
/// declaration, since its lines are indented on their way to the resource compiler. Its console policy keeps a
/// console from opening beside the window when the program is started by a click, from Windows 11 24H2
/// on. Without a resource compiler the program works all the same.
fn windows_resources() {
    let manifest = fs::read_to_string("assets/windows/flowseg.manifest");
    let mut resources = winresource::WindowsResource::new();
    resources
        .set("ProductName", "FlowSeg")
        .set("FileDescription", "FlowSeg")
        .set("LegalCopyright", "MIT or Apache-2.0")
        .set("OriginalFilename", "flowseg.exe")
        .set_icon("assets/icon/flowseg.ico");
    if let Ok(manifest) = &manifest {
        resources.set_manifest(manifest);
    }
    if let Err(error) = manifest.map(|_| ()).and_then(|()| resources.compile()) {
        println!("cargo::warning=the executable gets no icon and no manifest: {error}");
    }
}

/// Gives the main thread as much stack as on other systems; Windows would give it one or two MiB.
fn windows_stack() {
    const STACK: u32 = 8 << 20;
    let option = match &*variable("CARGO_CFG_TARGET_ENV") {
        "msvc" => format!("/STACK:{STACK}"),
        _ => format!("-Wl,--stack,{STACK}"),
    };
    println!("cargo::rustc-link-arg-bins={option}");
}
