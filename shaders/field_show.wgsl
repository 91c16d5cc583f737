// Copies the off-screen picture into the window: one triangle that covers the viewport.

@group(0) @binding(0) var picture: texture_2d<f32>;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
}

@vertex
fn vertex(@builtin(vertex_index) vertex: u32) -> Vertex {
    let corner = vec2f(f32(vertex & 1u) * 2.0, f32(vertex >> 1u) * 2.0);
    return Vertex(vec4f(corner * 2.0 - 1.0, 0.0, 1.0), vec2f(corner.x, 1.0 - corner.y));
}

// A picture with a pixel for every one of the window's needs no filter.
override exact: bool;
// A window whose format encodes linear colours itself.
override linear: bool;

fn colour_at(at: vec2f) -> vec3f {
    let last = textureDimensions(picture) - 1u;
    let size = vec2f(last + 1u);
    if exact {
        return textureLoad(picture, min(vec2u(at * size), last), 0).rgb;
    }
    // Four loads cost a software adapter less than what it makes of a sampler.
    let place = clamp(at * size - 0.5, vec2f(0.0), vec2f(last));
    let low = vec2u(place);
    let high = min(low + 1u, last);
    let share = place - vec2f(low);
    let a = textureLoad(picture, low, 0).rgb;
    let b = textureLoad(picture, vec2u(high.x, low.y), 0).rgb;
    let c = textureLoad(picture, vec2u(low.x, high.y), 0).rgb;
    let d = textureLoad(picture, high, 0).rgb;
    return mix(mix(a, b, share.x), mix(c, d, share.x), share.y);
}

@fragment
fn fragment(in: Vertex) -> @location(0) vec4f {
    let colour = colour_at(in.at);
    if !linear {
        return vec4f(colour, 1.0);
    }
    let low = colour / 12.92;
    let high = pow((colour + 0.055) / 1.055, vec3f(2.4));
    return vec4f(select(high, low, colour <= vec3f(0.04045)), 1.0);
}
