//! What the field lab costs on the first adapter there is, by what is shown: a frame of the scene of
//! Figure 1 (b) at the size that it has in a window of 1280 x 800, and how it grows with arrows,
//! particles, points of a photo and N. Every figure is a frame until the device is idle again.

use divan::Bencher;
use flowseg::encoding::Centroids;
use flowseg::gpu::field::{
    ArrowPlace, Arrows, Camera, Cloud, CloudColours, CloudState, CloudStyle, Detail, FieldKind,
    Integration, Look, Neighbourhood, ParticleColours, Particles, Plane, Quantity, Renderer, Scene,
    Slice, Table, seeds,
};
use flowseg::potential::{Operator, Potential};
use std::cell::RefCell;
use std::sync::Arc;

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

thread_local! {
    /// Shared by all benches: a device and its pipelines take a second to make.
    static LAB: RefCell<Lab> = RefCell::new(Lab::new());
}

fn main() {
    divan::main();
}

/// Times an orbit, a frame at a time, once what the scene shows has come to rest.
fn orbit(bencher: Bencher, mut scene: Scene, detail: Detail) {
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
        figure.slice = Some(slice(512));
        figure.particles = Some(particles(48, 48));
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
        orbit(bencher, only, QUICK);
    }

    #[divan::bench(args = [4, 8, 16, 24])]
    fn arrows_per_axis(bencher: Bencher, per_axis: u32) {
        let mut arrows = scene(11);
        arrows.arrows = Some(Arrows {
            place: ArrowPlace::Cube,
            per_axis,
        });
        orbit(bencher, arrows, QUICK);
    }

    #[divan::bench(args = [1000, 10_000, 100_000])]
    fn swarm_of(bencher: Bencher, count: usize) {
        let mut swarm = scene(11);
        swarm.particles = Some(particles(count, 0));
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
        photo.cloud = Some(CloudStyle {
            radius: 1.6,
            colours: CloudColours::State,
            most: 1 << 22,
        });
        LAB.with_borrow_mut(|lab| {
            bencher.bench_local(|| {
                photo.camera.orbit(0.01, 0.0);
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
        sliced.slice = Some(Slice {
            streamlines: 0,
            ..slice(side as u32)
        });
        LAB.with_borrow_mut(|lab| {
            bencher.bench_local(|| {
                if let Some(slice) = &mut sliced.slice {
                    slice.plane.origin[2] = 0.9 * slice.plane.origin[2] + 0.03;
                }
                lab.update(&sliced);
            });
        });
    }

    /// Particles that have arrived cost nothing, so that every step is one from the start.
    #[divan::bench(args = [11, 150, 1000])]
    fn step_of_20000_particles_among(bencher: Bencher, classes: usize) {
        let mut swarm = scene(classes);
        swarm.particles = Some(particles(20_000, 0));
        LAB.with_borrow_mut(|lab| lab.update(&swarm));
        bencher
            .with_inputs(|| {
                LAB.with_borrow_mut(|lab| {
                    lab.renderer.restart(&swarm).expect("the driver takes them");
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
