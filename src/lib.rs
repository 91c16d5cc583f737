//! FlowSeg.
pub mod cli;
pub mod data;
pub mod device;
pub mod encoding;
pub mod eval;
pub mod files;
pub mod flow;
pub mod inference;
pub mod kernels;
pub mod model;
pub mod potential;
pub mod sampler;
pub mod train;
pub mod verify;
