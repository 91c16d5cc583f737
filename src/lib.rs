//! FlowSeg: generative segmentation by flow matching, after "Rethinking Vector Field Learning for
//! Generative Segmentation" (Wang et al.).
//!
//! A photo flows into its mask: an ODE carries every pixel from its colour to the centroid of its
//! class, along a velocity field that a network has learnt. Where each idea of the paper lives:
//!
//! | idea | module |
//! |---|---|
//! | category encoding, eq. 7 and 8 | [`encoding`] |
//! | potential and its gradient, eq. 9 to 11 | [`potential`], for whole images [`kernels`] |
//! | path, prediction, reshaped target, eq. 1 to 5, 12 and 13 | [`flow`] |
//! | Euler sampling, and other solvers | [`sampler`] |
//! | pixel neural field on a transformer, section 4.3 | [`model`] |
//! | images in patches and back | [`patches`] |
//! | the field around the centroids, Figure 1 | [`vector_field`], drawn by [`gpu::field`] |
//! | the frozen teacher of REPA | [`model::dinov2`] |
//! | starting from PixNerd, section 5.1 | [`model::start`] |
//! | fused operations, forward and backward | [`kernels`] |
//! | data sets and augmentation | [`data`] |
//! | training and its run folders | [`train`] |
//! | run folders as they are watched | [`runs`] |
//! | mIoU, confusion, worst photos | [`eval`] |
//! | tables of training runs | [`ablate`] |
//! | photos to masks | [`inference`] |
//! | masks as pictures | [`pictures`] |
//! | what a trajectory tells, as numbers | [`trajectory`] |
//! | pictures, animations and tables of a flow | [`export`] |
//! | comparison with reference numbers | [`verify`] |
//! | work off the caller's thread | [`job`] |
//! | the window | [`viewer`] |
//! | commands | [`cli`] |
//!
//! # The leak
//! For t > 0 the state mixes photo and answer. A network that also sees the photo can solve for the
//! answer, `x1 = (x_t - (1 - t) I) / t`, without looking at anything: uniform times teach it to
//! subtract, and only times near 0 teach it to see. [`flow::TimeSampler`] therefore puts a share of
//! the samples at t = 0 and crowds the rest there.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod ablate;
pub mod cli;
pub mod csv;
pub mod data;
pub mod device;
pub mod encoding;
pub mod eval;
pub mod export;
pub mod files;
pub mod flow;
mod format;
pub mod gpu;
pub mod inference;
pub mod job;
pub mod kernels;
pub mod model;
pub mod models;
pub mod palette;
pub mod patches;
pub mod pictures;
pub mod potential;
pub mod runs;
pub mod sampler;
pub mod train;
pub mod trajectory;
pub mod vector_field;
pub mod verify;
pub mod viewer;
