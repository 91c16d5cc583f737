// Polylines as ribbons of constant width on the screen, with soft edges. A point whose colour has
// no alpha lifts the pen: it belongs to no segment.

struct LinePoint {
    position: vec3f,
    colour: u32,
}

struct Style {
    // Width in points; world units by which it is pulled towards the eye; 0..1 of the depth cue.
    width: f32,
    lift: f32,
    cue: f32,
    padding: f32,
}

@group(0) @binding(1) var<storage, read> points: array<LinePoint>;
@group(0) @binding(2) var<uniform> style: Style;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) world: vec3f,
    @location(1) across: f32,
    @location(2) colour: vec4f,
    @location(3) @interpolate(flat) half_width: f32,
}

@vertex
fn vertex(@builtin(vertex_index) number: u32) -> Vertex {
    // Two triangles a segment: left and right of the start, then of the end.
    let index = number / 6u;
    let vertex = number % 6u;
    var out: Vertex;
    let from_point = points[index];
    let to_point = points[index + 1u];
    let from_colour = unpack4x8unorm(from_point.colour);
    let to_colour = unpack4x8unorm(to_point.colour);
    let a = project(from_point.position + style.lift * toward_eye(from_point.position));
    let b = project(to_point.position + style.lift * toward_eye(to_point.position));
    if from_colour.a == 0.0 || to_colour.a == 0.0 || a.w <= 1e-4 || b.w <= 1e-4 {
        out.position = NOWHERE;
        return out;
    }
    let across = select(-1.0, 1.0, vertex == 1u || vertex >= 4u);
    let end = vertex == 2u || vertex == 3u || vertex == 5u;
    let half_size = 0.5 * scene.viewport.xy;
    let delta = (b.xy / b.w - a.xy / a.w) * half_size;
    let along = delta / max(length(delta), 1e-6);
    let side = vec2f(-along.y, along.x);
    let half_width = 0.5 * style.width * scene.viewport.z;
    let reach = half_width + 1.0;
    var clip = a;
    out.world = from_point.position;
    out.colour = from_colour;
    if end {
        clip = b;
        out.world = to_point.position;
        out.colour = to_colour;
    }
    let shift = side * across * reach / half_size;
    out.position = vec4f(clip.xy + shift * clip.w, clip.z, clip.w);
    out.across = across * reach;
    out.half_width = half_width;
    return out;
}

@fragment
fn fragment(in: Vertex) -> @location(0) vec4f {
    let coverage = clamp(in.half_width + 0.5 - abs(in.across), 0.0, 1.0);
    let colour = mix(in.colour.rgb, cue(in.colour.rgb, in.world), style.cue);
    let alpha = in.colour.a * coverage;
    return vec4f(colour * alpha, alpha);
}
