//! The cost of what the viewer draws, off screen, on the best adapter or the one that
//! `FLOWSEG_BENCH_DEVICE` names: a frame of the vector-field scene of Figure 1 (b) at its size in a
//! window of 1280 x 800, how the cost grows with arrows, particles, points of a photo and N, and a
//! frame of a photo's flow. All times are until the device is idle again.

mod common;

use divan::Bencher;
use divan::counter::ItemsCount;
use flowseg::device::{Choice, Graphics, open_for_window};
use flowseg::encoding::Centroids;
use flowseg::gpu::GpuError;
use flowseg::gpu::canvas::{Layer, PaneView, Pipelines, Sources};
use flowseg::gpu::field::{
    Arrows, Cloud, CloudState, CloudStyle, Detail, FieldScene, Particles, Renderer, Slice,
    Streamlines,
};
use flowseg::vector_field::{Plane, seeds};
use std::cell::RefCell;
use std::sync::Arc;

/// Size of the vector field's picture in a window of 1280 x 800.
const SIZE: [u32; 2] = [630, 560];

struct Lab {
    graphics: Graphics,
    renderer: Renderer,
}

impl Lab {
    fn new() -> Self {
        // The window's device, which is also that of its tensors.
        let choice = common::choice().unwrap_or(Choice::Auto);
        let (_, graphics) =
            pollster::block_on(open_for_window(choice)).expect("a graphics adapter");
        println!("on {}", graphics.about.name);
        let renderer = Renderer::new(&graphics.device, &graphics.queue);
        Self {
            renderer: renderer.expect("its shaders compile"),
            graphics,
        }
    }

    fn wait(&self) {
        let idle = self
            .graphics
            .device
            .poll(wgpu::PollType::wait_indefinitely());
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

    /// Rotates the camera and draws, like a frame of an orbit.
    fn orbit(&mut self, scene: &mut FieldScene, detail: Detail) {
        scene.view.camera.orbit(0.01, 0.0);
        self.update(scene);
        self.draw(detail);
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
    LAB.with(|_| ());
    common::run();
}

/// Also reports frames per second.
fn frames<'a, 'b>(bencher: Bencher<'a, 'b>) -> Bencher<'a, 'b> {
    bencher.counter(ItemsCount::new(1u32))
}

/// Times the frames of an orbit, after all particles have stopped.
fn orbit(bencher: Bencher, mut scene: FieldScene, detail: Detail) {
    LAB.with_borrow_mut(|lab| {
        lab.update(&scene);
        while lab.renderer.advance(100).expect("the driver advances") {}
        frames(bencher).bench_local(|| lab.orbit(&mut scene, detail));
    });
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod frame_of_an_orbit {
    use super::*;

    #[divan::bench(args = ["at rest", "in motion"])]
    fn figure_1b(bencher: Bencher, camera: &str) {
        let mut figure = FieldScene::of_centroids(11);
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
        let mut only = FieldScene::of_centroids(11);
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
        let mut arrows = FieldScene::of_centroids(11);
        arrows.layers.arrows = Some(Arrows {
            per_edge,
            ..Arrows::default()
        });
        orbit(bencher, arrows, QUICK);
    }

    #[divan::bench(args = [1000, 10_000, 100_000])]
    fn swarm_of(bencher: Bencher, count: usize) {
        let mut swarm = FieldScene::of_centroids(11);
        particles(&mut swarm, count, 0);
        orbit(bencher, swarm, QUICK);
    }

    #[divan::bench(args = [2, 11, 150, 1000])]
    fn classes(bencher: Bencher, classes: usize) {
        orbit(bencher, FieldScene::of_centroids(classes), QUICK);
    }

    #[divan::bench(args = [128, 512])]
    fn cloud_of_a_photo_of_side(bencher: Bencher, side: usize) {
        let source: Vec<f32> = (0..3 * side * side).map(|i| (i as f32).sin()).collect();
        let labels = vec![0; side * side];
        let cloud = Cloud {
            size: [side, side],
            state: CloudState::Host(&source),
            source: &source,
            colours: &source,
            velocity: None,
            labels: &labels,
            photo: side as u64,
            generation: side as u64,
        };
        let mut photo = FieldScene::of_centroids(11);
        photo.layers.cloud = Some(CloudStyle::default());
        LAB.with_borrow_mut(|lab| {
            frames(bencher).bench_local(|| {
                photo.view.camera.orbit(0.01, 0.0);
                lab.update_with(&photo, Some(&cloud));
                lab.draw(QUICK);
            });
        });
    }
}

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod frame_of_a_flow {
    use super::*;

    /// The window's size.
    const WINDOW: [u32; 2] = [1280, 800];
    const PHOTO: [u32; 2] = [1920, 1080];
    /// Height and width of the states.
    const STATES: [usize; 2] = [168, 224];
    const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Bgra8Unorm;

    /// A photo that fills the window while it flows: every frame decodes the state at another time.
    #[divan::bench(args = ["photo", "state", "map", "overlay", "overlay of 150 classes"])]
    fn canvas(bencher: Bencher, shown: &str) {
        LAB.with_borrow(|lab| draw_canvas(lab, bencher, shown).expect("the driver draws"));
    }

    fn draw_canvas(lab: &Lab, bencher: Bencher, shown: &str) -> Result<(), GpuError> {
        let (layer, classes) = match shown {
            "photo" => (Layer::Photo, 11),
            "state" => (Layer::Raw, 11),
            "map" => (Layer::Map, 11),
            "overlay" => (Layer::Overlay, 11),
            _ => (Layer::Overlay, 150),
        };
        let Graphics { device, queue, .. } = &lab.graphics;
        let pipelines = Pipelines::new(device, queue, FORMAT)?;
        let centroids = Centroids::kronecker(classes);
        let classes = pipelines.classes(&centroids, &centroids.colours(), |_| true)?;
        let photo = image::RgbImage::from_fn(PHOTO[0], PHOTO[1], |x, y| {
            image::Rgb([x as u8, y as u8, (x / 7 + y / 5) as u8])
        });
        let pixels = STATES[0] * STATES[1];
        let state =
            |k: f32| -> Vec<f32> { (0..3 * pixels).map(|i| (i as f32 * k).sin()).collect() };
        let [before, after] = [state(0.01), state(0.02)];
        let (before, after) = (pipelines.state(&before)?, pipelines.state(&after)?);
        let (before, after) = (Arc::new(before), Arc::new(after));
        let labels = pipelines.decode(&classes, STATES, &before, &after, 0.0)?;
        let mut sources = Sources {
            photo: Arc::new(pipelines.photo(&photo)?),
            corrected: None,
            truth: None,
            size: STATES,
            before,
            after,
            share: 0.0,
            labels: Arc::new(labels),
            doubt: None,
            second: None,
        };
        let whole = PaneView {
            layer,
            origin: [0.0, 0.0],
            extent: WINDOW.map(|side| side as f32),
            fine: true,
            opacity: 0.5,
            lit: None,
        };
        let window = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("window"),
            size: wgpu::Extent3d {
                width: WINDOW[0],
                height: WINDOW[1],
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        let view = window.create_view(&Default::default());
        let mut frame = || -> Result<(), GpuError> {
            sources.share = (sources.share + 0.01).fract();
            let (before, after) = (&sources.before, &sources.after);
            let labels = pipelines.decode(&classes, STATES, before, after, sources.share)?;
            sources.labels = Arc::new(labels);
            let pane = pipelines.pane(&classes, &sources, &whole)?;
            let mut encoder = device.create_command_encoder(&Default::default());
            let attachment = wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations::default(),
            };
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(attachment)],
                ..Default::default()
            });
            pipelines.draw(&mut pass, &pane);
            drop(pass);
            queue.submit([encoder.finish()]);
            lab.wait();
            Ok(())
        };
        frame()?;
        frames(bencher).bench_local(|| frame().expect("the driver draws"));
        Ok(())
    }
}

#[divan::bench_group(sample_count = 10, sample_size = 1)]
mod computing {
    use super::*;

    #[divan::bench(args = [[192, 11], [512, 11], [192, 150], [512, 150], [192, 1000], [512, 1000]])]
    fn slice_of_side_and_classes(bencher: Bencher, [side, classes]: [usize; 2]) {
        let mut sliced = FieldScene::of_centroids(classes);
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

    /// Particles that have arrived cost nothing, so the particles are moved back to the start
    /// before each step.
    #[divan::bench(args = [11, 150, 1000])]
    fn step_of_20000_particles_among(bencher: Bencher, classes: usize) {
        let mut swarm = FieldScene::of_centroids(classes);
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
