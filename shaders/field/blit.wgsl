// Copies the off-screen picture into the window: one triangle that covers the viewport.

@group(0) @binding(0) var picture: texture_2d<f32>;

// The picture has exactly the window's pixels and needs no filter.
override exact: bool;
// The window's format encodes linear colours itself.
override linear: bool;

struct VertexOutput {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
}

@vertex
fn vs_main(@builtin(vertex_index) vertex_index: u32) -> VertexOutput {
    let corner = vec2f(f32(vertex_index & 1u) * 2.0, f32(vertex_index >> 1u) * 2.0);
    return VertexOutput(vec4f(corner * 2.0 - 1.0, 0.0, 1.0), vec2f(corner.x, 1.0 - corner.y));
}

fn colour_at(at: vec2f) -> vec3f {
    if exact {
        let last = textureDimensions(picture) - 1u;
        return textureLoad(picture, min(vec2u(at * vec2f(last + 1u)), last), 0).rgb;
    }
    return bilinear(picture, at).rgb;
}

@fragment
fn fs_main(in: VertexOutput) -> @location(0) vec4f {
    let colour = colour_at(in.at);
    if !linear {
        return vec4f(colour, 1.0);
    }
    let low = colour / 12.92;
    let high = pow((colour + 0.055) / 1.055, vec3f(2.4));
    return vec4f(select(high, low, colour <= vec3f(0.04045)), 1.0);
}
