//! What one pane holds on the device: its field, and what has been computed from it.

use super::buffers::{room, storage, uniform};
use super::camera::{Vec3, add, scale};
use super::layout::{self, LinePoint, Lines, Vector};
use super::particles::ParticleRun;
use super::pipelines::{Kernels, bind};
use super::plane::{HALF, Plane, in_cube};
use super::scene::{FieldKind, Scene, Slice};
use super::seeds::shuffled;
use crate::potential::Operator;

/// Points a streamline, the last of which lifts the pen.
pub(super) const STREAMLINE: u32 = 18;

/// What all panes share.
pub(super) struct Shared {
    pub centroids: wgpu::Buffer,
    /// Where arrows stand.
    pub anchors: Option<(wgpu::Buffer, u32)>,
    /// The slice's plane, its outline, and the number of triangles that fill it.
    pub slice: Option<(wgpu::Buffer, wgpu::Buffer, u32)>,
}

/// A pane's textures of the slice.
pub(super) struct SliceMap {
    pub map: wgpu::TextureView,
    pub cells: wgpu::TextureView,
}

/// One pane.
pub(super) struct Pane {
    pub kind: FieldKind,
    pub field: wgpu::Buffer,
    pub scene: wgpu::Buffer,
    pub vectors: Option<wgpu::Buffer>,
    pub slice: Option<SliceMap>,
    pub streamlines: Option<(wgpu::Buffer, u32)>,
    pub particles: Option<ParticleRun>,
}

impl Pane {
    /// A pane for a field, with nothing computed yet.
    pub fn new(device: &wgpu::Device, scene: &Scene, kind: FieldKind) -> Self {
        let empty: layout::Scene = bytemuck::Zeroable::zeroed();
        let [attraction, correction] = kind.weights(scene.correction);
        let field = layout::Field {
            count: scene.table.centroids.len() as u32,
            goal: scene.target as u32,
            transform: match scene.potential.operator {
                Operator::Log => 0,
                Operator::Sqrt => 1,
                Operator::Linear => 2,
                Operator::NormalizedGradient => 3,
            },
            cells: u32::from(scene.neighbourhood.cells),
            inverse_tau: (1.0 / scene.potential.temperature) as f32,
            epsilon: scene.potential.epsilon as f32,
            attraction,
            correction,
        };
        Self {
            kind,
            field: uniform(device, &field),
            scene: uniform(device, &empty),
            vectors: None,
            slice: None,
            streamlines: None,
            particles: None,
        }
    }

    /// Computes the field at the anchors, or takes the network's velocity there.
    pub fn point_arrows(&mut self, gpu: &Gpu<'_>, shared: &Shared, velocity: Option<&[Vec3]>) {
        self.vectors = None;
        let Some((anchors, count)) = &shared.anchors else {
            return;
        };
        if self.kind == FieldKind::Network {
            let vectors: Vec<Vector> = velocity
                .unwrap_or_default()
                .iter()
                .map(|&vector| Vector { vector, phi: 0.0 })
                .collect();
            if vectors.len() == *count as usize {
                self.vectors = Some(storage(gpu.device, &vectors));
            }
            return;
        }
        self.vectors = Some(field_at(
            gpu,
            [&self.field, &shared.centroids],
            anchors,
            *count,
        ));
    }

    /// Fills the slice's textures.
    pub fn map_slice(&mut self, gpu: &Gpu<'_>, shared: &Shared, wanted: Option<&Slice>) {
        self.slice = None;
        let (Some(wanted), Some((plane, ..))) = (wanted, &shared.slice) else {
            return;
        };
        let size = wanted.resolution;
        let texture = |label, format| {
            let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
                label: Some(label),
                size: wgpu::Extent3d {
                    width: size,
                    height: size,
                    depth_or_array_layers: 1,
                },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format,
                usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::TEXTURE_BINDING,
                view_formats: &[],
            });
            texture.create_view(&wgpu::TextureViewDescriptor::default())
        };
        let map = texture("field slice", wgpu::TextureFormat::Rgba16Float);
        let cells = texture("field cells", wgpu::TextureFormat::Rgba8Unorm);
        let resources = [
            self.field.as_entire_binding(),
            shared.centroids.as_entire_binding(),
            plane.as_entire_binding(),
            wgpu::BindingResource::TextureView(&map),
            wgpu::BindingResource::TextureView(&cells),
        ];
        let groups = size.div_ceil(8);
        gpu.dispatch(&gpu.kernels.slice_map, &resources, [groups, groups]);
        self.slice = Some(SliceMap { map, cells });
    }

    /// Traces the slice's streamlines.
    pub fn trace_streamlines(&mut self, gpu: &Gpu<'_>, shared: &Shared, scene: &Scene) {
        self.streamlines = None;
        let (Some(wanted), Some((plane, ..))) = (&scene.slice, &shared.slice) else {
            return;
        };
        if wanted.streamlines == 0 || self.kind == FieldKind::Network {
            return;
        }
        let seeds = shuffled(lattice(&wanted.plane, wanted.streamlines, true));
        if seeds.is_empty() {
            return;
        }
        let [r, g, b] = scene.look.ink;
        let lines = Lines {
            length: 2.0 * HALF * 1.7 / wanted.streamlines as f32,
            points: STREAMLINE,
            colour: [r, g, b, 210],
            padding: 0,
        };
        let points = room::<LinePoint>(gpu.device, seeds.len() * STREAMLINE as usize);
        let lines = uniform(gpu.device, &lines);
        let seed_points = storage(gpu.device, &seeds);
        let bound = [
            self.field.as_entire_binding(),
            shared.centroids.as_entire_binding(),
            plane.as_entire_binding(),
            lines.as_entire_binding(),
            seed_points.as_entire_binding(),
            points.as_entire_binding(),
        ];
        gpu.dispatch(
            &gpu.kernels.streamlines,
            &bound,
            [(seeds.len() as u32).div_ceil(64), 1],
        );
        self.streamlines = Some((points, seeds.len() as u32 * STREAMLINE));
    }
}

/// The device with the kernels.
pub(super) struct Gpu<'a> {
    pub device: &'a wgpu::Device,
    pub queue: &'a wgpu::Queue,
    pub kernels: &'a Kernels,
}

impl Gpu<'_> {
    /// Runs a kernel.
    pub fn dispatch(
        &self,
        kernel: &wgpu::ComputePipeline,
        resources: &[wgpu::BindingResource<'_>],
        groups: [u32; 2],
    ) {
        let group = bind(self.device, &kernel.get_bind_group_layout(0), resources);
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(kernel);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(groups[0], groups[1], 1);
        }
        self.queue.submit([encoder.finish()]);
    }
}

/// The field (and `Phi`) at points `[count][4]`, as a buffer of `Vector`s.
pub(super) fn field_at(
    gpu: &Gpu<'_>,
    field: [&wgpu::Buffer; 2],
    points: &wgpu::Buffer,
    count: u32,
) -> wgpu::Buffer {
    let vectors = room::<Vector>(gpu.device, count as usize);
    let resources = [
        field[0].as_entire_binding(),
        field[1].as_entire_binding(),
        points.as_entire_binding(),
        vectors.as_entire_binding(),
    ];
    gpu.dispatch(&gpu.kernels.vectors, &resources, [count.div_ceil(64), 1]);
    vectors
}

/// The centroids as the shaders read them.
pub(super) fn centroids(device: &wgpu::Device, scene: &Scene) -> wgpu::Buffer {
    let table = &scene.table;
    let gpu: Vec<layout::Centroid> = table
        .centroids
        .split_f32()
        .chunks_exact(6)
        .enumerate()
        .map(|(k, mu)| {
            let [r, g, b] = table.centroids.colour(k);
            layout::Centroid {
                high: [mu[0], mu[1], mu[2]],
                radius: scene.neighbourhood.share * table.half_gap[k],
                low: [mu[3], mu[4], mu[5]],
                colour: [r, g, b, 255],
            }
        })
        .collect();
    storage(device, &gpu)
}

/// Points of a lattice in the part of a plane that lies in the cube; every other row shifted, if
/// `staggered`, so that no rows and columns catch the eye.
pub(super) fn lattice(plane: &Plane, per_axis: u32, staggered: bool) -> Vec<[f32; 4]> {
    let cell = 2.0 * HALF / per_axis.max(1) as f32;
    // A slice through corners is up to sqrt(3) times as wide as the cube's face.
    let reach = (per_axis as f32 * 0.9).ceil() as i32;
    let mut points = Vec::new();
    for row in -reach..=reach {
        let shift = if staggered && row.rem_euclid(2) == 1 {
            0.5
        } else {
            0.0
        };
        for column in -reach..=reach {
            let at = [(column as f32 + shift) * cell, row as f32 * cell];
            let [x, y, z] = plane.point(at);
            if in_cube([x, y, z]) {
                points.push([x, y, z, 0.0]);
            }
        }
    }
    points
}

/// Points of a cubic lattice that fills the cube.
pub(super) fn cubic_lattice(per_axis: u32) -> Vec<[f32; 4]> {
    let n = per_axis.max(2);
    let at = |i: u32| HALF * 0.96 * (2.0 * i as f32 / (n - 1) as f32 - 1.0);
    (0..n * n * n)
        .map(|i| [at(i % n), at(i / n % n), at(i / (n * n)), 0.0])
        .collect()
}

/// The uniform, the outline and the number of triangles of a slice.
pub(super) fn slice_geometry(
    device: &wgpu::Device,
    plane: &Plane,
) -> Option<(wgpu::Buffer, wgpu::Buffer, u32)> {
    let outline = plane.outline();
    if outline.len() < 3 {
        return None;
    }
    let corners: Vec<[f32; 4]> = outline.iter().map(|&[x, y, z]| [x, y, z, 1.0]).collect();
    let [centre, half] = bounding_square(plane, &outline);
    let wide = |[x, y, z]: Vec3| [x, y, z, 0.0];
    let square = layout::Slice {
        origin: wide(plane.point(centre)),
        u: wide(scale(plane.u, half[0])),
        v: wide(scale(plane.v, half[1])),
    };
    Some((
        uniform(device, &square),
        storage(device, &corners),
        corners.len() as u32 - 2,
    ))
}

/// Centre and half size of the rectangle around an outline, in the plane's coordinates.
fn bounding_square(plane: &Plane, outline: &[Vec3]) -> [[f32; 2]; 2] {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for corner in outline {
        let from = add(*corner, scale(plane.origin, -1.0));
        for (a, axis) in [plane.u, plane.v].into_iter().enumerate() {
            let at = super::camera::dot(from, axis);
            low[a] = low[a].min(at);
            high[a] = high[a].max(at);
        }
    }
    [
        [0, 1].map(|a| 0.5 * (low[a] + high[a])),
        [0, 1].map(|a| 0.5 * (high[a] - low[a])),
    ]
}
