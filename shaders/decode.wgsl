// The nearest centroid of every pixel of the interpolated state (the inverse of equation 8). Ties
// go to the lower index, as in `Centroids::nearest`.

// Constants of the pipeline, because a software adapter computes anything that depends on a loop's counter for
// each pixel of its own; it unrolls short loops only if their length is constant.
// Channels of a state, d, 1 to 16 (`MOST_DIMS` in `encoding.rs`).
override dims: u32;
override classes: u32;
// The centroids are more than a uniform buffer holds.
override many: bool;

struct Decode {
    pixels: u32,
    // Position between the two states, 0 to 1.
    share: f32,
}

@group(0) @binding(0) var<uniform> decode: Decode;
// [d, pixels] each, channel-major.
@group(0) @binding(1) var<storage, read> before: array<f32>;
@group(0) @binding(2) var<storage, read> after: array<f32>;
// [N, ceil(d / 4)], with zeros after the last coordinate: in one of both. A software adapter reads what is
// uniform once for many pixels, and storage for each of them.
@group(0) @binding(3) var<uniform> few_centroids: array<vec4<f32>, 4096>;
@group(0) @binding(5) var<storage, read> many_centroids: array<vec4<f32>>;
@group(0) @binding(4) var labels: texture_storage_2d<r32uint, write>;

fn channel(axis: u32, pixel: u32) -> f32 {
    if axis >= dims {
        return 0.0;
    }
    let at = axis * decode.pixels + pixel;
    return before[at] + (after[at] - before[at]) * decode.share;
}

fn channels(first: u32, pixel: u32) -> vec4<f32> {
    return vec4<f32>(
        channel(first, pixel),
        channel(first + 1u, pixel),
        channel(first + 2u, pixel),
        channel(first + 3u, pixel),
    );
}

fn centroid(at: u32) -> vec4<f32> {
    if many {
        return many_centroids[at];
    }
    return few_centroids[at];
}

// Adds the squares one after the other, as `Centroids::nearest` does.
fn further(distance: f32, offset: vec4<f32>) -> f32 {
    let squares = offset * offset;
    return (((distance + squares.x) + squares.y) + squares.z) + squares.w;
}

@compute @workgroup_size(64)
fn nearest(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let pixel = id.y * groups.x * 64u + id.x;
    if pixel >= decode.pixels {
        return;
    }
    let x = channels(0u, pixel);
    let y = channels(4u, pixel);
    let z = channels(8u, pixel);
    let w = channels(12u, pixel);
    let fours = (dims + 3u) / 4u;
    var best = 0u;
    var least = 3.0e38;
    for (var k = 0u; k < classes; k++) {
        let at = k * fours;
        var distance = further(0.0, x - centroid(at));
        if dims > 4u {
            distance = further(distance, y - centroid(at + 1u));
        }
        if dims > 8u {
            distance = further(distance, z - centroid(at + 2u));
        }
        if dims > 12u {
            distance = further(distance, w - centroid(at + 3u));
        }
        if distance < least {
            least = distance;
            best = k;
        }
    }
    let width = textureDimensions(labels).x;
    textureStore(labels, vec2<u32>(pixel % width, pixel / width), vec4<u32>(best));
}
