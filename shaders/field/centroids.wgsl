// Centroids as lit spheres: one quad each, in which the fragment shader ray-casts the sphere.

struct Spheres {
    radius: f32,
    // Factor by which the target and the highlighted class are larger.
    emphasis: f32,
    // The index of a class; none is highlighted if it does not exist.
    highlighted: u32,
}

@group(1) @binding(0) var<uniform> spheres: Spheres;

struct VertexOutput {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
    @location(1) @interpolate(flat) index: u32,
    @location(2) @interpolate(flat) radius: f32,
}

struct FragmentOutput {
    @builtin(frag_depth) depth: f32,
    @location(0) colour: vec4f,
}

@vertex
fn vs_main(@builtin(vertex_index) vertex_index: u32) -> VertexOutput {
    let index = vertex_index / 6u;
    let centre = centroids[index].high;
    var radius = spheres.radius;
    if index == field.target_class || index == spheres.highlighted {
        radius *= spheres.emphasis;
    }
    radius = max(radius, 2.5 * pixel_size_at(centre));
    var out: VertexOutput;
    // One pixel wider than the sphere, for its soft edge.
    out.at = quad_corner(vertex_index % 6u) * (1.0 + pixel_size_at(centre) / radius);
    out.position = project(billboard(centre, radius * out.at));
    out.index = index;
    out.radius = radius;
    return out;
}

@fragment
fn fs_main(in: VertexOutput) -> FragmentOutput {
    let distance = length(in.at);
    let edge = fwidth(distance);
    let coverage = clamp(0.5 + (1.0 - distance) / max(edge, 1e-6), 0.0, 1.0);
    if coverage <= 0.02 {
        discard;
    }
    let q = in.at / max(distance, 1.0);
    let z = sqrt(max(1.0 - dot(q, q), 0.0));
    let normal = q.x * scene.right + q.y * scene.up - z * scene.forward;
    let x = centroids[in.index].high + in.radius * normal;
    var colour = lit(unpack4x8unorm(centroids[in.index].colour).rgb, normal, x);
    // A faint rim, so that a black sphere is visible on black and a white one on white.
    colour = mix(colour, depth_cued(scene.ink, x), 0.45 * pow(1.0 - z, 3.0));
    // A ring around the target.
    if in.index == field.target_class && distance > 0.86 {
        colour = depth_cued(scene.ink, x);
    }
    let clip = project(x);
    return FragmentOutput(clamp(clip.z / clip.w, 0.0, 1.0), vec4f(colour, coverage));
}
