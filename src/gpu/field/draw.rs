//! Drawing a prepared scene into a target, pane by pane.

use super::buffers::{storage, uniform};
use super::camera::Vec3;
use super::cloud::CloudBuffers;
use super::layout::{self, LinePoint, Style};
use super::pane::{Pane, STREAMLINE, Shared};
use super::particles::TRAIL;
use super::pipelines::{Drawing, bind};
use super::range::{Ranges, round_step};
use super::renderer::Detail;
use super::scene::{ArrowPlace, CloudStyle, ParticleColours, Quantity, Scene};
use super::target::Target;

/// Factor by which the target and a highlighted class are drawn larger.
const EMPHASIS: f32 = 1.5;
/// Strength of the depth cue.
const CUE: f32 = 0.6;

/// Lines that come from the CPU: the cube, the slice's outline and further polylines.
pub(super) struct LineBuffers {
    thin: (wgpu::Buffer, u32),
    thick: Option<(wgpu::Buffer, u32)>,
    styles: [wgpu::Buffer; 3],
}

impl LineBuffers {
    /// Collects a scene's lines.
    pub fn new(device: &wgpu::Device, scene: &Scene) -> Self {
        let mut thin = cube(scene.look.ink);
        if let Some(slice) = &scene.slice {
            let mut outline = slice.plane.outline();
            outline.extend(outline.first().copied());
            let [r, g, b] = scene.look.ink;
            push(&mut thin, &outline, [r, g, b, 150]);
        }
        let mut thick = Vec::new();
        for line in &scene.lines {
            push(&mut thick, &line.points, line.colour);
        }
        let style = |width, lift, cue| {
            uniform(
                device,
                &Style {
                    width,
                    lift,
                    cue,
                    padding: 0.0,
                },
            )
        };
        Self {
            thin: (storage(device, &thin), thin.len() as u32),
            thick: (thick.len() > 1).then(|| (storage(device, &thick), thick.len() as u32)),
            styles: [
                style(1.2, 0.0, 0.7),
                style(1.3, 0.006, 0.4),
                style(2.4, 0.01, 0.25),
            ],
        }
    }
}

/// The twelve edges of `[-1, 1]^3`; the three that meet at the black corner in their axis' colour.
fn cube(ink: [u8; 3]) -> Vec<LinePoint> {
    let mut points = Vec::new();
    for axis in 0..3 {
        for corner in 0..4 {
            let mut from: Vec3 = [-1.0; 3];
            from[(axis + 1) % 3] = if corner & 1 == 0 { -1.0 } else { 1.0 };
            from[(axis + 2) % 3] = if corner & 2 == 0 { -1.0 } else { 1.0 };
            let mut to = from;
            to[axis] = 1.0;
            let colour = if corner == 0 {
                let [r, g, b] = AXES[axis];
                [r, g, b, 255]
            } else {
                [ink[0], ink[1], ink[2], 76]
            };
            push(&mut points, &[from, to], colour);
        }
    }
    points
}

/// The colours of the red, green and blue axes.
pub const AXES: [[u8; 3]; 3] = [[224, 84, 78], [86, 176, 92], [84, 134, 236]];

/// Appends a polyline and lifts the pen.
fn push(points: &mut Vec<LinePoint>, line: &[Vec3], colour: [u8; 4]) {
    points.extend(line.iter().map(|&position| LinePoint { position, colour }));
    points.push(LinePoint {
        position: [0.0; 3],
        colour: [0; 4],
    });
}

/// What drawing needs.
pub(super) struct Painter<'a> {
    pub device: &'a wgpu::Device,
    pub queue: &'a wgpu::Queue,
    pub drawing: &'a Drawing,
    pub scene: &'a Scene,
    pub shared: &'a Shared,
    pub lines: &'a LineBuffers,
    pub cloud: Option<&'a CloudBuffers>,
    pub ranges: Ranges,
    pub detail: Detail,
}

impl Painter<'_> {
    /// Draws all panes side by side.
    pub fn paint(&self, panes: &[Pane], target: &Target, scale: f32) {
        let width = target.size[0] / panes.len().max(1) as u32;
        let size = [width.max(1) as f32, target.size[1] as f32];
        for pane in panes {
            let uniform = self.uniform(size, scale);
            self.queue
                .write_buffer(&pane.scene, 0, bytemuck::bytes_of(&uniform));
        }
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = target.begin(&mut encoder, self.scene.look.background);
            for (i, pane) in panes.iter().enumerate() {
                let left = i as u32 * width;
                pass.set_viewport(left as f32, 0.0, size[0], size[1], 0.0, 1.0);
                pass.set_scissor_rect(left, 0, width.max(1), target.size[1]);
                self.solid(&mut pass, pane);
                self.blended(&mut pass, pane);
            }
        }
        self.queue.submit([encoder.finish()]);
    }

    fn solid(&self, pass: &mut wgpu::RenderPass<'_>, pane: &Pane) {
        let drawing = self.drawing;
        if let (Some((anchors, count)), Some(vectors)) = (&self.shared.anchors, &pane.vectors) {
            let buffers = [anchors.as_entire_binding(), vectors.as_entire_binding()];
            self.put(
                pass,
                &drawing.arrows,
                pane,
                &buffers,
                9 * self.strokes(*count),
            );
        }
        if let (Some(cloud), Some(style)) = (self.cloud, &self.scene.cloud) {
            let most = (style.most as f32 * self.detail.points) as u32;
            let count = cloud.prepare(self.queue, &CloudStyle { most, ..*style });
            let [a, b, c, d] = cloud.bindings();
            let buffers = [a, b, c, d, self.shared.centroids.as_entire_binding()];
            self.put(pass, &drawing.cloud, pane, &buffers, 3 * count);
        }
        if let (Some(run), Some(style)) = (&pane.particles, &self.scene.particles)
            && style.discs
        {
            let buffers = [
                self.shared.centroids.as_entire_binding(),
                run.particles.as_entire_binding(),
            ];
            // Seeds are in random order, so that the first ones are a fair sample.
            let count = (run.count as f32 * self.detail.points).ceil() as u32;
            self.put(pass, &drawing.points, pane, &buffers, 3 * count);
        }
        let centroids = [self.shared.centroids.as_entire_binding()];
        let count = self.scene.table.centroids.len() as u32;
        self.put(pass, &drawing.spheres, pane, &centroids, 6 * count);
    }

    fn blended(&self, pass: &mut wgpu::RenderPass<'_>, pane: &Pane) {
        let [frame, fine, thick] = &self.lines.styles;
        self.line(pass, pane, &self.lines.thin, frame);
        if let (Some((plane, outline, triangles)), Some(slice)) = (&self.shared.slice, &pane.slice)
        {
            let resources = [
                outline.as_entire_binding(),
                plane.as_entire_binding(),
                wgpu::BindingResource::TextureView(&slice.map),
                wgpu::BindingResource::TextureView(&slice.cells),
            ];
            self.put(pass, &self.drawing.slice, pane, &resources, 3 * triangles);
        }
        if let Some((points, count)) = &pane.streamlines {
            let shown = STREAMLINE * self.strokes(count / STREAMLINE);
            self.line(pass, pane, &(points.clone(), shown), fine);
        }
        if let Some(run) = pane.particles.as_ref().filter(|run| run.trail_count > 0) {
            let shown = TRAIL * self.strokes(run.trail_count);
            self.line(pass, pane, &(run.trails.clone(), shown), thick);
        }
        if let Some(lines) = &self.lines.thick {
            self.line(pass, pane, lines, thick);
        }
    }

    fn line(
        &self,
        pass: &mut wgpu::RenderPass<'_>,
        pane: &Pane,
        (points, count): &(wgpu::Buffer, u32),
        style: &wgpu::Buffer,
    ) {
        let buffers = [points.as_entire_binding(), style.as_entire_binding()];
        self.put(pass, &self.drawing.lines, pane, &buffers, 6 * (count - 1));
    }

    /// How many of so many arrows or lines are drawn. They are in random order, so that the first
    /// ones are a fair sample.
    fn strokes(&self, count: u32) -> u32 {
        (count as f32 * self.detail.strokes).ceil() as u32
    }

    /// Draws so many vertices; binding 0 is the pane's scene.
    ///
    /// Shaders find their thing by the vertex's number rather than by an instance's: instances of a
    /// few vertices leave most threads of a graphics card idle.
    fn put(
        &self,
        pass: &mut wgpu::RenderPass<'_>,
        pipeline: &wgpu::RenderPipeline,
        pane: &Pane,
        resources: &[wgpu::BindingResource<'_>],
        vertices: u32,
    ) {
        let mut all = vec![pane.scene.as_entire_binding()];
        all.extend_from_slice(resources);
        let group = bind(self.device, &pipeline.get_bind_group_layout(0), &all);
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.draw(0..vertices, 0..1);
    }

    fn uniform(&self, size: [f32; 2], scale: f32) -> layout::Scene {
        let scene = self.scene;
        let camera = &scene.camera;
        let [right, up, forward] = camera.basis();
        let [_, half_height] = camera.half_size(size[0] / size[1]);
        let wide = |[x, y, z]: Vec3, w: f32| [x, y, z, w];
        let colour = |[r, g, b]: [u8; 3], w: f32| wide([r, g, b].map(|v| f32::from(v) / 255.0), w);
        let flag = |on: bool| if on { 1.0 } else { 0.0 };
        let half_gap = scene
            .table
            .half_gap
            .get(scene.target)
            .copied()
            .unwrap_or(0.0);
        layout::Scene {
            view_projection: camera.view_projection(size[0] / size[1]),
            eye: wide(camera.eye(), flag(camera.perspective)),
            right: wide(right, 0.0),
            up: wide(up, 0.0),
            forward: wide(forward, camera.distance()),
            viewport: [size[0], size[1], scale, 2.0 * half_height / size[1]],
            background: colour(scene.look.background, CUE),
            ink: colour(scene.look.ink, 1.0),
            arrow: self.arrow(),
            slice: self.slice(),
            marks: scene.slice.map_or([0.0; 4], |slice| {
                [
                    flag(slice.boundaries),
                    flag(slice.iso_lines),
                    flag(slice.neighbourhood),
                    scene.neighbourhood.share * half_gap,
                ]
            }),
            goal: wide(
                scene.table.point(scene.target),
                flag(scene.neighbourhood.cells),
            ),
            points: scene.particles.as_ref().map_or(
                [scene.radius, EMPHASIS, 0.0, 0.0],
                |particles| {
                    let by_traversal = particles.colours == ParticleColours::Traversal;
                    let mode = flag(by_traversal) + 2.0 * flag(particles.at_start);
                    [scene.radius, EMPHASIS, particles.radius, mode]
                },
            ),
            picks: [
                scene.target as i32,
                scene.highlighted.map_or(-1, |k| k as i32),
                0,
                0,
            ],
            ramp: scene.look.ramp.map(|c| colour(c, 1.0)),
        }
    }

    fn arrow(&self) -> [f32; 4] {
        let [low, high] = self.ranges.magnitude;
        let cell = self.scene.arrows.map_or(0.2, |arrows| match arrows.place {
            ArrowPlace::Cloud => 0.14,
            _ => 2.2 / arrows.per_axis.max(2) as f32,
        });
        [0.92 * cell, 0.034 * cell, low, high]
    }

    fn slice(&self) -> [f32; 4] {
        let Some(slice) = &self.scene.slice else {
            return [0.0, 1.0, 1.0, 1.0];
        };
        let (quantity, spacing, end) = match slice.quantity {
            Quantity::Potential => (0.0, round_step(self.ranges.phi, 12.0), self.ranges.phi),
            Quantity::Probability => (1.0, 0.1, 1.0),
            Quantity::Cells => (2.0, 1.0, 1.0),
            Quantity::Magnitude => (3.0, 0.25, 1.0),
        };
        [quantity, spacing, slice.opacity, end]
    }
}
