//! What the field lab costs on the first adapter there is, by what is shown: a frame of the scene of
//! Figure 1 (b) at the size that it has in a window of 1280 x 800, and how it grows with arrows,
//! particles, points of a photo and N. Every figure is a frame until the device is idle again.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flowseg::encoding::Centroids;
use flowseg::gpu::field::{
    ArrowPlace, Arrows, Camera, Cloud, CloudColours, CloudState, CloudStyle, Detail, FieldKind,
    Integration, Look, Neighbourhood, ParticleColours, Particles, Plane, Quantity, Renderer, Scene,
    Slice, Table, seeds,
};
use flowseg::potential::{Operator, Potential};
use std::sync::Arc;
use std::time::Instant;

/// Of the field's picture in a window of 1280 x 800.
const SIZE: [u32; 2] = [630, 560];

struct Lab {
    device: wgpu::Device,
    renderer: Renderer,
}

impl Lab {
    fn new() -> Self {
        let instance = wgpu::Instance::default();
        let adapter = pollster::block_on(instance.request_adapter(&Default::default()))
            .expect("a graphics adapter; Mesa's software one will do");
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        }))
        .expect("a device");
        println!("on {}", adapter.get_info().name);
        let renderer = Renderer::new(&device, &queue).expect("its shaders compile");
        Self { device, renderer }
    }

    fn wait(&self) {
        let idle = self.device.poll(wgpu::PollType::wait_indefinitely());
        idle.expect("the device answers");
    }

    fn update(&mut self, scene: &Scene) {
        self.update_with(scene, None);
    }

    fn update_with(&mut self, scene: &Scene, cloud: Option<&Cloud<'_>>) {
        let taken = self.renderer.update(scene, cloud, &[]);
        taken.expect("the driver takes the scene");
        self.wait();
    }

    fn draw(&mut self, detail: Detail) {
        let drawn = self.renderer.draw(SIZE, 1.0, detail);
        drawn.expect("the driver draws");
        self.wait();
    }

    /// Turns the camera and draws, as a frame of an orbit does.
    fn orbit(&mut self, scene: &mut Scene, detail: Detail) {
        scene.camera.orbit(0.01, 0.0);
        self.update(scene);
        self.draw(detail);
    }
}

fn scene(classes: usize) -> Scene {
    Scene {
        table: Arc::new(Table::new(Centroids::kronecker(classes))),
        potential: Potential {
            operator: Operator::Log,
            temperature: 1.0,
            epsilon: 0.01,
        },
        target: classes / 3,
        correction: 1.0,
        neighbourhood: Neighbourhood::default(),
        panes: vec![FieldKind::Reshaped],
        camera: Camera::default(),
        look: Look {
            background: [15; 3],
            ink: [240; 3],
            ramp: std::array::from_fn(|i| [i as u8 * 30; 3]),
        },
        highlighted: None,
        radius: 0.03,
        arrows: None,
        slice: None,
        particles: None,
        cloud: None,
        lines: Vec::new(),
    }
}

fn slice(resolution: u32) -> Slice {
    Slice {
        plane: Plane::across(2, 0.1),
        quantity: Quantity::Magnitude,
        boundaries: true,
        iso_lines: true,
        neighbourhood: true,
        streamlines: 22,
        opacity: 1.0,
        resolution,
    }
}

fn particles(count: usize, trails: u32) -> Particles {
    Particles {
        seeds: Arc::new(seeds::cube(count, 1)),
        integration: Integration::default(),
        trails,
        colours: ParticleColours::Traversal,
        at_start: false,
        radius: 0.011,
        discs: trails == 0,
    }
}

const QUICK: Detail = Detail {
    fine: false,
    points: 1.0,
    strokes: 1.0,
};

fn drawing(c: &mut Criterion) {
    let mut lab = Lab::new();
    let mut group = c.benchmark_group("a frame of an orbit");
    group.sample_size(20);
    let mut figure = scene(11);
    figure.slice = Some(slice(512));
    figure.particles = Some(particles(48, 48));
    for (name, detail) in [("at rest", Detail::FULL), ("in motion", QUICK)] {
        group.bench_function(format!("figure 1b {name}"), |b| {
            lab.update(&figure);
            while lab.renderer.advance(100).expect("the driver advances") {}
            b.iter(|| lab.orbit(&mut figure, detail));
        });
    }
    for part in ["centroids", "slice", "streamlines", "trails"] {
        let mut only = scene(11);
        match part {
            "slice" => {
                only.slice = Some(Slice {
                    streamlines: 0,
                    ..slice(512)
                });
            }
            "streamlines" => {
                only.slice = Some(Slice {
                    opacity: 0.0,
                    ..slice(512)
                });
            }
            "trails" => only.particles = Some(particles(48, 48)),
            _ => {}
        }
        group.bench_function(format!("{part} only"), |b| {
            lab.update(&only);
            while lab.renderer.advance(100).expect("the driver advances") {}
            b.iter(|| lab.orbit(&mut only, QUICK));
        });
    }
    for per_axis in [4, 8, 16, 24] {
        let mut arrows = scene(11);
        arrows.arrows = Some(Arrows {
            place: ArrowPlace::Cube,
            per_axis,
        });
        let id = BenchmarkId::new("arrows", per_axis.pow(3));
        group.bench_function(id, |b| b.iter(|| lab.orbit(&mut arrows, QUICK)));
    }
    for count in [1000, 10_000, 100_000] {
        let mut swarm = scene(11);
        swarm.particles = Some(particles(count, 0));
        let id = BenchmarkId::new("particles", count);
        group.bench_function(id, |b| b.iter(|| lab.orbit(&mut swarm, QUICK)));
    }
    for classes in [2, 11, 150, 1000] {
        let mut table = scene(classes);
        let id = BenchmarkId::new("classes", classes);
        group.bench_function(id, |b| b.iter(|| lab.orbit(&mut table, QUICK)));
    }
    for side in [128, 512] {
        let source: Vec<f32> = (0..3 * side * side).map(|i| (i as f32).sin()).collect();
        let labels = vec![0; side * side];
        let cloud = Cloud {
            size: [side, side],
            state: CloudState::Host(&source),
            source: &source,
            velocity: None,
            labels: &labels,
            photo: side as u64,
            generation: side as u64,
        };
        let mut photo = scene(11);
        photo.cloud = Some(CloudStyle {
            radius: 1.6,
            colours: CloudColours::State,
            most: 1 << 22,
        });
        let id = BenchmarkId::new("points of a photo", side * side);
        group.bench_function(id, |b| {
            b.iter(|| {
                photo.camera.orbit(0.01, 0.0);
                lab.update_with(&photo, Some(&cloud));
                lab.draw(QUICK);
            });
        });
    }
}

fn computing(c: &mut Criterion) {
    let mut lab = Lab::new();
    let mut group = c.benchmark_group("computing");
    group.sample_size(10);
    for classes in [11, 150, 1000] {
        let mut sliced = scene(classes);
        for resolution in [192, 512] {
            sliced.slice = Some(Slice {
                streamlines: 0,
                ..slice(resolution)
            });
            let name = format!("slice of {resolution} x {resolution}, N");
            group.bench_function(BenchmarkId::new(name, classes), |b| {
                b.iter(|| {
                    if let Some(slice) = &mut sliced.slice {
                        slice.plane.origin[2] = 0.9 * slice.plane.origin[2] + 0.03;
                    }
                    lab.update(&sliced);
                });
            });
        }
        let mut swarm = scene(classes);
        swarm.particles = Some(particles(20_000, 0));
        lab.update(&swarm);
        // Particles that have arrived cost nothing: every step is one from the start.
        let mut step = |_| {
            lab.renderer.restart(&swarm).expect("the driver takes them");
            lab.wait();
            let begin = Instant::now();
            lab.renderer.advance(1).expect("the driver advances");
            lab.wait();
            begin.elapsed()
        };
        let id = BenchmarkId::new("a step of 20000 particles, N", classes);
        group.bench_function(id, |b| {
            b.iter_custom(|count| (0..count).map(&mut step).sum())
        });
    }
}

criterion_group!(benches, drawing, computing);
criterion_main!(benches);
