//! Constants shared by all implementations of an operation.

/// Added to the mean square inside an RMS norm.
pub(super) const RMS_EPSILON: f32 = 1e-6;
/// Lower bound of the column norms by which generated weight matrices are divided.
pub(super) const NORM_FLOOR: f32 = 1e-12;
/// Added to the variance inside a layer norm, as DINOv2 does.
pub(super) const LAYER_EPSILON: f32 = 1e-6;
