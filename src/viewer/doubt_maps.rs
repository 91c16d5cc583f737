//! The uncertainty of the shown state, computed from its soft votes on a separate thread.

use super::flow::{Flow, Mix, MixKey};
use super::latest::Latest;
use super::open_model::OpenModel;
use crate::encoding::Centroids;
use crate::gpu::GpuError;
use crate::gpu::canvas::{Layer, Pipelines};
use crate::votes::{Doubt, Votes};
use eframe::egui;
use rayon::prelude::*;
use std::sync::Arc;

struct Request {
    mix: Mix,
    centroids: Centroids,
    size: [usize; 2],
}

/// The three maps `[3, H, W]` of a state in graphics memory; `None` without a graphics device.
type Maps = Option<Arc<wgpu::Buffer>>;

type Answer = (MixKey, Result<Maps, GpuError>);

/// Computes the uncertainty of the shown state, one state at a time.
pub(super) struct DoubtMaps {
    worker: Option<Latest<Request, Answer>>,
    shown: Option<(MixKey, Maps)>,
}

pub(super) fn measure(layer: Layer) -> Option<Doubt> {
    match layer {
        Layer::Probability => Some(Doubt::Probability),
        Layer::Margin => Some(Doubt::Margin),
        Layer::Entropy => Some(Doubt::Entropy),
        _ => None,
    }
}

impl DoubtMaps {
    /// Starts the thread. Without pipelines, nothing is uploaded.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(
        context: &egui::Context,
        pipelines: Option<Arc<Pipelines>>,
    ) -> std::io::Result<Self> {
        let answer = move |request: Request| {
            let maps = maps(&request.centroids, &request.mix.state(), request.size);
            let uploaded = pipelines.as_ref().map(|pipelines| pipelines.doubt(&maps));
            (
                request.mix.key,
                uploaded.transpose().map(|map| map.map(Arc::new)),
            )
        };
        Ok(Self {
            worker: Some(Latest::start("flowseg-doubt", context, answer)?),
            shown: None,
        })
    }

    /// Shows no uncertainty, for systems that cannot start the thread.
    pub(super) fn none() -> Self {
        Self {
            worker: None,
            shown: None,
        }
    }

    /// Requests the maps of the state at a position, unless they are available.
    pub(super) fn want(&mut self, flow: &Flow, model: &OpenModel, position: f32) {
        let Some(mix) = flow.mix(position) else {
            return;
        };
        let known = self.shown.as_ref().map(|(key, _)| *key);
        if known == Some(mix.key) {
            return;
        }
        if let Some(worker) = &mut self.worker
            && !worker.busy()
        {
            worker.ask(Request {
                mix,
                centroids: model.centroids.clone(),
                size: flow.size,
            });
        }
    }

    /// Receives computed maps. Returns a graphics error in one line.
    pub(super) fn receive(&mut self) -> Option<String> {
        let (key, maps) = self.worker.as_mut()?.poll()?;
        let (maps, error) = match maps {
            Ok(maps) => (maps, None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.shown = Some((key, maps));
        error
    }

    /// The maps computed last for a flow: just after the playhead moved, those of the previous state.
    pub(super) fn of(&self, flow: &Flow) -> Maps {
        let (_, maps) = self.shown.as_ref().filter(|((id, ..), _)| *id == flow.id)?;
        maps.clone()
    }

    /// Whether the maps of the state at a position are available.
    pub(super) fn ready(&self, flow: &Flow, position: f32) -> bool {
        let wanted = flow.mix(position).map(|mix| mix.key);
        self.worker.is_none() || wanted == self.shown.as_ref().map(|(key, _)| *key)
    }
}

/// Probability, margin and entropy `[3, H, W]` of a state `[d, H, W]`, row by row: the votes of all pixels
/// could fill the memory.
fn maps(centroids: &Centroids, x: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
    let pixels = height * width;
    let of_row = |row: usize| {
        let channel = |axis: usize| &x[axis * pixels + row * width..][..width];
        let state: Vec<f32> = (0..centroids.dims()).flat_map(channel).copied().collect();
        let votes = Votes::of(centroids, &state, [1, width]);
        Doubt::ALL.map(|doubt| votes.doubt(doubt, [1, width]))
    };
    let rows: Vec<[Vec<f32>; 3]> = (0..height).into_par_iter().map(of_row).collect();
    let map = |at: usize| rows.iter().flat_map(move |row| row[at].iter().copied());
    (0..Doubt::ALL.len()).flat_map(map).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tiny;
    use crate::viewer::flow::testing;

    #[test]
    fn doubt_is_that_of_the_state_between_two_stored_ones() {
        let classes = ["a", "b", "c"];
        let card = tiny(&classes, [16, 24], |_| ()).card;
        let centroids = card.centroids();
        let flow = testing::flow(&centroids, &[[0u16, 1], [2, 1]], [1, 2]);
        let model = OpenModel::new("test".to_owned(), card, centroids);
        let mut doubt = DoubtMaps::start(&egui::Context::default(), None).unwrap();
        for position in [0.0, 0.25, 0.75, 1.0] {
            doubt.want(&flow, &model, position);
            while !doubt.ready(&flow, position) {
                assert_eq!(doubt.receive(), None);
                std::thread::yield_now();
            }
        }
        assert!(!doubt.ready(&flow, 0.75));
    }

    #[test]
    fn maps_come_in_the_order_that_the_shader_reads() {
        let centroids = Centroids::kronecker(3);
        let x = centroids.encode(&[0, 1, 2, 1]);
        let maps = maps(&centroids, &x, [2, 2]);
        assert_eq!(maps.len(), 3 * 4);
        let votes = Votes::of(&centroids, &x, [2, 2]);
        for (at, layer) in [Layer::Probability, Layer::Margin, Layer::Entropy]
            .into_iter()
            .enumerate()
        {
            assert_eq!(layer as usize, Layer::Probability as usize + at);
            let doubt = measure(layer).unwrap();
            for (pixel, found) in maps[4 * at..][..4].iter().enumerate() {
                let expected = doubt.of(votes.at(pixel));
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{pixel}: {found}, {expected}"
                );
            }
        }
    }
}
