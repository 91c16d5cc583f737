//! Particles on the device: one run a pane, its trails and its counts.

use super::buffers::{mappable, room, storage, uniform};
use super::layout::{BINS, Counters, LinePoint, Particle, Run};
use super::pipelines::{Kernels, bind};
use super::scene::{ARRIVAL, Integration, Particles, Scene};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const UNBORN: u32 = 0xffff_fffe;
/// Points a trail, the last of which lifts the pen.
pub(super) const TRAIL: u32 = 96;
/// Calm, and inside a foreign neighbourhood.
const TRAIL_COLOURS: [[u8; 4]; 2] = [[242, 186, 60, 235], [240, 74, 52, 255]];

/// What has become of the particles so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// How many there are.
    pub particles: u32,
    /// Steps taken, and how many there will be.
    pub steps: [u32; 2],
    /// How many have arrived at the target.
    pub arrived: u32,
    /// How many have entered a foreign neighbourhood at least once.
    pub crossing: u32,
    /// How often that happened in all.
    pub traversals: u32,
    /// The mean s on arrival of those that arrived.
    pub mean_clock: Option<f32>,
    /// Arrivals by s, in bins of [`Tally::BIN`]; the last bin holds all that came later.
    pub histogram: Vec<u32>,
}

impl Tally {
    /// Width of a bin of the histogram, in s.
    pub const BIN: f32 = 0.125;
}

/// A run of particles under one field.
pub(super) struct ParticleRun {
    pub particles: wgpu::Buffer,
    pub count: u32,
    pub trails: wgpu::Buffer,
    integration: Integration,
    pub trail_count: u32,
    arrival: f32,
    uniform: wgpu::Buffer,
    counters: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// A read-back that is on its way, with the step it was asked for at.
    asked: Option<(u32, Arc<AtomicBool>)>,
    done: u32,
    tally: Tally,
}

impl ParticleRun {
    /// Places the particles at their seeds.
    pub fn new(device: &wgpu::Device, scene: &Scene, wanted: &Particles) -> Self {
        let born: Vec<Particle> = wanted
            .seeds
            .iter()
            .map(|&seed| Particle {
                position: seed,
                clock: 0.0,
                start: seed,
                region: UNBORN,
                traversals: 0,
                arrived: 0,
                nearest: 0,
                padding: 0,
            })
            .collect();
        let count = born.len() as u32;
        let trail_count = wanted.trails.min(count);
        let trail_points = trail_count * TRAIL;
        let empty = Counters {
            arrived: 0,
            crossing: 0,
            traversals: 0,
            clock: 0,
            histogram: [0; BINS],
        };
        let steps = wanted.integration.steps;
        let mut run = Self {
            particles: storage(device, &born),
            count,
            trails: room::<LinePoint>(device, trail_points.max(2) as usize),
            integration: wanted.integration,
            trail_count,
            arrival: ARRIVAL
                * scene
                    .table
                    .half_gap
                    .get(scene.target)
                    .copied()
                    .unwrap_or(0.0),
            uniform: room_for_run(device),
            counters: storage(device, &[empty]),
            staging: mappable(device, size_of::<Counters>() as u64),
            asked: None,
            done: 0,
            tally: Tally {
                particles: count,
                steps: [0, steps],
                ..Tally::default()
            },
        };
        if count == 0 {
            run.done = steps;
        }
        run
    }

    /// Takes up to `steps` more steps.
    pub fn advance(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        kernels: &Kernels,
        field: [&wgpu::Buffer; 2],
        steps: u32,
    ) {
        let steps = steps.min(self.integration.steps - self.done);
        if steps == 0 {
            return;
        }
        let run = Run {
            steps,
            first: self.done,
            step: self.integration.step,
            reach: self.integration.reach,
            arrival: self.arrival,
            trails: self.trail_count,
            length: TRAIL,
            stride: self.integration.steps.div_ceil(TRAIL / 2 - 2).max(1),
            calm: TRAIL_COLOURS[0],
            alarm: TRAIL_COLOURS[1],
            padding: [0; 2],
        };
        queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&run));
        let group = bind(
            device,
            &kernels.particles.get_bind_group_layout(0),
            &[
                field[0].as_entire_binding(),
                field[1].as_entire_binding(),
                self.uniform.as_entire_binding(),
                self.particles.as_entire_binding(),
                self.trails.as_entire_binding(),
                self.counters.as_entire_binding(),
            ],
        );
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&kernels.particles);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(self.count.div_ceil(64), 1, 1);
        }
        queue.submit([encoder.finish()]);
        self.done += steps;
    }

    /// Whether all steps are taken and counted.
    pub fn finished(&self) -> bool {
        self.count == 0 || self.tally.steps[0] == self.integration.steps
    }

    /// Whether there are steps left to take.
    pub fn running(&self) -> bool {
        self.done < self.integration.steps
    }

    /// The latest counts that have come back; asks for newer ones where there are any. Never waits.
    pub fn tally(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) -> &Tally {
        if let Some((at, ready)) = self
            .asked
            .take_if(|(_, ready)| ready.load(Ordering::Acquire))
        {
            drop(ready);
            if let Ok(bytes) = self.staging.get_mapped_range(..) {
                self.count_up(at, bytemuck::pod_read_unaligned(&bytes));
            }
            self.staging.unmap();
        }
        if self.asked.is_none() && self.done > self.tally.steps[0] {
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(
                &self.counters,
                0,
                &self.staging,
                0,
                size_of::<Counters>() as u64,
            );
            queue.submit([encoder.finish()]);
            let ready = Arc::new(AtomicBool::new(false));
            let flag = ready.clone();
            self.staging
                .map_async(wgpu::MapMode::Read, .., move |result| {
                    // A failed mapping leaves the counts as they are.
                    flag.store(result.is_ok(), Ordering::Release);
                });
            self.asked = Some((self.done, ready));
        }
        &self.tally
    }

    fn count_up(&mut self, at: u32, counters: Counters) {
        // Nothing moves any more once all have arrived.
        let over = counters.arrived == self.count;
        if over {
            self.done = self.integration.steps;
        }
        self.tally = Tally {
            particles: self.count,
            steps: [if over { self.done } else { at }, self.integration.steps],
            arrived: counters.arrived,
            crossing: counters.crossing,
            traversals: counters.traversals,
            mean_clock: (counters.arrived > 0)
                .then(|| counters.clock as f32 / 256.0 / counters.arrived as f32),
            histogram: counters.histogram.to_vec(),
        };
    }
}

fn room_for_run(device: &wgpu::Device) -> wgpu::Buffer {
    let empty: Run = bytemuck::Zeroable::zeroed();
    uniform(device, &empty)
}
