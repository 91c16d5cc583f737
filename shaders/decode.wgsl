// The nearest centroid of every pixel of the interpolated state (the inverse of equation 8). Ties
// go to the lower index, as in `Centroids::nearest`.

// Maximum dimensions of a centroid, as `MOST_DIMS` in `encoding.rs`.
const MOST_DIMS = 16u;

struct Decode {
    pixels: u32,
    classes: u32,
    // Position between the two states, 0 to 1.
    share: f32,
    // Channels of a state, d.
    dims: u32,
}

@group(0) @binding(0) var<uniform> decode: Decode;
// [d, pixels] each, channel-major.
@group(0) @binding(1) var<storage, read> before: array<f32>;
@group(0) @binding(2) var<storage, read> after: array<f32>;
// [N, d]
@group(0) @binding(3) var<storage, read> centroids: array<f32>;
@group(0) @binding(4) var<storage, read_write> labels: array<u32>;

@compute @workgroup_size(64)
fn nearest(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = id.x;
    if pixel >= decode.pixels {
        return;
    }
    var x: array<f32, MOST_DIMS>;
    for (var axis = 0u; axis < decode.dims; axis++) {
        let at = axis * decode.pixels + pixel;
        x[axis] = before[at] + (after[at] - before[at]) * decode.share;
    }
    var best = 0u;
    var least = 3.0e38;
    for (var k = 0u; k < decode.classes; k++) {
        var distance = 0.0;
        for (var axis = 0u; axis < decode.dims; axis++) {
            let offset = x[axis] - centroids[k * decode.dims + axis];
            distance += offset * offset;
        }
        if distance < least {
            least = distance;
            best = k;
        }
    }
    labels[pixel] = best;
}
