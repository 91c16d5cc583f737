// The discriminative potential and its gradient (equations 9 to 11), and the fields built from it
// (equations 12 and 16). All shaders that need this arithmetic include this file. src/potential.rs
// has the definition, in double precision.

struct Centroid {
    // The coordinates rounded to single precision, followed by the rounding errors.
    high: vec3f,
    // Radius of the centroid's neighbourhood.
    radius: f32,
    low: vec3f,
    colour: u32,
}

struct Field {
    target_class: u32,
    // T of equation 9: LOG, SQRT, LINEAR or NORMALIZED_GRADIENT.
    transform: u32,
    // 1: a neighbourhood is the Voronoi cell; 0: the ball of the centroid's radius.
    cells: u32,
    inverse_tau: f32,
    epsilon: f32,
    // Weights of the reconstructive part and of -grad Phi.
    attraction: f32,
    correction: f32,
}

struct PotentialAt {
    // Phi = -ln p of the target class.
    phi: f32,
    gradient: vec3f,
    nearest: u32,
    // Squared distance to the nearest centroid.
    distance: f32,
}

// In storage, not a uniform, like everything that loops and branches depend on: Mesa's software adapter
// compiles a shader anew for every value of a uniform that alone decides a branch, and keeps all of them.
@group(0) @binding(1) var<storage, read> field: Field;
@group(0) @binding(2) var<storage, read> centroids: array<Centroid>;

const LOG: u32 = 0u;
const SQRT: u32 = 1u;
const LINEAR: u32 = 2u;
const NORMALIZED_GRADIENT: u32 = 3u;

const GRADIENT_FLOOR: f32 = 1e-6;

fn offset_from(x: vec3f, k: u32) -> vec3f {
    return (x - centroids[k].high) - centroids[k].low;
}

// ln(1 + u) for u >= 0, accurate for small u.
fn log_one_plus(u: f32) -> f32 {
    if u < 0.02 {
        return u * (1.0 - u * (0.5 - u * (1.0 / 3.0 - u * 0.25)));
    }
    return log(1.0 + u);
}

fn potential_at(x: vec3f) -> PotentialAt {
    let count = arrayLength(&centroids);
    let transform = field.transform;
    let target_class = field.target_class;
    let epsilon = field.epsilon;
    let inverse_tau = field.inverse_tau;
    var here: PotentialAt;
    here.distance = 1e30;
    for (var k = 0u; k < count; k++) {
        let o = offset_from(x, k);
        let d = dot(o, o);
        if d < here.distance {
            here.distance = d;
            here.nearest = k;
        }
    }
    // The largest logit is that of the nearest centroid, since every T decreases with d.
    let top = here.distance + epsilon;
    var others = 0.0;
    var own = 0.0;
    var own_logit = 0.0;
    var pull = vec3f(0.0);
    var push = vec3f(0.0);
    for (var k = 0u; k < count; k++) {
        let o = offset_from(x, k);
        let e = dot(o, o) + epsilon;
        var logit: f32;
        var slope: f32;
        switch transform {
            case SQRT: {
                // sqrt(top) - sqrt(e) without cancellation.
                logit = (top - e) / (sqrt(top) + sqrt(e));
                slope = 0.5 / sqrt(e);
            }
            case LINEAR: {
                logit = top - e;
                slope = 1.0;
            }
            default: {
                logit = log(top / e);
                slope = 1.0 / e;
            }
        }
        logit *= inverse_tau;
        let weight = exp(logit);
        if k == target_class {
            own = weight;
            own_logit = logit;
            pull = o * slope;
        } else {
            // 1 - p of the target is the sum of these; the subtraction would cancel to 0.
            others += weight;
            push += o * (slope * weight);
        }
    }
    let total = others + own;
    here.gradient = (2.0 * inverse_tau / total) * (others * pull - push);
    if transform == NORMALIZED_GRADIENT {
        here.gradient /= max(length(here.gradient), GRADIENT_FLOOR);
    }
    if others < own {
        here.phi = log_one_plus(others / own);
    } else {
        here.phi = log(total) - own_logit;
    }
    return here;
}

// attraction * (mu - x) - correction * grad Phi.
fn field_at(x: vec3f, here: PotentialAt) -> vec3f {
    return -field.attraction * offset_from(x, field.target_class) - field.correction * here.gradient;
}
