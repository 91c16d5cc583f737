//! `flowseg models`: lists the models, or edits a card.

use super::output;
use crate::files::{self, Plan};
use crate::model::{self, Card, ModelError, Quality};
use crate::models::{self, BUILT_IN};
use crate::terminal::{self, err, out};
use anyhow::Context;
use serde_json::json;
use std::path::{Path, PathBuf};

/// List the built-in and installed models, show a model's classes, or edit its card
///
/// Installed models are files NAME.safetensors in the folder that this command prints; every command
/// accepts their names.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only this model, with the index and name of each of its classes: a name, a file or a run folder
    #[arg(value_name = "MODEL", conflicts_with_all = ["edit", "card", "output"])]
    model: Option<PathBuf>,
    /// Print one JSON object per model
    #[arg(long)]
    json: bool,
    /// A model to copy to --output with changes to its card: a file, a run folder, or a name
    #[arg(
        long,
        value_name = "MODEL",
        requires = "output",
        requires = "card",
        conflicts_with = "json"
    )]
    edit: Option<PathBuf>,
    /// The changes, a JSON object such as {"sampling_steps": 2}; null removes an entry. Classes can be
    /// renamed; their number and what else the weights were trained with stay
    #[arg(long, value_name = "JSON", requires = "edit", conflicts_with = "json")]
    card: Option<String>,
    /// The model file to write, which may be the model itself
    #[arg(
        short,
        long,
        value_name = "MODEL",
        requires = "edit",
        conflicts_with = "json"
    )]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let (Some(from), Some(changes), Some(to)) =
        (&arguments.edit, &arguments.card, &arguments.output)
    {
        return edit(from, changes, to);
    }
    if let Some(model) = &arguments.model {
        return show_one(model, arguments.json);
    }
    for (name, bytes) in BUILT_IN {
        show(name, None, bytes, &Card::read(bytes)?, arguments.json);
    }
    for (name, path) in models::installed() {
        // An unusable model is reported and the others are still listed.
        let bytes = match models::contents(&path) {
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
        out!("models placed in {} are listed here too", folder.display());
    }
    Ok(())
}

/// Prints a model with its classes.
fn show_one(model: &Path, as_json: bool) -> anyhow::Result<()> {
    let bytes = models::bytes(model)?;
    let name = model.to_string_lossy();
    let card = Card::read(&bytes).with_context(|| name.clone().into_owned())?;
    let file = models::file(model);
    // In a build without models, those that come with the program are files.
    let mut inside = BUILT_IN.iter().map(|(known, _)| *known);
    let path = inside
        .all(|known| model.as_os_str() != known)
        .then_some(file.as_path());
    show(&name, path, &bytes, &card, as_json);
    if !as_json {
        for (class, name) in card.classes.iter().enumerate() {
            out!("  {class:>5}  {}", terminal::name(name));
        }
    }
    Ok(())
}

/// Copies a model file, also over itself, with changes to its card.
fn edit(from: &Path, changes: &str, to: &Path) -> anyhow::Result<()> {
    let changes = serde_json::from_str(changes)
        .context("--card is not a JSON object: write one such as {\"sampling_steps\": 2}")?;
    let mut plan = Plan::default();
    plan.write(to, "the model");
    // The model itself may be replaced: it has been read by then, and appears whole or stays as it is.
    output::check(&plan, Vec::new)?;
    let bytes = models::bytes(from)?;
    let changed = model::file::with_card(&bytes, &changes).map_err(|error| {
        let wrong = match error {
            ModelError::Change(_) | ModelError::UnknownEntry { .. } => "--card".to_owned(),
            _ => from.display().to_string(),
        };
        anyhow::Error::from(error).context(wrong)
    })?;
    // Windows does not replace a file that is mapped.
    drop(bytes);
    files::write_atomic(to, &changed)?;
    out!("wrote {}", to.display());
    Ok(())
}

/// The options that score best, and their score.
fn looks(quality: &Quality) -> String {
    let scales: Vec<String> = quality.scales.iter().map(f64::to_string).collect();
    let flip = if quality.flip { " --flip" } else { "" };
    format!(
        "--scales {}{flip}, mIoU {:.2} instead of {:.2} on {}",
        scales.join(","),
        100.0 * quality.best,
        100.0 * quality.fast,
        quality.on
    )
}

/// Prints a model; without a path it is built in.
fn show(name: &str, path: Option<&Path>, bytes: &[u8], card: &Card, as_json: bool) {
    let [height, width] = card.size;
    let checksum = models::checksum_of(bytes);
    let is_hidden = path.is_some() && BUILT_IN.iter().any(|(known, _)| *known == name);
    if as_json {
        let object = json!({
            "name": name,
            "path": path.map(Path::to_string_lossy),
            "hidden": is_hidden,
            "classes": card.classes,
            "dataset": card.dataset,
            "size": card.size,
            "steps": card.default_steps(),
            "score": card.score,
            "quality": card.quality,
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
    if let Some(quality) = &card.quality {
        out!("  --quality best: {}", terminal::name(&looks(quality)));
    }
    out!("  {}", terminal::name(&card.licence));
    out!(
        "  {place}, {:.1} MB, sha256 {checksum}",
        bytes.len() as f64 / 1e6
    );
    if is_hidden {
        out!("  hidden by the built-in model of that name: to use it, rename its file");
    }
}
