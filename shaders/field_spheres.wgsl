// Centroids as lit spheres: a quad each, on which the fragment finds the sphere.

struct Centroid {
    high: vec3f,
    radius: f32,
    low: vec3f,
    colour: u32,
}

@group(0) @binding(1) var<storage, read> centroids: array<Centroid>;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
    @location(1) @interpolate(flat) index: u32,
    @location(2) @interpolate(flat) radius: f32,
}

struct Fragment {
    @builtin(frag_depth) depth: f32,
    @location(0) colour: vec4f,
}

@vertex
fn vertex(@builtin(vertex_index) number: u32) -> Vertex {
    let index = number / 6u;
    let vertex = number % 6u;
    var out: Vertex;
    let centre = centroids[index].high;
    var radius = scene.points.x;
    if i32(index) == scene.picks.x || i32(index) == scene.picks.y {
        radius *= scene.points.y;
    }
    radius = max(radius, 2.5 * pixel_at(centre));
    // A pixel wider than the sphere, for its soft edge.
    let reach = 1.0 + pixel_at(centre) / radius;
    out.at = corner(vertex) * reach;
    let x = centre + radius * (out.at.x * scene.right.xyz + out.at.y * scene.up.xyz);
    out.position = project(x);
    out.index = index;
    out.radius = radius;
    return out;
}

@fragment
fn fragment(in: Vertex) -> Fragment {
    let distance = length(in.at);
    let edge = fwidth(distance);
    let coverage = clamp(0.5 + (1.0 - distance) / max(edge, 1e-6), 0.0, 1.0);
    if coverage <= 0.02 {
        discard;
    }
    let q = in.at / max(distance, 1.0);
    let z = sqrt(max(1.0 - dot(q, q), 0.0));
    let normal = q.x * scene.right.xyz + q.y * scene.up.xyz - z * scene.forward.xyz;
    let x = centroids[in.index].high + in.radius * normal;
    var colour = unpack4x8unorm(centroids[in.index].colour).rgb;
    var out: Fragment;
    var shown = lit(colour, normal, x);
    // A faint rim, so that a black sphere shows on black and a white one on white.
    shown = mix(shown, cue(scene.ink.rgb, x), 0.45 * pow(1.0 - z, 3.0));
    // The target wears a ring.
    if i32(in.index) == scene.picks.x && distance > 0.86 {
        shown = cue(scene.ink.rgb, x);
    }
    out.colour = vec4f(shown, coverage);
    let clip = project(x);
    out.depth = clamp(clip.z / clip.w, 0.0, 1.0);
    return out;
}
