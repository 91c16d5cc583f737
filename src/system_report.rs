//! What a bug report needs to know about this build, this system and its graphics adapters.

use crate::device::{self, Adapter, UNWANTED};
use crate::version;
#[cfg(not(target_arch = "wasm32"))]
use sysinfo::System;

/// The build, the system and all properties of these adapters, `wgpu:0` first.
pub(crate) fn text(adapters: &[Adapter]) -> String {
    let mut report = vec![version::line(), system()];
    for (i, adapter) in adapters.iter().enumerate() {
        describe(&mut report, i, adapter);
    }
    report.push(String::new());
    report.join("\n")
}

/// Name and memory of an adapter.
pub(crate) fn summary(adapter: &Adapter) -> String {
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

/// The browser.
#[cfg(target_arch = "wasm32")]
pub(crate) fn system() -> String {
    crate::page::browser()
}

/// The operating system and its kernel.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn system() -> String {
    let unknown = || "unknown".to_owned();
    format!(
        "{}, kernel {}, {}",
        System::long_os_version().unwrap_or_else(unknown),
        System::kernel_version().unwrap_or_else(unknown),
        System::cpu_arch()
    )
}

/// Appends all properties of an adapter.
fn describe(report: &mut Vec<String>, i: usize, adapter: &Adapter) {
    let info = &adapter.info;
    report.push(String::new());
    report.push(format!("wgpu:{i}   {}", info.name));
    row(
        report,
        "interface",
        &format!("{}, {:?}", info.backend, info.device_type),
    );
    row(report, "driver", &driver(adapter));
    row(
        report,
        "hardware",
        &format!("vendor {:#06x}, device {:#06x}", info.vendor, info.device),
    );
    row(report, "subgroups", &subgroups(adapter));
    let mut label = "in use";
    for used in adapter.uses() {
        row(
            report,
            label,
            &format!("{} {}: {}", used.name, used.value, used.purpose),
        );
        label = "";
    }
    let limits = device::limits(&adapter.limits);
    list(
        report,
        "limits",
        limits.iter().map(|(name, value)| format!("{name} {value}")),
    );
    list(report, "features", features(adapter).map(str::to_owned));
    list(
        report,
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

/// The names of the features that the program requests of an adapter.
pub(crate) fn features(adapter: &Adapter) -> impl Iterator<Item = &'static str> {
    let asked = adapter.features.difference(UNWANTED);
    asked.iter_names().map(|(name, _)| name)
}

fn row(report: &mut Vec<String>, label: &str, text: &str) {
    report.push(format!("  {label:<9}  {text}"));
}

/// Appends items separated by commas on lines that fit a terminal.
fn list(report: &mut Vec<String>, label: &str, items: impl Iterator<Item = String>) {
    const WIDTH: usize = 86;
    let (mut label, mut line) = (label, String::new());
    for item in items {
        if !line.is_empty() && line.len() + item.len() + 2 > WIDTH {
            row(report, label, &format!("{line},"));
            label = "";
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(&item);
    }
    if !line.is_empty() {
        row(report, label, &line);
    }
}
