// egui's triangles: a colour per vertex, times a texel of the glyphs or of a picture.

// Width and height of the window, in points.
@group(0) @binding(0) var<uniform> screen: vec2f;
@group(0) @binding(1) var texels: texture_2d<f32>;
@group(0) @binding(2) var filtered: sampler;

// The window's format encodes linear colours itself.
override linear: bool;

struct Corner {
    @builtin(position) position: vec4f,
    // In texels of the glyphs; 0 to 1 for a picture.
    @location(0) @interpolate(linear) at: vec2f,
    @location(1) @interpolate(linear) colour: vec4f,
}

struct PlainCorner {
    @builtin(position) position: vec4f,
    @location(0) @interpolate(flat) colour: vec4f,
}

fn on_screen(position: vec2f) -> vec4f {
    return vec4f(vec2f(2.0, -2.0) * position / screen + vec2f(-1.0, 1.0), 0.0, 1.0);
}

@vertex
fn glyph_corner(@location(0) position: vec2f, @location(1) at: vec2f, @location(2) colour: vec4f) -> Corner {
    return Corner(on_screen(position), at * vec2f(textureDimensions(texels)), colour);
}

@fragment
fn glyph(corner: Corner) -> @location(0) vec4f {
    return encoded(corner.colour * textureLoad(texels, vec2i(corner.at), 0));
}

@vertex
fn picture_corner(@location(0) position: vec2f, @location(1) at: vec2f, @location(2) colour: vec4f) -> Corner {
    return Corner(on_screen(position), at, colour);
}

@fragment
fn picture(corner: Corner) -> @location(0) vec4f {
    return encoded(corner.colour * textureSample(texels, filtered, corner.at));
}

// Large areas of one opaque colour.
@vertex
fn plain_corner(@location(0) position: vec2f, @location(2) colour: vec4f) -> PlainCorner {
    return PlainCorner(on_screen(position), colour);
}

@fragment
fn plain(corner: PlainCorner) -> @location(0) vec4f {
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
