//! What masks were made with, as lines of the manifest and files of indices say it.

use super::choice::Choice;
use crate::flow::Source;
use crate::inference::Viewing;
use crate::kernels::MatmulPrecision;
use crate::model::Card;
use crate::models::{self, Found};
use crate::panics::panic_message;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Entries of the model: where it lies, and the SHA-256 of its bytes.
const MODEL: &str = "model";
const CHECKSUM: &str = "model_sha256";

/// Digits of a checksum in files of masks.
const SHORT: usize = 12;

/// The SHA-256 of a model's bytes, computed on a thread of its own: it would delay the first mask.
pub(super) struct Checksum(JoinHandle<String>);

impl Checksum {
    /// Starts to compute that of a model.
    ///
    /// # Errors
    /// A thread that the system refuses.
    pub(super) fn start(model: Arc<Found>) -> anyhow::Result<Self> {
        let thread = Builder::new()
            .name("flowseg-checksum".into())
            .spawn(move || models::checksum_of(model.bytes()));
        Ok(Self(thread.context("cannot start a thread")?))
    }

    /// Waits for it.
    fn end(self) -> anyhow::Result<String> {
        match self.0.join() {
            Ok(checksum) => Ok(checksum),
            Err(panic) => bail!("the checksum of the model: {}", panic_message(&*panic)),
        }
    }
}

/// The model, how photos are seen, and what masks show of the result. Without a checksum it is not for records.
///
/// # Errors
/// A checksum that could not be computed.
pub(super) fn made_with(
    model: &Found,
    card: &Card,
    precision: MatmulPrecision,
    viewing: &Viewing,
    choice: &Choice,
    checksum: Option<Checksum>,
) -> anyhow::Result<Value> {
    let looks = viewing.looks.iter();
    let scales = looks.filter(|look| !look.mirrored).map(|look| look.scale);
    // As few digits as were given.
    let ignore_below = (1e6 * f64::from(viewing.ignore_below)).round() / 1e6;
    let mut made = json!({
        MODEL: model_file(model),
        "training_steps": card.steps,
        "precision": precision.to_string(),
        "solver": viewing.sampling.solver,
        "steps": viewing.sampling.steps,
        "shift": viewing.sampling.shift,
        "scales": scales.collect::<Vec<f64>>(),
        "flip": viewing.looks.iter().any(|look| look.mirrored),
        "tiles": viewing.tiling.to_string(),
        "outlines": viewing.outlines,
        "ignore_below": ignore_below,
    });
    if let Some(checksum) = checksum {
        made[CHECKSUM] = checksum.end()?.into();
    }
    if card.source == Source::Noise {
        made["seed"] = viewing.sampling.seed.into();
    }
    for (name, value) in choice.of_masks() {
        made[name] = value;
    }
    Ok(made)
}

/// What files of masks say of it. They are given to others, whom the model's folder tells nothing: its file's name and
/// the start of its checksum do.
pub(super) fn of_files(made_with: &Value) -> Value {
    let mut made = made_with.clone();
    if let Some(model) = made_with[MODEL].as_str().map(Path::new) {
        let name = model.file_name().unwrap_or(model.as_os_str());
        made[MODEL] = name.to_string_lossy().into();
    }
    if let Some(checksum) = made_with[CHECKSUM].as_str() {
        made[CHECKSUM] = checksum.get(..SHORT).unwrap_or(checksum).into();
    }
    made
}

/// The model's file, however the command names it, or the name of one in the binary.
fn model_file(model: &Found) -> String {
    let Some(file) = model.file() else {
        return model.name().to_string_lossy().into_owned();
    };
    let whole = dunce::canonicalize(file).ok();
    let whole = whole.as_deref().unwrap_or(file);
    whole.to_string_lossy().into_owned()
}

/// What differs between the settings of masks that are there and those of now, such as `steps 1 instead of 5`, as far
/// as the former are known: an earlier version has recorded fewer. A model is told by its bytes, wherever its file
/// lies, and named by its path where that differs, too.
pub(super) fn difference(there: &Value, now: &Value) -> String {
    let differs = |name: &str| there.get(name).is_some_and(|there| *there != now[name]);
    let hidden = match (there.get(CHECKSUM).is_some(), differs(CHECKSUM)) {
        (true, true) if differs(MODEL) => Some(CHECKSUM),
        (true, false) => Some(MODEL),
        _ => None,
    };
    let entries = now.as_object().into_iter().flatten();
    let entries = entries.filter(|(name, _)| hidden != Some(name.as_str()));
    let other = entries.filter_map(|(name, now)| {
        let there = there.get(name)?;
        (there != now).then(|| format!("{name} {there} instead of {now}"))
    });
    other.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let now = json!({"model": "street", "steps": 5, "flip": false});
        assert_eq!(difference(&now, &now), "");
        let there = json!({"model": "cells", "steps": 5});
        assert_eq!(
            difference(&there, &now),
            "model \"cells\" instead of \"street\""
        );
    }

    #[test]
    fn a_model_is_told_by_its_bytes_wherever_it_lies() {
        let made = |model: &str, checksum: &str| json!({MODEL: model, CHECKSUM: checksum});
        let there = made("/old/m", "1a");
        assert_eq!(difference(&there, &made("/new/m", "1a")), "");
        let others = [
            ("/old/m", "model_sha256 \"1a\" instead of \"2b\""),
            ("/new/m", "model \"/old/m\" instead of \"/new/m\""),
        ];
        for (model, said) in others {
            assert_eq!(difference(&there, &made(model, "2b")), said);
        }
    }

    #[test]
    fn files_say_nothing_of_folders() {
        let checksum = "0123456789abcdef";
        let made = json!({MODEL: "/home/me/m.safetensors", CHECKSUM: checksum, "steps": 5});
        let said = json!({MODEL: "m.safetensors", CHECKSUM: "0123456789ab", "steps": 5});
        assert_eq!(of_files(&made), said);
        assert_eq!(of_files(&said), said);
    }

    #[test]
    fn the_checksum_is_that_of_the_model_that_was_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.safetensors");
        std::fs::write(&file, "model").unwrap();
        let found = Arc::new(models::find(&file).unwrap());
        // Windows does not replace a file that is mapped.
        if cfg!(unix) {
            crate::files::write_atomic(&file, b"another").unwrap();
        }
        let checksum = Checksum::start(found).unwrap().end().unwrap();
        assert_eq!(checksum, models::checksum_of(b"model"));
    }

    #[test]
    fn a_model_is_the_same_under_every_name_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.safetensors");
        std::fs::write(&file, "model").unwrap();
        let other = folder.path().join(".").join("m.safetensors");
        let named = |name: &Path| model_file(&models::find(name).unwrap());
        assert_eq!(named(&file), named(&other));
        #[cfg(embedded_models)]
        assert_eq!(named(Path::new("scenes")), "scenes");
    }
}
