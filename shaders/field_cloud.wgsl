// Every pixel of a photo as a point at its state: one triangle each, around a disc. States are
// read in place, channel-major, from buffers that may be shared with others: hence the offsets.

struct Cloud {
    pixels: u32,
    // Every how many pixels one is drawn.
    stride: u32,
    // In numbers, not bytes.
    offset: u32,
    next_offset: u32,
    // 0: the state, 1: the next one.
    share: f32,
    // In points.
    radius: f32,
    // 0 the state as a colour, 1 class, 2 photo.
    colours: u32,
    // 1 where some pixels are brushed.
    brushed: u32,
}

// x: class in the low half, bit 31 brushed; y: the photo's colour.
@group(0) @binding(1) var<uniform> cloud: Cloud;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read> next: array<f32>;
@group(0) @binding(4) var<storage, read> tags: array<vec2u>;
@group(0) @binding(5) var<storage, read> palette: array<u32>;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
    @location(1) @interpolate(flat) colour: vec3f,
}

@vertex
fn vertex(@builtin(vertex_index) number: u32) -> Vertex {
    let pixel = number / 3u * cloud.stride;
    let vertex = number % 3u;
    var x: vec3f;
    for (var axis = 0u; axis < 3u; axis++) {
        let at = axis * cloud.pixels + pixel;
        x[axis] = mix(state[cloud.offset + at], next[cloud.next_offset + at], cloud.share);
    }
    let tag = tags[pixel];
    let bright = (tag.x & 0x80000000u) != 0u;
    var radius = cloud.radius * scene.viewport.z * pixel_at(x);
    var colour = clamp(0.5 * x + 0.5, vec3f(0.0), vec3f(1.0));
    if cloud.colours == 1u {
        let label = tag.x & 0xffffu;
        colour = vec3f(0.5);
        if label < arrayLength(&palette) {
            colour = unpack4x8unorm(palette[label]).rgb;
        }
    } else if cloud.colours == 2u {
        colour = unpack4x8unorm(tag.y).rgb;
    }
    if cloud.brushed != 0u {
        if bright {
            radius *= 1.8;
        } else {
            colour = mix(colour, scene.background.rgb, 0.82);
        }
    }
    var out: Vertex;
    out.at = vec2f(0.0, 2.0);
    if vertex > 0u {
        out.at = vec2f(select(-1.7320508, 1.7320508, vertex == 2u), -1.0);
    }
    out.position = project(x + radius * (out.at.x * scene.right.xyz + out.at.y * scene.up.xyz));
    out.colour = cue(colour, x);
    return out;
}

@fragment
fn fragment(in: Vertex) -> @location(0) vec4f {
    if dot(in.at, in.at) > 1.0 {
        discard;
    }
    return vec4f(in.colour, 1.0);
}
