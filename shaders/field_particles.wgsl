// Particles that follow the field, dx/ds = f(x), by explicit Euler steps; one thread a particle.
// The same rule in double precision is src/gpu/field/integrate.rs.

struct Particle {
    position: vec3f,
    // The parameter s that the particle has reached.
    clock: f32,
    start: vec3f,
    // The centroid in whose neighbourhood it is, OUTSIDE or UNBORN.
    region: u32,
    traversals: u32,
    arrived: u32,
    nearest: u32,
    padding: u32,
}

struct Run {
    // Steps in this dispatch, and how many came before.
    steps: u32,
    first: u32,
    // The longest step, and the fraction of the distance to the nearest centroid it may cover.
    step: f32,
    reach: f32,
    // A particle this close to the target has arrived.
    arrival: f32,
    // The first particles leave a trail of `length` points: one a step for the first half of them,
    // when fields are fast, then one every `stride` steps.
    trails: u32,
    length: u32,
    stride: u32,
    calm: u32,
    alarm: u32,
    padding: vec2u,
}

struct Counters {
    arrived: atomic<u32>,
    crossing: atomic<u32>,
    traversals: atomic<u32>,
    // Sum of the clocks of those that arrived, in 1/256.
    clock: atomic<u32>,
    // Arrivals by clock, BINS a unit of s.
    histogram: array<atomic<u32>, 64>,
}

struct TrailPoint {
    position: vec3f,
    colour: u32,
}

@group(0) @binding(2) var<uniform> run: Run;
@group(0) @binding(3) var<storage, read_write> particles: array<Particle>;
@group(0) @binding(4) var<storage, read_write> trails: array<TrailPoint>;
@group(0) @binding(5) var<storage, read_write> counters: Counters;

const OUTSIDE: u32 = 0xffffffffu;
const UNBORN: u32 = 0xfffffffeu;
const BINS: f32 = 8.0;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&particles) {
        return;
    }
    var it = particles[id.x];
    if it.arrived != 0u {
        return;
    }
    for (var i = 0u; i < run.steps; i++) {
        let x = it.position;
        let here = potential_at(x);
        let distance = sqrt(here.distance);
        it.nearest = here.nearest;
        var region = OUTSIDE;
        if field.cells != 0u || distance < centroids[here.nearest].radius {
            region = here.nearest;
        }
        let foreign = region != OUTSIDE && region != field.goal;
        // A neighbourhood that the particle starts in is not entered.
        if foreign && region != it.region && it.region != UNBORN {
            it.traversals++;
            atomicAdd(&counters.traversals, 1u);
            if it.traversals == 1u {
                atomicAdd(&counters.crossing, 1u);
            }
        }
        it.region = region;
        let fast = run.length / 2u;
        let taken = run.first + i;
        let late = taken - min(taken, fast);
        if id.x < run.trails && (taken < fast || late % run.stride == 0u) {
            // The last point of a trail stays empty: it lifts the pen.
            let at = min(min(taken, fast) + late / run.stride, run.length - 2u);
            let colour = select(run.calm, run.alarm, foreign);
            trails[id.x * run.length + at] = TrailPoint(x, colour);
        }
        if here.nearest == field.goal && distance <= run.arrival {
            it.arrived = 1u;
            atomicAdd(&counters.arrived, 1u);
            atomicAdd(&counters.clock, u32(it.clock * 256.0 + 0.5));
            atomicAdd(&counters.histogram[min(u32(it.clock * BINS), 63u)], 1u);
            break;
        }
        let velocity = field_at(x, here);
        // Never across more than a share of the way to the nearest centroid: an explicit step
        // there would overshoot, for the field changes on that scale.
        let h = min(run.step, run.reach * max(distance, run.arrival) / max(length(velocity), 1e-12));
        it.position = x + h * velocity;
        it.clock += h;
    }
    particles[id.x] = it;
}
