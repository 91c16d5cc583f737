//! The program and the library from outside. One binary, because each links all of Burn, wgpu and egui;
//! a test that measures its own process is a binary of its own beside this folder.

mod ablate;
mod assignment;
mod batches;
mod centroids;
mod commands;
mod common;
mod crash;
mod datasets;
mod encoder;
mod estimate;
mod large;
mod objectives;
mod onnx;
mod outputs;
mod owners;
mod parallel;
mod recipe;
mod scoring;
mod server;
mod teacher;
mod training;
mod window;
