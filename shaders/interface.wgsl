// egui's triangles: a colour per vertex, times a texel of the glyphs.

// Width and height of the window, in points.
@group(0) @binding(0) var<uniform> screen: vec2f;
@group(0) @binding(1) var glyphs: texture_2d<f32>;

// The window's format encodes linear colours itself.
override linear: bool;

struct Corner {
    @builtin(position) position: vec4f,
    // In texels.
    @location(0) @interpolate(linear) at: vec2f,
    @location(1) @interpolate(linear) colour: vec4f,
}

@vertex
fn vertex(@location(0) position: vec2f, @location(1) at: vec2f, @location(2) colour: vec4f) -> Corner {
    let place = vec2f(2.0, -2.0) * position / screen + vec2f(-1.0, 1.0);
    return Corner(vec4f(place, 0.0, 1.0), at * vec2f(textureDimensions(glyphs)), colour);
}

@fragment
fn textured(corner: Corner) -> @location(0) vec4f {
    return encoded(corner.colour * textureLoad(glyphs, vec2i(corner.at), 0));
}

// Large areas of one opaque colour.
@fragment
fn plain(corner: Corner) -> @location(0) vec4f {
    return encoded(corner.colour);
}

fn encoded(colour: vec4f) -> vec4f {
    if !linear {
        return colour;
    }
    let low = colour.rgb / 12.92;
    let high = pow((colour.rgb + 0.055) / 1.055, vec3f(2.4));
    return vec4f(select(high, low, colour.rgb <= vec3f(0.04045)), colour.a);
}
