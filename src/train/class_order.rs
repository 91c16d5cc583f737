//! The classes of a run in the order that the weights mean with which it starts or continues.

use super::config::Config;
use super::folder::checkpoints;
use super::prepare::Prepared;
use super::start;
use crate::data::ClassTable;
use crate::files;
use crate::model::Card;
use crate::models;
use crate::run_format::MODEL;
use std::path::Path;

/// How many names of classes a message lists.
const NAMED: usize = 5;

/// The data with its classes in the order of the weights: those of the newest readable checkpoint of a run that is
/// resumed in the folder `out`, or else those of the model that the run starts from. Their classes come first, then
/// those that only the data has. Where the data lacks one of them, its own order stays; a model whose classes
/// then stand for others is told in a warning, as is one whose outputs the settings give another meaning.
pub(super) fn ordered(data: Prepared, config: &Config, out: &Path, resume: bool) -> Prepared {
    let own = &data.training.classes().names;
    let resumed = if resume { of_checkpoint(out) } else { None };
    let table = match (resumed, &config.model.init) {
        (Some(classes), _) => beginning_with(&classes, own),
        (None, Some(path)) => {
            let card = of_model(path);
            let classes = card
                .as_ref()
                .map_or(&[][..], |card| card.classes.as_slice());
            let table = beginning_with(classes, own);
            let names = table.as_ref().map_or(own, |table| &table.names);
            let otherwise = card
                .as_ref()
                .and_then(|card| start::warning(card, config, names));
            if let Some(warning) = moved(classes, own).or(otherwise) {
                tracing::warn!("{}: {warning}", path.display());
            }
            table
        }
        (None, None) => None,
    };
    match table {
        Some(table) if table != *data.training.classes() => data.within(&table),
        _ => data,
    }
}

/// The classes of the newest checkpoint whose model can be read.
fn of_checkpoint(out: &Path) -> Option<Vec<String>> {
    let newest = checkpoints(out).into_iter().rev();
    let mut found = newest.filter_map(|folder| {
        let bytes = files::map_file(&folder.join(MODEL), "model file").ok()?;
        Some(Card::read(&bytes).ok()?.classes)
    });
    found.next()
}

/// The card of a model; `None` if it has none. Why it cannot be read is told where its weights are loaded.
fn of_model(path: &Path) -> Option<Card> {
    let bytes = models::bytes_without_note(path).ok()?;
    Card::read(&bytes).ok()
}

/// The classes `first`, then the others of `own`; `None` where `own` lacks one of them.
fn beginning_with(first: &[String], own: &[String]) -> Option<ClassTable> {
    if !first.iter().all(|name| own.contains(name)) {
        return None;
    }
    let others = own.iter().filter(|name| !first.contains(name));
    let names = first.iter().chain(others).cloned().collect();
    Some(ClassTable { names })
}

/// What is said of a model with the classes `first` that starts a run with the classes `own`, if `own` lacks one of
/// them.
fn moved(first: &[String], own: &[String]) -> Option<String> {
    let missing: Vec<&String> = first.iter().filter(|name| !own.contains(name)).collect();
    if missing.is_empty() {
        return None;
    }
    let lacks = format!("the data lacks its {}", listed(&missing));
    let told = if first.len() == own.len() {
        let at = |name: &String| own.iter().position(|other| other == name);
        let moved = first.iter().enumerate();
        let moved = moved.filter(|(index, name)| at(name).is_some_and(|now| now != *index));
        let moved: Vec<&String> = moved.map(|(_, name)| name).collect();
        let and = if moved.is_empty() {
            String::new()
        } else {
            format!(", and has {} at another index", listed(&moved))
        };
        format!("{lacks}{and}: what the model knows of a class goes to the one of the same index")
    } else {
        // Each has another point, also where its name and its index are the same.
        format!("{lacks}: no class keeps what the model knows of it")
    };
    Some(format!(
        "{told}. Data with all of the model's class names keeps what it knows of each"
    ))
}

/// Names in quotes, the first few of them.
fn listed(names: &[&String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("\"{name}\""))
        .collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if names.len() == 1 { "class" } else { "classes" };
    format!("{noun} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_model_s_classes_come_first_and_in_its_order() {
        let ordered = |first: &str, own: &str| {
            beginning_with(&names(first), &names(own)).map(|table| table.names)
        };
        assert_eq!(
            ordered("sky road", "bus road sky"),
            Some(names("sky road bus"))
        );
        assert_eq!(ordered("sky road", "sky bus"), None);
        // A model without a class table.
        assert_eq!(ordered("", "sky bus"), Some(names("sky bus")));
        assert_eq!(moved(&names("sky road"), &names("bus road sky")), None);
        let told = moved(&names("sky road car"), &names("road sky bus")).unwrap();
        for part in [
            "lacks its class \"car\",",
            "classes \"sky\", \"road\" at",
            "the one of the same index. Data",
        ] {
            assert!(told.contains(part), "{told}");
        }
        let many = moved(&names("a b c d e f g"), &names("h")).unwrap();
        assert!(many.contains("\"e\" and 2 more: no class keeps"), "{many}");
        let fewer = moved(&names("sky road car"), &names("road sky")).unwrap();
        assert!(!fewer.contains("index"), "{fewer}");
    }
}
