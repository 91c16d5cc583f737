//! The classes of the shown state. Between two stored states, they are decoded on a separate thread, and
//! only while something shows them.

use super::flow::{Flow, Mix, MixKey};
use super::latest::Latest;
use crate::encoding::Centroids;
use crate::labels;
use eframe::egui;
use std::cell::RefCell;
use std::sync::Arc;

/// The classes of a state.
#[derive(Clone)]
pub(super) struct Classes {
    /// The state.
    pub key: MixKey,
    /// The nearest class of every pixel, `[H, W]`.
    pub labels: Arc<Vec<u16>>,
    /// The share of every class, 0 to 1.
    pub shares: Vec<f32>,
}

impl Classes {
    fn of(mix: &Mix, centroids: &Centroids) -> Self {
        let labels = mix.labels(centroids);
        Self {
            key: mix.key,
            shares: labels::shares(&labels, centroids.len()),
            labels: Arc::new(labels),
        }
    }
}

struct Request {
    mix: Mix,
    centroids: Centroids,
}

#[derive(Default)]
struct Inner {
    worker: Option<Latest<Request, Classes>>,
    /// What was decoded last.
    decoded: Option<Classes>,
}

impl Inner {
    fn receive(&mut self) {
        if let Some(decoded) = self.worker.as_mut().and_then(Latest::poll) {
            self.decoded = Some(decoded);
        }
    }
}

/// Decodes the shown state, one at a time. What was decoded last is a cache that drawing updates, hence the
/// cell.
#[derive(Default)]
pub(super) struct ShownClasses(RefCell<Inner>);

impl ShownClasses {
    /// Starts the thread. The default has none, and knows the classes of stored states only.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(context: &egui::Context) -> std::io::Result<Self> {
        let answer = |request: Request| Classes::of(&request.mix, &request.centroids);
        let inner = Inner {
            worker: Some(Latest::start("flowseg-classes", context, answer)?),
            decoded: None,
        };
        Ok(Self(RefCell::new(inner)))
    }

    /// The classes of a flow at a position; `None` before its numbers have been read back. Until a state
    /// between two stored ones is decoded, those of the nearest state that is.
    pub(super) fn of(&self, flow: &Flow, centroids: &Centroids, position: f32) -> Option<Classes> {
        let mix = flow.mix(position)?;
        let (step, host) = flow.nearest(mix.position())?;
        let stored = || Classes {
            key: (flow.id, step, 0),
            labels: host.labels.clone(),
            shares: host.shares.clone(),
        };
        if mix.is_stored() {
            return Some(stored());
        }
        let inner = &mut *self.0.borrow_mut();
        inner.receive();
        let decoded = inner
            .decoded
            .as_ref()
            .filter(|known| known.key.0 == flow.id);
        if let Some(known) = decoded.filter(|known| known.key == mix.key) {
            return Some(known.clone());
        }
        if let Some(worker) = inner.worker.as_mut().filter(|worker| !worker.busy()) {
            worker.ask(Request {
                mix: mix.clone(),
                centroids: centroids.clone(),
            });
        }
        let away =
            |(_, step, share): MixKey| (step as f32 + f32::from_bits(share) - mix.position()).abs();
        let nearer = decoded.filter(|known| away(known.key) < away((flow.id, step, 0)));
        Some(nearer.cloned().unwrap_or_else(stored))
    }

    /// Whether nothing is being decoded.
    pub(super) fn ready(&self) -> bool {
        let inner = &mut *self.0.borrow_mut();
        inner.receive();
        inner.worker.as_ref().is_none_or(|worker| !worker.busy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viewer::flow::testing;

    #[test]
    fn between_two_states_the_classes_are_those_of_the_state_between_them() {
        let centroids = Centroids::kronecker(3);
        let ends = [[0u16, 0, 1, 2], [1, 0, 2, 2]];
        let flow = testing::flow(&centroids, &ends, [2, 2]);
        let classes = ShownClasses::start(&egui::Context::default()).unwrap();
        for (position, end) in [(0.0, 0), (1.0, 1), (7.0, 1)] {
            let found = classes.of(&flow, &centroids, position).unwrap();
            assert_eq!(*found.labels, ends[end]);
        }
        assert!(classes.ready(), "stored states need no decoding");
        for position in [0.1, 0.4, 0.6, 0.9] {
            let _ = classes.of(&flow, &centroids, position);
            while !classes.ready() {
                std::thread::yield_now();
            }
            // What was asked for first may have been another position.
            let _ = classes.of(&flow, &centroids, position);
            while !classes.ready() {
                std::thread::yield_now();
            }
            let found = classes.of(&flow, &centroids, position).unwrap();
            let mixed: Vec<Vec<f32>> = (0..4)
                .map(|pixel| flow.state_of(pixel, position).unwrap())
                .collect();
            let expected: Vec<u16> = mixed.iter().flat_map(|x| centroids.decode(x)).collect();
            assert_eq!(*found.labels, expected, "{position}");
            assert_eq!(found.shares, labels::shares(&expected, 3));
        }
    }

    #[test]
    fn without_a_thread_the_nearest_stored_state_is_shown() {
        let centroids = Centroids::kronecker(3);
        let ends = [[0u16, 0], [1, 2]];
        let flow = testing::flow(&centroids, &ends, [1, 2]);
        let classes = ShownClasses::default();
        for (position, end) in [(0.2, 0), (0.8, 1)] {
            let found = classes.of(&flow, &centroids, position).unwrap();
            assert_eq!(*found.labels, ends[end]);
        }
    }
}
