//! `flowseg models`: which models there are.

use crate::files;
use crate::format::hex;
use crate::model::Card;
use crate::models::{self, BUILT_IN};
use crate::terminal::{self, err, out};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::Path;

/// List the built-in and the installed models
///
/// Installed models are files NAME.safetensors in the folder that this command prints; every command
/// takes them by name.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Print a JSON object per model
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    for (name, bytes) in BUILT_IN {
        show(name, None, bytes, &Card::read(bytes)?, arguments.json);
    }
    for (name, path) in models::installed() {
        // One that cannot be used is named, and the others are listed.
        let bytes = match files::map_file(&path, "model file") {
            Ok(bytes) => bytes,
            Err(error) => {
                err!("{error}");
                continue;
            }
        };
        match Card::read(&bytes) {
            Ok(card) => show(&name, Some(&path), &bytes, &card, arguments.json),
            Err(error) => err!("{}: {error}", path.display()),
        }
    }
    if let Some(folder) = models::folder()
        && !arguments.json
    {
        out!("models in {} are listed here too", folder.display());
    }
    Ok(())
}

/// Prints a model; one without a path is built in.
fn show(name: &str, path: Option<&Path>, bytes: &[u8], card: &Card, as_json: bool) {
    let [height, width] = card.size;
    let checksum = hex(&Sha256::digest(bytes));
    if as_json {
        let object = json!({
            "name": name,
            "path": path.map(Path::to_string_lossy),
            "classes": card.classes,
            "dataset": card.dataset,
            "size": card.size,
            "steps": card.default_steps(),
            "score": card.score,
            "licence": card.licence,
            "bytes": bytes.len(),
            "sha256": checksum,
        });
        out!("{object}");
        return;
    }
    let place = path.map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    out!(
        "{}: {} classes of {}, {height} x {width}, recommended solver steps: {}",
        terminal::name(name),
        card.classes.len(),
        terminal::name(&card.dataset),
        card.default_steps()
    );
    if let Some(score) = &card.score {
        out!(
            "  mIoU {:.2} on {}, solver steps: {}",
            100.0 * score.miou,
            terminal::name(&score.on),
            score.steps
        );
    }
    out!("  {}", terminal::name(&card.licence));
    out!(
        "  {place}, {:.1} MB, sha256 {checksum}",
        bytes.len() as f64 / 1e6
    );
}
