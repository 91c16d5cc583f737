// One pane of the canvas: a photo, the state above it, its classes, its doubt, the truth, the error or
// a second result, panned and magnified. Colours are in the gamma space that photos and class colours come in.

struct Canvas {
    // The picture's top left corner in the framebuffer, in pixels.
    origin: vec2<f32>,
    extent: vec2<f32>,
    // Width and height of the states.
    size: vec2<u32>,
    // Width and height of the second result; 0 where there is none.
    second: vec2<u32>,
    opacity: f32,
    // Position between the two states, 0 to 1.
    share: f32,
    // The highlighted class, or -1.
    lit: i32,
    // Photo pixels per pixel of the target, as a power of two.
    level: f32,
    classes: u32,
    // From certain to open.
    doubt_colours: array<vec4<f32>, 8>,
}

// Constants of the pipeline, because a software adapter takes every branch that is decided later.
override layer: u32;
// What the layer shows has been computed or opened: the truth, the doubt, the second result.
override known: bool;
// Outlines at the photo's resolution instead of the network's.
override fine: bool;
// There is a mask that is shown instead of the state's classes.
override whole: bool;
// Pixels of the photo are smaller than the target's.
override shrunk: bool;
// The target expects linear light.
override linear: bool;

const PHOTO = 0u;
const RAW = 1u;
const MAP = 2u;
const OVERLAY = 3u;
const TRUTH = 4u;
const ERROR = 5u;
const PROBABILITY = 6u;
const MARGIN = 7u;
const ENTROPY = 8u;
const SECOND = 9u;
const DISAGREEMENT = 10u;

const UNLIT = 0.15;
const HIDDEN = vec3<f32>(0.2, 0.2, 0.2);
const WRONG = vec3<f32>(0.92, 0.26, 0.21);

@group(0) @binding(0) var<uniform> canvas: Canvas;
@group(0) @binding(1) var photo: texture_2d<f32>;
@group(0) @binding(2) var soft: sampler;
@group(0) @binding(3) var<storage, read> before: array<f32>;
@group(0) @binding(4) var<storage, read> after: array<f32>;
// What every pixel reads is a texture: a software adapter reads storage one pixel after the other.
@group(0) @binding(5) var labels: texture_2d<u32>;
// Class colours, in rows of 256; alpha is 1 for shown and 0 for hidden classes.
@group(0) @binding(6) var colours: texture_2d<f32>;
@group(0) @binding(7) var truth: texture_2d<u32>;
// Probability, margin and entropy of every pixel.
@group(0) @binding(8) var<storage, read> doubt: array<f32>;
@group(0) @binding(9) var<storage, read> second_labels: array<u32>;
// Those of both results together.
@group(0) @binding(10) var<storage, read> second_colours: array<vec4<f32>>;
// A mask of another size, such as the photo's, that is shown instead of the labels.
@group(0) @binding(11) var corrected: texture_2d<u32>;

@vertex
fn corner(@builtin(vertex_index) number: u32) -> @builtin(position) vec4<f32> {
    // One triangle that covers the whole pane.
    let x = f32(i32(number & 1u) * 4 - 1);
    let y = f32(i32(number >> 1u) * 4 - 1);
    return vec4<f32>(x, y, 0.0, 1.0);
}

fn photo_at(uv: vec2<f32>) -> vec3<f32> {
    if shrunk {
        return textureSampleLevel(photo, soft, uv, canvas.level).rgb;
    }
    let size = textureDimensions(photo);
    let pixel = min(vec2<u32>(uv * vec2<f32>(size)), size - 1u);
    return textureLoad(photo, pixel, 0).rgb;
}

fn state_at(uv: vec2<f32>) -> vec3<f32> {
    let pixels = canvas.size.x * canvas.size.y;
    let cell = min(vec2<u32>(uv * vec2<f32>(canvas.size)), canvas.size - 1u);
    let at = cell.y * canvas.size.x + cell.x;
    let a = vec3<f32>(before[at], before[pixels + at], before[2u * pixels + at]);
    let b = vec3<f32>(after[at], after[pixels + at], after[2u * pixels + at]);
    return a + (b - a) * canvas.share;
}

fn size_of(second: bool) -> vec2<u32> {
    return select(canvas.size, canvas.second, second);
}

fn label_of(cell: vec2<u32>, second: bool) -> u32 {
    if second {
        return second_labels[cell.y * canvas.second.x + cell.x];
    }
    return textureLoad(labels, cell, 0).r;
}

// The class at a point of the photo, of the first or the second result. Fine: the class with the
// largest share among the four neighbours, weighted bilinearly (`labels::bilinear`).
fn class_at(uv: vec2<f32>, second: bool) -> u32 {
    if whole && !second {
        let whole = textureDimensions(corrected);
        return textureLoad(corrected, min(vec2<u32>(uv * vec2<f32>(whole)), whole - 1u), 0).r;
    }
    let size = size_of(second);
    if !fine {
        return label_of(min(vec2<u32>(uv * vec2<f32>(size)), size - 1u), second);
    }
    let last = vec2<f32>(size - 1u);
    let at = clamp(uv * vec2<f32>(size) - 0.5, vec2<f32>(0.0), last);
    let low = vec2<u32>(at);
    let high = min(low + 1u, size - 1u);
    let f = at - vec2<f32>(low);
    let a = label_of(low, second);
    let b = label_of(vec2<u32>(high.x, low.y), second);
    let c = label_of(vec2<u32>(low.x, high.y), second);
    let d = label_of(high, second);
    // Most of a picture is not an outline.
    if a == b && a == c && a == d {
        return a;
    }
    let corners = vec4<u32>(a, b, c, d);
    let weights = vec4<f32>(
        (1.0 - f.y) * (1.0 - f.x),
        (1.0 - f.y) * f.x,
        f.y * (1.0 - f.x),
        f.y * f.x,
    );
    var best = a;
    var most = votes(a, corners, weights);
    for (var i = 1u; i < 4u; i++) {
        let share = votes(corners[i], corners, weights);
        if share > most {
            most = share;
            best = corners[i];
        }
    }
    return best;
}

// The total weight of the neighbours that have this class.
fn votes(index: u32, corners: vec4<u32>, weights: vec4<f32>) -> f32 {
    return dot(select(vec4<f32>(0.0), weights, corners == vec4<u32>(index)), vec4<f32>(1.0));
}

// A class's colour, and how strongly it shows: hidden classes not at all, and others less while one is
// highlighted.
fn colour_of(index: u32) -> vec4<f32> {
    let colour = textureLoad(colours, vec2<u32>(index % 256u, index / 256u), 0);
    return vec4<f32>(colour.rgb, colour.a * dimmed(index));
}

fn dimmed(index: u32) -> f32 {
    // Not `&&`, which would branch on a uniform: see shaders/common/potential.wgsl.
    let unlit = (canvas.lit >= 0) & (canvas.lit != i32(index));
    return select(1.0, UNLIT, unlit);
}

fn doubt_of(cell: vec2<u32>) -> f32 {
    let measure = (layer - PROBABILITY) * canvas.size.x * canvas.size.y;
    return doubt[measure + cell.y * canvas.size.x + cell.x];
}

// A measure of doubt at a point of the photo; bilinear where outlines are fine.
fn doubt_at(uv: vec2<f32>) -> f32 {
    let scaled = uv * vec2<f32>(canvas.size);
    if !fine {
        return doubt_of(min(vec2<u32>(scaled), canvas.size - 1u));
    }
    let at = clamp(scaled - 0.5, vec2<f32>(0.0), vec2<f32>(canvas.size - 1u));
    let low = vec2<u32>(at);
    let high = min(low + 1u, canvas.size - 1u);
    let f = at - vec2<f32>(low);
    let above = mix(doubt_of(low), doubt_of(vec2<u32>(high.x, low.y)), f.x);
    let below = mix(doubt_of(vec2<u32>(low.x, high.y)), doubt_of(high), f.x);
    return mix(above, below, f.y);
}

// The colour of a doubt from 0 to 1.
fn doubt_colour(share: f32) -> vec3<f32> {
    let at = clamp(share, 0.0, 1.0) * 7.0;
    let low = min(u32(at), 6u);
    return mix(canvas.doubt_colours[low].rgb, canvas.doubt_colours[low + 1u].rgb, at - f32(low));
}

fn grey_at(uv: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(dot(photo_at(uv), vec3<f32>(0.299, 0.587, 0.114)));
}

fn ignored(position: vec2<f32>) -> vec3<f32> {
    let stripe = fract((position.x + position.y) / 12.0) < 0.5;
    return select(vec3<f32>(0.16), vec3<f32>(0.24), stripe);
}

fn colour_at(uv: vec2<f32>, position: vec2<f32>) -> vec3<f32> {
    switch layer {
        case RAW: {
            return clamp(state_at(uv) * 0.5 + 0.5, vec3<f32>(0.0), vec3<f32>(1.0));
        }
        case MAP: {
            let index = class_at(uv, false);
            let colour = colour_of(index);
            return select(mix(HIDDEN, colour.rgb, colour.a), ignored(position), index >= canvas.classes);
        }
        case OVERLAY: {
            let index = class_at(uv, false);
            let unknown = vec4<f32>(ignored(position), 0.5);
            let colour = select(colour_of(index), unknown, index >= canvas.classes);
            return mix(photo_at(uv), colour.rgb, canvas.opacity * colour.a);
        }
        case TRUTH, ERROR: {
            if !known {
                return HIDDEN;
            }
            let size = textureDimensions(truth);
            let cell = min(vec2<u32>(uv * vec2<f32>(size)), size - 1u);
            let right = textureLoad(truth, cell, 0).r;
            let colour = colour_of(right);
            var shown = mix(HIDDEN, colour.rgb, colour.a);
            if layer == ERROR {
                let base = 0.6 * grey_at(uv);
                shown = select(mix(base, WRONG, 0.75), base, class_at(uv, false) == right);
            }
            return select(shown, ignored(position), right >= canvas.classes);
        }
        case PROBABILITY, MARGIN, ENTROPY: {
            let grey = grey_at(uv);
            if !known {
                return 0.6 * grey;
            }
            let value = doubt_at(uv);
            let share = select(1.0 - value, value, layer == ENTROPY);
            return mix(grey, doubt_colour(share), canvas.opacity);
        }
        case SECOND, DISAGREEMENT: {
            if !known {
                return 0.6 * grey_at(uv);
            }
            let index = class_at(uv, true);
            if layer == SECOND {
                let colour = second_colours[index];
                let shown = canvas.opacity * colour.a * dimmed(index);
                return mix(photo_at(uv), colour.rgb, shown);
            }
            let base = 0.6 * grey_at(uv);
            return select(mix(base, WRONG, 0.75), base, class_at(uv, false) == index);
        }
        default: {
            return photo_at(uv);
        }
    }
}

@fragment
fn shade(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let uv = (position.xy - canvas.origin) / canvas.extent;
    if any(uv < vec2<f32>(0.0)) || any(uv >= vec2<f32>(1.0)) {
        discard;
    }
    var colour = colour_at(uv, position.xy);
    if linear {
        let low = colour / 12.92;
        let high = pow((colour + 0.055) / 1.055, vec3<f32>(2.4));
        colour = select(high, low, colour <= vec3<f32>(0.04045));
    }
    return vec4<f32>(colour, 1.0);
}
