//! Tests of the program and the library from outside. They form one binary, because each binary
//! links all of Burn, wgpu and egui; tests that measure their own process are separate binaries
//! beside this folder.

mod ablate;
mod assignment;
mod batches;
mod centroids;
mod commands;
mod common;
mod compare;
mod corrected;
mod corrections;
mod crash;
mod datasets;
mod doubt;
mod encoder;
mod estimate;
mod joined;
mod large;
#[cfg(target_os = "linux")]
mod lost_device;
mod objectives;
mod onnx;
mod outputs;
mod owners;
mod packaging;
mod parallel;
mod race;
mod recipe;
mod scoring;
mod server;
mod serving;
mod teacher;
mod training;
mod window;
mod windows;
