// What a slice shows, once for all frames: one thread a texel.

struct Slice {
    // Centre of the square, and its half edges.
    origin: vec4f,
    u: vec4f,
    v: vec4f,
}

@group(0) @binding(2) var<uniform> slice: Slice;
// Phi, distance to the nearest cell boundary, signed distance to the target's cell boundary
// (positive inside), |field|.
@group(0) @binding(3) var map: texture_storage_2d<rgba16float, write>;
@group(0) @binding(4) var cells: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(map);
    if any(id.xy >= size) {
        return;
    }
    let at = (vec2f(id.xy) + 0.5) / vec2f(size) * 2.0 - 1.0;
    let x = slice.origin.xyz + at.x * slice.u.xyz + at.y * slice.v.xyz;
    let here = potential_at(x);
    let to_goal = offset_from(x, field.goal);
    let own = dot(to_goal, to_goal);
    // The distance to the plane halfway between two centroids is (d_k - d_j) / (2 |mu_k - mu_j|).
    var cell = 1e4;
    var inside = 1e4;
    for (var k = 0u; k < field.count; k++) {
        let o = offset_from(x, k);
        let d = dot(o, o);
        if k != here.nearest {
            let between = centroids[k].high - centroids[here.nearest].high;
            cell = min(cell, (d - here.distance) / (2.0 * max(length(between), 1e-6)));
        }
        if k != field.goal {
            let between = centroids[k].high - centroids[field.goal].high;
            inside = min(inside, (d - own) / (2.0 * max(length(between), 1e-6)));
        }
    }
    textureStore(map, id.xy, vec4f(here.phi, cell, inside, length(field_at(x, here))));
    textureStore(cells, id.xy, unpack4x8unorm(centroids[here.nearest].colour));
}
