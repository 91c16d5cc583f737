//! Memory of the reshaped target, in a separate process so that nothing else is counted.
#![cfg(target_os = "linux")]

use burn::tensor::{Device, Int, Tensor};
use flowseg::encoding::Centroids;
use flowseg::kernels;
use flowseg::potential::{Operator, Potential};

/// 16 x 512 x 512 pixels and 171 classes: at most 256 MiB on top of input and output.
#[test]
fn the_reshaped_target_of_large_images_takes_little_memory() {
    let device = Device::flex();
    let potential = Potential {
        operator: Operator::Log,
        temperature: 1.0,
        epsilon: 1e-2,
    };
    let centroids = Centroids::kronecker(171);
    let run = |batch: usize, side: usize| {
        let x = Tensor::<4>::zeros([batch, 3, side, side], &device);
        let labels = Tensor::<3, Int>::zeros([batch, side, side], &device);
        let before = resident("VmRSS");
        let out = kernels::potential_gradient(x, labels, &centroids, potential);
        let bytes = out.dims().iter().product::<usize>() * 4;
        (before, bytes)
    };
    run(1, 16);
    let (before, output) = run(16, 512);
    let peak = resident("VmHWM");
    let beyond = peak.saturating_sub(before + output);
    println!("{} MiB beyond input and output", beyond >> 20);
    assert!(
        beyond <= 256 << 20,
        "{} MiB beyond input and output",
        beyond >> 20
    );
}

/// A line of this process's memory statistics, in bytes.
fn resident(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let found = status
        .lines()
        .find_map(|l| l.strip_prefix(line))
        .expect("Linux lists it");
    let digits: String = found.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<usize>().expect("digits") * 1024
}
