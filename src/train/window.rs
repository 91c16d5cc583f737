//! What is gathered between two lines of loss. It stays on the device until a line is due, so that
//! the host never waits in between.

use super::metrics::StepLine;
use super::step::Taken;
use super::unlogged::Unlogged;
use crate::model::tensors::read;
use burn::tensor::{Bool, Device, Tensor};
use std::time::Duration;
use web_time::Instant;

/// Sums over the steps since the last line.
pub struct Window {
    sums: Option<Sums>,
    /// Steps without a finite gradient up to the last one, in a row, `[1]`; they go on from line
    /// to line.
    in_a_row: Option<Tensor<1>>,
    steps: u64,
    photos: usize,
    waited: Duration,
    started: Instant,
}

struct Sums {
    /// Of the losses of steps that were not skipped.
    loss: Tensor<1>,
    skipped: Tensor<1>,
    longest: Tensor<1>,
    norm: Tensor<1>,
    rate: f64,
}

/// A window read back.
pub struct Gathered {
    /// The line of loss; none where every step was skipped.
    pub line: Option<StepLine>,
    /// Steps skipped, because their gradient was not finite.
    pub skipped: u64,
    /// The most of them in a row, those before the window included.
    pub in_a_row: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            sums: None,
            in_a_row: None,
            steps: 0,
            photos: 0,
            waited: Duration::ZERO,
            started: Instant::now(),
        }
    }
}

impl Window {
    /// Goes on with the window of a checkpoint, on a device.
    pub fn resume(before: &Unlogged, device: &Device) -> Self {
        let on_device = |value: f32| Tensor::<1>::from_data([value], device);
        let sums = (before.steps > 0).then(|| Sums {
            loss: on_device(before.loss.unwrap_or(f32::NAN)),
            skipped: on_device(before.skipped),
            longest: on_device(before.longest),
            // Those of the last step, which is yet to come.
            norm: on_device(0.0),
            rate: 0.0,
        });
        Self {
            sums,
            in_a_row: Some(on_device(before.in_a_row)),
            steps: before.steps,
            ..Self::default()
        }
    }

    /// What a checkpoint keeps of it, read back in one transfer.
    pub fn unlogged(&self) -> Unlogged {
        let Some(in_a_row) = self.in_a_row.clone() else {
            return Unlogged::default();
        };
        let mut numbers = vec![in_a_row];
        if let Some(sums) = &self.sums {
            numbers.extend([&sums.loss, &sums.skipped, &sums.longest].map(Clone::clone));
        }
        let numbers = read(Tensor::cat(numbers, 0));
        let number = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
        Unlogged {
            steps: self.steps,
            loss: Some(number(1)).filter(|loss| loss.is_finite()),
            skipped: number(2),
            longest: number(3),
            in_a_row: number(0),
        }
    }

    /// Counts time spent waiting for data.
    pub fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    /// Starts the clock again, after a pause that is no training.
    pub fn restart_clock(&mut self) {
        self.started = Instant::now();
        self.waited = Duration::ZERO;
        self.photos = 0;
    }

    /// Adds a step of `photos` photos.
    pub fn add(&mut self, taken: &Taken, photos: usize) {
        let finite: Tensor<1, Bool> = taken.finite.clone();
        let zero = taken.loss.zeros_like();
        let loss = zero.clone().mask_where(finite.clone(), taken.loss.clone());
        let bad = zero.ones_like().mask_where(finite, zero.clone());
        let before = self.in_a_row.take().unwrap_or(zero);
        let run = (before + 1.0) * bad.clone();
        self.in_a_row = Some(run.clone());
        let (norm, rate) = (taken.gradient_norm.clone(), taken.rate);
        self.sums = Some(match self.sums.take() {
            None => Sums {
                loss,
                skipped: bad,
                longest: run,
                norm,
                rate,
            },
            Some(sums) => Sums {
                loss: sums.loss + loss,
                skipped: sums.skipped + bad,
                longest: sums.longest.max_pair(run),
                norm,
                rate,
            },
        });
        self.steps += 1;
        self.photos += photos;
    }

    /// Reads the sums back in one transfer, and starts the next window.
    pub fn close(&mut self, step: u64) -> Gathered {
        let in_a_row = self.in_a_row.clone();
        let closed = std::mem::replace(
            self,
            Window {
                in_a_row,
                ..Window::default()
            },
        );
        let Some(sums) = closed.sums else {
            return Gathered {
                line: None,
                skipped: 0,
                in_a_row: 0,
            };
        };
        let numbers = Tensor::cat(vec![sums.loss, sums.skipped, sums.longest, sums.norm], 0);
        let numbers = read(numbers);
        let skipped = numbers[1] as u64;
        let seconds = closed.started.elapsed().as_secs_f64().max(1e-9);
        let good = closed.steps.saturating_sub(skipped);
        let line = (good > 0).then(|| StepLine {
            step,
            loss: f64::from(numbers[0]) / good as f64,
            learning_rate: sums.rate,
            gradient_norm: f64::from(numbers[3]),
            photos_per_second: closed.photos as f64 / seconds,
            waiting: closed.waited.as_secs_f64() / seconds,
        });
        Gathered {
            line,
            skipped,
            in_a_row: numbers[2] as u64,
        }
    }
}
