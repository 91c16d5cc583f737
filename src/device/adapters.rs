//! The graphics adapters of this machine.

use super::choice::Choice;
use super::error::DeviceError;
use super::system;
use burn::tensor::wgpu::wgpu;

#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its name and graphics API.
    pub name: String,
    /// Whether it runs on the CPU instead of a GPU.
    pub software: bool,
    /// Its own memory in bytes, if its API reports it.
    pub memory: Option<u64>,
    /// What it and its driver are called.
    pub info: wgpu::AdapterInfo,
    /// The optional abilities that it has.
    pub features: wgpu::Features,
    /// The largest and smallest sizes that it takes.
    pub limits: wgpu::Limits,
    /// How good a choice it is; higher is better.
    rank: u8,
}

fn instance() -> wgpu::Instance {
    // OpenGL is left out: it is not a primary API, and probing it makes display libraries print
    // errors on machines without a display.
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = wgpu::Backends::PRIMARY;
    wgpu::Instance::new(descriptor)
}

async fn enumerate(instance: &wgpu::Instance) -> Vec<(wgpu::Adapter, Adapter)> {
    let mut adapters = Vec::new();
    for adapter in instance.enumerate_adapters(wgpu::Backends::PRIMARY).await {
        let info = adapter.get_info();
        let rank = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => 4,
            wgpu::DeviceType::IntegratedGpu => 3,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 1,
            wgpu::DeviceType::Cpu => 0,
        };
        let name = match info.name.as_str() {
            // Browsers may keep it to themselves.
            "" => "WebGPU".to_owned(),
            name => format!("{name} ({})", info.backend),
        };
        let software = info.device_type == wgpu::DeviceType::Cpu;
        // A software adapter's memory is part of the system's and not a limit.
        let memory = system::adapter_memory(&adapter).filter(|_| !software);
        let about = Adapter {
            name,
            software,
            memory,
            info,
            features: adapter.features(),
            limits: adapter.limits(),
            rank,
        };
        adapters.push((adapter, about));
    }
    adapters
}

/// All adapters, in the order of `wgpu:N`.
pub async fn adapters_async() -> Vec<Adapter> {
    enumerate(&instance())
        .await
        .into_iter()
        .map(|(_, adapter)| adapter)
        .collect()
}

/// All adapters, in the order of `wgpu:N`.
#[cfg(not(target_arch = "wasm32"))]
pub fn adapters() -> Vec<Adapter> {
    pollster::block_on(adapters_async())
}

/// The adapter that was opened: a page cannot wait for an answer about the others.
#[cfg(target_arch = "wasm32")]
pub fn adapters() -> Vec<Adapter> {
    OPENED.get().cloned().into_iter().collect()
}

#[cfg(target_arch = "wasm32")]
static OPENED: std::sync::OnceLock<Adapter> = std::sync::OnceLock::new();

/// The adapter with the number that was chosen, or all, the best first.
pub(super) async fn candidates(
    choice: &Choice,
) -> Result<(wgpu::Instance, Vec<(wgpu::Adapter, Adapter)>), DeviceError> {
    let instance = instance();
    let mut adapters = enumerate(&instance).await;
    let count = adapters.len();
    match choice {
        Choice::Wgpu(Some(index)) if *index < count => {
            adapters = vec![adapters.swap_remove(*index)]
        }
        Choice::Wgpu(Some(index)) => return Err(DeviceError::NoSuchAdapter(*index, count)),
        _ => adapters.sort_by_key(|(_, about)| std::cmp::Reverse(about.rank)),
    }
    if adapters.is_empty() {
        return Err(DeviceError::NoAdapter);
    }
    Ok((instance, adapters))
}

/// Remembers the adapter that was opened.
#[cfg(target_arch = "wasm32")]
pub(super) fn opened(about: &Adapter) {
    let _ = OPENED.set(about.clone());
}
