// Copies the off-screen picture into the window: one triangle that covers the viewport.

@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var smooth_sampler: sampler;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
}

@vertex
fn vertex(@builtin(vertex_index) vertex: u32) -> Vertex {
    let corner = vec2f(f32(vertex & 1u) * 2.0, f32(vertex >> 1u) * 2.0);
    return Vertex(vec4f(corner * 2.0 - 1.0, 0.0, 1.0), vec2f(corner.x, 1.0 - corner.y));
}

// For a window whose format takes gamma-encoded colours as they are.
@fragment
fn encoded(in: Vertex) -> @location(0) vec4f {
    return vec4f(textureSampleLevel(picture, smooth_sampler, in.at, 0.0).rgb, 1.0);
}

// For a window whose format encodes linear colours itself.
@fragment
fn linear(in: Vertex) -> @location(0) vec4f {
    let colour = textureSampleLevel(picture, smooth_sampler, in.at, 0.0).rgb;
    let low = colour / 12.92;
    let high = pow((colour + 0.055) / 1.055, vec3f(2.4));
    return vec4f(select(high, low, colour <= vec3f(0.04045)), 1.0);
}
