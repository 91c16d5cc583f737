//! Polylines: the edges of the cube and pixels' trajectories, and for other layers the slice's
//! outline, streamlines and trails.
//!
//! A segment is a ribbon of constant width on the screen, two triangles with soft edges. A point
//! with alpha 0 ends a polyline, so one buffer holds many of them.

use super::context::{Gpu, Phase, Pipeline, Slot, wgsl, whole};
use super::layer::{Draw, Frame, Layer};
use crate::gpu::GpuError;
use bytemuck::{Pod, Zeroable};
use glam::Vec3;
use std::sync::Arc;

/// The colours of the red, green and blue axes.
pub(crate) const AXES: [[u8; 3]; 3] = [[224, 84, 78], [86, 176, 92], [84, 134, 236]];

/// A polyline, such as a pixel's trajectory.
#[derive(Clone, Debug, PartialEq)]
pub struct Polyline {
    pub points: Vec<Vec3>,
    /// Colour with alpha, gamma-encoded.
    pub colour: [u8; 4],
}

/// How lines are drawn: `Ribbon` of field/lines.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Ribbon {
    /// Width in points of the screen.
    pub width: f32,
    /// World units by which a line is moved towards the eye, so that it is in front of what it lies
    /// on.
    pub lift: f32,
    /// How much of the depth cue applies, 0..=1.
    pub depth_cue: f32,
}
const _: () = assert!(size_of::<Ribbon>() == 12);

impl Ribbon {
    /// Edges of the cube and of the slice.
    pub(super) const EDGE: Self = Self::new(1.2, 0.0, 0.7);
    pub(super) const FINE: Self = Self::new(1.3, 0.006, 0.4);
    pub(super) const BOLD: Self = Self::new(2.4, 0.01, 0.25);

    const fn new(width: f32, lift: f32, depth_cue: f32) -> Self {
        Self {
            width,
            lift,
            depth_cue,
        }
    }
}

/// The settings of a layer of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    pub polylines: Vec<Polyline>,
    /// Shared by all polylines.
    pub ribbon: Ribbon,
}

impl Lines {
    /// The twelve edges of `[-1, 1]^3`. The three that meet at the black corner have their axes'
    /// colours.
    pub fn cube(ink: [u8; 3]) -> Self {
        let edge = |(axis, corner): (usize, u32)| {
            let mut from = Vec3::NEG_ONE;
            from[(axis + 1) % 3] += 2.0 * (corner & 1) as f32;
            from[(axis + 2) % 3] += (corner & 2) as f32;
            Polyline {
                points: vec![from, from + 2.0 * Vec3::AXES[axis]],
                colour: match corner {
                    0 => with_alpha(AXES[axis], 255),
                    _ => with_alpha(ink, 76),
                },
            }
        };
        let edges = (0..3).flat_map(|axis| (0..4).map(move |corner| (axis, corner)));
        Self {
            polylines: edges.map(edge).collect(),
            ribbon: Ribbon::EDGE,
        }
    }

    /// Bold lines.
    pub fn trajectories(polylines: Vec<Polyline>) -> Self {
        Self {
            polylines,
            ribbon: Ribbon::BOLD,
        }
    }
}

pub(super) fn with_alpha([r, g, b]: [u8; 3], alpha: u8) -> [u8; 4] {
    [r, g, b, alpha]
}

/// `LinePoint` of common/line_point.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct LinePoint {
    pub position: Vec3,
    pub colour: [u8; 4],
}
const _: () = assert!(size_of::<LinePoint>() == 16);

/// The pipeline of all layers that draw lines.
pub(super) struct Ribbons(Pipeline);

pub(super) struct Strip {
    group: wgpu::BindGroup,
    /// Number of points, including those that end a polyline.
    count: u32,
}

impl Ribbons {
    pub(super) fn new(gpu: &Gpu) -> Self {
        let slots = [Slot::Read, Slot::Uniform];
        let (source, phase) = (LineLayer::WGSL, Phase::Blended);
        Self(Pipeline::new(gpu, "field lines", source, &slots, phase))
    }

    /// Polylines in a buffer of `count` [`LinePoint`]s.
    pub(super) fn strip(
        &self,
        gpu: &Gpu,
        points: &wgpu::Buffer,
        count: u32,
        ribbon: Ribbon,
    ) -> Strip {
        let ribbon = gpu.uniform(&ribbon);
        Strip {
            group: self.0.bind(gpu, &whole([points, &ribbon])),
            count,
        }
    }

    /// Uploads polylines; `None` if they have no points.
    pub(super) fn upload(&self, gpu: &Gpu, lines: &[Polyline], ribbon: Ribbon) -> Option<Strip> {
        let mut points = Vec::new();
        for Polyline { points: of, colour } in lines {
            let (of, colour) = (of.iter(), *colour);
            points.extend(of.map(|&position| LinePoint { position, colour }));
            points.push(LinePoint::zeroed());
        }
        let count = points.len() as u32;
        (count > 1).then(|| self.strip(gpu, &gpu.storage(&points), count, ribbon))
    }

    /// Draws at most the first `points` points of a strip.
    pub(super) fn draw(&self, draw: &mut Draw<'_, '_>, strip: &Strip, points: u32) {
        let segments = points.min(strip.count).saturating_sub(1);
        draw.vertices(&self.0, &strip.group, 6 * segments);
    }
}

pub(super) struct LineLayer {
    ribbons: Arc<Ribbons>,
    uploaded: Option<(Lines, Option<Strip>)>,
}

impl LineLayer {
    pub(super) fn new(ribbons: &Arc<Ribbons>) -> Self {
        Self {
            ribbons: ribbons.clone(),
            uploaded: None,
        }
    }
}

impl Layer for LineLayer {
    type Settings = Lines;

    const WGSL: &'static str = wgsl!(scene, line_point => lines);

    fn prepare(&mut self, lines: &Lines, frame: &Frame<'_>) -> Result<(), GpuError> {
        if self.uploaded.as_ref().is_none_or(|(of, _)| of != lines) {
            let Lines { polylines, ribbon } = lines;
            let strip = self.ribbons.upload(frame.gpu, polylines, *ribbon);
            self.uploaded = Some((lines.clone(), strip));
        }
        Ok(())
    }

    fn draw(&self, _: &Lines, draw: &mut Draw<'_, '_>) {
        if draw.phase == Phase::Blended
            && let Some((_, Some(strip))) = &self.uploaded
        {
            self.ribbons.draw(draw, strip, u32::MAX);
        }
    }
}
