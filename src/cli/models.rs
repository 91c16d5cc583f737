//! `flowseg models`: which models there are.

use crate::files;
use crate::model::Card;
use crate::models::{self, BUILT_IN};
use crate::terminal::{self, err, out};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

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

/// A model that can be named.
struct Listed<'a> {
    name: String,
    /// None for one inside the program.
    path: Option<PathBuf>,
    card: Card,
    bytes: &'a [u8],
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    for (name, bytes) in BUILT_IN {
        let card = Card::read(bytes)?;
        show(
            &Listed {
                name: (*name).to_owned(),
                path: None,
                card,
                bytes,
            },
            arguments.json,
        );
    }
    for (name, path) in models::installed() {
        let read = files::map_file(&path, "model file");
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                err!("{error}");
                continue;
            }
        };
        match Card::read(&bytes) {
            Ok(card) => show(
                &Listed {
                    name,
                    path: Some(path),
                    card,
                    bytes: &bytes,
                },
                arguments.json,
            ),
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

fn show(model: &Listed, as_json: bool) {
    let Listed {
        name,
        path,
        card,
        bytes,
    } = model;
    let [height, width] = card.size;
    let checksum: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if as_json {
        let object = json!({
            "name": name,
            "path": path.as_ref().map(|path| path.to_string_lossy()),
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
    let place = path
        .as_ref()
        .map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    out!(
        "{}: {} classes of {}, {height} x {width}, {} recommended",
        terminal::name(name),
        card.classes.len(),
        terminal::name(&card.dataset),
        card.default_steps()
    );
    if let Some(score) = &card.score {
        out!(
            "  mIoU {:.2} with {} steps on {}",
            100.0 * score.miou,
            score.steps,
            terminal::name(&score.on)
        );
    }
    out!("  {}", terminal::name(&card.licence));
    out!(
        "  {place}, {:.1} MB, sha256 {checksum}",
        bytes.len() as f64 / 1e6
    );
}
