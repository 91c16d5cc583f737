//! A table as Markdown, as CSV and as plots.

use super::error::AblateError;
use super::plot::{Axis, Line, plot};
use super::record::{Record, StepResult};
use super::table::Table;
use crate::csv;
use crate::files::{self, FileError};
use crate::format::counted;
use crate::train::config::Config;
use crate::votes::Outlines;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Columns of `table.csv`.
const COLUMNS: [&str; 12] = [
    "row",
    "seed",
    "series",
    "x",
    "solver_steps",
    "miou",
    "pixel_accuracy",
    "agreement",
    "training_steps",
    "parameters",
    "seconds_per_step",
    "failure",
];

/// The names of all files that [`write`] may write: the tables, and a plot each over training, over solver steps
/// and twice over the table's axis.
pub const OUTPUTS: [&str; 6] = [
    "table.md",
    "table.csv",
    "convergence.svg",
    "steps.svg",
    "axis.svg",
    "cost.svg",
];

/// Refuses a folder with a file in the place of one of [`OUTPUTS`] that [`write`] did not write: `table.csv` is
/// recognised by its columns, `table.md` by the former beside it, and a plot by the latter, which shows it.
///
/// # Errors
/// The file, and what to do.
pub fn keep_foreign(out: &Path) -> Result<(), FileError> {
    let [text, table, plots @ ..] = OUTPUTS;
    let table = out.join(table);
    files::keep_table(&table, &COLUMNS)?;
    files::keep_text(&out.join(text), files::FOREIGN_TABLE, |_| table.is_file())?;
    let shown = shown(out);
    let mut foreign = plots.iter().filter(|plot| !shown.contains(plot));
    foreign.try_for_each(|plot| {
        let what = "a picture that no table.md beside it shows";
        files::keep_text(&out.join(plot), what, |_| false)
    })
}

/// The plots that the `table.md` of a folder shows.
fn shown(out: &Path) -> Vec<&'static str> {
    let [text, _, plots @ ..] = OUTPUTS;
    let text = std::fs::read_to_string(out.join(text)).unwrap_or_default();
    let mut shown = plots.to_vec();
    shown.retain(|plot| text.contains(&format!("]({plot})")));
    shown
}

/// Writes `table.md`, `table.csv` and the plots of the runs finished so far, and removes the plots from before that
/// these runs do not give.
pub(super) fn write(table: &Table, out: &Path, records: &[Record]) -> Result<(), AblateError> {
    if records.is_empty() {
        return Ok(());
    }
    let mut plots = plots(table, records);
    plots.retain(|(_, _, _, lines)| lines.iter().any(|line| line.points.len() > 1));
    let is_plotted = |name: &&str| plots.iter().any(|(file, ..)| file == name);
    // Before the text is replaced, which alone says that they are of this program.
    for name in shown(out).iter().filter(|name| !is_plotted(name)) {
        files::remove_file(&out.join(name))?;
    }
    files::write_atomic(&out.join("table.csv"), csv(table, records).as_bytes())?;
    let pictures: Vec<(&str, String)> = plots
        .iter()
        .map(|(file, caption, ..)| (*file, caption.clone()))
        .collect();
    // Before the plots: one that the text does not show would be taken for another program's.
    let text = markdown(table, records, &pictures);
    files::write_atomic(&out.join("table.md"), text.as_bytes())?;
    for (file, caption, axes, lines) in plots {
        plot(&out.join(file), &caption, axes, &lines)?;
    }
    Ok(())
}

/// The records of a row, over its seeds.
fn of_row<'a>(table: &Table, records: &'a [Record], row: usize) -> Vec<&'a Record> {
    let name = &table.rows[row].name;
    records.iter().filter(|r| r.row == *name).collect()
}

fn at(record: &Record, steps: usize) -> Option<&StepResult> {
    record.results.iter().find(|result| result.steps == steps)
}

fn markdown(table: &Table, records: &[Record], pictures: &[(&str, String)]) -> String {
    let mut text = format!("# {}\n\n", table.title);
    if !table.about.is_empty() {
        let _ = writeln!(text, "{}\n", table.about);
    }
    let _ = writeln!(text, "{}\n", budget(table, records));
    let several = table.score.noise_seeds.len() > 1;
    let mut head = vec!["".to_owned()];
    head.extend(table.score.steps.iter().map(|steps| match steps {
        1 => "mIoU, 1 step".to_owned(),
        steps => format!("mIoU, {steps} steps"),
    }));
    head.push("pixel accuracy".to_owned());
    if several {
        head.push("agreement of noise seeds".to_owned());
    }
    head.extend(["seeds".to_owned(), "seconds per training step".to_owned()]);
    let _ = writeln!(
        text,
        "| {} |\n|{}",
        head.join(" | "),
        "---|".repeat(head.len())
    );
    let last = table.score.steps.last().copied().unwrap_or_default();
    for (row, described) in table.rows.iter().enumerate() {
        let of_row = of_row(table, records, row);
        let mean = |value: &dyn Fn(&Record) -> Option<f64>| -> Vec<f64> {
            of_row.iter().filter_map(|record| value(record)).collect()
        };
        let mut cells = vec![described.name.replace('|', "\\|").replace('\n', " ")];
        for &steps in &table.score.steps {
            cells.push(per_cent(&mean(&|r| Some(at(r, steps)?.miou))));
        }
        cells.push(per_cent(&mean(&|r| Some(at(r, last)?.pixel_accuracy))));
        if several {
            cells.push(per_cent(&mean(&|r| at(r, last)?.agreement)));
        }
        let failed = of_row.iter().filter(|r| r.failure.is_some()).count();
        cells.push(match failed {
            0 => of_row.len().to_string(),
            failed => format!("{}, {failed} diverged", of_row.len()),
        });
        let seconds = mean(&|r| r.seconds_per_step);
        cells.push(match spread_of(&seconds) {
            Some((mean, _)) => format!("{mean:.3}"),
            None => "-".to_owned(),
        });
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let score = &table.score;
    let _ = writeln!(
        text,
        "\nmIoU and pixel accuracy in % on the {} split at {} resolution{}, with the outlines {}: the mean over \
         training seeds, and their standard deviation if there are several. Pixel accuracy{} at \
         {}.",
        score.split,
        score.resolution.name(),
        match score.scale {
            1.0 => String::new(),
            scale => format!(", seen at {scale} times the training size"),
        },
        match score.outlines {
            Outlines::Network => "of the network",
            Outlines::Photo => "along the photo's colours",
        },
        if several { " and agreement" } else { "" },
        counted(last, "solver step"),
    );
    for (file, caption) in pictures {
        let _ = writeln!(text, "\n![{caption}]({file})");
    }
    text
}

/// The settings that the runs share, and those that differ.
fn budget(table: &Table, records: &[Record]) -> String {
    let settings = records.iter().filter_map(Record::settings);
    let plans: Vec<_> = settings.filter_map(|config| config.plan().ok()).collect();
    let common = |values: Vec<String>| {
        let same = values.windows(2).all(|pair| pair[0] == pair[1]);
        match values.into_iter().next() {
            Some(first) if same => first,
            _ => "varying".to_owned(),
        }
    };
    let of = |value: &dyn Fn(&Record) -> String| {
        let finished = records.iter().filter(|r| r.failure.is_none());
        common(finished.map(value).collect())
    };
    // A run with stages has the values of each of them.
    let set = |value: &dyn Fn(&Config) -> String| {
        let of_plan = plans.iter().map(|plan| {
            let mut values: Vec<String> = plan.iter().map(|stage| value(&stage.config)).collect();
            values.dedup();
            values.join(", then ")
        });
        common(of_plan.collect())
    };
    let planned = table.jobs.len();
    let size = |c: &Config| format!("{} x {}", c.data.size[0], c.data.size[1]);
    if records.iter().all(|record| record.failure.is_some()) {
        return format!(
            "Budget: {} photos per training step at {}, learning rate {}; every finished run diverged. \
             {} of {planned} runs are finished.",
            set(&|c| c.train.batch_size.to_string()),
            set(&size),
            set(&|c| c.train.learning_rate.to_string()),
            records.len(),
        );
    }
    format!(
        "Budget: {} training steps of {} photos at {} ({} training photos of {}, {} classes), \
         {} parameters, learning rate {}, scored on {} photos; flowseg {} on {}. {} of {planned} \
         runs are finished.",
        of(&|r| r.steps.to_string()),
        set(&|c| c.train.batch_size.to_string()),
        set(&size),
        of(&|r| r.photos[0].to_string()),
        of(&|r| r.data.clone()),
        of(&|r| r.classes.to_string()),
        of(&|r| match r.parameters {
            few @ ..100_000 => few.to_string(),
            many => format!("{:.1} million", many as f64 / 1e6),
        }),
        set(&|c| c.train.learning_rate.to_string()),
        of(&|r| r.photos[1].to_string()),
        of(&|r| r.version.clone()),
        of(&|r| r.device.clone()),
        records.len(),
    )
}

/// Mean and standard deviation; `None` for no values.
fn spread_of(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((mean, (squares / (count - 1.0).max(1.0)).sqrt()))
}

fn per_cent(values: &[f64]) -> String {
    match spread_of(values) {
        None => "-".to_owned(),
        Some((mean, _)) if values.len() == 1 => format!("{:.2}", 100.0 * mean),
        Some((mean, deviation)) => format!("{:.2} ± {:.2}", 100.0 * mean, 100.0 * deviation),
    }
}

/// One line per run and number of solver steps.
fn csv(table: &Table, records: &[Record]) -> String {
    let mut text = csv::line(COLUMNS);
    let optional = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    for record in records {
        let row = table.rows.iter().find(|row| row.name == record.row);
        let line = |result: Option<&StepResult>| {
            csv::line([
                record.row.clone(),
                record.seed.to_string(),
                row.and_then(|row| row.series.clone()).unwrap_or_default(),
                optional(row.and_then(|row| row.x)),
                result.map_or_else(String::new, |r| r.steps.to_string()),
                optional(result.map(|r| r.miou)),
                optional(result.map(|r| r.pixel_accuracy)),
                optional(result.and_then(|r| r.agreement)),
                record.steps.to_string(),
                match record.parameters {
                    0 => String::new(),
                    known => known.to_string(),
                },
                optional(record.seconds_per_step),
                record.failure.clone().unwrap_or_default(),
            ])
        };
        match record.results.as_slice() {
            [] => text.push_str(&line(None)),
            results => text.extend(results.iter().map(|result| line(Some(result)))),
        }
    }
    text
}

type Plot = (&'static str, String, Axis, Vec<Line>);

/// mIoU over training, over solver steps, and over the table's axis; means over seeds.
fn plots(table: &Table, records: &[Record]) -> Vec<Plot> {
    let rows = || (0..table.rows.len()).map(|row| (row, of_row(table, records, row)));
    let name = |row: usize| table.rows[row].name.clone();
    let training = rows().map(|(row, of_row)| {
        let points = of_row.iter().flat_map(|r| &r.curve);
        Line::mean(name(row), points.map(|&(step, miou)| (step as f64, miou)))
    });
    let solver = rows().map(|(row, of_row)| {
        let points = of_row.iter().flat_map(|r| &r.results);
        Line::mean(name(row), points.map(|r| (r.steps as f64, r.miou)))
    });
    let mut all = vec![
        (
            "convergence.svg",
            "mIoU over training".to_owned(),
            Axis::linear("training step"),
            training.collect(),
        ),
        (
            "steps.svg",
            "mIoU over solver steps".to_owned(),
            Axis::logarithmic("solver steps"),
            solver.collect(),
        ),
    ];
    if let Some(axis) = &table.axis {
        let last = table.score.steps.last().copied().unwrap_or_default();
        let over = |value: &dyn Fn(&Record) -> Option<f64>| {
            let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
            for (row, of_row) in rows() {
                let Some(x) = table.rows[row].x else { continue };
                let line = lines.entry(table.rows[row].series.clone().unwrap_or_default());
                let values = of_row.iter().filter_map(|record| value(record));
                line.or_default().extend(values.map(|value| (x, value)));
            }
            let lines = lines.into_iter();
            lines
                .map(|(name, points)| Line::mean(name, points))
                .collect::<Vec<_>>()
        };
        all.push((
            "axis.svg",
            format!("mIoU over {axis}"),
            Axis::logarithmic(axis),
            over(&|r| Some(at(r, last)?.miou)),
        ));
        let cost = Axis {
            y: "seconds per training step".to_owned(),
            scale: 1.0,
            ..Axis::logarithmic(axis)
        };
        all.push((
            "cost.svg",
            format!("cost over {axis}"),
            cost,
            over(&|r| r.seconds_per_step),
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablate::ScoreSettings;
    use crate::ablate::record::tests::record;
    use crate::ablate::table::Row;

    fn table() -> Table {
        let row = |name: &str, x: f64| Row {
            name: name.to_owned(),
            x: Some(x),
            series: Some("s".to_owned()),
        };
        Table {
            title: "T".to_owned(),
            about: String::new(),
            axis: Some("classes".to_owned()),
            score: ScoreSettings {
                steps: vec![5],
                noise_seeds: vec![0, 1],
                ..ScoreSettings::default()
            },
            rows: vec![row("a", 2.0), row("b", 4.0), row("c", 8.0)],
            jobs: Vec::new(),
        }
    }

    #[test]
    fn tables_of_other_programs_are_kept() {
        let out = tempfile::tempdir().unwrap();
        let path = |name: &str| out.path().join(name);
        keep_foreign(out.path()).unwrap();
        std::fs::write(path("table.md"), "mine").unwrap();
        let error = keep_foreign(out.path()).unwrap_err().to_string();
        assert!(error.contains("table.md"), "{error}");
        write(&table(), out.path(), &[record("a", 0, Some(0.4))]).unwrap();
        keep_foreign(out.path()).unwrap();
        std::fs::write(path("table.csv"), "row,mine\n").unwrap();
        let error = keep_foreign(out.path()).unwrap_err().to_string();
        assert!(error.contains("table.csv"), "{error}");
    }

    #[test]
    fn plots_of_other_programs_are_kept_and_own_ones_do_not_outlive_their_table() {
        let out = tempfile::tempdir().unwrap();
        let path = |name: &str| out.path().join(name);
        std::fs::write(path("cost.svg"), "<svg>mine</svg>").unwrap();
        let error = keep_foreign(out.path()).unwrap_err().to_string();
        assert!(error.contains("cost.svg"), "{error}");
        std::fs::remove_file(path("cost.svg")).unwrap();
        let records = [record("a", 0, Some(0.4)), record("b", 0, Some(0.5))];
        write(&table(), out.path(), &records).unwrap();
        keep_foreign(out.path()).unwrap();
        assert!(path("cost.svg").exists() && path("axis.svg").exists());
        // Without an axis there are no plots over it; a file that the table did not show is not touched.
        std::fs::write(path("steps.svg"), "<svg>mine</svg>").unwrap();
        let without = Table {
            axis: None,
            ..table()
        };
        write(&without, out.path(), &records).unwrap();
        assert!(!path("cost.svg").exists() && !path("axis.svg").exists());
        assert!(path("convergence.svg").exists());
        let mine = std::fs::read_to_string(path("steps.svg")).unwrap();
        assert_eq!(mine, "<svg>mine</svg>");
        let error = keep_foreign(out.path()).unwrap_err().to_string();
        assert!(error.contains("steps.svg"), "{error}");
    }

    #[test]
    fn every_plot_is_among_the_outputs() {
        let plots = plots(&table(), &[]);
        let names: Vec<&str> = plots.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, OUTPUTS[2..]);
    }

    #[test]
    fn cells_are_means_over_seeds_and_tell_of_failures() {
        let records = [
            record("a", 0, Some(0.4)),
            record("a", 1, Some(0.5)),
            record("b", 0, None),
        ];
        let out = tempfile::tempdir().unwrap();
        write(&table(), out.path(), &records).unwrap();
        let text = std::fs::read_to_string(out.path().join("table.md")).unwrap();
        for line in [
            "| a | 45.00 ± 7.07 | 50.00 ± 0.00 | 75.00 ± 0.00 | 2 | 0.250 |",
            "| b | - | - | - | 1, 1 diverged | 0.250 |",
            "| c | - | - | - | 0 | - |",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(
            text.contains("512 training photos of scenes, 2 classes"),
            "{text}"
        );
        assert!(text.contains("with the outlines of the network"), "{text}");
        let csv = std::fs::read_to_string(out.path().join("table.csv")).unwrap();
        assert!(
            csv.contains("a,1,s,2,5,0.5,0.5,0.75,300,1500000,0.25,\n"),
            "{csv}"
        );
        assert!(
            csv.contains("b,0,s,4,,,,,300,1500000,0.25,the loss is NaN\n"),
            "{csv}"
        );
        let unknown = Record {
            parameters: 0,
            ..record("b", 1, None)
        };
        assert!(
            super::csv(&table(), &[unknown]).contains("b,1,s,4,,,,,300,,0.25,the loss is NaN\n"),
        );
        // A single point gives no curve over solver steps; two places on the axis have a cost.
        assert!(!out.path().join("steps.svg").exists());
        assert!(out.path().join("convergence.svg").exists());
        assert!(out.path().join("cost.svg").exists());
        assert!(!out.path().join("axis.svg").exists());
    }

    #[test]
    fn the_budget_is_that_of_the_stages() {
        let sets = [
            "data.size=[96,128]",
            "train.batch_size=8",
            "train.learning_rate=0.5",
            "stages.1.data.size=[16,24]",
            "stages.2.data.size=[32,48]",
            "stages.2.train.batch_size=4",
        ];
        let sets = sets.map(str::to_owned);
        let toml = "[[stages]]\ntrain.steps = 2\n[[stages]]\ntrain.steps = 6\n";
        let staged = Record {
            config: Config::parse(toml, &sets).unwrap().to_toml(),
            ..record("a", 0, Some(0.4))
        };
        let text = budget(&table(), &[staged]);
        let words = "8, then 4 photos at 16 x 24, then 32 x 48 (";
        assert!(text.contains(words), "{text}");
        assert!(text.contains("learning rate 0.5, scored"), "{text}");
    }

    #[test]
    fn a_table_in_which_every_run_diverged_says_so() {
        let records = [record("a", 0, None), record("b", 0, None)];
        let text = budget(&table(), &records);
        assert!(text.contains("every finished run diverged"), "{text}");
        assert!(!text.contains("varying"), "{text}");
    }
}
