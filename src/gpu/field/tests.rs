//! Compares the device with the CPU, on whatever adapter is available, such as Mesa's software one.

use super::arrows::gpu_data::Vector;
use super::context::Gpu;
use super::*;
use crate::encoding::Centroids;
use crate::gpu::{GpuError, guarded, shader_rules};
use crate::potential::{Operator, Potential};
use crate::vector_field::{FieldKind, Integration, Plane, seeds};
use glam::{DVec3, Vec3};
use std::sync::Arc;
use wgpu::util::DeviceExt;

/// A device with the least that WebGPU guarantees: no optional feature and the default limits, as some
/// browsers and drivers have no more.
pub(in crate::gpu) fn device() -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))
        .expect("a Vulkan, Metal or DirectX adapter; Mesa's software one will do");
    let least = wgpu::DeviceDescriptor::default();
    assert_eq!(least.required_limits, wgpu::Limits::default());
    pollster::block_on(adapter.request_device(&least)).expect("a device")
}

fn storage(device: &wgpu::Device, numbers: &[f32]) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(numbers),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
    })
}

fn picture(renderer: &mut Renderer, size: [u32; 2]) -> Result<Vec<u8>, GpuError> {
    renderer.picture_with(size, 1.0, |_, _| ())?.wait()
}

fn scene(classes: usize) -> FieldScene {
    let mut scene = FieldScene::of_centroids(classes);
    scene.view.panes = vec![FieldKind::Reconstructive, FieldKind::Reshaped];
    scene
}

/// The field and `Phi` of every pane at points of the cube, by the kernel that arrows use.
fn evaluate(
    (device, queue): &(wgpu::Device, wgpu::Queue),
    view: &FieldView,
    points: &[Vec3],
) -> Result<Vec<Vec<Vector>>, GpuError> {
    let gpu = Gpu::new(device, queue, &globals::SLOTS);
    let layer = arrows::ArrowLayer::new(&gpu);
    let mut globals = globals::Globals::new(&gpu);
    globals.set_fields(&gpu, view);
    let at = gpu.points(points);
    let panes = globals.panes.iter().map(|pane| {
        let count = points.len() as u32;
        let vectors = guarded(device, "evaluating the field", || {
            layer.evaluate(&gpu, &pane.group, &at, count)
        })?;
        readback::read(device, queue, &vectors, 0, vectors.size())
    });
    panes.collect()
}

/// Random points of the cube, every centroid (the first 40 of them), points next to them, and
/// points halfway between two.
fn points(centroids: &Centroids) -> Vec<Vec3> {
    let mu: Vec<Vec3> = centroids
        .points()
        .iter()
        .map(|p| DVec3::from_array(*p).as_vec3())
        .collect();
    let mut points = seeds::cube(2000, 7);
    for (k, p) in mu.iter().take(40).enumerate() {
        points.push(*p);
        points.push(p + 1e-4);
        points.push(p - 3e-3);
        points.push(0.5 * (p + mu[(k + 1) % mu.len()]));
    }
    points
}

/// The length that the sum in equation 11 would have without cancellation; errors are relative to it.
/// For the normalised gradient it is divided by the norm.
fn terms(potential: Potential, x: DVec3, centroids: &[[f64; 3]], target: usize) -> f64 {
    let here = potential.at(x.to_array(), centroids, target);
    let sum: f64 = centroids
        .iter()
        .enumerate()
        .map(|(k, mu)| {
            let distance = x.distance(DVec3::from_array(*mu));
            let y_minus_p = if k == target {
                (0..centroids.len())
                    .filter(|&j| j != k)
                    .map(|j| here.probability[j])
                    .sum()
            } else {
                here.probability[k]
            };
            let slope = potential
                .operator
                .derivative(distance.powi(2), potential.epsilon)
                .abs();
            2.0 / potential.temperature * y_minus_p * slope * distance
        })
        .sum();
    if potential.operator == Operator::NormalizedGradient {
        let raw = Potential {
            operator: Operator::Log,
            ..potential
        };
        let raw = raw.at(x.to_array(), centroids, target).gradient;
        sum / DVec3::from_array(raw)
            .length()
            .max(crate::potential::GRADIENT_FLOOR)
    } else {
        sum
    }
}

/// For all operators, N and temperatures: the error of the correction relative to [`terms`] and
/// that of `Phi` relative to itself (not below 1e-6) are below 1e-3, and no value is NaN.
#[test]
fn the_shader_agrees_with_the_definition() {
    let device = device();
    let mut worst = [0.0f64; 2];
    for classes in [2, 11, 150, 171, 1000] {
        let centroids = Centroids::kronecker(classes);
        let points = points(&centroids);
        for operator in Operator::ALL {
            for temperature in [0.25, 1.0, 4.0] {
                for epsilon in [1e-2, 1e-6] {
                    let potential = Potential {
                        operator,
                        temperature,
                        epsilon,
                    };
                    let mut view = scene(classes).view;
                    view.potential = potential;
                    view.panes = vec![FieldKind::Correction];
                    let got = evaluate(&device, &view, &points).unwrap();
                    assert_eq!(got[0].len(), points.len());
                    for (x, Vector { vector, phi }) in points.iter().zip(&got[0]) {
                        let x64 = x.as_dvec3();
                        let at = potential.at(x64.to_array(), centroids.points(), view.target);
                        assert!(phi.is_finite() && vector.is_finite());
                        let off = vector.as_dvec3() + DVec3::from_array(at.gradient);
                        let scale = terms(potential, x64, centroids.points(), view.target);
                        let field = off.length() / scale.max(1e-6);
                        let level = (f64::from(*phi) - at.phi).abs() / at.phi.max(1e-6);
                        assert!(
                            field < 1e-3 && level < 1e-3,
                            "N {classes} {operator:?} tau {temperature} eps {epsilon} at {x:?}: \
                             field {field:e} Phi {level:e}"
                        );
                        worst = [worst[0].max(field), worst[1].max(level)];
                    }
                }
            }
        }
    }
    println!(
        "worst relative error: field {:.1e}, Phi {:.1e}",
        worst[0], worst[1]
    );
}

fn run(classes: usize, target: usize, temperature: f64, count: usize) -> (FieldScene, Vec<Tally>) {
    let (device, queue) = device();
    let mut scene = scene(classes);
    scene.view.potential.temperature = temperature;
    scene.view.target = target;
    scene.view.seeds = Arc::new(seeds::cube(count, 11));
    scene.layers.particles = Some(Particles {
        trails: 16,
        colours: ParticleColours::Class,
        ..Particles::default()
    });
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    assert!(renderer.update(&scene, None, &[]).unwrap());
    assert!(!renderer.settled());
    // Uneven pieces: how a run is split must not matter.
    while renderer.advance(37).unwrap() {}
    let mut tallies = renderer.tallies();
    while !renderer.settled() {
        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        tallies = renderer.tallies();
    }
    // Back at the start, nothing has been counted.
    renderer.restart().unwrap();
    assert!(renderer.running() && !renderer.settled());
    (scene, tallies)
}

/// Counts of arrivals may differ by one in 500 particles and counts of traversals by one in 200: a
/// particle that grazes a ball may enter it in one precision and not in the other.
#[test]
fn the_counts_of_a_run_agree_with_the_cpu() {
    for (classes, target, temperature) in [(11, 4, 1.0), (40, 9, 2.0)] {
        let count = 2000;
        let (scene, tallies) = run(classes, target, temperature, count);
        assert_eq!(tallies.len(), scene.view.panes.len());
        for (&kind, tally) in scene.view.panes.iter().zip(&tallies) {
            let field = scene.view.field(kind);
            let rule = Integration::default();
            let (mut arrived, mut crossing, mut traversals, mut clock) = (0, 0, 0, 0.0);
            for seed in seeds::cube(count, 11) {
                let path = field.integrate(seed.as_dvec3(), rule);
                arrived += u32::from(path.arrived);
                crossing += u32::from(path.traversals > 0);
                traversals += path.traversals;
                clock += if path.arrived { path.clock } else { 0.0 };
            }
            println!("{kind:?}: GPU {tally:?}\n  CPU {arrived} {crossing} {traversals}");
            let vanilla = kind == FieldKind::Reconstructive;
            assert!(
                arrived > 0 && (traversals > 0 || !vanilla),
                "some must be counted"
            );
            assert!(tally.arrived.abs_diff(arrived) <= count as u32 / 500);
            assert!(tally.crossing.abs_diff(crossing) <= count as u32 / 200);
            assert!(tally.traversals.abs_diff(traversals) <= count as u32 / 200);
            let mean = clock / f64::from(arrived);
            let got = f64::from(tally.mean_clock.unwrap());
            assert!((got - mean).abs() < 0.01 * mean, "{got} {mean}");
            assert_eq!(tally.histogram.iter().sum::<u32>(), tally.arrived);
        }
        assert!(
            tallies[1].mean_clock < tallies[0].mean_clock,
            "reshaping arrives sooner"
        );
        assert!(
            tallies[1].traversals < tallies[0].traversals,
            "reshaping goes around"
        );
    }
}

/// The neighbourhood in which a particle starts is neither counted nor red.
#[test]
fn trails_turn_red_where_traversals_are_counted() {
    let (device, queue) = device();
    let mut scene = scene(2);
    scene.view.target = 0;
    scene.view.panes = vec![FieldKind::Reconstructive];
    scene.view.camera.snap(0);
    scene.layers = LayerSettings {
        particles: Some(Particles {
            discs: false,
            ..Particles::default()
        }),
        ..LayerSettings::default()
    };
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    // On the line through both centroids: within the other one's neighbourhood, and beyond it.
    for (start, crossing) in [(0.9, 0), (1.8, 1)] {
        scene.view.seeds = Arc::new(vec![Vec3::splat(start)]);
        renderer.update(&scene, None, &[]).unwrap();
        while renderer.advance(100).unwrap() {}
        let mut tallies = renderer.tallies();
        while !renderer.settled() {
            device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
            tallies = renderer.tallies();
        }
        assert_eq!(tallies[0].crossing, crossing);
        let drawn = picture(&mut renderer, [200, 200]).unwrap();
        let trail = |p: &&[u8]| p[0] > 100;
        let red = |p: &&[u8]| p[0] > 100 && p[1] < p[0] / 2;
        assert!(drawn.chunks_exact(4).filter(trail).count() > 20);
        let red = drawn.chunks_exact(4).filter(red).count();
        assert_eq!(red > 0, crossing > 0, "{red} red pixels");
    }
}

#[test]
fn the_same_scene_is_drawn_once_and_exports_at_any_size() {
    let (device, queue) = device();
    let mut scene = scene(11);
    scene.view.plane = Some(Plane::across(2, 0.0));
    scene.layers.arrows = Some(Arrows {
        place: ArrowPlace::Cube,
        per_edge: 4,
    });
    scene.layers.slice = Some(Slice {
        quantity: Quantity::Potential,
        opacity: 0.9,
        ..Slice::default()
    });
    scene.layers.streamlines = Some(Streamlines { per_edge: 8 });
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    assert!(renderer.update(&scene, None, &[]).unwrap());
    assert!(!renderer.update(&scene, None, &[]).unwrap());
    renderer.draw([320, 200], 1.0, Detail::FULL).unwrap();
    for size in [[320, 200], [77, 131]] {
        let picture = picture(&mut renderer, size).unwrap();
        assert_eq!(picture.len(), (4 * size[0] * size[1]) as usize);
        let background = picture
            .chunks_exact(4)
            .filter(|p| p[..3] == [27; 3])
            .count();
        let share = background as f32 / (size[0] * size[1]) as f32;
        assert!((0.02..0.9).contains(&share), "{share}");
    }
    for size in [[0, 10], [1 << 20, 10]] {
        let error = picture(&mut renderer, size).unwrap_err();
        assert_eq!(error.what, "allocating a picture");
        assert!(error.reason.contains("sides must be"), "{}", error.reason);
    }
    scene.view.camera.orbit(0.3, 0.0);
    assert!(renderer.update(&scene, None, &[]).unwrap());
}

/// A cloud in a device buffer at an odd offset is drawn like one in memory.
#[test]
fn a_cloud_on_the_device_is_read_in_place() {
    let (device, queue) = device();
    let mut scene = scene(5);
    scene.layers.cloud = Some(CloudStyle {
        radius: 2.0,
        colours: CloudColours::State,
    });
    let size = [20, 30];
    let pixels = size[0] * size[1];
    let points = seeds::cube(pixels, 3);
    let state: Vec<f32> = (0..3)
        .flat_map(|a| points.iter().map(move |p| p[a]))
        .collect();
    let labels = vec![1; pixels];
    let mut cloud = Cloud {
        size,
        state: CloudState::Host(&state),
        source: &state,
        colours: &state,
        velocity: None,
        labels: &labels,
        photo: 1,
        generation: 1,
    };
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    renderer.update(&scene, Some(&cloud), &[]).unwrap();
    let from_memory = picture(&mut renderer, [300, 200]).unwrap();

    // Values that belong to others come before and after.
    let mut shared = vec![9.0f32; 77];
    shared.extend(&state);
    shared.extend([9.0; 50]);
    let buffer = storage(&device, &shared);
    cloud.state = CloudState::Device {
        buffer: &buffer,
        offset: 4 * 77,
        next: None,
        share: 0.0,
        host: None,
    };
    cloud.generation = 2;
    assert!(renderer.update(&scene, Some(&cloud), &[]).unwrap());
    let from_device = picture(&mut renderer, [300, 200]).unwrap();
    assert_eq!(from_memory, from_device);
    assert_eq!(cloud.read(&device, &queue).unwrap(), state);

    // Halfway to its negative, every point of a state is at the origin.
    let negative: Vec<f32> = state.iter().map(|v| -v).collect();
    let later = storage(&device, &negative);
    cloud.state = CloudState::Device {
        buffer: &buffer,
        offset: 4 * 77,
        next: Some((&later, 0)),
        share: 0.5,
        host: None,
    };
    cloud.generation = 3;
    assert!(
        cloud
            .read(&device, &queue)
            .unwrap()
            .iter()
            .all(|v| v.abs() < 1e-6)
    );
    assert!(renderer.update(&scene, Some(&cloud), &[]).unwrap());
    assert_ne!(picture(&mut renderer, [300, 200]).unwrap(), from_device);

    // The device is not waited for if memory holds the same numbers.
    let [ones, threes] = [1.0, 3.0].map(|x| vec![x; 3 * pixels]);
    let here = CloudState::Device {
        buffer: &buffer,
        offset: 4 * 77,
        next: Some((&later, 0)),
        share: 0.25,
        host: Some([&ones, &threes]),
    };
    let here = Cloud {
        state: here,
        ..cloud
    };
    assert!(here.is_whole());
    assert_eq!(here.read(&device, &queue).unwrap(), vec![1.5; 3 * pixels]);

    // Brushing one pixel dims the others.
    let mut brushed = vec![false; pixels];
    brushed[0] = true;
    let before = picture(&mut renderer, [300, 200]).unwrap();
    assert!(renderer.update(&scene, Some(&cloud), &brushed).unwrap());
    assert_ne!(picture(&mut renderer, [300, 200]).unwrap(), before);
}

/// A point in the middle of the view has the colour of its class, faded by the depth cue.
#[test]
fn a_cloud_in_class_colours_has_the_centroids_colours() {
    let (device, queue) = device();
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    let mut scene = scene(5);
    scene.view.panes = vec![FieldKind::Reshaped];
    scene.layers = LayerSettings {
        cloud: Some(CloudStyle {
            radius: 20.0,
            colours: CloudColours::Class,
        }),
        ..LayerSettings::default()
    };
    for label in 0..6 {
        let cloud = Cloud {
            size: [1, 1],
            state: CloudState::Host(&[0.0; 3]),
            source: &[0.0; 3],
            colours: &[0.0; 3],
            velocity: None,
            labels: &[label],
            photo: 1,
            generation: u64::from(label),
        };
        renderer.update(&scene, Some(&cloud), &[]).unwrap();
        let drawn = picture(&mut renderer, [64, 64]).unwrap();
        let table = &scene.view.table;
        let colour = match usize::from(label) {
            class if class < 5 => table.colours[class],
            _ => [128; 3],
        };
        let middle = 4 * (32 * 64 + 32);
        for (got, own) in drawn[middle..].iter().zip(colour) {
            // At the pivot a quarter of the cue's strength of 0.6 applies.
            let expected = 0.85 * f32::from(own) + 0.15 * 27.0;
            assert!(
                (f32::from(*got) - expected).abs() < 2.0,
                "{label}: {got} {expected}"
            );
        }
    }
}

/// The fields stay the same, and so do the particles and what they have counted.
#[test]
fn classes_get_other_colours_while_particles_stay_where_they_are() {
    let (device, queue) = device();
    let mut scene = scene(5);
    scene.view.seeds = Arc::new(seeds::cube(64, 3));
    scene.view.plane = Some(Plane::across(2, 0.0));
    scene.layers.slice = Some(Slice {
        quantity: Quantity::Cells,
        ..Slice::default()
    });
    scene.layers.particles = Some(Particles::default());
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    renderer.update(&scene, None, &[]).unwrap();
    while renderer.advance(100).unwrap() {}
    let mut table = (*scene.view.table).clone();
    table.colours = vec![[250, 20, 20]; 5];
    scene.view.table = Arc::new(table);
    assert!(renderer.update(&scene, None, &[]).unwrap());
    assert!(!renderer.running());
    // The spheres and the cells of the slice are drawn as if they had always had these colours.
    scene.layers.particles = None;
    renderer.update(&scene, None, &[]).unwrap();
    let mut anew = Renderer::new(&device, &queue).unwrap();
    anew.update(&scene, None, &[]).unwrap();
    let drawn = picture(&mut renderer, [80, 40]).unwrap();
    assert_eq!(drawn, picture(&mut anew, [80, 40]).unwrap());
}

/// The network's velocity is known only at the photo's pixels: its arrows are drawn there even if
/// they are requested elsewhere, and they move with the state.
#[test]
fn arrows_of_the_network_move_with_the_state() {
    let (device, queue) = device();
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    let mut scene = scene(5);
    scene.view.panes = vec![FieldKind::Network];
    scene.layers = LayerSettings {
        arrows: Some(Arrows::default()),
        ..LayerSettings::default()
    };
    assert_eq!(scene.layers.arrows.unwrap().place, ArrowPlace::Cube);
    let velocity = [0.3; 12];
    let mut drawn = Vec::new();
    for (generation, x) in [(1, -0.4), (2, 0.4)] {
        let cloud = Cloud {
            size: [2, 2],
            state: CloudState::Host(&[x; 12]),
            source: &[0.0; 12],
            colours: &[0.0; 12],
            velocity: Some(&velocity),
            labels: &[0; 4],
            photo: 1,
            generation,
        };
        assert!(renderer.update(&scene, Some(&cloud), &[]).unwrap());
        let picture = picture(&mut renderer, [100, 100]).unwrap();
        assert!(picture.chunks_exact(4).any(|pixel| pixel[..3] != [27; 3]));
        drawn.push(picture);
    }
    assert_ne!(drawn[0], drawn[1]);
}

#[test]
fn every_shader_keeps_the_rules() {
    for (name, source) in layers::SHADERS.iter().chain(&[("blit", blit::WGSL)]) {
        shader_rules::check(name, source);
    }
}
