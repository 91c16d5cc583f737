//! Particles that follow the field, `dx/ds = f(x)`, with trails and counts of their fates.
//!
//! A kernel advances all particles of a pane by explicit Euler steps, one thread per particle, as
//! `vector_field::integrate` does on the CPU. It writes the points of the first particles' trails,
//! and counts arrivals and traversals of other classes' neighbourhoods with atomics, which are read back
//! without blocking. Particles are drawn as discs, trails as polylines.

use super::context::{Gpu, Kernel, Phase, Pipeline, Slot, wgsl, whole};
use super::globals::Pane;
use super::layer::{Draw, Frame, Layer};
use super::lines::{LinePoint, Ribbon, Ribbons, Strip};
use super::readback::staging;
use crate::gpu::GpuError;
use crate::vector_field::{ARRIVAL, Integration};
use bytemuck::Zeroable;
use glam::Vec3;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParticleColours {
    /// By the nearest centroid's class; after the last step, by the class where they ended.
    #[default]
    Class,
    /// By whether they have traversed another class's neighbourhood.
    Traversal,
}

/// The settings of particles; [`super::FieldView::seeds`] has their starting points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Particles {
    pub integration: Integration,
    /// Number of particles with a trail.
    pub trails: u32,
    pub colours: ParticleColours,
    /// Draws them at their starting points, in their current colours.
    pub at_start: bool,
    /// Draws the discs; otherwise only the trails.
    pub discs: bool,
}

impl Default for Particles {
    fn default() -> Self {
        Self {
            integration: Integration::default(),
            trails: 48,
            colours: ParticleColours::Traversal,
            at_start: false,
            discs: true,
        }
    }
}

/// Radius of a disc in world units: of a moving particle, and at its starting point.
const RADIUS: [f32; 2] = [0.011, 0.007];
/// Points per trail; the last one ends the polyline.
const TRAIL: u32 = 96;
/// Colours of a trail outside and inside another class's neighbourhood, as traversals are counted.
const TRAIL_COLOURS: [[u8; 4]; 2] = [[242, 186, 60, 235], [240, 74, 52, 255]];

mod gpu_data {
    use bytemuck::{Pod, Zeroable};
    use glam::Vec3;

    /// `Particle` of field/particles.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(super) struct Particle {
        pub position: Vec3,
        pub clock: f32,
        pub start: Vec3,
        pub region: u32,
        pub traversals: u32,
        pub arrived: u32,
        pub nearest: u32,
        pub padding: u32,
    }
    const _: () = assert!(size_of::<Particle>() == 48);

    /// `Run` of field/particles.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(super) struct Run {
        pub steps: u32,
        pub first: u32,
        pub step: f32,
        pub reach: f32,
        pub arrival: f32,
        pub trails: u32,
        pub length: u32,
        pub stride: u32,
        pub calm: [u8; 4],
        pub alarm: [u8; 4],
    }
    const _: () = assert!(size_of::<Run>() == 40);

    /// `Counters` of field/particles.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(super) struct Counters {
        pub arrived: u32,
        pub crossing: u32,
        pub traversals: u32,
        pub clock: u32,
        pub histogram: [u32; 64],
    }
    const _: () = assert!(size_of::<Counters>() == 272);

    /// `Discs` of field/particles.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(super) struct Discs {
        pub radius: f32,
        pub flags: u32,
    }
    const _: () = assert!(size_of::<Discs>() == 8);

    pub(super) const UNBORN: u32 = 0xffff_fffe;
    pub(super) const BY_TRAVERSAL: u32 = 1;
    pub(super) const AT_START: u32 = 2;
}

/// Counts of the particles of a pane so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) particles: u32,
    /// Steps done, and steps in total.
    pub(crate) steps: [u32; 2],
    /// Number of particles that have arrived at the target.
    pub(crate) arrived: u32,
    /// Number of particles that have entered another class's neighbourhood at least once.
    pub(crate) crossing: u32,
    /// Total number of entries into other classes' neighbourhoods.
    pub(crate) traversals: u32,
    /// The mean s at arrival.
    pub(crate) mean_clock: Option<f32>,
    /// Arrivals by s, in bins of width [`Tally::BIN`]; the last bin includes all later ones.
    pub(crate) histogram: Vec<u32>,
}

impl Tally {
    /// Width of a histogram bin, in s.
    pub(crate) const BIN: f32 = 0.125;
}

pub(super) struct ParticleLayer {
    kernel: Kernel,
    pipeline: Pipeline,
    ribbons: Arc<Ribbons>,
    uniform: wgpu::Buffer,
    /// One run per pane, with the starting conditions that they share.
    runs: Option<(Start, Vec<Run>)>,
}

#[derive(PartialEq)]
struct Start {
    fields: u64,
    seeds: Arc<Vec<Vec3>>,
    integration: Integration,
    /// Distance to the target at which a particle has arrived.
    arrival: f32,
    trails: u32,
}

/// The particles of one pane.
struct Run {
    parameters: wgpu::Buffer,
    counters: wgpu::Buffer,
    advanced: wgpu::BindGroup,
    drawn: wgpu::BindGroup,
    trails: Strip,
    staging: wgpu::Buffer,
    /// A read-back in progress: its step, and whether it has finished.
    pending: Option<(u32, Arc<AtomicBool>)>,
    done: u32,
    tally: Tally,
}

impl ParticleLayer {
    pub(super) fn new(gpu: &Gpu, ribbons: &Arc<Ribbons>) -> Self {
        use Slot::{Read, ReadWrite, Uniform};
        let advanced = [ReadWrite, Read, ReadWrite, ReadWrite];
        let drawn = [Read, Uniform];
        Self {
            kernel: Kernel::new(gpu, "field particles", Self::WGSL, &advanced),
            pipeline: Pipeline::new(gpu, "field discs", Self::WGSL, &drawn, Phase::Opaque),
            ribbons: ribbons.clone(),
            uniform: gpu.uniform(&gpu_data::Discs::zeroed()),
            runs: None,
        }
    }

    /// Removes all particles, so that the next ones start from their seeds.
    pub(super) fn clear(&mut self) {
        self.runs = None;
    }

    /// Moves all particles back to their starting points.
    pub(super) fn restart(&mut self, gpu: &Gpu) {
        if let Some((start, runs)) = self.runs.take() {
            let runs = runs.iter().map(|_| self.run(gpu, &start)).collect();
            self.runs = Some((start, runs));
        }
    }

    /// Takes up to `steps` more steps in every pane.
    pub(super) fn advance(&mut self, gpu: &Gpu, panes: &[Pane], steps: u32) {
        if let Some((start, runs)) = &mut self.runs {
            for (run, pane) in runs.iter_mut().zip(panes) {
                run.advance(gpu, &self.kernel, pane, start, steps);
            }
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().flat_map(|(_, runs)| runs)
    }

    /// Whether steps are left to take.
    pub(super) fn running(&self) -> bool {
        self.runs().any(|run| run.done < run.tally.steps[1])
    }

    /// Whether all steps have been taken and counted.
    pub(super) fn settled(&self) -> bool {
        let mut tallies = self.runs().map(|run| &run.tally);
        tallies.all(|tally| tally.steps[0] == tally.steps[1])
    }

    /// The latest counts of every pane. Does not block.
    pub(super) fn tallies(&mut self, gpu: &Gpu) -> Vec<Tally> {
        let runs = self.runs.iter_mut().flat_map(|(_, runs)| runs);
        runs.map(|run| run.count(gpu).clone()).collect()
    }

    fn run(&self, gpu: &Gpu, start: &Start) -> Run {
        let born = |&seed: &Vec3| gpu_data::Particle {
            position: seed,
            start: seed,
            region: gpu_data::UNBORN,
            ..Zeroable::zeroed()
        };
        let mut particles: Vec<gpu_data::Particle> = start.seeds.iter().map(born).collect();
        let steps = start.integration.steps;
        let done = if particles.is_empty() { steps } else { 0 };
        let tally = Tally {
            particles: particles.len() as u32,
            steps: [done, steps],
            ..Tally::default()
        };
        // An empty buffer cannot be bound.
        particles.resize(particles.len().max(1), Zeroable::zeroed());
        let particles = gpu.storage(&particles);
        let parameters = gpu.storage(&[gpu_data::Run::zeroed()]);
        let counters = gpu.storage(&[gpu_data::Counters::zeroed()]);
        let points = start.trails * TRAIL;
        let trails = gpu.empty_storage::<LinePoint>(points.max(1) as usize);
        let advanced = whole([&particles, &parameters, &trails, &counters]);
        let drawn = whole([&particles, &self.uniform]);
        Run {
            advanced: self.kernel.bind(gpu, &advanced),
            drawn: self.pipeline.bind(gpu, &drawn),
            trails: self.ribbons.strip(gpu, &trails, points, Ribbon::BOLD),
            staging: staging(&gpu.device, counters.size()),
            parameters,
            counters,
            pending: None,
            done,
            tally,
        }
    }
}

impl Layer for ParticleLayer {
    type Settings = Particles;

    const WGSL: &'static str = wgsl!(scene, potential, line_point => particles);

    fn prepare(&mut self, settings: &Particles, frame: &Frame<'_>) -> Result<(), GpuError> {
        let Frame {
            gpu, globals, view, ..
        } = frame;
        let discs = gpu_data::Discs {
            radius: RADIUS[usize::from(settings.at_start)],
            flags: gpu_data::BY_TRAVERSAL
                * u32::from(settings.colours == ParticleColours::Traversal)
                + gpu_data::AT_START * u32::from(settings.at_start),
        };
        gpu.write(&self.uniform, &[discs]);
        let half_gap = view.table.half_gap.get(view.target).copied();
        let start = Start {
            fields: globals.version,
            seeds: view.seeds.clone(),
            integration: settings.integration,
            arrival: ARRIVAL * half_gap.unwrap_or_default(),
            trails: settings.trails.min(view.seeds.len() as u32),
        };
        if self.runs.as_ref().is_none_or(|(known, _)| *known != start) {
            let panes = globals.panes.iter();
            let runs = panes.map(|_| self.run(gpu, &start)).collect();
            self.runs = Some((start, runs));
        }
        Ok(())
    }

    fn draw(&self, settings: &Particles, draw: &mut Draw<'_, '_>) {
        let Some(run) = self.runs().nth(draw.pane) else {
            return;
        };
        match draw.phase {
            Phase::Opaque if settings.discs => {
                // Seeds are in random order, so the first ones are a fair sample.
                let count = (run.tally.particles as f32 * draw.detail.points).ceil() as u32;
                draw.vertices(&self.pipeline, &run.drawn, 3 * count);
            }
            Phase::Opaque => {}
            Phase::Blended => {
                let trails = settings.trails.min(run.tally.particles);
                let points = TRAIL * draw.detail.strokes_of(trails);
                self.ribbons.draw(draw, &run.trails, points);
            }
        }
    }
}

impl Run {
    fn advance(&mut self, gpu: &Gpu, kernel: &Kernel, pane: &Pane, start: &Start, steps: u32) {
        let rule = start.integration;
        let steps = steps.min(rule.steps - self.done);
        if steps == 0 {
            return;
        }
        let content = gpu_data::Run {
            steps,
            first: self.done,
            step: rule.step,
            reach: rule.reach,
            arrival: start.arrival,
            trails: start.trails,
            length: TRAIL,
            stride: rule.steps.div_ceil(TRAIL / 2 - 2).max(1),
            calm: TRAIL_COLOURS[0],
            alarm: TRAIL_COLOURS[1],
        };
        gpu.write(&self.parameters, &[content]);
        let groups = [self.tally.particles.div_ceil(64), 1];
        kernel.run(gpu, [&pane.group, &self.advanced], groups);
        self.done += steps;
    }

    /// The latest counts that have been read back; requests newer ones if there are any.
    fn count(&mut self, gpu: &Gpu) -> &Tally {
        let arrived = |(_, ready): &mut (u32, Arc<AtomicBool>)| ready.load(Ordering::Acquire);
        if let Some((at, _)) = self.pending.take_if(arrived) {
            if let Ok(bytes) = self.staging.get_mapped_range(..) {
                self.update(at, bytemuck::pod_read_unaligned(&bytes));
            }
            self.staging.unmap();
        }
        if self.pending.is_none() && self.done > self.tally.steps[0] {
            let size = self.staging.size();
            gpu.submit(|encoder| {
                encoder.copy_buffer_to_buffer(&self.counters, 0, &self.staging, 0, size);
            });
            let ready = Arc::new(AtomicBool::new(false));
            self.pending = Some((self.done, ready.clone()));
            self.staging
                .map_async(wgpu::MapMode::Read, .., move |result| {
                    // A failed mapping leaves the counts unchanged.
                    ready.store(result.is_ok(), Ordering::Release);
                });
        }
        &self.tally
    }

    fn update(&mut self, at: u32, counters: gpu_data::Counters) {
        let Tally {
            particles,
            steps: [_, steps],
            ..
        } = self.tally;
        // Once all have arrived, nothing moves any more.
        let over = counters.arrived == particles;
        if over {
            self.done = steps;
        }
        let mean = counters.clock as f32 / 256.0 / counters.arrived as f32;
        self.tally = Tally {
            particles,
            steps: [if over { steps } else { at }, steps],
            arrived: counters.arrived,
            crossing: counters.crossing,
            traversals: counters.traversals,
            mean_clock: (counters.arrived > 0).then_some(mean),
            histogram: counters.histogram.to_vec(),
        };
    }
}
