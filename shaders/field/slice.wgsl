// The slice: heat map, iso-lines, cell boundaries and the target's neighbourhood. cs_main computes
// the heat map once for all frames, one thread per texel; fs_main draws it.

struct Slice {
    // Centre of the rectangle that the textures cover, and its half edges.
    origin: vec3f,
    // POTENTIAL, PROBABILITY, CELLS or MAGNITUDE.
    quantity: u32,
    u: vec3f,
    // BOUNDARIES, ISO_LINES and NEIGHBOURHOOD.
    marks: u32,
    v: vec3f,
    iso_spacing: f32,
    opacity: f32,
    // The value at the end of the colour ramp, except for MAGNITUDE.
    ramp_end: f32,
    padding: vec2u,
}

const POTENTIAL: u32 = 0u;
const PROBABILITY: u32 = 1u;
const CELLS: u32 = 2u;
const MAGNITUDE: u32 = 3u;

const BOUNDARIES: u32 = 1u;
const ISO_LINES: u32 = 2u;
const NEIGHBOURHOOD: u32 = 4u;

@group(1) @binding(0) var<uniform> slice: Slice;
// Phi, distance to the nearest cell boundary, signed distance to the target's cell boundary
// (positive inside), |f|. Written by cs_main, read by fs_main, like the cells' colours.
@group(1) @binding(1) var map_out: texture_storage_2d<rgba16float, write>;
@group(1) @binding(2) var cells_out: texture_storage_2d<rgba8unorm, write>;
@group(1) @binding(1) var map: texture_2d<f32>;
@group(1) @binding(2) var cells: texture_2d<f32>;
@group(1) @binding(3) var<storage, read> outline: array<vec4f>;

@compute @workgroup_size(8, 8)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(map_out);
    if any(id.xy >= size) {
        return;
    }
    let at = (vec2f(id.xy) + 0.5) / vec2f(size) * 2.0 - 1.0;
    let x = slice.origin + at.x * slice.u + at.y * slice.v;
    let here = potential_at(x);
    let to_target = offset_from(x, field.target_class);
    let own = dot(to_target, to_target);
    // The distance to the plane halfway between two centroids is (d_k - d_j) / (2 |mu_k - mu_j|).
    var cell = 1e4;
    var inside = 1e4;
    for (var k = 0u; k < arrayLength(&centroids); k++) {
        let o = offset_from(x, k);
        let d = dot(o, o);
        if k != here.nearest {
            let between = centroids[k].high - centroids[here.nearest].high;
            cell = min(cell, (d - here.distance) / (2.0 * max(length(between), 1e-6)));
        }
        if k != field.target_class {
            let between = centroids[k].high - centroids[field.target_class].high;
            inside = min(inside, (d - own) / (2.0 * max(length(between), 1e-6)));
        }
    }
    textureStore(map_out, id.xy, vec4f(here.phi, cell, inside, length(field_at(x, here))));
    textureStore(cells_out, id.xy, unpack4x8unorm(centroids[here.nearest].colour));
}

struct VertexOutput {
    @builtin(position) position: vec4f,
    @location(0) world: vec3f,
    // Centre and radius of the target's ball. The fragment shader differentiates the distance to
    // it, so it must not read it from a buffer: some drivers return 0 in helper invocations.
    @location(1) @interpolate(flat) ball: vec4f,
    // The slice's quantity and marks, and whether neighbourhoods are cells: what decides branches.
    @location(2) @interpolate(flat) shown: vec3u,
}

@vertex
fn vs_main(@builtin(vertex_index) vertex_index: u32) -> VertexOutput {
    // A fan of triangles around the outline's first point.
    let triangle = vertex_index / 3u;
    let spoke = vertex_index % 3u;
    let index = select(triangle + spoke, 0u, spoke == 0u);
    let world = outline[index].xyz;
    let nearby = centroids[field.target_class];
    let shown = vec3u(slice.quantity, slice.marks, field.cells);
    return VertexOutput(project(world), world, vec4f(nearby.high, nearby.radius), shown);
}

// Coverage of the pixel by a line, `width` points wide, along which `value` is 0.
fn stroke(value: f32, slope: f32, width: f32) -> f32 {
    let pixels = abs(value) / max(slope, 1e-9);
    return clamp(0.5 * width * scene.scale + 0.5 - pixels, 0.0, 1.0);
}

fn cell_at(at: vec2f) -> vec3f {
    let last = textureDimensions(cells) - 1u;
    let place = clamp(at * vec2f(last + 1u), vec2f(0.0), vec2f(last));
    return textureLoad(cells, vec2u(place), 0).rgb;
}

@fragment
fn fs_main(in: VertexOutput) -> @location(0) vec4f {
    let from_centre = in.world - slice.origin;
    let at = vec2f(
        dot(from_centre, slice.u) / dot(slice.u, slice.u),
        dot(from_centre, slice.v) / dot(slice.v, slice.v),
    ) * 0.5 + 0.5;
    let here = bilinear(map, at);
    let quantity = in.shown.x;
    let marks = in.shown.y;
    let neighbourhood_is_cell = in.shown.z != 0u;
    var value = here.x;
    if quantity == PROBABILITY {
        value = exp(-here.x);
    } else if quantity == MAGNITUDE {
        value = log10(max(here.w, 1e-6));
    }
    var share = value / max(slice.ramp_end, 1e-6);
    if quantity == MAGNITUDE {
        share = ramp_share(value);
    }
    var colour = ramp_colour(share);
    if quantity == CELLS {
        colour = mix(cell_at(at), scene.background, 0.25);
    }
    let level = value / slice.iso_spacing;
    let level_slope = fwidth(level);
    let cell_slope = fwidth(here.y);
    let target_slope = fwidth(here.z);
    let from_ball = length(in.world - in.ball.xyz) - in.ball.w;
    let from_ball_slope = fwidth(from_ball);
    if (marks & NEIGHBOURHOOD) != 0u {
        let inside = select(-from_ball, here.z, neighbourhood_is_cell);
        let slope = select(from_ball_slope, target_slope, neighbourhood_is_cell);
        let covered = clamp(0.5 + inside / max(slope, 1e-9), 0.0, 1.0);
        colour = mix(colour, scene.ink, 0.16 * covered);
        colour = mix(colour, scene.ink, 0.8 * stroke(inside, slope, 1.2));
    }
    if (marks & ISO_LINES) != 0u && quantity != CELLS {
        let nearest = abs(fract(level - 0.5) - 0.5);
        // Lines that are only a few pixels apart would look like noise.
        let fade = clamp(1.6 - 5.0 * level_slope, 0.0, 1.0);
        colour = mix(colour, scene.ink, 0.34 * fade * stroke(nearest, level_slope, 0.8));
    }
    if (marks & BOUNDARIES) != 0u {
        colour = mix(colour, scene.ink, 0.45 * stroke(here.y, cell_slope, 0.9));
        let dash = step(0.4, fract((at.x + at.y) * 28.0));
        colour = mix(colour, scene.ink, 0.9 * dash * stroke(here.z, target_slope, 2.0));
    }
    return vec4f(depth_cued(colour, in.world) * slice.opacity, slice.opacity);
}
