//! The TOML file that describes a table.
//!
//! ```toml
//! title = "Reshaped and vanilla flow matching"
//! about = "What it shows."
//! seeds = [0, 1]                    # every row is trained with every seed, in place of train.seed
//! config = "camvid.toml"            # settings to start from, beside this file; optional
//! axis = "classes"                  # the meaning of the rows' x, for a plot over it; optional
//!
//! [score]                           # every key has a default
//! steps = [1, 2, 5, 10]             # numbers of solver steps, one column each
//! split = "validation"
//! resolution = "label"              # or "network"
//! samples = 0                       # number of photos to score; 0 means the whole split
//! scale = 1.0                       # the network's size, as --scale of `flowseg eval`
//! outlines = "network"              # or "photo", as --outlines of `flowseg eval`, whose default is "photo"
//! noise_seeds = [0]                 # with several, a column shows their agreement; flows that start at the
//!                                   # photo and classifiers have no noise, take the first and always agree
//!
//! [base.train]                      # any settings of `flowseg train`
//! steps = 1500
//!
//! [[row]]
//! name = "vanilla"
//! set = { loss.objective = "vanilla" }
//! x = 11                            # position on the axis, and the line that it belongs to;
//! series = "vanilla"                # optional
//! ```

use super::error::AblateError;
use crate::eval::Resolution;
use crate::inference::SCALES;
use crate::text_file;
use crate::train::config::Config;
use crate::votes::Outlines;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::Value;

/// A table that has been read and checked: the settings of every run are valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub title: String,
    /// A paragraph under it.
    pub about: String,
    /// The meaning of the rows' x, for a plot over it.
    pub axis: Option<String>,
    /// How models are scored.
    pub score: ScoreSettings,
    pub rows: Vec<Row>,
    /// Every run: all rows with the first seed, then all with the next.
    pub jobs: Vec<Job>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub name: String,
    /// Its position on the axis.
    pub x: Option<f64>,
    /// The line of the plot that it belongs to.
    pub series: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Name of its files: letters, digits and hyphens.
    pub name: String,
    /// Index of its row.
    pub row: usize,
    pub row_name: String,
    pub seed: u64,
    pub config: Config,
}

impl Job {
    /// `ROW, seed SEED`
    pub fn title(&self) -> String {
        format!("{}, seed {}", self.row_name, self.seed)
    }
}

/// How the models of a table are scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoreSettings {
    /// Numbers of solver steps.
    pub steps: Vec<usize>,
    pub split: String,
    /// The resolution at which labels are compared.
    pub resolution: Resolution,
    /// Number of photos, spread over the split; 0 means all.
    pub samples: usize,
    /// Factor on each side of the training size, which gives the network's size.
    pub scale: f64,
    /// Where the outlines of masks run.
    pub outlines: Outlines,
    /// Seeds of the noise from which flows start. A flow that starts at the photo is scored with the first.
    pub noise_seeds: Vec<u64>,
}

impl Default for ScoreSettings {
    /// Ten steps on the whole validation split at label resolution, one seed, with the network's own outlines: a
    /// table compares networks.
    fn default() -> Self {
        Self {
            steps: vec![10],
            split: "validation".to_owned(),
            resolution: Resolution::Label,
            samples: 0,
            scale: 1.0,
            outlines: Outlines::Network,
            noise_seeds: vec![0],
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    title: String,
    #[serde(default)]
    about: String,
    #[serde(default = "one_seed")]
    seeds: Vec<u64>,
    config: Option<PathBuf>,
    axis: Option<String>,
    #[serde(default)]
    score: ScoreSettings,
    #[serde(default)]
    base: toml::Table,
    row: Vec<RowDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowDocument {
    name: String,
    #[serde(default)]
    set: toml::Table,
    x: Option<f64>,
    series: Option<String>,
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

impl Table {
    /// Reads a table. `overrides` are `KEY=VALUE` settings for every run; they take precedence over
    /// the file.
    ///
    /// # Errors
    /// If the file cannot be read, keys are unknown, rows share a name, or settings are invalid.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, AblateError> {
        let wrong = |reason: String| AblateError::Table {
            path: path.to_owned(),
            reason: reason.trim().replace('\n', " "),
        };
        let text = text_file::read(path)?;
        let reason = |error| wrong(text_file::toml_reason(&text, &error));
        let document: Document = toml::from_str(&text).map_err(reason)?;
        check(&document).map_err(|reason| wrong(reason.to_owned()))?;
        check_seeds(&document, overrides).map_err(wrong)?;
        let mut base = toml::Table::new();
        if let Some(file) = &document.config {
            let file = path.with_file_name("").join(file);
            let text = text_file::read(&file)?;
            base = text.parse().map_err(|error| {
                let reason = text_file::toml_reason(&text, &error);
                wrong(format!("{}: {reason}", file.display()))
            })?;
        }
        merge(&mut base, document.base);
        let mut jobs = Vec::new();
        let mut names = BTreeSet::new();
        for &seed in &document.seeds {
            for (row, described) in document.row.iter().enumerate() {
                let mut settings = base.clone();
                merge(&mut settings, described.set.clone());
                let text = toml::to_string(&settings).map_err(|e| wrong(e.to_string()))?;
                let seeded = format!("train.seed={seed}");
                let overrides = [overrides, &[seeded]].concat();
                let config =
                    Config::parse(&text, &overrides).map_err(|source| AblateError::Row {
                        path: path.to_owned(),
                        row: described.name.clone(),
                        source,
                    })?;
                let name = format!("{}-seed{seed}", file_name(&described.name));
                if !names.insert(name.clone()) {
                    let row = &described.name;
                    return Err(wrong(format!(
                        "two runs would both be stored as {name}: give the row \"{row}\" another name"
                    )));
                }
                jobs.push(Job {
                    name,
                    row,
                    row_name: described.name.clone(),
                    seed,
                    config,
                });
            }
        }
        let rows = document.row.into_iter().map(|row| Row {
            name: row.name,
            x: row.x,
            series: row.series,
        });
        Ok(Self {
            title: document.title,
            about: document.about.trim().to_owned(),
            axis: document.axis,
            score: document.score,
            rows: rows.collect(),
            jobs,
        })
    }
}

fn check(document: &Document) -> Result<(), &'static str> {
    let score = &document.score;
    match () {
        () if document.row.is_empty() => Err("it has no row: add [[row]]"),
        () if document.seeds.is_empty() => Err("seeds is empty: give at least one"),
        () if score.steps.is_empty() || score.steps.contains(&0) => {
            Err("score.steps needs at least one number, each above 0")
        }
        () if has_twice(&score.steps) => Err("score.steps contains a number twice"),
        () if !(SCALES[0]..=SCALES[1]).contains(&score.scale) => {
            Err("score.scale must be from 0.25 to 4")
        }
        () if score.noise_seeds.is_empty() => Err("score.noise_seeds is empty: give at least one"),
        () if has_twice(&score.noise_seeds) => Err("score.noise_seeds contains a seed twice"),
        () if document
            .row
            .iter()
            .any(|row| row.x.is_some_and(|x| !(x > 0.0 && x.is_finite()))) =>
        {
            Err("a row's x must be a number above 0, since its axis is logarithmic")
        }
        () => Ok(()),
    }
}

fn has_twice<T: PartialEq>(values: &[T]) -> bool {
    (1..values.len()).any(|i| values[..i].contains(&values[i]))
}

/// Refuses `train.seed`, which `seeds` would replace, wherever it is meant for this table alone.
fn check_seeds(document: &Document, overrides: &[String]) -> Result<(), String> {
    let sets = |settings: &toml::Table| {
        let train = settings.get("train").and_then(Value::as_table);
        train.is_some_and(|train| train.contains_key("seed"))
    };
    let key = |text: &String| {
        text.split_once('=')
            .map(|(key, _)| key.trim() == "train.seed")
    };
    let row = document.row.iter().find(|row| sets(&row.set));
    let place = if overrides.iter().any(|text| key(text) == Some(true)) {
        "--set".to_owned()
    } else if sets(&document.base) {
        "base".to_owned()
    } else if let Some(row) = row {
        format!("the row \"{}\"", row.name)
    } else {
        return Ok(());
    };
    Err(format!(
        "{place} gives train.seed, but every row is trained with the table's seeds: use seeds = [0, 1]"
    ))
}

/// Merges tables recursively; any other value is replaced.
fn merge(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// A name as part of a file name: in lower case, with hyphens in place of all but letters and
/// digits.
fn file_name(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::objective::Objective;
    use std::fs;

    fn read(text: &str, overrides: &[&str]) -> Result<Table, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("start.toml"),
            "[train]\nsteps = 7\nbatch_size = 3",
        )
        .unwrap();
        let path = folder.path().join("table.toml");
        fs::write(&path, text).unwrap();
        let overrides: Vec<String> = overrides.iter().map(|s| (*s).to_owned()).collect();
        Table::read(&path, &overrides).map_err(|e| e.to_string())
    }

    const TWO: &str = r#"
        title = "T"
        seeds = [3, 4]
        config = "start.toml"
        [base]
        train = { batch_size = 5 }
        [[row]]
        name = "Plain: 1/2"
        [[row]]
        name = "vanilla"
        set = { loss.objective = "vanilla", train.batch_size = 6 }
    "#;

    #[test]
    fn rows_lie_over_the_base_over_the_file() {
        let table = read(TWO, &["train.steps=9"]).unwrap();
        let names: Vec<&str> = table.jobs.iter().map(|job| job.name.as_str()).collect();
        let expected = [
            "plain-1-2-seed3",
            "vanilla-seed3",
            "plain-1-2-seed4",
            "vanilla-seed4",
        ];
        assert_eq!(names, expected);
        let config = |job: usize| &table.jobs[job].config;
        assert_eq!((config(0).train.steps, config(0).train.batch_size), (9, 5));
        assert_eq!(config(0).loss.objective, Objective::Reshaped);
        assert_eq!((config(3).train.seed, config(3).train.batch_size), (4, 6));
        assert_eq!(config(3).loss.objective, Objective::Vanilla);
        assert_eq!(table.score, ScoreSettings::default());
    }

    #[test]
    fn mistakes_name_the_file_and_the_row() {
        let error = read(&TWO.replace("loss.objective", "loss.objectiv"), &[]).unwrap_err();
        assert!(
            error.contains("table.toml, row \"vanilla\"") && error.contains("loss.objective"),
            "{error}"
        );
        for (from, to, word) in [
            ("seeds = [3, 4]", "seeds = []", "seeds"),
            ("seeds = [3, 4]", "seeds = [3, 3]", "another name"),
            ("title", "titel", "titel"),
            ("start.toml", "absent.toml", "absent.toml"),
            ("seeds", "score = { steps = [0] }\nseeds", "score.steps"),
            ("batch_size = 5", "seed = 5", "base gives train.seed"),
            (
                "batch_size = 6",
                "seed = 6",
                "row \"vanilla\" gives train.seed",
            ),
            ("seeds", "score = { steps = [5, 5] }\nseeds", "twice"),
            (
                "seeds",
                "score = { noise_seeds = [4, 4] }\nseeds",
                "score.noise_seeds contains a seed twice",
            ),
            ("seeds", "score = { outlines = \"none\" }\nseeds", "photo"),
            ("seeds", "score = { scale = 9 }\nseeds", "score.scale"),
            ("seeds", "score = { scale = nan }\nseeds", "score.scale"),
        ] {
            let error = read(&TWO.replace(from, to), &[]).unwrap_err();
            assert!(error.contains(word) && !error.contains('\n'), "{error}");
        }
        let error = read(TWO, &["train.steps=9", "train.seed = 9"]).unwrap_err();
        assert!(error.contains("--set gives train.seed"), "{error}");
        assert!(
            read("title = \"T\"\nrow = []", &[])
                .unwrap_err()
                .contains("[[row]]")
        );
    }
}
