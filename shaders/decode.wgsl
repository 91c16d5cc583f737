// The nearest centroid of every pixel of the state between two stored ones (equation 8's inverse).
// Ties go to the lower index, as in `Centroids::nearest`.

struct Decode {
    pixels: u32,
    classes: u32,
    // Position between the two states, 0 to 1.
    share: f32,
    padding: u32,
}

@group(0) @binding(0) var<uniform> decode: Decode;
// [3, pixels] each, channel-major.
@group(0) @binding(1) var<storage, read> before: array<f32>;
@group(0) @binding(2) var<storage, read> after: array<f32>;
@group(0) @binding(3) var<storage, read> centroids: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> labels: array<u32>;

@compute @workgroup_size(64)
fn nearest(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = id.x;
    if pixel >= decode.pixels {
        return;
    }
    let at = vec3<u32>(pixel, decode.pixels + pixel, 2u * decode.pixels + pixel);
    let a = vec3<f32>(before[at.x], before[at.y], before[at.z]);
    let b = vec3<f32>(after[at.x], after[at.y], after[at.z]);
    let x = a + (b - a) * decode.share;
    var best = 0u;
    var least = 3.0e38;
    for (var k = 0u; k < decode.classes; k++) {
        let offset = x - centroids[k].xyz;
        let distance = dot(offset, offset);
        if distance < least {
            least = distance;
            best = k;
        }
    }
    labels[pixel] = best;
}
