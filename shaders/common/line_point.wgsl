// A point of a polyline. With alpha 0 it belongs to no segment and ends the polyline.
struct LinePoint {
    position: vec3f,
    colour: u32,
}
