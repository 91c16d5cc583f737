//! Streamlines of the field's projection onto the plane of the slice.
//!
//! A kernel traces short lines of equal length from a staggered lattice, one thread per line, by
//! the midpoint rule `x += h d(x + h/2 d(x))` with the unit direction `d`. A line stops where it
//! turns back within one step (a sink or a saddle) or leaves the cube. It is faint at its tail and
//! strong at its head.

use super::context::{Gpu, Kernel, Phase, Slot, wgsl, whole};
use super::globals::Pane;
use super::layer::{Draw, Frame, Layer};
use super::lines::{LinePoint, Ribbon, Ribbons, Strip, with_alpha};
use crate::gpu::GpuError;
use crate::vector_field::{FieldKind, HALF_EDGE, Plane, seeds::shuffled};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Streamlines {
    /// Number of lines along an edge of the cube; 0 draws none.
    pub per_edge: u32,
}

impl Default for Streamlines {
    fn default() -> Self {
        Self { per_edge: 22 }
    }
}

/// Points per line; the last one ends the polyline.
const POINTS: u32 = 18;
/// Alpha at the head of a line, 0..=255.
const HEAD: u8 = 210;

mod gpu_data {
    use bytemuck::{Pod, Zeroable};
    use glam::Vec3;

    /// `Streamlines` of field/streamlines.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(super) struct Streamlines {
        pub u: Vec3,
        pub length: f32,
        pub v: Vec3,
        pub colour: [u8; 4],
    }
    const _: () = assert!(size_of::<Streamlines>() == 32);
}

pub(super) struct StreamlineLayer {
    kernel: Kernel,
    ribbons: Arc<Ribbons>,
    traced: Option<(Key, Traced)>,
}

struct Traced {
    lines: u32,
    /// One strip per pane; `None` if its field is not known between pixels.
    panes: Vec<Option<Strip>>,
}

#[derive(PartialEq)]
struct Key {
    fields: u64,
    plane: Plane,
    per_edge: u32,
    ink: [u8; 3],
}

impl StreamlineLayer {
    pub(super) fn new(gpu: &Gpu, ribbons: &Arc<Ribbons>) -> Self {
        let slots = [Slot::Uniform, Slot::Read, Slot::ReadWrite];
        Self {
            kernel: Kernel::new(gpu, "field streamlines", Self::WGSL, &slots),
            ribbons: ribbons.clone(),
            traced: None,
        }
    }

    fn trace(&self, gpu: &Gpu, panes: &[Pane], key: &Key) -> Traced {
        let seeds = shuffled(key.plane.lattice(key.per_edge, true));
        let lines = seeds.len() as u32;
        let mut traced = Vec::new();
        let seeds = (lines > 0).then(|| gpu.points(&seeds));
        let uniform = gpu.uniform(&gpu_data::Streamlines {
            u: key.plane.u,
            length: 2.0 * HALF_EDGE * 1.7 / key.per_edge as f32,
            v: key.plane.v,
            colour: with_alpha(key.ink, HEAD),
        });
        for pane in panes {
            let seeds = seeds.as_ref();
            let seeds = seeds.filter(|_| pane.kind != FieldKind::Network);
            traced.push(seeds.map(|seeds| {
                let points = gpu.empty_storage::<LinePoint>((lines * POINTS) as usize);
                let group = self.kernel.bind(gpu, &whole([&uniform, seeds, &points]));
                let groups = [lines.div_ceil(64), 1];
                self.kernel.run(gpu, [&pane.group, &group], groups);
                self.ribbons
                    .strip(gpu, &points, lines * POINTS, Ribbon::FINE)
            }));
        }
        Traced {
            lines,
            panes: traced,
        }
    }
}

impl Layer for StreamlineLayer {
    type Settings = Streamlines;

    const WGSL: &'static str = wgsl!(scene, potential, line_point => streamlines);

    fn prepare(&mut self, settings: &Streamlines, frame: &Frame<'_>) -> Result<(), GpuError> {
        let plane = frame.view.plane.filter(|_| settings.per_edge > 0);
        let key = plane.map(|plane| Key {
            fields: frame.globals.version,
            plane,
            per_edge: settings.per_edge,
            ink: frame.view.style.ink,
        });
        if self.traced.as_ref().map(|(known, _)| known) != key.as_ref() {
            let trace = |key: &Key| self.trace(frame.gpu, &frame.globals.panes, key);
            let traced = key.as_ref().map(trace);
            self.traced = key.zip(traced);
        }
        Ok(())
    }

    fn draw(&self, _: &Streamlines, draw: &mut Draw<'_, '_>) {
        if draw.phase == Phase::Blended
            && let Some((_, traced)) = &self.traced
            && let Some(Some(strip)) = traced.panes.get(draw.pane)
        {
            let lines = draw.detail.strokes_of(traced.lines);
            self.ribbons.draw(draw, strip, POINTS * lines);
        }
    }
}
