// The field at given points, for arrows: one thread a point.

struct Vector {
    vector: vec3f,
    phi: f32,
}

@group(0) @binding(2) var<storage, read> points: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> vectors: array<Vector>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&points) {
        return;
    }
    let x = points[id.x].xyz;
    let here = potential_at(x);
    vectors[id.x] = Vector(field_at(x, here), here.phi);
}
