//! Metrics of the steps between two logged lines. They stay on the device until a line is due, so
//! that the host does not block in between.

use super::trainer::StepOutput;
use super::unlogged::Unlogged;
use crate::model::tensors::read;
use crate::run_format::StepLine;
use burn::tensor::{Bool, Device, Tensor};
use std::time::Duration;
use web_time::Instant;

/// Sums over the steps since the previous line.
pub(super) struct RunningMetrics {
    sums: Option<Sums>,
    /// Number of consecutive skipped steps up to the last one, `[1]`; it continues across lines.
    in_a_row: Option<Tensor<1>>,
    /// What the checkpoint said that the run resumed from, until a step is taken: one that is saved before says the
    /// same.
    resumed: Option<Unlogged>,
    steps: u64,
    photos: usize,
    waited: Duration,
    started: Instant,
}

struct Sums {
    /// Summed over the steps that were not skipped.
    loss: Tensor<1>,
    skipped: Tensor<1>,
    longest: Tensor<1>,
    /// Of the last step that was not skipped; 0 without one.
    norm: Tensor<1>,
    rate: f64,
}

pub(super) struct Summary {
    /// `None` if every step was skipped.
    pub line: Option<StepLine>,
    /// Steps skipped because their gradient was not finite.
    pub skipped: u64,
    /// Longest run of skipped steps, including ones before the previous line.
    pub in_a_row: u64,
}

impl Default for RunningMetrics {
    fn default() -> Self {
        Self {
            sums: None,
            in_a_row: None,
            resumed: None,
            steps: 0,
            photos: 0,
            waited: Duration::ZERO,
            started: Instant::now(),
        }
    }
}

impl RunningMetrics {
    /// Continues from a checkpoint, on `device`. A sequence of skipped steps before it that is long enough, `bad_steps`,
    /// to end the run does not count any more: else the run would end at its next line, whatever follows.
    pub(super) fn resume(saved: &Unlogged, bad_steps: u64, device: &Device) -> Self {
        let before = saved.without_bad(bad_steps);
        let on_device = |value: f32| Tensor::<1>::from_data([value], device);
        let sums = (before.steps > 0).then(|| Sums {
            loss: on_device(before.loss.unwrap_or(f32::NAN)),
            skipped: on_device(before.skipped),
            longest: on_device(before.longest),
            norm: on_device(before.norm),
            // Of the last step, which is yet to come.
            rate: 0.0,
        });
        Self {
            sums,
            in_a_row: Some(on_device(before.in_a_row)),
            resumed: Some(*saved),
            steps: before.steps,
            ..Self::default()
        }
    }

    /// The metrics that a checkpoint stores, read back in one transfer.
    pub(super) fn unlogged(&self) -> Unlogged {
        if let Some(resumed) = self.resumed {
            return resumed;
        }
        let Some(in_a_row) = self.in_a_row.clone() else {
            return Unlogged::default();
        };
        let mut numbers = vec![in_a_row];
        if let Some(sums) = &self.sums {
            let sums = [&sums.loss, &sums.skipped, &sums.longest, &sums.norm];
            numbers.extend(sums.map(Clone::clone));
        }
        let numbers = read(Tensor::cat(numbers, 0));
        let number = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
        Unlogged {
            steps: self.steps,
            loss: Some(number(1)).filter(|loss| loss.is_finite()),
            skipped: number(2),
            longest: number(3),
            in_a_row: number(0),
            norm: number(4),
        }
    }

    /// Whether the last step was skipped; waits for it.
    pub(super) fn ends_skipped(&self) -> bool {
        let in_a_row = self.in_a_row.clone().map(read);
        in_a_row.is_some_and(|numbers| numbers[0] > 0.0)
    }

    /// Adds time spent waiting for data.
    pub(super) fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    /// Restarts the clock after a pause in training.
    pub(super) fn restart_clock(&mut self) {
        self.started = Instant::now();
        self.waited = Duration::ZERO;
        self.photos = 0;
    }

    /// Adds a step of `photos` photos.
    pub(super) fn add(&mut self, output: &StepOutput, photos: usize) {
        self.resumed = None;
        let finite: Tensor<1, Bool> = output.finite.clone();
        let zero = output.loss.zeros_like();
        let loss = zero.clone().mask_where(finite.clone(), output.loss.clone());
        let bad = zero.ones_like().mask_where(finite.clone(), zero.clone());
        let before = self.in_a_row.take().unwrap_or_else(|| zero.clone());
        let run = (before + 1.0) * bad.clone();
        self.in_a_row = Some(run.clone());
        let norm = self.sums.as_ref().map_or(zero, |sums| sums.norm.clone());
        let norm = norm.mask_where(finite, output.gradient_norm.clone());
        let rate = output.learning_rate;
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

    /// Reads the sums back in one transfer and starts over.
    pub(super) fn close(&mut self, step: u64) -> Summary {
        let in_a_row = self.in_a_row.clone();
        let closed = std::mem::replace(
            self,
            RunningMetrics {
                in_a_row,
                ..RunningMetrics::default()
            },
        );
        let Some(sums) = closed.sums else {
            return Summary {
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
        Summary {
            line,
            skipped,
            in_a_row: numbers[2] as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(norm: f32) -> StepOutput {
        let device = Device::flex();
        StepOutput {
            loss: Tensor::from_data([norm], &device),
            learning_rate: 1e-3,
            gradient_norm: Tensor::from_data([norm], &device),
            finite: Tensor::from_data([norm.is_finite()], &device),
        }
    }

    #[test]
    fn the_norm_of_a_skipped_step_is_not_logged() {
        let mut running = RunningMetrics::default();
        running.add(&output(2.0), 1);
        assert!(!running.ends_skipped());
        running.add(&output(f32::INFINITY), 1);
        assert!(running.ends_skipped());
        // As a run that resumes there.
        let resumed = RunningMetrics::resume(&running.unlogged(), 9, &Device::flex());
        for mut running in [running, resumed] {
            running.add(&output(f32::NAN), 1);
            let summary = running.close(3);
            assert_eq!((summary.skipped, summary.in_a_row), (2, 2));
            let line = summary.line.unwrap();
            assert_eq!((line.gradient_norm, line.loss), (2.0, 2.0));
            let text = serde_json::to_string(&line).unwrap();
            assert!(!text.contains("null"), "{text}");
        }
    }

    #[test]
    fn a_resume_forgets_bad_steps_and_a_checkpoint_before_its_next_step_does_not() {
        let mut running = RunningMetrics::default();
        for norm in [2.0, f32::NAN, f32::NAN] {
            running.add(&output(norm), 1);
        }
        let saved = running.unlogged();
        assert_eq!((saved.in_a_row, saved.longest), (2.0, 2.0));
        let mut resumed = RunningMetrics::resume(&saved, 2, &Device::flex());
        assert_eq!(resumed.unlogged(), saved);
        resumed.add(&output(f32::NAN), 1);
        assert_eq!(resumed.unlogged().in_a_row, 1.0);
        assert_eq!(resumed.close(4).in_a_row, 1);
        // One that is too short to end a run goes on.
        let mut resumed = RunningMetrics::resume(&saved, 3, &Device::flex());
        resumed.add(&output(f32::NAN), 1);
        assert_eq!(resumed.close(4).in_a_row, 3);
    }
}
