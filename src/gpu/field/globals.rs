//! The global bind group: camera, viewport and style, the field of each pane, and the centroids.

use super::context::{Gpu, Slot};
use super::pixels::Cloud;
use super::view::FieldView;
use crate::potential::Operator;
use crate::vector_field::{FieldKind, Ranges, pixels};
use glam::Vec3;

/// The bindings of the group, in the order of `shaders/common/{scene,potential}.wgsl`.
pub(super) const SLOTS: [Slot; 3] = [Slot::Uniform, Slot::Read, Slot::Read];

/// How strongly distant items fade into the background, 0..1.
const DEPTH_CUE: f32 = 0.6;

/// Number of pixels at which the network's velocity is measured.
const MEASURED: usize = 3000;

mod gpu_data {
    use bytemuck::{Pod, Zeroable};
    use glam::{Vec2, Vec3};

    /// `Scene` of common/scene.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(in super::super) struct Scene {
        pub view_projection: [[f32; 4]; 4],
        pub eye: Vec3,
        pub perspective: u32,
        pub right: Vec3,
        pub scale: f32,
        pub up: Vec3,
        pub pixel_size: f32,
        pub forward: Vec3,
        pub distance: f32,
        pub background: Vec3,
        pub depth_cue: f32,
        pub ink: Vec3,
        pub padding: u32,
        pub viewport: Vec2,
        pub magnitude: [f32; 2],
        pub ramp: [[f32; 4]; 8],
    }
    const _: () = assert!(size_of::<Scene>() == 304);

    /// `Field` of common/potential.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(in super::super) struct Field {
        pub target_class: u32,
        pub transform: u32,
        pub cells: u32,
        pub inverse_tau: f32,
        pub epsilon: f32,
        pub attraction: f32,
        pub correction: f32,
    }
    const _: () = assert!(size_of::<Field>() == 28);

    /// `Centroid` of common/potential.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(in super::super) struct Centroid {
        pub high: Vec3,
        pub radius: f32,
        pub low: Vec3,
        pub colour: [u8; 4],
    }
    const _: () = assert!(size_of::<Centroid>() == 32);
}

/// The field of one pane.
pub(super) struct Pane {
    pub kind: FieldKind,
    /// The global bind group with the pane's field.
    pub group: wgpu::BindGroup,
}

/// Device resources shared by all layers.
pub(super) struct Globals {
    scene: wgpu::Buffer,
    /// `None` before the first field.
    centroids: Option<wgpu::Buffer>,
    pub panes: Vec<Pane>,
    /// Increases whenever the field of a pane changes.
    pub version: u64,
    /// Increases whenever the colours of the classes change.
    pub colours: u64,
    pub ranges: Ranges,
}

impl Globals {
    pub(super) fn new(gpu: &Gpu) -> Self {
        let scene: gpu_data::Scene = bytemuck::Zeroable::zeroed();
        Self {
            scene: gpu.uniform(&scene),
            centroids: None,
            panes: Vec::new(),
            version: 0,
            colours: 0,
            ranges: Ranges {
                magnitude: [-1.0, 0.0],
                phi: 1.0,
            },
        }
    }

    pub(super) fn set_fields(&mut self, gpu: &Gpu, view: &FieldView) {
        let centroids = gpu.storage(&centroids(view));
        let pane = |&kind: &FieldKind| {
            let field = gpu.storage(&[field(view, kind)]);
            let resources = [&self.scene, &field, &centroids].map(|b| b.as_entire_binding());
            Pane {
                kind,
                group: gpu.global_group(&resources),
            }
        };
        self.panes = view.panes.iter().map(pane).collect();
        self.centroids = Some(centroids);
        self.version += 1;
        self.colours += 1;
    }

    /// Replaces the colours of the classes of the same fields.
    pub(super) fn set_colours(&mut self, gpu: &Gpu, view: &FieldView) {
        if let Some(buffer) = &self.centroids {
            gpu.write(buffer, &centroids(view));
            self.colours += 1;
        }
    }

    /// Measures the ranges of the colour ramps.
    pub(super) fn measure(&mut self, view: &FieldView, cloud: Option<&Cloud<'_>>) {
        let velocity = cloud.filter(|_| FieldKind::has_network(&view.panes));
        let velocity = velocity.and_then(|cloud| cloud.velocity);
        let velocities = pixels::thin(velocity.unwrap_or_default(), MEASURED);
        let lengths = velocities.iter().map(|(_, v)| v.length());
        let field = view.field(FieldKind::default());
        self.ranges = Ranges::measure(field, &view.panes, lengths);
    }

    /// Uploads camera, viewport and style. Panes have this size in pixels; `scale` is in pixels per
    /// point of the screen.
    pub(super) fn set_scene(
        &self,
        gpu: &Gpu,
        view: &FieldView,
        [width, height]: [f32; 2],
        scale: f32,
    ) {
        let (camera, style) = (&view.camera, &view.style);
        let aspect = width / height;
        let [right, up, forward] = camera.basis();
        let colour = |rgb: [u8; 3]| Vec3::from_array(rgb.map(f32::from)) / 255.0;
        let scene = gpu_data::Scene {
            view_projection: camera.view_projection(aspect).to_cols_array_2d(),
            eye: camera.eye(),
            perspective: u32::from(camera.perspective),
            right,
            scale,
            up,
            pixel_size: 2.0 * camera.half_size(aspect).y / height,
            forward,
            distance: camera.distance(),
            background: colour(style.background),
            depth_cue: DEPTH_CUE,
            ink: colour(style.ink),
            padding: 0,
            viewport: [width, height].into(),
            magnitude: self.ranges.magnitude,
            ramp: style.ramp.map(|rgb| colour(rgb).extend(1.0).to_array()),
        };
        gpu.write(&self.scene, &[scene]);
    }
}

fn field(view: &FieldView, kind: FieldKind) -> gpu_data::Field {
    let [attraction, correction] = kind.weights(view.correction);
    gpu_data::Field {
        target_class: view.target as u32,
        transform: match view.potential.operator {
            Operator::Log => 0,
            Operator::Sqrt => 1,
            Operator::Linear => 2,
            Operator::NormalizedGradient => 3,
        },
        cells: u32::from(view.neighbourhood.cells),
        inverse_tau: (1.0 / view.potential.temperature) as f32,
        epsilon: view.potential.epsilon as f32,
        attraction,
        correction,
    }
}

fn centroids(view: &FieldView) -> Vec<gpu_data::Centroid> {
    let table = &view.table;
    let split = table.centroids.split_f32();
    split
        .chunks_exact(6)
        .enumerate()
        .map(|(k, mu)| {
            let [r, g, b] = table.colours[k];
            gpu_data::Centroid {
                high: Vec3::from_slice(mu),
                radius: view.neighbourhood.share * table.half_gap[k],
                low: Vec3::from_slice(&mu[3..]),
                colour: [r, g, b, 255],
            }
        })
        .collect()
}
