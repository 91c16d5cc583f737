//! The device against the CPU. They run on whatever adapter there is, such as Mesa's software one.

use super::*;
use crate::encoding::Centroids;
use crate::potential::{Operator, Potential};
use std::sync::Arc;

pub(in crate::gpu) fn device() -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))
        .expect("a Vulkan, Metal or DirectX adapter; Mesa's software one will do");
    pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_limits: adapter.limits(),
        ..Default::default()
    }))
    .expect("a device")
}

pub(super) fn scene(classes: usize, potential: Potential) -> Scene {
    Scene {
        table: Arc::new(Table::new(Centroids::kronecker(classes))),
        potential,
        target: classes / 3,
        correction: 1.0,
        neighbourhood: Neighbourhood::default(),
        panes: vec![FieldKind::Reconstructive, FieldKind::Reshaped],
        camera: Camera::default(),
        look: Look {
            background: [27; 3],
            ink: [220; 3],
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

/// Random points of the cube, every centroid (the first 40 of them), points next to them, and
/// points halfway between two.
fn points(centroids: &Centroids) -> Vec<[f32; 3]> {
    let mu: Vec<[f32; 3]> = centroids
        .points()
        .iter()
        .map(|p| p.map(|v| v as f32))
        .collect();
    let mut points = seeds::cube(2000, 7);
    for (k, p) in mu.iter().take(40).enumerate() {
        points.push(*p);
        points.push(p.map(|v| v + 1e-4));
        points.push(p.map(|v| v - 3e-3));
        let other = mu[(k + 1) % mu.len()];
        points.push(std::array::from_fn(|a| 0.5 * (p[a] + other[a])));
    }
    points
}

fn norm(v: [f64; 3]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The length that the terms of equation 11 would have if none cancelled another: what an error of
/// their sum is relative to. For the normalised gradient, divided by the length that it divides by.
fn terms(potential: Potential, x: [f64; 3], centroids: &[[f64; 3]], target: usize) -> f64 {
    let here = potential.at(x, centroids, target);
    let sum: f64 = centroids
        .iter()
        .enumerate()
        .map(|(k, mu)| {
            let o: [f64; 3] = std::array::from_fn(|a| x[a] - mu[a]);
            let d = norm(o).powi(2);
            let y_minus_p = if k == target {
                (0..centroids.len())
                    .filter(|&j| j != k)
                    .map(|j| here.probability[j])
                    .sum()
            } else {
                here.probability[k]
            };
            let slope = potential.operator.derivative(d, potential.epsilon).abs();
            2.0 / potential.temperature * y_minus_p * slope * norm(o)
        })
        .sum();
    if potential.operator == Operator::NormalizedGradient {
        let raw = Potential {
            operator: Operator::Log,
            ..potential
        };
        sum / norm(raw.at(x, centroids, target).gradient).max(crate::potential::NORM_FLOOR)
    } else {
        sum
    }
}

/// For all operators, N and temperatures: the error of the correction relative to [`terms`] and of
/// `Phi` relative to itself (not below 1e-6), both below 1e-3, and never anything but a number.
#[test]
fn the_shader_agrees_with_the_definition() {
    let (device, queue) = device();
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
                    let mut scene = scene(classes, potential);
                    scene.panes = vec![FieldKind::Correction];
                    let got = probe(&device, &queue, &scene, &points).unwrap();
                    for (x, (vector, phi)) in points.iter().zip(&got[0]) {
                        let x64 = x.map(f64::from);
                        let at = potential.at(x64, centroids.points(), scene.target);
                        assert!(phi.is_finite() && vector.iter().all(|v| v.is_finite()));
                        let off: [f64; 3] =
                            std::array::from_fn(|a| f64::from(vector[a]) + at.gradient[a]);
                        let scale = terms(potential, x64, centroids.points(), scene.target);
                        let field = norm(off) / scale.max(1e-6);
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

fn run(classes: usize, target: usize, temperature: f64, count: usize) -> (Scene, Vec<Tally>) {
    let (device, queue) = device();
    let potential = Potential {
        operator: Operator::Log,
        temperature,
        epsilon: 0.01,
    };
    let mut scene = scene(classes, potential);
    scene.target = target;
    scene.particles = Some(Particles {
        seeds: Arc::new(seeds::cube(count, 11)),
        integration: Integration::default(),
        trails: 16,
        colours: ParticleColours::Class,
        at_start: false,
        radius: 0.01,
        discs: true,
    });
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    assert!(renderer.update(&scene, None, &[]).unwrap());
    assert!(!renderer.settled());
    // Pieces of uneven size: how a run is cut must not matter.
    while renderer.advance(37).unwrap() {}
    let mut tallies = renderer.tallies();
    while !renderer.settled() {
        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        tallies = renderer.tallies();
    }
    (scene, tallies.into_iter().flatten().collect())
}

/// Counts of arrivals may differ by one in 500 particles and of traversals by one in 200: a particle
/// that grazes the rim of a ball enters it in one precision and not in the other.
#[test]
fn the_counts_of_a_run_agree_with_the_cpu() {
    for (classes, target, temperature) in [(11, 4, 1.0), (40, 9, 2.0)] {
        let count = 2000;
        let (scene, tallies) = run(classes, target, temperature, count);
        for (&kind, tally) in scene.panes.iter().zip(&tallies) {
            let flow = Flow {
                table: &scene.table,
                potential: scene.potential,
                target,
                kind,
                correction: scene.correction,
                neighbourhood: scene.neighbourhood,
            };
            let rule = Integration::default();
            let (mut arrived, mut crossing, mut traversals, mut clock) = (0, 0, 0, 0.0);
            for seed in seeds::cube(count, 11) {
                let out = flow.integrate(seed.map(f64::from), rule);
                arrived += u32::from(out.arrived);
                crossing += u32::from(out.traversals > 0);
                traversals += out.traversals;
                clock += if out.arrived { out.clock } else { 0.0 };
            }
            println!("{kind:?}: GPU {tally:?}\n  CPU {arrived} {crossing} {traversals}");
            let vanilla = kind == FieldKind::Reconstructive;
            assert!(
                arrived > 0 && (traversals > 0 || !vanilla),
                "there has to be a count"
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

#[test]
fn the_same_scene_is_drawn_once_and_exports_at_any_size() {
    let (device, queue) = device();
    let potential = Potential {
        operator: Operator::Log,
        temperature: 1.0,
        epsilon: 0.01,
    };
    let mut scene = scene(11, potential);
    scene.arrows = Some(Arrows {
        place: ArrowPlace::Cube,
        per_axis: 4,
    });
    scene.slice = Some(Slice {
        plane: Plane::across(2, 0.0),
        quantity: Quantity::Potential,
        boundaries: true,
        iso_lines: true,
        neighbourhood: true,
        streamlines: 8,
        opacity: 0.9,
        resolution: 64,
    });
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    assert!(renderer.update(&scene, None, &[]).unwrap());
    assert!(!renderer.update(&scene, None, &[]).unwrap());
    renderer.draw([320, 200], 1.0, Detail::FULL).unwrap();
    for size in [[320, 200], [77, 131]] {
        let picture = renderer.picture(size, 1.0).unwrap();
        assert_eq!(picture.len(), (4 * size[0] * size[1]) as usize);
        let background = picture
            .chunks_exact(4)
            .filter(|p| p[..3] == [27; 3])
            .count();
        let share = background as f32 / (size[0] * size[1]) as f32;
        assert!((0.02..0.9).contains(&share), "{share}");
    }
    assert!(renderer.picture([0, 10], 1.0).is_err());
    assert!(renderer.picture([1 << 20, 10], 1.0).is_err());
    scene.camera.orbit(0.3, 0.0);
    assert!(renderer.update(&scene, None, &[]).unwrap());
}

/// The cloud drawn from a device buffer at an odd offset is the one drawn from memory.
#[test]
fn a_cloud_on_the_device_is_read_in_place() {
    let (device, queue) = device();
    let potential = Potential {
        operator: Operator::Log,
        temperature: 1.0,
        epsilon: 0.01,
    };
    let mut scene = scene(5, potential);
    scene.cloud = Some(CloudStyle {
        radius: 2.0,
        colours: CloudColours::State,
        most: 1000,
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
        velocity: None,
        labels: &labels,
        photo: 1,
        generation: 1,
    };
    let mut renderer = Renderer::new(&device, &queue).unwrap();
    renderer.update(&scene, Some(&cloud), &[]).unwrap();
    let from_memory = renderer.picture([300, 200], 1.0).unwrap();

    // Somebody else's numbers come first and last.
    let mut shared = vec![9.0f32; 77];
    shared.extend(&state);
    shared.extend([9.0; 50]);
    let buffer = super::buffers::storage(&device, &shared);
    cloud.state = CloudState::Device {
        buffer: &buffer,
        offset: 4 * 77,
        next: None,
        share: 0.0,
    };
    cloud.generation = 2;
    assert!(renderer.update(&scene, Some(&cloud), &[]).unwrap());
    let from_device = renderer.picture([300, 200], 1.0).unwrap();
    assert_eq!(from_memory, from_device);
    assert_eq!(cloud.read(&device, &queue).unwrap(), state);

    // Halfway to a state that is its negative, all points meet in the middle.
    let negative: Vec<f32> = state.iter().map(|v| -v).collect();
    let later = super::buffers::storage(&device, &negative);
    cloud.state = CloudState::Device {
        buffer: &buffer,
        offset: 4 * 77,
        next: Some((&later, 0)),
        share: 0.5,
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
    assert_ne!(renderer.picture([300, 200], 1.0).unwrap(), from_device);

    // Brushing one pixel dims the others.
    let mut brushed = vec![false; pixels];
    brushed[0] = true;
    let before = renderer.picture([300, 200], 1.0).unwrap();
    assert!(renderer.update(&scene, Some(&cloud), &brushed).unwrap());
    assert_ne!(renderer.picture([300, 200], 1.0).unwrap(), before);
}
