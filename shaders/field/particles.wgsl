// Particles that follow the field, dx/ds = f(x). One thread per particle takes explicit Euler steps
// by the same rule as src/vector_field/integrate.rs in double precision. Each particle is drawn as
// a small disc in one triangle: tens of thousands of discs are only a few pixels wide, so darkening
// towards the rim replaces lighting.

struct Particle {
    position: vec3f,
    // The parameter s that the particle has reached.
    clock: f32,
    start: vec3f,
    // The centroid whose neighbourhood the particle is in, OUTSIDE, or UNBORN before the first step.
    region: u32,
    traversals: u32,
    arrived: u32,
    nearest: u32,
    padding: u32,
}

struct Run {
    // Steps in this dispatch, and steps before it.
    steps: u32,
    first: u32,
    // The longest step, and the largest fraction of the distance to the nearest centroid that it
    // may cover.
    step: f32,
    reach: f32,
    // Distance to the target at which a particle has arrived.
    arrival: f32,
    // The first `trails` particles leave a trail of `length` points: for the first half of the
    // points one per step, while particles are fast, then one every `stride` steps.
    trails: u32,
    length: u32,
    stride: u32,
    // Colours of a trail outside and inside a foreign neighbourhood; the one in which a particle
    // starts is none until it comes back.
    calm: u32,
    alarm: u32,
}

struct Counters {
    arrived: atomic<u32>,
    crossing: atomic<u32>,
    traversals: atomic<u32>,
    // Sum of the clocks of the arrived particles, in 1/256.
    clock: atomic<u32>,
    // Arrivals by clock, BINS_PER_UNIT bins per unit of s.
    histogram: array<atomic<u32>, 64>,
}

struct Discs {
    radius: f32,
    // BY_TRAVERSAL and AT_START.
    flags: u32,
}

const OUTSIDE: u32 = 0xffffffffu;
const UNBORN: u32 = 0xfffffffeu;
const BINS_PER_UNIT: f32 = 8.0;

// Colours show traversals instead of the nearest centroid's class.
const BY_TRAVERSAL: u32 = 1u;
// Particles are drawn at their starting points.
const AT_START: u32 = 2u;

// The same buffer, written by cs_main and read by vs_main.
@group(1) @binding(0) var<storage, read_write> moving: array<Particle>;
@group(1) @binding(0) var<storage, read> particles: array<Particle>;
@group(1) @binding(1) var<storage, read> run: Run;
@group(1) @binding(1) var<uniform> discs: Discs;
@group(1) @binding(2) var<storage, read_write> trails: array<LinePoint>;
@group(1) @binding(3) var<storage, read_write> counters: Counters;

@compute @workgroup_size(64)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&moving) {
        return;
    }
    var it = moving[id.x];
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
        let foreign = region != OUTSIDE && region != field.target_class;
        // The neighbourhood in which the particle starts does not count.
        if foreign && region != it.region && it.region != UNBORN {
            it.traversals++;
            atomicAdd(&counters.traversals, 1u);
            if it.traversals == 1u {
                atomicAdd(&counters.crossing, 1u);
            }
        }
        it.region = region;
        let fast = run.length / 2u;
        let done = run.first + i;
        let late = done - min(done, fast);
        if id.x < run.trails && (done < fast || late % run.stride == 0u) {
            // The last point of a trail stays empty: it ends the polyline.
            let at = min(min(done, fast) + late / run.stride, run.length - 2u);
            // As counted: without a traversal, this is the neighbourhood in which it started.
            let crossing = foreign && it.traversals > 0u;
            let colour = select(run.calm, run.alarm, crossing);
            trails[id.x * run.length + at] = LinePoint(x, colour);
        }
        if here.nearest == field.target_class && distance <= run.arrival {
            it.arrived = 1u;
            atomicAdd(&counters.arrived, 1u);
            atomicAdd(&counters.clock, u32(it.clock * 256.0 + 0.5));
            atomicAdd(&counters.histogram[min(u32(it.clock * BINS_PER_UNIT), 63u)], 1u);
            break;
        }
        let velocity = field_at(x, here);
        // Limited to a fraction of the distance to the nearest centroid: the field varies on that
        // scale, and a longer explicit step would overshoot.
        let h = min(run.step, run.reach * max(distance, run.arrival) / max(length(velocity), 1e-12));
        it.position = x + h * velocity;
        it.clock += h;
    }
    moving[id.x] = it;
}

struct VertexOutput {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
    @location(1) @interpolate(flat) colour: vec3f,
}

@vertex
fn vs_main(@builtin(vertex_index) vertex_index: u32) -> VertexOutput {
    let it = particles[vertex_index / 3u];
    let centre = select(it.position, it.start, (discs.flags & AT_START) != 0u);
    let radius = max(discs.radius, 0.9 * pixel_size_at(centre));
    let by_class = unpack4x8unorm(centroids[it.nearest].colour).rgb;
    // Particles without a traversal are inconspicuous; the others are orange.
    let calm = mix(scene.background, scene.ink, 0.3);
    let by_traversal = select(calm, vec3f(0.98, 0.44, 0.16), it.traversals > 0u);
    let colour = select(by_class, by_traversal, (discs.flags & BY_TRAVERSAL) != 0u);
    var out: VertexOutput;
    out.at = disc_corner(vertex_index % 3u);
    out.position = project(billboard(centre, radius * out.at));
    out.colour = depth_cued(colour, centre);
    return out;
}

@fragment
fn fs_main(in: VertexOutput) -> @location(0) vec4f {
    let square = dot(in.at, in.at);
    if square > 1.0 {
        discard;
    }
    return vec4f(in.colour * (1.05 - 0.35 * square), 1.0);
}
