//! Why there is no score, and the check of class tables.

use crate::data::DataError;
use crate::inference::{NotFinite, SegmentError};

/// Maximum number of missing classes that are named.
const NAMED: usize = 5;

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data set has classes that the model lacks.
    #[error(
        "the data set has classes that the model lacks: {}; use the data set that the model was trained on, or \
         rename or ignore these classes in dataset.toml",
        listed(missing)
    )]
    Missing {
        /// Each with the model's class that differs from it in letter case alone, if there is one.
        missing: Vec<(String, Option<String>)>,
    },
    /// The model has classes of the same names in another order.
    #[error(
        "the model has {model} where the data set has {data}: their classes are in another order; use the data set \
         that the model was trained on, or write the labels again in the model's order"
    )]
    Order { model: String, data: String },
    /// Model and data set have different numbers of classes.
    #[error(
        "the model has {model} classes and the data set has {data}: use the data set that the model was trained \
         on, or name the model's other classes in dataset.toml, after those of the data set"
    )]
    Classes { model: usize, data: usize },
    /// The predictions are not finite numbers.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// A photo whose votes do not fit into memory.
    #[error("{name}: {source}")]
    Windows {
        name: String,
        /// The estimate.
        source: SegmentError,
    },
    /// Nothing to score.
    #[error("no pixel of these photos has a label, so there is no score")]
    Unlabelled,
    /// A decoding thread could not be started.
    #[error("cannot start a thread to decode photos: {0}")]
    Thread(std::io::Error),
    /// The caller requested it.
    #[error("stopped before all photos were scored")]
    Stopped,
}

/// The missing classes of [`EvalError::Missing`] in words.
fn listed(missing: &[(String, Option<String>)]) -> String {
    let named = missing.iter().take(NAMED).map(|(name, near)| match near {
        None => format!("{name:?}"),
        Some(near) => format!("{name:?} (the model's {near:?} differs in letter case alone)"),
    });
    let mut text = named.collect::<Vec<_>>().join(", ");
    if let Some(more) = missing.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Checks that a data set has the classes of a model in its order.
///
/// # Errors
/// The classes that the model lacks, or how the tables differ otherwise.
pub(super) fn same_classes(model: &[String], data: &[String]) -> Result<(), EvalError> {
    if model == data {
        return Ok(());
    }
    let near = |name: &String| {
        let lower = name.to_lowercase();
        model
            .iter()
            .find(|own| own.to_lowercase() == lower)
            .cloned()
    };
    let missing = data.iter().filter(|name| !model.contains(name));
    let missing: Vec<_> = missing.map(|name| (name.clone(), near(name))).collect();
    if !missing.is_empty() {
        return Err(EvalError::Missing { missing });
    }
    Err(match model.iter().zip(data).find(|(a, b)| a != b) {
        Some((model, data)) => EvalError::Order {
            model: model.clone(),
            data: data.clone(),
        },
        None => EvalError::Classes {
            model: model.len(),
            data: data.len(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_that_the_model_lacks_are_named() {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let model = names(&["sky", "road", "car"]);
        let error = |data: &[&str]| same_classes(&model, &names(data)).unwrap_err().to_string();
        assert!(same_classes(&model, &model).is_ok());
        // The first position that differs is no obstacle: "road" has its class.
        let text = error(&["road", "boat", "sky"]);
        assert!(
            text.contains("classes that the model lacks: \"boat\"; use"),
            "{text}"
        );
        let text = error(&["Sky", "road", "car"]);
        assert!(
            text.contains("lacks: \"Sky\" (the model's \"sky\" differs in letter case alone); use"),
            "{text}"
        );
        let many: Vec<String> = (0..8).map(|k| format!("class {k}")).collect();
        let text = same_classes(&model, &many).unwrap_err().to_string();
        assert!(text.contains("\"class 4\" and 3 more; use"), "{text}");
        let text = error(&["Gebäude \"alt\""]);
        assert!(text.contains(r#"lacks: "Gebäude \"alt\""; use"#), "{text}");
        assert!(error(&["road", "sky", "car"]).contains("another order"));
        assert!(error(&["sky", "road"]).contains("3 classes"));
    }
}
