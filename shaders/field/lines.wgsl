// Polylines as ribbons of constant width on the screen, with soft edges: six vertices per segment.

struct Ribbon {
    // In points of the screen.
    width: f32,
    // World units by which the line is moved towards the eye.
    lift: f32,
    // How much of the depth cue applies, 0..1.
    depth_cue: f32,
}

@group(1) @binding(0) var<storage, read> points: array<LinePoint>;
@group(1) @binding(1) var<uniform> ribbon: Ribbon;

struct VertexOutput {
    @builtin(position) position: vec4f,
    @location(0) world: vec3f,
    @location(1) across: f32,
    @location(2) colour: vec4f,
    @location(3) @interpolate(flat) half_width: f32,
}

@vertex
fn vs_main(@builtin(vertex_index) vertex_index: u32) -> VertexOutput {
    // Two triangles per segment: left and right of the start, then of the end.
    let index = vertex_index / 6u;
    let vertex = vertex_index % 6u;
    var out: VertexOutput;
    let start = points[index];
    let end = points[index + 1u];
    let start_colour = unpack4x8unorm(start.colour);
    let end_colour = unpack4x8unorm(end.colour);
    let a = project(start.position + ribbon.lift * toward_eye(start.position));
    let b = project(end.position + ribbon.lift * toward_eye(end.position));
    if start_colour.a == 0.0 || end_colour.a == 0.0 || a.w <= 1e-4 || b.w <= 1e-4 {
        out.position = CLIPPED;
        return out;
    }
    let half_size = 0.5 * scene.viewport;
    let delta = (b.xy / b.w - a.xy / a.w) * half_size;
    let along = delta / max(length(delta), 1e-6);
    let side = vec2f(-along.y, along.x);
    let half_width = 0.5 * ribbon.width * scene.scale;
    // One pixel wider than the ribbon, for its soft edge.
    let across = select(-1.0, 1.0, vertex == 1u || vertex >= 4u) * (half_width + 1.0);
    var clip = a;
    out.world = start.position;
    out.colour = start_colour;
    if vertex == 2u || vertex == 3u || vertex == 5u {
        clip = b;
        out.world = end.position;
        out.colour = end_colour;
    }
    let shift = side * across / half_size;
    out.position = vec4f(clip.xy + shift * clip.w, clip.z, clip.w);
    out.across = across;
    out.half_width = half_width;
    return out;
}

@fragment
fn fs_main(in: VertexOutput) -> @location(0) vec4f {
    let coverage = clamp(in.half_width + 0.5 - abs(in.across), 0.0, 1.0);
    let faded = depth_cued(in.colour.rgb, in.world);
    let colour = mix(in.colour.rgb, faded, ribbon.depth_cue);
    let alpha = in.colour.a * coverage;
    return vec4f(colour * alpha, alpha);
}
