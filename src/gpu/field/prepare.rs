//! What the renderer computes when a scene changes.

use super::Renderer;
use super::buffers::storage;
use super::camera::Vec3;
use super::cloud::{Cloud, thin};
use super::pane::{Gpu, Pane, Shared, centroids, cubic_lattice, lattice, slice_geometry};
use super::range::Ranges;
use super::scene::{ArrowPlace, FieldKind, Scene};
use super::seeds::shuffled;
use crate::gpu::{GpuError, guarded};

/// Arrows at points of the cloud: at most so many.
const CLOUD_ARROWS: usize = 3000;

impl Renderer {
    pub(super) fn prepare_field(&mut self, scene: &Scene) {
        self.ranges = Ranges::measure(scene, std::iter::empty());
        self.shared = Some(Shared {
            centroids: centroids(&self.device, scene),
            anchors: None,
            slice: None,
        });
        self.panes = scene
            .panes
            .iter()
            .map(|&kind| Pane::new(&self.device, scene, kind))
            .collect();
    }

    pub(super) fn place_arrows(
        &mut self,
        scene: &Scene,
        cloud: Option<&Cloud<'_>>,
    ) -> Result<(), GpuError> {
        let mut velocity: Option<Vec<Vec3>> = None;
        let network = scene.panes.contains(&FieldKind::Network);
        let anchors: Vec<[f32; 4]> = match scene.arrows {
            None => Vec::new(),
            Some(arrows) => match arrows.place {
                ArrowPlace::Cube if !network => shuffled(cubic_lattice(arrows.per_axis)),
                ArrowPlace::Slice if !network => scene.slice.map_or_else(Vec::new, |s| {
                    shuffled(lattice(&s.plane, arrows.per_axis, false))
                }),
                // The network's velocity is known nowhere else.
                _ => match cloud {
                    None => Vec::new(),
                    Some(cloud) => {
                        let state = cloud.read(&self.device, &self.queue)?;
                        let most = (arrows.per_axis as usize).pow(3).min(CLOUD_ARROWS);
                        let points = shuffled(thin(&state, most));
                        velocity = cloud.velocity.map(|v| {
                            let of = |p: usize| [0, 1, 2].map(|a| v[a * cloud.pixels() + p]);
                            points.iter().map(|&(p, _)| of(p)).collect()
                        });
                        points
                            .into_iter()
                            .map(|(_, [x, y, z])| [x, y, z, 0.0])
                            .collect()
                    }
                },
            },
        };
        if network {
            let lengths = velocity.iter().flatten().map(|v| super::camera::length(*v));
            self.ranges = Ranges::measure(scene, lengths);
        }
        let device = self.device.clone();
        guarded(&device, "placing arrows", || {
            let gpu = Gpu {
                device: &self.device,
                queue: &self.queue,
                kernels: &self.kernels,
            };
            if let Some(shared) = &mut self.shared {
                shared.anchors = (!anchors.is_empty())
                    .then(|| (storage(&device, &anchors), anchors.len() as u32));
                for pane in &mut self.panes {
                    pane.point_arrows(&gpu, shared, velocity.as_deref());
                }
            }
        })
    }

    pub(super) fn prepare_slice(
        &mut self,
        scene: &Scene,
        old: Option<&Scene>,
        field: bool,
        plane: bool,
    ) {
        let gpu = Gpu {
            device: &self.device,
            queue: &self.queue,
            kernels: &self.kernels,
        };
        let Some(shared) = &mut self.shared else {
            return;
        };
        if field || plane {
            shared.slice = scene
                .slice
                .and_then(|s| slice_geometry(&self.device, &s.plane));
        }
        let was = old.and_then(|old| old.slice);
        let resolution = was.map(|s| s.resolution) != scene.slice.map(|s| s.resolution);
        let streams = was.map(|s| s.streamlines) != scene.slice.map(|s| s.streamlines)
            || old.is_none_or(|old| old.look != scene.look);
        for pane in &mut self.panes {
            if field || plane || resolution {
                pane.map_slice(&gpu, shared, scene.slice.as_ref());
            }
            if field || plane || streams {
                pane.trace_streamlines(&gpu, shared, scene);
            }
        }
    }
}
