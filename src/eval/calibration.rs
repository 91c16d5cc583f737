//! How well the probabilities of the classes are calibrated.

const BINS: usize = 15;

/// Labelled pixels, binned by the probability of their predicted class.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    bins: [Bin; BINS],
}

/// The pixels of one range of probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    pub pixels: u64,
    /// Pixels whose predicted class is the true one.
    pub right: u64,
    /// The sum of their probabilities.
    pub probability: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            bins: [Bin::default(); BINS],
        }
    }
}

impl Calibration {
    /// Counts pixels whose truth is below `classes`: their predicted class and its probability.
    pub fn add(&mut self, truth: &[u16], prediction: &[u16], probability: &[f32], classes: usize) {
        for ((&truth, prediction), &probability) in truth.iter().zip(prediction).zip(probability) {
            if usize::from(truth) >= classes {
                continue;
            }
            let at = ((probability * BINS as f32) as usize).min(BINS - 1);
            let bin = &mut self.bins[at];
            bin.pixels += 1;
            bin.right += u64::from(truth == *prediction);
            bin.probability += f64::from(probability);
        }
    }

    /// The bins, from probability 0 to 1.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// The expected calibration error (Guo et al., "On Calibration of Modern Neural Networks"), 0 to 1:
    /// the mean difference between probability and share of right pixels over the bins, weighted by
    /// their pixels; `None` without a labelled pixel.
    pub fn error(&self) -> Option<f64> {
        let all: u64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let sum: f64 = self
            .bins
            .iter()
            .map(|bin| (bin.probability - bin.right as f64).abs())
            .sum();
        (all > 0).then(|| sum / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_half_has_no_error_and_a_sure_mistake_all_of_it() {
        let mut honest = Calibration::default();
        honest.add(&[0, 0, u16::MAX], &[0, 1, 1], &[0.5, 0.5, 1.0], 2);
        assert_eq!(honest.error(), Some(0.0));
        let mut wrong = Calibration::default();
        wrong.add(&[0, 1], &[1, 0], &[1.0, 1.0], 2);
        assert_eq!(wrong.error(), Some(1.0));
        assert_eq!(wrong.bins()[BINS - 1].pixels, 2);
        assert_eq!(Calibration::default().error(), None);
    }
}
