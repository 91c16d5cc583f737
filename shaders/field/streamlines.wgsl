// Short streamlines of the field's projection onto a plane, by the midpoint rule: one thread per
// line. lines.wgsl draws them.

struct Streamlines {
    // The plane's axes: unit vectors, perpendicular to each other.
    u: vec3f,
    // Length of a line in the plane.
    length: f32,
    v: vec3f,
    colour: u32,
}

@group(1) @binding(0) var<uniform> streamlines: Streamlines;
@group(1) @binding(1) var<storage, read> seeds: array<vec4f>;
// Equally many per line; the last one ends the polyline.
@group(1) @binding(2) var<storage, read_write> points: array<LinePoint>;

fn direction(x: vec3f) -> vec3f {
    let f = field_at(x, potential_at(x));
    let flat = streamlines.u * dot(f, streamlines.u) + streamlines.v * dot(f, streamlines.v);
    return flat / max(length(flat), 1e-6);
}

@compute @workgroup_size(64)
fn cs_main(@builtin(global_invocation_id) id: vec3u) {
    let lines = arrayLength(&seeds);
    if id.x >= lines {
        return;
    }
    let per_line = arrayLength(&points) / lines;
    let last = per_line - 1u;
    let step_length = streamlines.length / f32(last - 1u);
    var x = seeds[id.x].xyz;
    let base = unpack4x8unorm(streamlines.colour);
    var before = direction(x);
    var stopped = false;
    for (var i = 0u; i <= last; i++) {
        // A faint tail and a strong head show the direction of the line.
        let share = f32(i) / f32(last - 1u);
        var colour = vec4f(base.rgb, base.a * max(share, 0.04));
        if stopped || i == last {
            colour.a = 0.0;
        }
        points[id.x * per_line + i] = LinePoint(x, pack4x8unorm(colour));
        if !stopped {
            let ahead = direction(x);
            let middle = direction(x + 0.5 * step_length * ahead);
            // A turn this sharp is a sink or a saddle within one step.
            stopped = dot(before, middle) < 0.0 || any(abs(x) > vec3f(1.1));
            x += step_length * middle;
            before = middle;
        }
    }
}
