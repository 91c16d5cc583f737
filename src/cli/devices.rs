//! `flowseg devices`: the devices that can compute.

use crate::device::{self, Adapter, Choice, Opened};
use crate::terminal::out;
use crate::{system_report, version};
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
    out!("cpu      {} threads", rayon::current_num_threads());
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
