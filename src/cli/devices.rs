//! `flowseg devices`: the devices that can compute.

use crate::device::{self, Adapter, Choice, Opened};
use crate::kernels::MatmulPrecision;
use crate::terminal::out;
use crate::{system_report, version};
use burn::tensor::Device;
use serde_json::{Map, Value, json};

/// List the devices that can compute, and which one `auto` selects
///
/// The list is followed by details of this build, this system and every adapter, for bug reports.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let adapters = device::adapters();
    if arguments.json {
        out!("{}", object(&adapters, &device::open(Choice::Auto)?));
        return Ok(());
    }
    let bfloat16 = if has_bfloat16() { ", bfloat16" } else { "" };
    out!(
        "cpu      {} threads{bfloat16}",
        rayon::current_num_threads()
    );
    for (i, adapter) in adapters.iter().enumerate() {
        out!("wgpu:{i}   {}", system_report::summary(adapter));
    }
    for number in 0..device::cuda_count() {
        out!("cuda:{number}   NVIDIA GPU {number} through CUDA");
    }
    let opened = device::open(Choice::Auto)?;
    match &opened.note {
        Some(note) => out!("auto     {opened} ({note})"),
        None => out!("auto     {opened}"),
    }
    out!("");
    out!("{}", system_report::text(&adapters).trim_end());
    Ok(())
}

/// Whether `--precision bfloat16` is faster on the processor.
fn has_bfloat16() -> bool {
    MatmulPrecision::Bfloat16.may_be_faster(&Device::flex())
}

/// The same as JSON.
fn object(adapters: &[Adapter], auto: &Opened) -> Value {
    let adapters: Vec<Value> = adapters.iter().enumerate().map(adapter_object).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit": version::COMMIT,
        "target": version::TARGET,
        "features": version::FEATURES,
        "system": system_report::system(),
        "threads": rayon::current_num_threads(),
        "bfloat16": has_bfloat16(),
        "adapters": adapters,
        "cuda": device::cuda_count(),
        "auto": { "device": auto.name, "note": auto.note },
    })
}

fn adapter_object((i, adapter): (usize, &Adapter)) -> Value {
    let info = &adapter.info;
    let limits: Map<String, Value> = device::limits(&adapter.limits)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let uses: Vec<Value> = adapter
        .uses()
        .into_iter()
        .map(|used| json!({ "name": used.name, "value": used.value, "purpose": used.purpose }))
        .collect();
    json!({
        "device": format!("wgpu:{i}"),
        "name": info.name,
        "interface": info.backend.to_string(),
        "kind": format!("{:?}", info.device_type),
        "software": adapter.software,
        "memory": adapter.memory,
        "driver": info.driver,
        "driver_info": info.driver_info,
        "vendor_id": info.vendor,
        "device_id": info.device,
        "subgroups": [info.subgroup_min_size, info.subgroup_max_size],
        "limits": limits,
        "features": system_report::features(adapter).collect::<Vec<_>>(),
        "uses": uses,
    })
}
