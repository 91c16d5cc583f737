//! What models are called in captions.

use crate::run_format::MODEL;
use crate::sampler::Solver;
use std::path::Path;

/// What a model is called: the name of its run folder, also where the finished model inside is given; a
/// file's name without `.safetensors`; the name of a built-in or installed model.
pub fn model_name(model: &str) -> String {
    let named = named(Path::new(model));
    let Some(name) = last(named) else {
        return model.to_owned();
    };
    let is_model = |ending: &std::ffi::OsStr| ending.eq_ignore_ascii_case("safetensors");
    match named.file_stem() {
        Some(stem) if named.extension().is_some_and(is_model) => {
            stem.to_string_lossy().into_owned()
        }
        _ => name,
    }
}

/// [`model_name`] for two models. If both have one name, the folders above are in the names; if that is
/// not enough, both are as given. One model twice keeps its name.
pub fn model_names(models: [&str; 2]) -> [String; 2] {
    let names = models.map(model_name);
    if names[0] != names[1] || models[0] == models[1] {
        return names;
    }
    let longer = [0, 1].map(|side| {
        let name = &names[side];
        let above = named(Path::new(models[side])).parent().and_then(last);
        above.map_or_else(|| name.clone(), |above| format!("{above}/{name}"))
    });
    if longer[0] == longer[1] {
        models.map(str::to_owned)
    } else {
        longer
    }
}

/// The caption of a result: what its model is called, its number of steps and, unless it is Euler, its
/// solver.
pub fn caption(name: &str, steps: usize, solver: Solver) -> String {
    let unit = if steps == 1 { "step" } else { "steps" };
    let solver = match solver {
        Solver::Euler => "",
        Solver::Heun => ", Heun",
        Solver::Rk4 => ", RK4",
    };
    format!("{name}, {steps} {unit}{solver}")
}

/// The file or folder that a model is called after.
fn named(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| last(folder).is_some());
    match folder {
        Some(folder) if path.file_name().is_some_and(|name| name == MODEL) => folder,
        _ => path,
    }
}

/// The last part of a path.
fn last(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_called_after_its_run_or_file() {
        for (model, name) in [
            ("street", "street"),
            ("runs/lr-0.001", "lr-0.001"),
            ("runs/lr-0.002/", "lr-0.002"),
            ("runs/lr-0.001/model.safetensors", "lr-0.001"),
            ("runs/b/best.safetensors", "best"),
            ("a.b.SafeTensors", "a.b"),
            ("model.safetensors", "model"),
            ("..", ".."),
        ] {
            assert_eq!(model_name(model), name);
        }
    }

    #[test]
    fn two_models_have_two_names() {
        for (models, names) in [
            (["runs/a", "runs/b"], ["a", "b"]),
            (["street", "street"], ["street", "street"]),
            (
                ["a/best.safetensors", "b/best.safetensors"],
                ["a/best", "b/best"],
            ),
            (["x/run/model.safetensors", "y/run"], ["x/run", "y/run"]),
            (
                ["street", "mine/street.safetensors"],
                ["street", "mine/street"],
            ),
            (
                ["run", "run/model.safetensors"],
                ["run", "run/model.safetensors"],
            ),
        ] {
            assert_eq!(model_names(models), names);
        }
    }

    #[test]
    fn captions_say_what_differs() {
        assert_eq!(caption("street", 1, Solver::Euler), "street, 1 step");
        assert_eq!(
            caption("lr-0.001", 10, Solver::Heun),
            "lr-0.001, 10 steps, Heun"
        );
    }
}
