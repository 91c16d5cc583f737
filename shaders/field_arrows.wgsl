// Arrows: nine vertices each, turned to the eye and shaded as if round.

struct Vector {
    vector: vec3f,
    phi: f32,
}

@group(0) @binding(1) var<storage, read> points: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<Vector>;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) world: vec3f,
    @location(1) across: f32,
    @location(2) @interpolate(flat) side: vec3f,
    @location(3) @interpolate(flat) colour: vec3f,
}

// Along the arrow (0 tail, 1 tip) and across it (in half widths) for each vertex.
fn outline(vertex: u32) -> vec2f {
    if vertex < 6u {
        let c = corner(vertex);
        return vec2f(select(0.0, 0.62, c.y > 0.0), c.x);
    }
    if vertex == 8u {
        return vec2f(1.0, 0.0);
    }
    return vec2f(0.58, select(-2.6, 2.6, vertex == 7u));
}

@vertex
fn vertex(@builtin(vertex_index) number: u32) -> Vertex {
    let index = number / 9u;
    let vertex = number % 9u;
    var out: Vertex;
    let vector = vectors[index].vector;
    let magnitude = length(vector);
    if !(magnitude > 1e-9) {
        out.position = NOWHERE;
        return out;
    }
    let centre = points[index].xyz;
    let span = max(scene.arrow.w - scene.arrow.z, 1e-6);
    let share = clamp((log(magnitude) / 2.302585 - scene.arrow.z) / span, 0.0, 1.0);
    let along = vector / magnitude;
    let size = scene.arrow.x * mix(0.35, 1.0, share);
    let half_width = max(scene.arrow.y * mix(0.6, 1.0, share), 0.45 * pixel_at(centre));
    let eye = toward_eye(centre);
    let cross_eye = cross(along, eye);
    var side = scene.right.xyz;
    if length(cross_eye) > 1e-4 {
        side = normalize(cross_eye);
    }
    let at = outline(vertex);
    out.world = centre + along * size * (at.x - 0.5) + side * half_width * at.y;
    out.position = project(out.world);
    out.across = clamp(at.y, -1.0, 1.0);
    out.side = side;
    out.colour = ramp(share);
    return out;
}

@fragment
fn fragment(in: Vertex) -> @location(0) vec4f {
    let q = clamp(in.across, -1.0, 1.0);
    let normal = in.side * q + toward_eye(in.world) * sqrt(1.0 - q * q);
    return vec4f(lit(in.colour, normal, in.world), 1.0);
}
