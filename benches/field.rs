//! The cost of the vector field on the first adapter, by what is shown: a frame of the scene of
//! Figure 1 (b) at the size that it has in a window of 1280 x 800, and its growth with arrows,
//! particles, points of a photo and N. Every figure is the time until the device is idle again.

use divan::Bencher;
use flowseg::encoding::Centroids;
use flowseg::gpu::field::{
    Arrows, Cloud, CloudState, CloudStyle, Detail, FieldScene, FieldStyle, FieldView,
    LayerSettings, Lines, Particles, Renderer, Slice, Spheres, Streamlines,
};
use flowseg::potential::{Operator, Potential};
use flowseg::vector_field::{Camera, CentroidTable, FieldKind, Neighbourhood, Plane, seeds};
use std::cell::RefCell;
use std::sync::Arc;

/// Size of the field's picture in a window of 1280 x 800.
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

    fn update(&mut self, scene: &FieldScene) {
        self.update_with(scene, None);
    }

    fn update_with(&mut self, scene: &FieldScene, cloud: Option<&Cloud<'_>>) {
        let updated = self.renderer.update(scene, cloud, &[]);
        updated.expect("the driver accepts the scene");
        self.wait();
    }

    fn draw(&mut self, detail: Detail) {
        let drawn = self.renderer.draw(SIZE, 1.0, detail);
        drawn.expect("the driver draws");
        self.wait();
    }

    /// Turns the camera and draws, as a frame of an orbit does.
    fn orbit(&mut self, scene: &mut FieldScene, detail: Detail) {
        scene.view.camera.orbit(0.01, 0.0);
        self.update(scene);
        self.draw(detail);
    }
}

fn scene(classes: usize) -> FieldScene {
    let style = FieldStyle {
        background: [15; 3],
        ink: [240; 3],
        ramp: std::array::from_fn(|i| [i as u8 * 30; 3]),
    };
    FieldScene {
        view: FieldView {
            table: Arc::new(CentroidTable::new(Centroids::kronecker(classes))),
            potential: Potential {
                operator: Operator::Log,
                temperature: 1.0,
                epsilon: 0.01,
            },
            target: classes / 3,
            correction: 1.0,
            neighbourhood: Neighbourhood::default(),
            panes: vec![FieldKind::Reshaped],
            plane: None,
            resolution: 512,
            seeds: Arc::default(),
            camera: Camera::default(),
            style,
        },
        layers: LayerSettings {
            frame: Some(Lines::cube(style.ink)),
            centroids: Some(Spheres {
                radius: 0.03,
                highlighted: None,
            }),
            ..LayerSettings::default()
        },
    }
}

/// Adds a slice to a scene.
fn slice(scene: &mut FieldScene, resolution: u32, streamlines: u32) {
    scene.view.plane = Some(Plane::across(2, 0.1));
    scene.view.resolution = resolution;
    scene.layers.slice = Some(Slice {
        opacity: 1.0,
        ..Slice::default()
    });
    scene.layers.streamlines = Some(Streamlines {
        per_edge: streamlines,
    });
}

/// Adds particles to a scene.
fn particles(scene: &mut FieldScene, count: usize, trails: u32) {
    scene.view.seeds = Arc::new(seeds::cube(count, 1));
    scene.layers.particles = Some(Particles {
        trails,
        discs: trails == 0,
        ..Particles::default()
    });
}

const QUICK: Detail = Detail {
    fine: false,
    points: 1.0,
    strokes: 1.0,
};

thread_local! {
    /// Shared by all benches: a device and its pipelines take a second to create.
    static LAB: RefCell<Lab> = RefCell::new(Lab::new());
}

fn main() {
    divan::main();
}

/// Times the frames of an orbit, after all particles have come to rest.
fn orbit(bencher: Bencher, mut scene: FieldScene, detail: Detail) {
    LAB.with_borrow_mut(|lab| {
        lab.update(&scene);
        while lab.renderer.advance(100).expect("the driver advances") {}
        bencher.bench_local(|| lab.orbit(&mut scene, detail));
    });
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod frame_of_an_orbit {
    use super::*;

    #[divan::bench(args = ["at rest", "in motion"])]
    fn figure_1b(bencher: Bencher, camera: &str) {
        let mut figure = scene(11);
        slice(&mut figure, 512, 22);
        particles(&mut figure, 48, 48);
        let detail = if camera == "at rest" {
            Detail::FULL
        } else {
            QUICK
        };
        orbit(bencher, figure, detail);
    }

    #[divan::bench(args = ["centroids", "slice", "streamlines", "trails"])]
    fn only(bencher: Bencher, part: &str) {
        let mut only = scene(11);
        match part {
            "slice" => slice(&mut only, 512, 0),
            "streamlines" => {
                slice(&mut only, 512, 22);
                only.layers.slice = only.layers.slice.map(|slice| Slice {
                    opacity: 0.0,
                    ..slice
                });
            }
            "trails" => particles(&mut only, 48, 48),
            _ => {}
        }
        orbit(bencher, only, QUICK);
    }

    #[divan::bench(args = [4, 8, 16, 24])]
    fn arrows_per_edge(bencher: Bencher, per_edge: u32) {
        let mut arrows = scene(11);
        arrows.layers.arrows = Some(Arrows {
            per_edge,
            ..Arrows::default()
        });
        orbit(bencher, arrows, QUICK);
    }

    #[divan::bench(args = [1000, 10_000, 100_000])]
    fn swarm_of(bencher: Bencher, count: usize) {
        let mut swarm = scene(11);
        particles(&mut swarm, count, 0);
        orbit(bencher, swarm, QUICK);
    }

    #[divan::bench(args = [2, 11, 150, 1000])]
    fn classes(bencher: Bencher, classes: usize) {
        orbit(bencher, scene(classes), QUICK);
    }

    #[divan::bench(args = [128, 512])]
    fn cloud_of_a_photo_of_side(bencher: Bencher, side: usize) {
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
        photo.layers.cloud = Some(CloudStyle::default());
        LAB.with_borrow_mut(|lab| {
            bencher.bench_local(|| {
                photo.view.camera.orbit(0.01, 0.0);
                lab.update_with(&photo, Some(&cloud));
                lab.draw(QUICK);
            });
        });
    }
}

#[divan::bench_group(sample_count = 10, sample_size = 1)]
mod computing {
    use super::*;

    #[divan::bench(args = [[192, 11], [512, 11], [192, 150], [512, 150], [192, 1000], [512, 1000]])]
    fn slice_of_side_and_classes(bencher: Bencher, [side, classes]: [usize; 2]) {
        let mut sliced = scene(classes);
        slice(&mut sliced, side as u32, 0);
        LAB.with_borrow_mut(|lab| {
            bencher.bench_local(|| {
                if let Some(plane) = &mut sliced.view.plane {
                    plane.origin.z = 0.9 * plane.origin.z + 0.03;
                }
                lab.update(&sliced);
            });
        });
    }

    /// Particles that have arrived cost nothing, so that every step is one from the start.
    #[divan::bench(args = [11, 150, 1000])]
    fn step_of_20000_particles_among(bencher: Bencher, classes: usize) {
        let mut swarm = scene(classes);
        particles(&mut swarm, 20_000, 0);
        LAB.with_borrow_mut(|lab| lab.update(&swarm));
        bencher
            .with_inputs(|| {
                LAB.with_borrow_mut(|lab| {
                    lab.renderer.restart().expect("the driver accepts them");
                    lab.wait();
                });
            })
            .bench_local_values(|()| {
                LAB.with_borrow_mut(|lab| {
                    lab.renderer.advance(1).expect("the driver advances");
                    lab.wait();
                });
            });
    }
}
