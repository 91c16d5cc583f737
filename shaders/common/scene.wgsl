// The global uniform: camera, viewport and style, and functions shared by drawing shaders.

struct Scene {
    view_projection: mat4x4f,
    eye: vec3f,
    // 1 perspective, 0 orthographic.
    perspective: u32,
    right: vec3f,
    // Pixels per point of the screen.
    scale: f32,
    up: vec3f,
    // World units per pixel at the pivot.
    pixel_size: f32,
    // From the eye into the scene.
    forward: vec3f,
    // From the eye to the pivot.
    distance: f32,
    background: vec3f,
    // How strongly distant items fade into the background, 0..1.
    depth_cue: f32,
    ink: vec3f,
    padding: u32,
    // Width and height in pixels.
    viewport: vec2f,
    // The range of log10 |f| that the colour ramp spans.
    magnitude: vec2f,
    ramp: array<vec4f, 8>,
}

@group(0) @binding(0) var<uniform> scene: Scene;

// Outside the clip volume: a primitive with such a vertex is not drawn.
const CLIPPED: vec4f = vec4f(2.0, 2.0, 2.0, 1.0);

fn project(x: vec3f) -> vec4f {
    return scene.view_projection * vec4f(x, 1.0);
}

// The unit vector from x to the eye.
fn toward_eye(x: vec3f) -> vec3f {
    return normalize(select(-scene.forward, scene.eye - x, scene.perspective != 0u));
}

// World units per pixel at x.
fn pixel_size_at(x: vec3f) -> f32 {
    let depth = dot(x - scene.eye, scene.forward);
    return scene.pixel_size * select(1.0, depth / scene.distance, scene.perspective != 0u);
}

fn ramp_colour(share: f32) -> vec3f {
    let at = clamp(share, 0.0, 1.0) * 7.0;
    let low = min(u32(at), 6u);
    return mix(scene.ramp[low].rgb, scene.ramp[low + 1u].rgb, at - f32(low));
}

fn log10(value: f32) -> f32 {
    return log(value) / 2.302585;
}

// Position of log10 |f| on the ramp.
fn ramp_share(magnitude: f32) -> f32 {
    return (magnitude - scene.magnitude.x) / max(scene.magnitude.y - scene.magnitude.x, 1e-6);
}

// A colour at x, faded with its distance.
fn depth_cued(colour: vec3f, x: vec3f) -> vec3f {
    let depth = dot(x - scene.eye, scene.forward) - scene.distance;
    let far = clamp((depth + 0.6) / 2.4, 0.0, 1.0);
    return mix(colour, scene.background, far * scene.depth_cue);
}

// A colour at x on a surface with this unit normal, lit from above the eye.
fn lit(colour: vec3f, normal: vec3f, x: vec3f) -> vec3f {
    let eye = toward_eye(x);
    let light = normalize(eye + 0.7 * scene.up - 0.5 * scene.right);
    let diffuse = clamp(0.5 + 0.5 * dot(normal, light), 0.0, 1.0);
    let gloss = pow(max(dot(normal, normalize(light + eye)), 0.0), 40.0);
    return depth_cued(min(colour * (0.45 + 0.62 * diffuse) + 0.28 * gloss, vec3f(1.0)), x);
}

// A point at an offset from x in the plane of the screen.
fn billboard(x: vec3f, offset: vec2f) -> vec3f {
    return x + offset.x * scene.right + offset.y * scene.up;
}

// A corner of a quad of two triangles, in -1..1.
fn quad_corner(vertex: u32) -> vec2f {
    let right = vertex == 1u || vertex == 2u || vertex == 4u;
    let top = vertex == 2u || vertex == 4u || vertex == 5u;
    return vec2f(select(-1.0, 1.0, right), select(-1.0, 1.0, top));
}

// A corner of a triangle around the unit disc.
fn disc_corner(vertex: u32) -> vec2f {
    if vertex == 0u {
        return vec2f(0.0, 2.0);
    }
    return vec2f(select(-1.7320508, 1.7320508, vertex == 2u), -1.0);
}
