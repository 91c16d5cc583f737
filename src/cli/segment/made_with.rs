//! What masks were made with, as lines of the manifest say it.

use crate::inference::Viewing;
use serde_json::{Value, json};

/// The model, as the command names it, and how photos are seen.
pub(super) fn made_with(model: &str, viewing: &Viewing) -> Value {
    let looks = viewing.looks.iter();
    let scales = looks.filter(|look| !look.mirrored).map(|look| look.scale);
    // As few digits as were given.
    let ignore_below = (1e6 * f64::from(viewing.ignore_below)).round() / 1e6;
    json!({
        "model": model,
        "solver": viewing.sampling.solver,
        "steps": viewing.sampling.steps,
        "shift": viewing.sampling.shift,
        "seed": viewing.sampling.seed,
        "scales": scales.collect::<Vec<f64>>(),
        "flip": viewing.looks.iter().any(|look| look.mirrored),
        "tiles": viewing.tiling.to_string(),
        "outlines": viewing.outlines,
        "ignore_below": ignore_below,
    })
}

/// What differs between the settings of masks that are there and those of now, such as `steps 1 instead of 5`.
pub(super) fn difference(there: &Value, now: &Value) -> String {
    let entries = now.as_object().into_iter().flatten();
    let other = entries.filter_map(|(name, now)| {
        let there = &there[name];
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
            "flip null instead of false, model \"cells\" instead of \"street\""
        );
    }
}
