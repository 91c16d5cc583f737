//! The categories of COCO files.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::super::error::DataError;
use super::coco_file::{Category, Head, Id, WHAT};
use super::json;

/// The annotations of a file, for the categories that they have.
#[derive(Deserialize)]
struct Used {
    #[serde(default)]
    annotations: Vec<Of>,
}

#[derive(Deserialize)]
struct Of {
    category_id: Option<Id>,
}

/// The error for a file with two images or categories with the same id.
pub(super) fn twice(json: &Path, what: &str, id: &Id, [first, second]: [&str; 2]) -> DataError {
    let reason = format!(
        "the {what} {first:?} and {second:?} have the same id {id}: give every one its own, as files that were \
         merged must be numbered anew"
    );
    DataError::description(json, reason)
}

/// The class of every category by its id.
///
/// # Errors
/// Two classes with the same id.
pub(super) fn classes_by_id(
    json: &Path,
    categories: Vec<Category>,
    indices: impl Iterator<Item = u16>,
) -> Result<HashMap<Id, u16>, DataError> {
    let mut known: HashMap<Id, (u16, String)> = HashMap::new();
    for (category, class) in categories.into_iter().zip(indices) {
        let Some((first, name)) = known.get(&category.id) else {
            known.insert(category.id, (class, category.name));
            continue;
        };
        // The same class twice is harmless.
        if *first != class {
            let names = [name.as_str(), category.name.as_str()];
            return Err(twice(json, "categories", &category.id, names));
        }
    }
    let classes = known.into_iter().map(|(id, (class, _))| (id, class));
    Ok(classes.collect())
}

/// Drops the category of each of these files that stands for the whole project, as Roboflow writes it. If an annotation
/// of any file has it, it is a class, and all stay.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn drop_projects<'p>(
    files: impl Iterator<Item = &'p Path>,
    heads: &mut [Head],
) -> Result<(), DataError> {
    let projects: Vec<Option<usize>> = heads.iter().map(project).collect();
    for ((path, head), project) in files.zip(&*heads).zip(&projects) {
        let Some(at) = *project else {
            continue;
        };
        let used: Used = json::read(path, WHAT)?;
        let mut of = used.annotations.iter();
        if of.any(|of| of.category_id.as_ref() == Some(&head.categories[at].id)) {
            return Ok(());
        }
    }
    for (head, project) in heads.iter_mut().zip(projects) {
        if let Some(at) = project {
            head.categories.remove(at);
        }
    }
    Ok(())
}

/// The place of the category that all others are below, and that itself is below none.
fn project(head: &Head) -> Option<usize> {
    let categories = &head.categories;
    let is_top = |category: &Category| category.above() == Some("none");
    let at = categories.iter().position(is_top)?;
    let name = Some(categories[at].name.as_str());
    let others = || {
        categories
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
    };
    let are_below = others().all(|(_, category)| category.above() == name);
    // The segments of panoptic files have categories as well.
    (are_below && others().count() > 0 && !head.annotations.panoptic).then_some(at)
}
