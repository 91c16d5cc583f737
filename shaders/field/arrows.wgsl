// Arrows of the field at given points. One thread per point evaluates the field; nine vertices per
// arrow draw a shaft and a head, facing the eye and shaded as if round.

struct Arrows {
    // Length and half width of the longest arrow.
    length: f32,
    half_width: f32,
}

struct Vector {
    vector: vec3f,
    phi: f32,
}

@group(1) @binding(0) var<storage, read> anchors: array<vec4f>;
// The same buffer, written by cs_main and read by vs_main.
@group(1) @binding(1) var<storage, read_write> evaluated: array<Vector>;
@group(1) @binding(1) var<storage, read> vectors: array<Vector>;
@group(1) @binding(2) var<uniform> arrows: Arrows;

@compute @workgroup_size(64)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&anchors) {
        return;
    }
    let x = anchors[id.x].xyz;
    let here = potential_at(x);
    evaluated[id.x] = Vector(field_at(x, here), here.phi);
}

struct VertexOutput {
    @builtin(position) position: vec4f,
    @location(0) world: vec3f,
    @location(1) across: f32,
    @location(2) @interpolate(flat) side: vec3f,
    @location(3) @interpolate(flat) colour: vec3f,
}

// For each vertex, the position along the arrow (0 tail, 1 tip) and across it (in half widths).
fn outline(vertex: u32) -> vec2f {
    if vertex < 6u {
        let corner = quad_corner(vertex);
        return vec2f(select(0.0, 0.62, corner.y > 0.0), corner.x);
    }
    if vertex == 8u {
        return vec2f(1.0, 0.0);
    }
    return vec2f(0.58, select(-2.6, 2.6, vertex == 7u));
}

@vertex
fn vs_main(@builtin(vertex_index) vertex_index: u32) -> VertexOutput {
    let index = vertex_index / 9u;
    let vertex = vertex_index % 9u;
    var out: VertexOutput;
    let vector = vectors[index].vector;
    let magnitude = length(vector);
    if !(magnitude > 1e-9) {
        out.position = CLIPPED;
        return out;
    }
    let centre = anchors[index].xyz;
    let share = clamp(ramp_share(log10(magnitude)), 0.0, 1.0);
    let along = vector / magnitude;
    let size = arrows.length * mix(0.35, 1.0, share);
    let half_width = max(arrows.half_width * mix(0.6, 1.0, share), 0.45 * pixel_size_at(centre));
    let cross_eye = cross(along, toward_eye(centre));
    var side = scene.right;
    if length(cross_eye) > 1e-4 {
        side = normalize(cross_eye);
    }
    let at = outline(vertex);
    out.world = centre + along * size * (at.x - 0.5) + side * half_width * at.y;
    out.position = project(out.world);
    out.across = clamp(at.y, -1.0, 1.0);
    out.side = side;
    out.colour = ramp_colour(share);
    return out;
}

@fragment
fn fs_main(in: VertexOutput) -> @location(0) vec4f {
    let q = clamp(in.across, -1.0, 1.0);
    let normal = in.side * q + toward_eye(in.world) * sqrt(1.0 - q * q);
    return vec4f(lit(in.colour, normal, in.world), 1.0);
}
