// Bilinear interpolation of a texture at 0..1. Four loads are cheaper on a software adapter than
// the code that it generates for a sampler.
fn bilinear(image: texture_2d<f32>, at: vec2f) -> vec4f {
    let last = textureDimensions(image) - 1u;
    let place = clamp(at * vec2f(last + 1u) - 0.5, vec2f(0.0), vec2f(last));
    let low = vec2u(place);
    let high = min(low + 1u, last);
    let share = place - vec2f(low);
    let a = textureLoad(image, low, 0);
    let b = textureLoad(image, vec2u(high.x, low.y), 0);
    let c = textureLoad(image, vec2u(low.x, high.y), 0);
    let d = textureLoad(image, high, 0);
    return mix(mix(a, b, share.x), mix(c, d, share.x), share.y);
}
