//! `flowseg eval --agreement`: whether a network's predictions follow the state that it is given.

use crate::data::Dataset;
use crate::inference;
use crate::inspect::{Agreement, Given, TIMES};
use crate::model::Model;
use crate::terminal::out;
use indicatif::ProgressBar;

/// Means over photos, by the mask in the state and by time.
struct Means {
    sums: [[f64; TIMES.len()]; Given::ALL.len()],
    photos: usize,
}

impl Means {
    fn add(&mut self, agreement: &Agreement) {
        self.photos += 1;
        for (sums, given) in self.sums.iter_mut().zip(Given::ALL) {
            let shares = agreement.shares(given).unwrap_or_default();
            for (sum, share) in sums.iter_mut().zip(shares) {
                *sum += f64::from(*share);
            }
        }
    }

    /// The table, one line for each time.
    fn lines(&self) -> Vec<String> {
        let line = |(at, t): (usize, &f32)| {
            let shares = self.sums.map(|sums| {
                let mean = sums[at] / self.photos.max(1) as f64;
                format!("{:>9.1} %", 100.0 * mean)
            });
            format!("{t:>5.1}{}", shares.concat())
        };
        let head = format!("{:>5}{:>11}{:>11}{:>11}", "t", "own", "mirrored", "labels");
        let lines = TIMES.iter().enumerate().map(line);
        std::iter::once(head).chain(lines).collect()
    }
}

/// Prints, for every time, the share of pixels whose predicted class is that of the mask in the state,
/// as the mean over the photos at the size that the network sees.
///
/// # Errors
/// A photo cannot be read.
pub(super) fn print(model: &Model, data: &Dataset, bar: &ProgressBar) -> anyhow::Result<()> {
    let mut means = Means {
        sums: Default::default(),
        photos: 0,
    };
    for index in 0..data.len() {
        let sample = data.load(index)?;
        let (width, height) = sample.image.dimensions();
        let size = inference::network_size(model, width as usize, height as usize, 1.0);
        let photo = inference::input(&[&sample.image], size, &model.network.device());
        let x0 = model.source(None, &photo, index as u64);
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

    #[test]
    fn the_table_holds_the_means_by_time() {
        let of = |own: f32, truth: f32| Agreement {
            own: vec![own; TIMES.len()],
            mirrored: vec![0.5; TIMES.len()],
            truth: Some(vec![truth; TIMES.len()]),
        };
        let mut means = Means {
            sums: Default::default(),
            photos: 0,
        };
        means.add(&of(1.0, 0.25));
        means.add(&of(0.5, 0.75));
        let lines = means.lines();
        assert_eq!(lines.len(), 1 + TIMES.len());
        let words: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(words, ["0.1", "75.0", "%", "50.0", "%", "50.0", "%"]);
    }
}
