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
    /// Summed over the steps that were not skipped and whose batches have a weighed pixel.
    loss: Tensor<1>,
    /// The number of these steps.
    losses: Tensor<1>,
    skipped: Tensor<1>,
    longest: Tensor<1>,
    /// Of the last of the steps in `loss`; 0 without one.
    norm: Tensor<1>,
    rate: f64,
}

pub(super) struct Summary {
    /// `None` if no step has a loss: each was skipped, or its batch has no weighed pixel.
    pub line: Option<StepLine>,
    /// Steps that were not skipped, of batches without a weighed pixel.
    pub unweighed: u64,
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
            losses: on_device(before.losses()),
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
            let sums = [
                &sums.loss,
                &sums.skipped,
                &sums.longest,
                &sums.norm,
                &sums.losses,
            ];
            numbers.extend(sums.map(Clone::clone));
        }
        let numbers = read(Tensor::cat(numbers, 0));
        let number = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
        Unlogged {
            steps: self.steps,
            loss: Some(number(1)).filter(|loss| loss.is_finite()),
            losses: Some(number(5)),
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
        let bad = zero.ones_like().mask_where(finite.clone(), zero.clone());
        let before = self.in_a_row.take().unwrap_or_else(|| zero.clone());
        let run = (before + 1.0) * bad.clone();
        self.in_a_row = Some(run.clone());
        let norm = self.sums.as_ref();
        let norm = norm.map_or_else(|| zero.clone(), |sums| sums.norm.clone());
        let (loss, losses, norm) = if output.weighed {
            (
                zero.mask_where(finite.clone(), output.loss.clone()),
                bad.clone().neg() + 1.0,
                norm.mask_where(finite, output.gradient_norm.clone()),
            )
        } else {
            // Without the classes' part, and without its gradient: neither can be compared with the others.
            (zero.clone(), zero, norm)
        };
        let rate = output.learning_rate;
        self.sums = Some(match self.sums.take() {
            None => Sums {
                loss,
                losses,
                skipped: bad,
                longest: run,
                norm,
                rate,
            },
            Some(sums) => Sums {
                loss: sums.loss + loss,
                losses: sums.losses + losses,
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
                unweighed: 0,
                skipped: 0,
                in_a_row: 0,
            };
        };
        let numbers = vec![
            sums.loss,
            sums.skipped,
            sums.longest,
            sums.norm,
            sums.losses,
        ];
        let numbers = read(Tensor::cat(numbers, 0));
        let skipped = numbers[1] as u64;
        let seconds = closed.started.elapsed().as_secs_f64().max(1e-9);
        let losses = f64::from(numbers[4]);
        let line = (losses > 0.0).then(|| StepLine {
            step,
            loss: f64::from(numbers[0]) / losses,
            learning_rate: sums.rate,
            gradient_norm: f64::from(numbers[3]),
            photos_per_second: closed.photos as f64 / seconds,
            waiting: closed.waited.as_secs_f64() / seconds,
        });
        Summary {
            line,
            // Every other step has a loss or was skipped.
            unweighed: closed
                .steps
                .saturating_sub(skipped)
                .saturating_sub(losses as u64),
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
            weighed: true,
        }
    }

    #[test]
    fn a_batch_without_a_weighed_pixel_is_left_out_of_the_mean() {
        let empty = || StepOutput {
            weighed: false,
            ..output(0.0)
        };
        let mut running = RunningMetrics::default();
        running.add(&empty(), 1);
        running.add(&output(2.0), 1);
        running.add(&empty(), 1);
        // As a run that resumes there.
        let saved = running.unlogged();
        assert_eq!((saved.losses, saved.steps), (Some(1.0), 3));
        let resumed = RunningMetrics::resume(&saved, 9, &Device::flex());
        for mut running in [running, resumed] {
            running.add(&output(4.0), 1);
            running.add(&output(f32::NAN), 1);
            let summary = running.close(5);
            assert_eq!((summary.skipped, summary.in_a_row), (1, 1));
            assert_eq!(summary.unweighed, 2);
            let line = summary.line.unwrap();
            assert_eq!((line.loss, line.gradient_norm), (3.0, 4.0));
        }
        // A step that was skipped as well counts once.
        let mut running = RunningMetrics::default();
        let skipped = StepOutput {
            weighed: false,
            ..output(f32::NAN)
        };
        running.add(&skipped, 1);
        let summary = running.close(1);
        assert_eq!((summary.skipped, summary.unweighed), (1, 0));
        // Without any other step there is no line.
        let mut running = RunningMetrics::default();
        running.add(&empty(), 1);
        let summary = running.close(1);
        assert!(summary.line.is_none() && summary.unweighed == 1 && summary.skipped == 0);
    }

    #[test]
    fn a_checkpoint_of_an_older_version_counts_every_step_that_was_not_skipped() {
        let old = r#"{"steps": 3, "loss": 4.0, "skipped": 1.0, "longest": 1.0, "in_a_row": 0.0, "norm": 2.0}"#;
        let saved: Unlogged = serde_json::from_str(old).unwrap();
        let mut running = RunningMetrics::resume(&saved, 9, &Device::flex());
        running.add(&output(5.0), 1);
        assert_eq!(running.close(4).line.unwrap().loss, 3.0);
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
