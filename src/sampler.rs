//! Solvers of the ODE `dx/dt = v(x, t)` from t = 0 to 1, one state at a time.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A fixed-step solver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// First order, one evaluation per step; the paper's solver.
    #[default]
    Euler,
    /// Second order, two evaluations per step.
    Heun,
    /// Fourth order, four evaluations per step.
    Rk4,
}

/// Tolerance within which a time counts as t = 1.
const END: f32 = 1e-6;

/// `steps + 1` times from 0 to 1. A `shift` above 1 takes more of the steps near t = 0, one below 1
/// near t = 1: `t = u / (u + shift (1 - u))` for evenly spaced u; 1 leaves the times evenly spaced.
pub fn times(steps: usize, shift: f64) -> Vec<f32> {
    (0..=steps)
        .map(|i| {
            let u = i as f64 / steps.max(1) as f64;
            (u / (u + shift * (1.0 - u))) as f32
        })
        .collect()
}

/// One stored state of a trajectory.
#[derive(Clone, Debug)]
pub struct State {
    /// Index, 0 for the source.
    pub step: usize,
    pub t: f32,
    /// `x_t: [B, d, H, W]`
    pub x: Tensor<4>,
}

/// An iterator over the states of a flow: the source, then one state per step. States are computed
/// on demand.
pub struct Trajectory<V> {
    velocity: V,
    solver: Solver,
    /// The solver of the step that ends at t = 1.
    last: Solver,
    times: Vec<f32>,
    next: usize,
    x: Option<Tensor<4>>,
}

impl<V: FnMut(Tensor<4>, f32, f32) -> Tensor<4>> Trajectory<V> {
    /// Starts at `source: [B, d, H, W]` and solves over `times` (see [`times`]) in the field
    /// `velocity(x, t, h)`, where h is the length of the current step.
    pub fn new(source: Tensor<4>, times: Vec<f32>, solver: Solver, velocity: V) -> Self {
        Self {
            velocity,
            solver,
            last: solver,
            times,
            next: 0,
            x: Some(source),
        }
    }

    /// Uses Euler's method for the step that ends at t = 1, whatever the solver. A field that heads
    /// for a target, `(target - x) / (1 - t)`, needs this: it is undefined at t = 1, where solvers
    /// of higher order evaluate it, whereas Euler's step ends exactly at the target.
    pub fn ending_by_euler(self) -> Self {
        Self {
            last: Solver::Euler,
            ..self
        }
    }

    fn step(&mut self, x: Tensor<4>, t: f32, h: f32) -> Tensor<4> {
        let solver = if t + h >= 1.0 - END {
            self.last
        } else {
            self.solver
        };
        let mut v = |x, t| (self.velocity)(x, t, h);
        match solver {
            Solver::Euler => x.clone() + v(x, t) * h,
            Solver::Heun => {
                let k1 = v(x.clone(), t);
                let k2 = v(x.clone() + k1.clone() * h, t + h);
                x + (k1 + k2) * (h / 2.0)
            }
            Solver::Rk4 => {
                let k1 = v(x.clone(), t);
                let k2 = v(x.clone() + k1.clone() * (h / 2.0), t + h / 2.0);
                let k3 = v(x.clone() + k2.clone() * (h / 2.0), t + h / 2.0);
                let k4 = v(x.clone() + k3.clone() * h, t + h);
                x + (k1 + (k2 + k3) * 2.0 + k4) * (h / 6.0)
            }
        }
    }
}

impl<V: FnMut(Tensor<4>, f32, f32) -> Tensor<4>> Iterator for Trajectory<V> {
    type Item = State;

    fn next(&mut self) -> Option<State> {
        let step = self.next;
        let t = *self.times.get(step)?;
        let mut x = self.x.take()?;
        if step > 0 {
            let before = self.times[step - 1];
            x = self.step(x, before, t - before);
        }
        self.next += 1;
        self.x = Some(x.clone());
        Some(State { step, t, x })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.times.len() - self.next;
        (left, Some(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Error of solving dx/dt = x from x(0) = 1; the exact solution at t = 1 is e.
    fn error(solver: Solver, steps: usize) -> f32 {
        let source = Tensor::ones([1, 3, 1, 1], &Device::flex());
        let last = Trajectory::new(source, times(steps, 1.0), solver, |x, _, _| x)
            .last()
            .unwrap();
        assert_eq!((last.step, last.t), (steps, 1.0));
        let x: Vec<f32> = last.x.into_data().try_to_vec::<f32>().unwrap();
        (x[0] - std::f32::consts::E).abs()
    }

    #[test]
    fn solvers_converge_at_their_order() {
        for (solver, order) in [(Solver::Euler, 1), (Solver::Heun, 2)] {
            let ratio = error(solver, 10) / error(solver, 20);
            let expected = 2f32.powi(order);
            assert!(
                (ratio / expected - 1.0).abs() < 0.15,
                "{solver:?}: {ratio} of {expected}"
            );
        }
        assert!(error(Solver::Rk4, 4) < 1e-4);
    }

    #[test]
    fn a_constant_field_is_exact_and_stops_early() {
        let source = Tensor::zeros([1, 3, 1, 1], &Device::flex());
        let mut calls = 0;
        let count = &mut calls;
        let states: Vec<State> =
            Trajectory::new(source, times(10, 1.0), Solver::Euler, |x, _, _| {
                *count += 1;
                x.ones_like()
            })
            .take(4)
            .collect();
        assert_eq!(states.len(), 4);
        assert_eq!(calls, 3);
        let x: Vec<f32> = states[3].x.clone().into_data().try_to_vec::<f32>().unwrap();
        assert!((x[0] - 0.3).abs() < 1e-6);
    }

    #[test]
    fn a_shift_bends_time_and_keeps_its_ends() {
        for shift in [0.3, 1.0, 3.0] {
            let t = times(10, shift);
            assert_eq!((t[0], t[10]), (0.0, 1.0));
            assert!(t.windows(2).all(|w| w[0] < w[1]));
        }
        assert!(times(10, 3.0)[5] < 0.5 && times(10, 0.3)[5] > 0.5);
    }
}
