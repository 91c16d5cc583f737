// Every pixel of a photo as a point at its state: one triangle each, around a disc. States are
// read in place, channel-major, from buffers that other code may share: hence the offsets.

struct Cloud {
    pixels: u32,
    // One in `stride` pixels is drawn.
    stride: u32,
    // Offset of the states, in 4-byte elements.
    offset: u32,
    next_offset: u32,
    // 0: the state, 1: the next one.
    share: f32,
    // In points of the screen.
    radius: f32,
    // STATE, CLASS or PHOTO.
    colours: u32,
    // 1 if some pixels are brushed.
    brushed: u32,
}

const STATE: u32 = 0u;
const CLASS: u32 = 1u;
const PHOTO: u32 = 2u;

const BRUSHED: u32 = 0x80000000u;
const LABEL: u32 = 0xffffu;

@group(1) @binding(0) var<storage, read> cloud: Cloud;
@group(1) @binding(1) var<storage, read> state: array<f32>;
@group(1) @binding(2) var<storage, read> next: array<f32>;
// x: LABEL and BRUSHED; y: the photo's colour.
@group(1) @binding(3) var<storage, read> tags: array<vec2u>;

struct VertexOutput {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
    @location(1) @interpolate(flat) colour: vec3f,
}

fn colour_of(tag: vec2u, x: vec3f) -> vec3f {
    switch cloud.colours {
        case CLASS: {
            let label = tag.x & LABEL;
            if label >= arrayLength(&centroids) {
                return vec3f(0.5);
            }
            return unpack4x8unorm(centroids[label].colour).rgb;
        }
        case PHOTO: {
            return unpack4x8unorm(tag.y).rgb;
        }
        default: {
            return clamp(0.5 * x + 0.5, vec3f(0.0), vec3f(1.0));
        }
    }
}

@vertex
fn vs_main(@builtin(vertex_index) vertex_index: u32) -> VertexOutput {
    let pixel = vertex_index / 3u * cloud.stride;
    var x: vec3f;
    for (var axis = 0u; axis < 3u; axis++) {
        let at = axis * cloud.pixels + pixel;
        x[axis] = mix(state[cloud.offset + at], next[cloud.next_offset + at], cloud.share);
    }
    let tag = tags[pixel];
    var radius = cloud.radius * scene.scale * pixel_size_at(x);
    var colour = colour_of(tag, x);
    if cloud.brushed != 0u {
        if (tag.x & BRUSHED) != 0u {
            radius *= 1.8;
        } else {
            colour = mix(colour, scene.background, 0.82);
        }
    }
    var out: VertexOutput;
    out.at = disc_corner(vertex_index % 3u);
    out.position = project(billboard(x, radius * out.at));
    out.colour = depth_cued(colour, x);
    return out;
}

@fragment
fn fs_main(in: VertexOutput) -> @location(0) vec4f {
    if dot(in.at, in.at) > 1.0 {
        discard;
    }
    return vec4f(in.colour, 1.0);
}
