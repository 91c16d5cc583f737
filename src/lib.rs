//! FlowSeg.
pub mod encoding;
pub mod flow;
pub mod kernels;
pub mod model;
pub mod potential;
pub mod sampler;
