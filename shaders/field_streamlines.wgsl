// Short streamlines within a slice, for the field's part in the plane: one thread a line.

struct Slice {
    origin: vec4f,
    u: vec4f,
    v: vec4f,
}

struct Lines {
    // Length in the plane, and the points a line, the last of which lifts the pen.
    length: f32,
    points: u32,
    colour: u32,
    padding: u32,
}

struct LinePoint {
    position: vec3f,
    colour: u32,
}

@group(0) @binding(2) var<uniform> slice: Slice;
@group(0) @binding(3) var<uniform> lines: Lines;
@group(0) @binding(4) var<storage, read> seeds: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> points: array<LinePoint>;

fn direction(x: vec3f) -> vec3f {
    let f = field_at(x, potential_at(x));
    let u = normalize(slice.u.xyz);
    let v = normalize(slice.v.xyz);
    let flat = u * dot(f, u) + v * dot(f, v);
    return flat / max(length(flat), 1e-6);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&seeds) {
        return;
    }
    let step = lines.length / f32(lines.points - 2u);
    var x = seeds[id.x].xyz;
    let base = unpack4x8unorm(lines.colour);
    var before = direction(x);
    var stopped = false;
    for (var i = 0u; i < lines.points; i++) {
        // The tail is faint and the head strong: a streamline shows which way it runs.
        let share = f32(i) / f32(lines.points - 2u);
        var colour = vec4f(base.rgb, base.a * max(share, 0.04));
        if stopped || i == lines.points - 1u {
            colour.a = 0.0;
        }
        points[id.x * lines.points + i] = LinePoint(x, pack4x8unorm(colour));
        if !stopped {
            let ahead = direction(x);
            let middle = direction(x + 0.5 * step * ahead);
            // A turn this sharp is a sink or a saddle within one step.
            stopped = dot(before, middle) < 0.0 || any(abs(x) > vec3f(1.1));
            x += step * middle;
            before = middle;
        }
    }
}
