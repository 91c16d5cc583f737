// Particles as small discs: one triangle each, around the disc. Tens of thousands of them are a
// few pixels wide: a shade towards the rim has to do for light.

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
    @location(0) at: vec2f,
    @location(1) @interpolate(flat) colour: vec3f,
}

@vertex
fn vertex(@builtin(vertex_index) number: u32) -> Vertex {
    let index = number / 3u;
    let vertex = number % 3u;
    let it = particles[index];
    let mode = i32(scene.points.w);
    let centre = select(it.position, it.start, mode >= 2);
    let radius = max(scene.points.z, 0.9 * pixel_at(centre));
    var out: Vertex;
    out.at = vec2f(0.0, 2.0);
    if vertex > 0u {
        out.at = vec2f(select(-1.7320508, 1.7320508, vertex == 2u), -1.0);
    }
    out.position = project(centre + radius * (out.at.x * scene.right.xyz + out.at.y * scene.up.xyz));
    // Those that have kept clear stay in the background; a traversal is orange.
    let calm = mix(scene.background.rgb, scene.ink.rgb, 0.3);
    out.colour = select(calm, vec3f(0.98, 0.44, 0.16), it.traversals > 0u);
    if mode % 2 == 0 {
        out.colour = unpack4x8unorm(centroids[it.nearest].colour).rgb;
    }
    out.colour = cue(out.colour, centre);
    return out;
}

@fragment
fn fragment(in: Vertex) -> @location(0) vec4f {
    let square = dot(in.at, in.at);
    if square > 1.0 {
        discard;
    }
    return vec4f(in.colour * (1.05 - 0.35 * square), 1.0);
}
