//! Particles that follow the field, `dx/ds = f(x)`, with trails and counts of what became of them.
//!
//! A kernel advances all particles of a pane by explicit Euler steps, one thread per particle, as
//! `vector_field::integrate` does on the CPU. It counts arrivals and traversals of foreign
//! neighbourhoods with atomics, which are read back without waiting, and writes the points of the
//! first particles' trails. Particles are drawn as discs, trails as polylines.

use super::context::{Gpu, Kernel, Phase, Pipeline, Slot, wgsl};
use super::globals::{Globals, Pane};
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

/// How particles are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParticleColours {
    /// By the nearest centroid's class; after the last step, by where they ended.
    #[default]
    Class,
    /// By whether they have traversed a foreign neighbourhood.
    Traversal,
}

/// The particles' settings; where they start is [`super::FieldView::seeds`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Particles {
    /// How they advance.
    pub integration: Integration,
    /// How many leave a trail.
    pub trails: u32,
    /// What their colours show.
    pub colours: ParticleColours,
    /// Draw them where they started, in the colour that they have now.
    pub at_start: bool,
    /// Draw the discs; otherwise the trails alone.
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

/// Radius of a disc in world units, of a moving particle and where it started.
const RADIUS: f32 = 0.011;
const RADIUS_AT_START: f32 = 0.007;
/// Points per trail; the last one ends the polyline.
const TRAIL: u32 = 96;
/// Colours of a trail outside and inside a foreign neighbourhood.
const TRAIL_COLOURS: [[u8; 4]; 2] = [[242, 186, 60, 235], [240, 74, 52, 255]];

mod gpu_data {
    use bytemuck::{Pod, Zeroable};
    use glam::Vec3;

    /// `Particle` of field/particles.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub struct Particle {
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
    pub struct Run {
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
        pub padding: [u32; 2],
    }
    const _: () = assert!(size_of::<Run>() == 48);

    /// `Counters` of field/particles.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub struct Counters {
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
    pub struct Discs {
        pub radius: f32,
        pub flags: u32,
    }
    const _: () = assert!(size_of::<Discs>() == 8);

    pub const UNBORN: u32 = 0xffff_fffe;
    pub const BY_TRAVERSAL: u32 = 1;
    pub const AT_START: u32 = 2;
}

/// What has become of the particles of a pane so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Number of particles.
    pub(crate) particles: u32,
    /// Steps done, and steps in all.
    pub(crate) steps: [u32; 2],
    /// How many have arrived at the target.
    pub(crate) arrived: u32,
    /// How many have entered a foreign neighbourhood at least once.
    pub(crate) crossing: u32,
    /// How often that happened in all.
    pub(crate) traversals: u32,
    /// The mean s on arrival of those that arrived.
    pub(crate) mean_clock: Option<f32>,
    /// Arrivals by s, in bins of [`Tally::BIN`]; the last bin has all later ones too.
    pub(crate) histogram: Vec<u32>,
}

impl Tally {
    /// Width of a bin of the histogram, in s.
    pub(crate) const BIN: f32 = 0.125;
}

pub(super) struct ParticleLayer {
    kernel: Kernel,
    pipeline: Pipeline,
    ribbons: Arc<Ribbons>,
    uniform: wgpu::Buffer,
    settings: Option<Particles>,
    start: Option<Start>,
    /// One per pane.
    runs: Vec<Run>,
}

/// What a run starts from.
#[derive(Clone, PartialEq)]
struct Start {
    fields: u64,
    seeds: Arc<Vec<Vec3>>,
    integration: Integration,
    /// A particle this close to the target has arrived.
    arrival: f32,
    trails: u32,
}

impl ParticleLayer {
    pub fn new(gpu: &Gpu, ribbons: &Arc<Ribbons>) -> Self {
        let advanced = [
            Slot::ReadWrite,
            Slot::Uniform,
            Slot::ReadWrite,
            Slot::ReadWrite,
        ];
        let drawn = [Slot::Read, Slot::Uniform];
        Self {
            kernel: Kernel::new(gpu, "field particles", Self::WGSL, &advanced),
            pipeline: Pipeline::new(gpu, "field discs", Self::WGSL, &drawn, Phase::Opaque),
            ribbons: ribbons.clone(),
            uniform: gpu.uniform(&gpu_data::Discs::zeroed()),
            settings: None,
            start: None,
            runs: Vec::new(),
        }
    }

    /// Moves all particles back to where they started.
    pub fn restart(&mut self, gpu: &Gpu) {
        if let Some(start) = &self.start {
            let runs = self.runs.iter().map(|_| self.run(gpu, start));
            self.runs = runs.collect();
        }
    }

    /// Takes up to `steps` more steps in every pane.
    pub fn advance(&mut self, gpu: &Gpu, globals: &Globals, steps: u32) {
        if let Some(start) = &self.start {
            for (run, pane) in self.runs.iter_mut().zip(&globals.panes) {
                run.advance(gpu, &self.kernel, pane, start, steps);
            }
        }
    }

    /// Whether steps are left to take.
    pub fn running(&self) -> bool {
        self.runs.iter().any(|run| run.done < run.tally.steps[1])
    }

    /// Whether all steps are taken and counted.
    pub fn settled(&self) -> bool {
        self.runs.iter().all(Run::settled)
    }

    /// The latest counts of every pane. Never waits.
    pub fn tallies(&mut self, gpu: &Gpu) -> Vec<Tally> {
        let runs = self.runs.iter_mut();
        runs.map(|run| run.count(gpu).clone()).collect()
    }

    fn run(&self, gpu: &Gpu, start: &Start) -> Run {
        let particles = start.seeds.iter().map(|&seed| gpu_data::Particle {
            position: seed,
            start: seed,
            region: gpu_data::UNBORN,
            ..Zeroable::zeroed()
        });
        let particles: Vec<gpu_data::Particle> = particles.collect();
        let count = particles.len() as u32;
        let steps = start.integration.steps;
        let tally = Tally {
            particles: count,
            steps: [0, steps],
            ..Tally::default()
        };
        let counters = gpu.storage(&[gpu_data::Counters::zeroed()]);
        let device = (count > 0).then(|| {
            let particles = gpu.storage(&particles);
            let uniform = gpu.uniform(&gpu_data::Run::zeroed());
            let trail_points = start.trails * TRAIL;
            let trails = gpu.empty_storage::<LinePoint>(trail_points.max(2) as usize);
            let advanced = [&particles, &uniform, &trails, &counters];
            let drawn = [&particles, &self.uniform];
            Buffers {
                advanced: self
                    .kernel
                    .bind(gpu, &advanced.map(|b| b.as_entire_binding())),
                drawn: self
                    .pipeline
                    .bind(gpu, &drawn.map(|b| b.as_entire_binding())),
                trails: self.ribbons.strip(gpu, &trails, trail_points, Ribbon::BOLD),
                uniform,
            }
        });
        Run {
            done: if count == 0 { steps } else { 0 },
            device,
            counters,
            staging: staging(&gpu.device, size_of::<gpu_data::Counters>() as u64),
            pending: None,
            tally,
        }
    }
}

impl Layer for ParticleLayer {
    type Settings = Particles;

    const WGSL: &'static str = wgsl!(
        "common/scene",
        "common/potential",
        "common/line_point",
        "field/particles"
    );

    fn prepare(&mut self, settings: Option<&Particles>, frame: &Frame<'_>) -> Result<(), GpuError> {
        let Frame { gpu, view, .. } = frame;
        self.settings = settings.copied();
        let Some(settings) = settings else {
            self.start = None;
            self.runs.clear();
            return Ok(());
        };
        gpu.write(&self.uniform, &[discs(settings)]);
        let half_gap = view.table.half_gap.get(view.target).copied();
        let start = Start {
            fields: frame.globals.version,
            seeds: view.seeds.clone(),
            integration: settings.integration,
            arrival: ARRIVAL * half_gap.unwrap_or_default(),
            trails: settings.trails.min(view.seeds.len() as u32),
        };
        if self.start.as_ref() != Some(&start) {
            let panes = frame.globals.panes.iter();
            self.runs = panes.map(|_| self.run(gpu, &start)).collect();
            self.start = Some(start);
        }
        Ok(())
    }

    fn draw(&self, draw: &Draw<'_>, pass: &mut wgpu::RenderPass<'_>) {
        let (Some(settings), Some(start)) = (&self.settings, &self.start) else {
            return;
        };
        let run = self.runs.get(draw.pane);
        let Some(device) = run.and_then(|run| run.device.as_ref()) else {
            return;
        };
        let detail = draw.detail;
        match draw.phase {
            Phase::Opaque if settings.discs => {
                // Seeds are in random order, so that the first ones are a fair sample.
                let count = (start.seeds.len() as f32 * detail.points).ceil() as u32;
                self.pipeline
                    .draw(pass, detail.fine, &device.drawn, 3 * count);
            }
            Phase::Blended if start.trails > 0 => {
                let points = TRAIL * detail.strokes_of(start.trails);
                self.ribbons.draw(draw, pass, &device.trails, points);
            }
            _ => {}
        }
    }
}

fn discs(settings: &Particles) -> gpu_data::Discs {
    let by_traversal = settings.colours == ParticleColours::Traversal;
    let flags = [
        (by_traversal, gpu_data::BY_TRAVERSAL),
        (settings.at_start, gpu_data::AT_START),
    ];
    gpu_data::Discs {
        radius: if settings.at_start {
            RADIUS_AT_START
        } else {
            RADIUS
        },
        flags: flags
            .iter()
            .map(|(on, flag)| if *on { *flag } else { 0 })
            .sum(),
    }
}

/// The particles of one pane.
struct Run {
    /// `None` without particles.
    device: Option<Buffers>,
    counters: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// A read-back in progress: the step that it belongs to, and whether it has arrived.
    pending: Option<(u32, Arc<AtomicBool>)>,
    done: u32,
    tally: Tally,
}

struct Buffers {
    uniform: wgpu::Buffer,
    advanced: wgpu::BindGroup,
    drawn: wgpu::BindGroup,
    trails: Strip,
}

impl Run {
    fn advance(&mut self, gpu: &Gpu, kernel: &Kernel, pane: &Pane, start: &Start, steps: u32) {
        let rule = start.integration;
        let steps = steps.min(rule.steps - self.done);
        let Some(device) = self.device.as_ref().filter(|_| steps > 0) else {
            return;
        };
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
            padding: [0; 2],
        };
        gpu.write(&device.uniform, &[content]);
        let groups = [self.tally.particles.div_ceil(64), 1];
        kernel.dispatch(gpu, &pane.group, &device.advanced, groups);
        self.done += steps;
    }

    fn settled(&self) -> bool {
        self.device.is_none() || self.tally.steps[0] == self.tally.steps[1]
    }

    /// The latest counts that have been read back; asks for newer ones if there are any.
    fn count(&mut self, gpu: &Gpu) -> &Tally {
        let arrived = |(_, ready): &mut (u32, Arc<AtomicBool>)| ready.load(Ordering::Acquire);
        if let Some((at, _)) = self.pending.take_if(arrived) {
            if let Ok(bytes) = self.staging.get_mapped_range(..) {
                self.update(at, bytemuck::pod_read_unaligned(&bytes));
            }
            self.staging.unmap();
        }
        if self.pending.is_none() && self.done > self.tally.steps[0] {
            gpu.submit(|encoder| {
                let size = self.staging.size();
                encoder.copy_buffer_to_buffer(&self.counters, 0, &self.staging, 0, size);
            });
            let ready = Arc::new(AtomicBool::new(false));
            self.pending = Some((self.done, ready.clone()));
            self.staging
                .map_async(wgpu::MapMode::Read, .., move |result| {
                    // A failed mapping leaves the counts as they are.
                    ready.store(result.is_ok(), Ordering::Release);
                });
        }
        &self.tally
    }

    fn update(&mut self, at: u32, counters: gpu_data::Counters) {
        let [_, steps] = self.tally.steps;
        // Nothing moves any more once all have arrived.
        let over = counters.arrived == self.tally.particles;
        if over {
            self.done = steps;
        }
        self.tally = Tally {
            particles: self.tally.particles,
            steps: [if over { steps } else { at }, steps],
            arrived: counters.arrived,
            crossing: counters.crossing,
            traversals: counters.traversals,
            mean_clock: (counters.arrived > 0)
                .then(|| counters.clock as f32 / 256.0 / counters.arrived as f32),
            histogram: counters.histogram.to_vec(),
        };
    }
}
