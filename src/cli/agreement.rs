//! `flowseg eval --agreement`: whether a network's predictions follow the state that it is given.

use crate::data::Dataset;
use crate::eval::Scoring;
use crate::inference::{self, Tiling};
use crate::inspect::{Agreement, Given, TIMES};
use crate::model::Model;
use crate::terminal::out;
use anyhow::bail;
use indicatif::ProgressBar;

/// Means over photos, by the mask in the state and by time.
#[derive(Default)]
struct Means {
    sums: [[f64; TIMES.len()]; Given::ALL.len()],
    /// The number of photos in each mean: one without a labelled pixel is not in that of the labels.
    photos: [usize; Given::ALL.len()],
}

impl Means {
    fn add(&mut self, agreement: &Agreement) {
        let means = self.sums.iter_mut().zip(&mut self.photos);
        for ((sums, photos), given) in means.zip(Given::ALL) {
            let Some(shares) = agreement.shares(given) else {
                continue;
            };
            *photos += 1;
            for (sum, share) in sums.iter_mut().zip(shares) {
                *sum += f64::from(*share);
            }
        }
    }

    /// The table, one line for each time, and how many photos have no labels.
    fn lines(&self) -> Vec<String> {
        let line = |(at, t): (usize, &f32)| {
            let means = self.sums.iter().zip(self.photos);
            let cells = means.map(|(sums, photos)| match photos {
                0 => format!("{:>11}", "-"),
                photos => format!("{:>9.1} %", 100.0 * sums[at] / photos as f64),
            });
            format!("{t:>5.1}{}", cells.collect::<String>())
        };
        let head = format!("{:>5}{:>11}{:>11}{:>11}", "t", "own", "mirrored", "labels");
        let lines = TIMES.iter().enumerate().map(line);
        let [all, _, labelled] = self.photos;
        let unlabelled = (labelled < all).then(|| {
            let without = all - labelled;
            format!(
                "{without} of {all} photos have no labelled pixel and are not in the last column"
            )
        });
        std::iter::once(head)
            .chain(lines)
            .chain(unlabelled)
            .collect()
    }
}

/// Refuses what the agreement is not measured for.
///
/// # Errors
/// Several looks at a photo, or windows.
pub(super) fn check(scoring: &Scoring) -> anyhow::Result<()> {
    if scoring.looks.len() > 1 || scoring.tiling != Tiling::Off {
        bail!(
            "--agreement is measured where a network sees the whole photo once: leave out --tiles, --flip, \
             --quality best and all but one of --scales"
        );
    }
    Ok(())
}

/// Prints, for every time, the share of pixels whose predicted class is that of the mask in the state,
/// as the mean over the photos at the size that the network sees in the first look. Noise is that of
/// the scores.
///
/// # Errors
/// A photo cannot be read.
pub(super) fn print(
    model: &Model,
    data: &Dataset,
    scoring: &Scoring,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let look = scoring.looks.first().copied().unwrap_or_default();
    let mut means = Means::default();
    for index in 0..data.len() {
        let sample = data.load(index)?;
        let (width, height) = sample.image.dimensions();
        let size = inference::network_size(model, width as usize, height as usize, look.scale);
        let photo = inference::input(&[&sample.image], size, &model.network.device());
        let x0 = model.source(None, &photo, scoring.seed_of(index));
        let labels = sample.labels.scaled(size);
        if let Some(agreement) = Agreement::of(model, photo, x0, Some(&labels), &|| false) {
            means.add(&agreement);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    out!("\nshare of pixels whose predicted class is that of the mask in the state");
    for line in means.lines() {
        out!("{line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Look;

    #[test]
    fn the_table_holds_the_means_by_time() {
        let of = |own: f32, truth: f32| Agreement {
            own: vec![own; TIMES.len()],
            mirrored: vec![0.5; TIMES.len()],
            truth: Some(vec![truth; TIMES.len()]),
        };
        let mut means = Means::default();
        means.add(&of(1.0, 0.25));
        means.add(&of(0.5, 0.75));
        let lines = means.lines();
        assert_eq!(lines.len(), 1 + TIMES.len());
        let words: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(words, ["0.1", "75.0", "%", "50.0", "%", "50.0", "%"]);
        // A photo without labels is in the other means.
        means.add(&Agreement {
            truth: None,
            ..of(0.0, 0.0)
        });
        let lines = means.lines();
        let words: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(words, ["0.1", "50.0", "%", "50.0", "%", "50.0", "%"]);
        assert!(lines.last().unwrap().starts_with("1 of 3 photos"));
        let mut unlabelled = Means::default();
        unlabelled.add(&Agreement {
            truth: None,
            ..of(1.0, 0.0)
        });
        assert!(unlabelled.lines()[1].ends_with(" -"));
    }

    #[test]
    fn what_has_no_agreement_is_refused() {
        let with = |looks, tiling| {
            check(&Scoring {
                looks,
                tiling,
                ..Scoring::default()
            })
        };
        let once = || Look::all(&[1.5], false);
        assert!(with(once(), Tiling::Off).is_ok());
        for (looks, tiling) in [
            (once(), Tiling::Auto),
            (Look::all(&[1.0, 1.5], false), Tiling::Off),
            (Look::all(&[1.0], true), Tiling::Off),
        ] {
            let error = with(looks, tiling).unwrap_err().to_string();
            assert!(error.starts_with("--agreement is measured"), "{error}");
        }
    }
}
