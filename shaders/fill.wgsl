// Fills the viewport with one colour, the pass's blend constant.

@vertex
fn vertex(@builtin(vertex_index) vertex: u32) -> @builtin(position) vec4f {
    let corner = vec2f(f32(vertex & 1u) * 4.0, f32(vertex >> 1u) * 4.0);
    return vec4f(corner - 1.0, 0.0, 1.0);
}

@fragment
fn fragment() -> @location(0) vec4f {
    return vec4f(1.0);
}
