// The slice: heat map, iso-lines, cell boundaries and the target's neighbourhood.

struct Slice {
    origin: vec4f,
    u: vec4f,
    v: vec4f,
}

@group(0) @binding(1) var<storage, read> outline: array<vec4f>;
@group(0) @binding(2) var<uniform> slice: Slice;
@group(0) @binding(3) var map: texture_2d<f32>;
@group(0) @binding(4) var cells: texture_2d<f32>;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) world: vec3f,
}

@vertex
fn vertex(@builtin(vertex_index) vertex: u32) -> Vertex {
    // A fan of triangles around the outline's first point.
    let triangle = vertex / 3u;
    let spoke = vertex % 3u;
    let index = select(triangle + spoke, 0u, spoke == 0u);
    var out: Vertex;
    out.world = outline[index].xyz;
    out.position = project(out.world);
    return out;
}

// How much of the pixel a line of `width` points around `value` = 0 covers.
fn stroke(value: f32, slope: f32, width: f32) -> f32 {
    let pixels = abs(value) / max(slope, 1e-9);
    return clamp(0.5 * width * scene.viewport.z + 0.5 - pixels, 0.0, 1.0);
}

// The map between its texels. Four loads cost a software adapter less than what it makes of a
// sampler.
fn map_at(at: vec2f) -> vec4f {
    let last = textureDimensions(map) - 1u;
    let place = clamp(at * vec2f(last + 1u) - 0.5, vec2f(0.0), vec2f(last));
    let low = vec2u(place);
    let high = min(low + 1u, last);
    let share = place - vec2f(low);
    let a = textureLoad(map, low, 0);
    let b = textureLoad(map, vec2u(high.x, low.y), 0);
    let c = textureLoad(map, vec2u(low.x, high.y), 0);
    let d = textureLoad(map, high, 0);
    return mix(mix(a, b, share.x), mix(c, d, share.x), share.y);
}

fn cell_at(at: vec2f) -> vec3f {
    let last = textureDimensions(cells) - 1u;
    let place = clamp(at * vec2f(last + 1u), vec2f(0.0), vec2f(last));
    return textureLoad(cells, vec2u(place), 0).rgb;
}

@fragment
fn fragment(in: Vertex) -> @location(0) vec4f {
    let from_centre = in.world - slice.origin.xyz;
    let at = vec2f(
        dot(from_centre, slice.u.xyz) / dot(slice.u.xyz, slice.u.xyz),
        dot(from_centre, slice.v.xyz) / dot(slice.v.xyz, slice.v.xyz),
    ) * 0.5 + 0.5;
    let here = map_at(at);
    let quantity = i32(scene.slice.x);
    var value = here.x;
    if quantity == 1 {
        value = exp(-here.x);
    } else if quantity == 3 {
        value = log(max(here.w, 1e-6)) / 2.302585;
    }
    var share = value / max(scene.slice.w, 1e-6);
    if quantity == 3 {
        share = (value - scene.arrow.z) / max(scene.arrow.w - scene.arrow.z, 1e-6);
    }
    var colour = ramp(share);
    if quantity == 2 {
        colour = mix(cell_at(at), scene.background.rgb, 0.25);
    }
    let level = value / scene.slice.y;
    let level_slope = fwidth(level);
    let cell_slope = fwidth(here.y);
    let goal_slope = fwidth(here.z);
    let from_goal = length(in.world - scene.goal.xyz) - scene.marks.w;
    let from_goal_slope = fwidth(from_goal);
    if scene.marks.z > 0.5 {
        let inside = select(-from_goal, here.z, scene.goal.w > 0.5);
        let slope = select(from_goal_slope, goal_slope, scene.goal.w > 0.5);
        let covered = clamp(0.5 + inside / max(slope, 1e-9), 0.0, 1.0);
        colour = mix(colour, scene.ink.rgb, 0.16 * covered);
        colour = mix(colour, scene.ink.rgb, 0.8 * stroke(inside, slope, 1.2));
    }
    if scene.marks.y > 0.5 && quantity != 2 {
        let nearest = abs(fract(level - 0.5) - 0.5);
        // Lines closer together than a few pixels would be noise.
        let fade = clamp(1.6 - 5.0 * level_slope, 0.0, 1.0);
        colour = mix(colour, scene.ink.rgb, 0.34 * fade * stroke(nearest, level_slope, 0.8));
    }
    if scene.marks.x > 0.5 {
        colour = mix(colour, scene.ink.rgb, 0.45 * stroke(here.y, cell_slope, 0.9));
        let dash = step(0.4, fract((at.x + at.y) * 28.0));
        colour = mix(colour, scene.ink.rgb, 0.9 * dash * stroke(here.z, goal_slope, 2.0));
    }
    let alpha = scene.slice.z;
    return vec4f(cue(colour, in.world) * alpha, alpha);
}
