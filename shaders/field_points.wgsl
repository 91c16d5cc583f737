// Particles as small lit discs: one triangle each, around the disc.

struct Centroid {
    high: vec3f,
    radius: f32,
    low: vec3f,
    colour: u32,
}

struct Particle {
    position: vec3f,
    clock: f32,
    start: vec3f,
    region: u32,
    traversals: u32,
    arrived: u32,
    nearest: u32,
    padding: u32,
}

@group(0) @binding(1) var<storage, read> centroids: array<Centroid>;
@group(0) @binding(2) var<storage, read> particles: array<Particle>;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) world: vec3f,
    @location(1) at: vec2f,
    @location(2) @interpolate(flat) colour: vec3f,
}

@vertex
fn vertex(@builtin(vertex_index) vertex: u32, @builtin(instance_index) index: u32) -> Vertex {
    let it = particles[index];
    let mode = i32(scene.points.w);
    let centre = select(it.position, it.start, mode >= 2);
    let radius = max(scene.points.z, 0.9 * pixel_at(centre));
    var out: Vertex;
    out.at = vec2f(0.0, 2.0);
    if vertex > 0u {
        out.at = vec2f(select(-1.7320508, 1.7320508, vertex == 2u), -1.0);
    }
    out.world = centre + radius * (out.at.x * scene.right.xyz + out.at.y * scene.up.xyz);
    out.position = project(out.world);
    // Those that have kept clear stay in the background; a traversal is orange.
    let calm = mix(scene.background.rgb, scene.ink.rgb, 0.42);
    out.colour = select(calm, vec3f(0.98, 0.44, 0.16), it.traversals > 0u);
    if mode % 2 == 0 {
        out.colour = unpack4x8unorm(centroids[it.nearest].colour).rgb;
    }
    return out;
}

@fragment
fn fragment(in: Vertex) -> @location(0) vec4f {
    let square = dot(in.at, in.at);
    if square > 1.0 {
        discard;
    }
    let normal = in.at.x * scene.right.xyz + in.at.y * scene.up.xyz
        - sqrt(1.0 - square) * scene.forward.xyz;
    return vec4f(lit(in.colour, normal, in.world), 1.0);
}
