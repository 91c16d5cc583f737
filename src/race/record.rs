//! The measurements of a race so far.

use super::config::RaceConfig;
use super::scenes::{HeldOut, Snapshot};
use std::collections::VecDeque;
use std::sync::Arc;

/// Frames kept for animations. A longer race keeps every second, fourth, eighth and so on.
const MOST_FRAMES: usize = 120;

/// The numbers of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub step: u64,
    pub seconds: f64,
    pub loss: Option<f64>,
    pub miou: f64,
    pub pixel_accuracy: f64,
    /// The share of trajectories that pass through another class's neighbourhood, 0 to 1.
    pub crossing: f64,
    pub passes: u64,
}

/// Both sides after the same number of steps.
pub type Frame = [Arc<Snapshot>; 2];

/// Collects the snapshots of both sides.
#[derive(Clone, Debug)]
pub struct Record {
    pub config: RaceConfig,
    pub held_out: Arc<HeldOut>,
    /// The numbers of every snapshot of each side, in order.
    pub points: [Vec<Point>; 2],
    /// Snapshots of both sides, in order; at least the first and the last. Only the last has states.
    frames: Vec<Frame>,
    /// Snapshots that the other side has not reached yet.
    waiting: [VecDeque<Arc<Snapshot>>; 2],
    /// Every how many complete frames one is kept.
    stride: u64,
    complete: u64,
}

impl Record {
    pub fn new(config: RaceConfig, held_out: Arc<HeldOut>) -> Self {
        Self {
            config,
            held_out,
            points: Default::default(),
            frames: Vec::new(),
            waiting: Default::default(),
            stride: 1,
            complete: 0,
        }
    }

    /// Adds a snapshot. Returns whether it completes a frame.
    pub fn add(&mut self, snapshot: Arc<Snapshot>) -> bool {
        let side = snapshot.side.min(1);
        self.points[side].push(Point {
            step: snapshot.step,
            seconds: snapshot.seconds,
            loss: snapshot.loss,
            miou: snapshot.miou,
            pixel_accuracy: snapshot.pixel_accuracy,
            crossing: snapshot.traversals.share(),
            passes: snapshot.traversals.passes,
        });
        self.waiting[side].push_back(snapshot);
        let mut completed = false;
        while let [Some(a), Some(b)] = self.waiting.each_ref().map(VecDeque::front) {
            // Both sides are measured after the same steps.
            if a.step == b.step {
                let frame = [a.clone(), b.clone()];
                self.keep(frame);
                completed = true;
            }
            for waiting in &mut self.waiting {
                waiting.pop_front();
            }
        }
        completed
    }

    fn keep(&mut self, frame: Frame) {
        // The last frame is always there; it stays only if it is due.
        if self.complete > 0 && !(self.complete - 1).is_multiple_of(self.stride) {
            self.frames.pop();
        } else if let Some(last) = self.frames.last_mut() {
            *last = last.each_ref().map(|side| Arc::new(side.without_states()));
        }
        self.frames.push(frame);
        self.complete += 1;
        if self.frames.len() > MOST_FRAMES {
            self.stride *= 2;
            let mut at = 0;
            let last = self.frames.len() - 1;
            self.frames.retain(|_| {
                at += 1;
                (at - 1) % 2 == 0 || at - 1 == last
            });
        }
    }

    /// Frames in order, the newest last.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    pub fn last(&self) -> Option<&Frame> {
        self.frames.last()
    }

    /// The steps that both sides have reached.
    pub fn step(&self) -> u64 {
        self.last().map_or(0, |[a, _]| a.step)
    }
}
