//! `flowseg devices`: what it can run on.

use crate::device::{self, Choice};
use crate::terminal::out;

/// List what this program can run on, and what `auto` would pick
#[derive(clap::Args)]
pub(super) struct Arguments {}

/// Runs the command.
pub(super) fn run(_: &Arguments) -> anyhow::Result<()> {
    out!("cpu      {} threads", rayon::current_num_threads());
    for (i, adapter) in device::adapters().iter().enumerate() {
        let kind = if adapter.software {
            ", a software adapter"
        } else {
            ""
        };
        let memory = adapter.memory.map_or(String::new(), |bytes| {
            format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30))
        });
        out!("wgpu:{i}   {}{kind}{memory}", adapter.name);
    }
    for number in 0..device::cuda_count() {
        out!("cuda:{number}   NVIDIA GPU {number} through CUDA");
    }
    let opened = device::open(Choice::Auto)?;
    match &opened.note {
        Some(note) => out!("auto     {opened} ({note})"),
        None => out!("auto     {opened}"),
    }
    Ok(())
}
