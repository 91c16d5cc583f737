//! Random numbers, drawn on the host so that a seed gives the same ones on every device.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Keeps the streams of wrong states apart from others of the same seed and step.
const STATES: u64 = 0x7374_6174_6573;

/// What random numbers are drawn for, outside the data's loader, which has streams of its own. A step and a sample of
/// it, or a photo, have numbers of their own.
///
/// Of one seed only these overlap: with the seed 0, [`Weights`](Self::Weights), [`StartNoise`](Self::StartNoise) of
/// step 0 and [`ScoredNoise`](Self::ScoredNoise) of photo 0 are one stream, and so are the noises of step n and photo n.
/// Runs and scores of before keep their numbers by it: none of these is compared with another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// The weights of a new network.
    Weights,
    /// The times of a batch.
    Times { step: u64 },
    /// The noise that the flows of a batch start at.
    StartNoise { step: u64 },
    /// Which samples of a batch have a wrong state.
    WrongStates { step: u64 },
    /// The regions of a sample of a batch that get other classes; below 2^32 samples.
    Corruption { step: u64, sample: u64 },
    /// The noise that the flow of a scored photo starts at, by the photo's index in its data set.
    ScoredNoise { photo: u64 },
}

impl Draw {
    /// The seed of the generator, and its stream.
    fn key(self, seed: u64) -> [u64; 2] {
        let spread = |factor: u64, number: u64| seed.wrapping_mul(factor).wrapping_add(number);
        match self {
            Self::Weights => [seed, 0],
            Self::Times { step } => [seed, step.wrapping_add(1)],
            Self::StartNoise { step } => [spread(0x9e37_79b9, step), 0],
            Self::WrongStates { step } => [seed ^ STATES, step.wrapping_mul(2)],
            Self::Corruption { step, sample } => {
                let seed = seed.wrapping_add(sample << 32) ^ STATES;
                [seed, step.wrapping_mul(2).wrapping_add(1)]
            }
            Self::ScoredNoise { photo } => [spread(0x9e37_79b9_7f4a_7c15, photo), 0],
        }
    }

    /// The seed of [`noise`] that gives the numbers of this draw, which is one of noise.
    pub fn noise_seed(self, seed: u64) -> u64 {
        let [seed, stream] = self.key(seed);
        debug_assert_eq!(stream, 0, "{self:?} is not noise");
        seed
    }
}

/// The random numbers of a draw: with one seed the same at any time and on any machine.
pub fn stream(seed: u64, draw: Draw) -> ChaCha8Rng {
    let [seed, stream] = draw.key(seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A standard normal number (Box-Muller).
pub fn normal(rng: &mut impl RngExt) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

/// Standard normal noise of the given shape.
pub fn noise(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| normal(&mut rng))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// The numbers of runs and tables that exist.
    #[test]
    fn every_draw_keeps_its_generator() {
        for (draw, expected) in [
            (Draw::Weights, [7, 0]),
            (Draw::Times { step: 3 }, [7, 4]),
            (Draw::StartNoise { step: 3 }, [0x4_5384_5412, 0]),
            (Draw::WrongStates { step: 3 }, [0x7374_6174_6574, 6]),
            (
                Draw::Corruption { step: 3, sample: 2 },
                [0x7376_6174_6574, 7],
            ),
            (Draw::ScoredNoise { photo: 3 }, [0x5384_5412_7b09_6496, 0]),
        ] {
            assert_eq!(draw.key(7), expected, "{draw:?}");
        }
        let drawn = |mut rng: ChaCha8Rng| -> [u64; 3] { [(); 3].map(|()| rng.random()) };
        let of_seed = drawn(ChaCha8Rng::seed_from_u64(7));
        assert_eq!(drawn(stream(7, Draw::Weights)), of_seed);
        assert_ne!(drawn(stream(7, Draw::Times { step: 0 })), of_seed);
    }

    #[test]
    fn only_the_streams_that_are_said_to_overlap_do() {
        for seed in [0, 1, 7, u64::MAX] {
            let mut draws = vec![Draw::Weights];
            for step in 0..40 {
                draws.extend([
                    Draw::Times { step },
                    Draw::StartNoise { step },
                    Draw::WrongStates { step },
                    Draw::ScoredNoise { photo: step },
                ]);
                draws.extend((0..8).map(|sample| Draw::Corruption { step, sample }));
            }
            let mut known: HashMap<[u64; 2], Draw> = HashMap::new();
            let mut shared = Vec::new();
            for draw in draws {
                if let Some(other) = known.insert(draw.key(seed), draw) {
                    shared.push([other, draw]);
                }
            }
            let mut expected = Vec::new();
            if seed == 0 {
                let noises = |n| [Draw::StartNoise { step: n }, Draw::ScoredNoise { photo: n }];
                expected.push([Draw::Weights, Draw::StartNoise { step: 0 }]);
                expected.extend((0..40).map(noises));
            }
            assert_eq!(shared, expected, "seed {seed}");
        }
    }
}
