//! `flowseg devices`: the devices that can compute.

use super::version;
use crate::device::{self, Adapter, Choice, Opened, UNWANTED};
use crate::terminal::out;
use serde_json::{Map, Value, json};
use sysinfo::System;

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
        out!("wgpu:{i}   {}", summary(adapter));
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
    out!(
        "flowseg {}, commit {}, {}, features: {}",
        env!("CARGO_PKG_VERSION"),
        version::COMMIT,
        version::TARGET,
        version::FEATURES
    );
    out!("{}", system());
    for (i, adapter) in adapters.iter().enumerate() {
        describe(i, adapter);
    }
    Ok(())
}

fn summary(adapter: &Adapter) -> String {
    let kind = if adapter.software {
        ", a software adapter"
    } else {
        ""
    };
    let memory = adapter.memory.map_or(String::new(), |bytes| {
        format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30))
    });
    format!("{}{kind}{memory}", adapter.name)
}

fn system() -> String {
    let unknown = || "unknown".to_owned();
    format!(
        "{}, kernel {}, {}",
        System::long_os_version().unwrap_or_else(unknown),
        System::kernel_version().unwrap_or_else(unknown),
        System::cpu_arch()
    )
}

/// Prints all properties of an adapter.
fn describe(i: usize, adapter: &Adapter) {
    let info = &adapter.info;
    out!("");
    out!("wgpu:{i}   {}", info.name);
    row(
        "interface",
        &format!("{}, {:?}", info.backend, info.device_type),
    );
    row("driver", &driver(adapter));
    row(
        "hardware",
        &format!("vendor {:#06x}, device {:#06x}", info.vendor, info.device),
    );
    row("subgroups", &subgroups(adapter));
    let mut label = "in use";
    for used in adapter.uses() {
        row(
            label,
            &format!("{} {}: {}", used.name, used.value, used.purpose),
        );
        label = "";
    }
    let limits = device::limits(&adapter.limits);
    list(
        "limits",
        limits.iter().map(|(name, value)| format!("{name} {value}")),
    );
    list("features", features(adapter).map(str::to_owned));
    list(
        "unused",
        (adapter.features & UNWANTED)
            .iter_names()
            .map(|(name, _)| name.to_owned()),
    );
}

fn driver(adapter: &Adapter) -> String {
    let parts = [&adapter.info.driver, &adapter.info.driver_info];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        "unknown".to_owned()
    } else {
        parts.join(", ")
    }
}

fn subgroups(adapter: &Adapter) -> String {
    let (low, high) = (
        adapter.info.subgroup_min_size,
        adapter.info.subgroup_max_size,
    );
    if low == high {
        format!("{low} threads")
    } else {
        format!("{low} to {high} threads")
    }
}

fn features(adapter: &Adapter) -> impl Iterator<Item = &'static str> {
    let asked = adapter.features.difference(UNWANTED);
    asked.iter_names().map(|(name, _)| name)
}

fn row(label: &str, text: &str) {
    out!("  {label:<9}  {text}");
}

/// Prints items separated by commas on lines that fit a terminal.
fn list(label: &str, items: impl Iterator<Item = String>) {
    const WIDTH: usize = 86;
    let (mut label, mut line) = (label, String::new());
    for item in items {
        if !line.is_empty() && line.len() + item.len() + 2 > WIDTH {
            row(label, &format!("{line},"));
            label = "";
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(&item);
    }
    if !line.is_empty() {
        row(label, &line);
    }
}

/// The same as JSON.
fn object(adapters: &[Adapter], auto: &Opened) -> Value {
    let adapters: Vec<Value> = adapters.iter().enumerate().map(adapter_object).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit": version::COMMIT,
        "target": version::TARGET,
        "features": version::FEATURES,
        "system": system(),
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
        "features": features(adapter).collect::<Vec<_>>(),
        "uses": uses,
    })
}
