//! Constants shared by all implementations of an operation.

/// Added to the mean square inside an RMS norm.
pub(crate) const RMS_EPSILON: f32 = 1e-6;
/// Lower bound of a column norm that a generated weight matrix is divided by.
pub(crate) const NORM_FLOOR: f32 = 1e-12;
/// Added to the variance inside a layer norm, as DINOv2 does.
pub(crate) const LAYER_EPSILON: f32 = 1e-6;
