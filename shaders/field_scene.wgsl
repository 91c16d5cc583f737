// What all drawing shaders share: the camera, the look, the colour ramp, the depth cue.

struct Scene {
    view_projection: mat4x4f,
    // xyz; w: 1 perspective, 0 orthographic.
    eye: vec4f,
    right: vec4f,
    up: vec4f,
    // From the eye into the scene; w: distance from the eye to the pivot.
    forward: vec4f,
    // Width and height in pixels, pixels a point, world units a pixel at the pivot.
    viewport: vec4f,
    // rgb; w: strength of the depth cue, 0..1.
    background: vec4f,
    ink: vec4f,
    // Longest arrow, its half width, and the range of log10 |f| that the ramp spans.
    arrow: vec4f,
    // Quantity (0 Phi, 1 p, 2 cells, 3 |f|), spacing of iso-lines, opacity, end of the ramp.
    slice: vec4f,
    // Boundaries, iso-lines, neighbourhood on (1) or off (0); radius of the target's neighbourhood.
    marks: vec4f,
    // Centre of the target; w: 1 where neighbourhoods are cells.
    goal: vec4f,
    // Radius of a centroid, its target's factor, radius of a particle, particle colours
    // (0 class, 1 traversals; + 2: drawn where it started).
    points: vec4f,
    // Index of the target, index of the highlighted class or -1.
    picks: vec4i,
    ramp: array<vec4f, 8>,
}

@group(0) @binding(0) var<uniform> scene: Scene;

fn project(x: vec3f) -> vec4f {
    return scene.view_projection * vec4f(x, 1.0);
}

// Towards the eye from x.
fn toward_eye(x: vec3f) -> vec3f {
    return normalize(mix(-scene.forward.xyz, scene.eye.xyz - x, scene.eye.w));
}

// World units a pixel at x.
fn pixel_at(x: vec3f) -> f32 {
    let depth = dot(x - scene.eye.xyz, scene.forward.xyz);
    return scene.viewport.w * mix(1.0, depth / scene.forward.w, scene.eye.w);
}

fn ramp(share: f32) -> vec3f {
    let at = clamp(share, 0.0, 1.0) * 7.0;
    let low = min(u32(at), 6u);
    return mix(scene.ramp[low].rgb, scene.ramp[low + 1u].rgb, at - f32(low));
}

fn cue(colour: vec3f, x: vec3f) -> vec3f {
    let depth = dot(x - scene.eye.xyz, scene.forward.xyz) - scene.forward.w;
    let far = clamp((depth + 0.6) / 2.4, 0.0, 1.0);
    return mix(colour, scene.background.rgb, far * scene.background.w);
}

fn lit(colour: vec3f, normal: vec3f, x: vec3f) -> vec3f {
    let eye = toward_eye(x);
    let light = normalize(eye + 0.7 * scene.up.xyz - 0.5 * scene.right.xyz);
    let diffuse = clamp(0.5 + 0.5 * dot(normal, light), 0.0, 1.0);
    let gloss = pow(max(dot(normal, normalize(light + eye)), 0.0), 40.0);
    return cue(min(colour * (0.45 + 0.62 * diffuse) + 0.28 * gloss, vec3f(1.0)), x);
}

// A corner of a quad from two triangles, in -1..1.
fn corner(vertex: u32) -> vec2f {
    let right = vertex == 1u || vertex == 2u || vertex == 4u;
    let top = vertex == 2u || vertex == 4u || vertex == 5u;
    return vec2f(select(-1.0, 1.0, right), select(-1.0, 1.0, top));
}

const NOWHERE: vec4f = vec4f(2.0, 2.0, 2.0, 1.0);
