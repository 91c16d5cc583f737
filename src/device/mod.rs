//! Opens compute devices; no other module does.

mod adapters;
mod backend;
mod choice;
mod error;
mod failure;
mod launches;
mod loss;
mod memory;
mod opened;
mod remote;
mod system;
mod uses;

pub use adapters::{Adapter, adapters, adapters_async};
pub(crate) use backend::backend_of;
#[cfg(test)]
pub(crate) use backend::permute_by_swaps;
pub use backend::{has_field_kernels, on_cpu, permute};
pub use choice::{Choice, UnknownDevice};
pub use error::DeviceError;
pub use failure::ON_CPU;
pub(crate) use failure::{Failed, Failure, attempt, guarded};
pub use launches::Launches;
pub use loss::Loss;
pub(crate) use loss::unwind_if_lost;
pub use memory::memory;
pub use opened::Opened;
pub use remote::{TOKEN, token};
pub use system::peak;
pub use uses::{Use, limits};

use adapters::candidates;
use burn::backend::{CubeDevice, DispatchDevice};
use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use std::fmt;

/// Whether a device is an NVIDIA GPU through CUDA; gradients on such devices can be summed without
/// main memory.
pub fn is_cuda(device: &Device) -> bool {
    let backend = backend_of(device);
    matches!(backend, DispatchDevice::Cube(CubeDevice::Cuda(_)))
}

/// An ability that is never asked for: with it wgpu places every buffer in shared memory.
pub const UNWANTED: wgpu::Features = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;

/// The one device descriptor, for tensors and for drawing: everything that the adapter has but
/// [`UNWANTED`], since Burn's kernels are chosen from the adapter's features and limits.
pub fn descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    wgpu::DeviceDescriptor {
        label: Some("flowseg"),
        required_features: adapter.features().difference(UNWANTED),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        // SAFETY: only features that the adapter has just reported are requested.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..Default::default()
    }
}

/// A wgpu device with everything needed to draw with it.
#[derive(Clone)]
pub struct Graphics {
    pub instance: wgpu::Instance,
    pub adapter: wgpu::Adapter,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    /// The adapter's description.
    pub about: Adapter,
    /// Whether the device is lost.
    pub loss: Loss,
}

/// Opens a device. Call it once: all tensors and the window share the result. [`Choice::Auto`] passes
/// over adapters whose driver fails, and takes the CPU if there is no other.
///
/// # Errors
/// If there is no such device, or its driver fails.
pub fn open(choice: Choice) -> Result<Opened, DeviceError> {
    pollster::block_on(open_async(choice))
}

/// Like [`open`], without blocking.
///
/// # Errors
/// As for [`open`].
pub async fn open_async(choice: Choice) -> Result<Opened, DeviceError> {
    match &choice {
        Choice::Cpu => return Ok(cpu(None)),
        Choice::Cuda(number) => return cuda(*number),
        Choice::Remote { url, index } => return remote::connect(url, *index),
        Choice::Auto | Choice::Wgpu(_) => {}
    }
    let auto = choice == Choice::Auto;
    let (instance, mut adapters) = match candidates(&choice).await {
        Ok(found) => found,
        Err(DeviceError::NoAdapter) if auto => {
            return Ok(cpu(Some("no graphics adapter was found".into())));
        }
        Err(error) => return Err(error),
    };
    if !auto {
        return share(false, &first_that_opens(instance, adapters).await?);
    }
    if adapters[0].1.software {
        return Ok(cpu_instead_of(&adapters[0].1));
    }
    adapters.retain(|(_, about)| !about.software);
    match first_that_opens(instance, adapters).await {
        Ok(graphics) => share(true, &graphics),
        Err(error) => Ok(cpu(Some(error.to_string()))),
    }
}

/// Opens the device that draws and the one that computes. They are the same unless the CPU is
/// requested or the only adapter is a software one.
///
/// # Errors
/// If there is no such device, or its driver fails.
pub async fn open_for_window(choice: Choice) -> Result<(Opened, Graphics), DeviceError> {
    let drawing = choice.drawing();
    open_drawing_on(&drawing, choice).await
}

/// Like [`open_for_window`], with another choice of the adapter that draws than the one of `choice`, which
/// then has to be one that [draws nothing](Choice::draws).
///
/// # Errors
/// As for [`open_for_window`].
pub async fn open_drawing_on(
    drawing: &Choice,
    choice: Choice,
) -> Result<(Opened, Graphics), DeviceError> {
    let (instance, adapters) = candidates(drawing).await?;
    let mut graphics = first_that_opens(instance, adapters).await?;
    let shares = choice.draws();
    let opened = match choice {
        Choice::Cpu => cpu(None),
        Choice::Cuda(number) => cuda(number)?,
        Choice::Remote { url, index } => remote::connect(&url, index)?,
        Choice::Auto if graphics.about.software => cpu_instead_of(&graphics.about),
        Choice::Auto => share(true, &graphics)?,
        Choice::Wgpu(_) => share(false, &graphics)?,
    };
    // Burn watches a device that it computes on; the window's own watch takes its place.
    graphics.loss = Loss::watch(&graphics.device);
    if shares {
        graphics.loss.tell_of(&opened.device);
    }
    Ok((opened, graphics))
}

fn cpu(note: Option<String>) -> Opened {
    Opened {
        device: Device::flex(),
        name: "CPU".into(),
        note,
    }
}

fn cpu_instead_of(about: &Adapter) -> Opened {
    cpu(Some(format!(
        "the only adapter is a software one, {}",
        about.name
    )))
}

fn refused(about: &Adapter, reason: impl fmt::Display) -> DeviceError {
    DeviceError::Refused {
        adapter: about.name.clone(),
        reason: reason.to_string().replace('\n', " "),
    }
}

/// Opens the first adapter whose driver can be opened; if there is none, the error is the first one's.
async fn first_that_opens(
    instance: wgpu::Instance,
    adapters: Vec<(wgpu::Adapter, Adapter)>,
) -> Result<Graphics, DeviceError> {
    let mut first = None;
    for (adapter, about) in adapters {
        match request(instance.clone(), adapter, about).await {
            Ok(graphics) => {
                #[cfg(target_arch = "wasm32")]
                adapters::opened(&graphics.about);
                return Ok(graphics);
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(DeviceError::NoAdapter))
}

async fn request(
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    about: Adapter,
) -> Result<Graphics, DeviceError> {
    let (device, queue) = adapter
        .request_device(&descriptor(&adapter))
        .await
        .map_err(|error| refused(&about, error))?;
    loss::simulate(&device);
    Ok(Graphics {
        instance,
        adapter,
        device,
        queue,
        about,
        loss: Loss::default(),
    })
}

/// Creates a Burn device on an open wgpu device.
fn share(auto: bool, graphics: &Graphics) -> Result<Opened, DeviceError> {
    #[cfg(feature = "autotune")]
    if graphics.about.software {
        limit_autotune();
    }
    let setup = WgpuSetup {
        instance: graphics.instance.clone(),
        adapter: graphics.adapter.clone(),
        device: graphics.device.clone(),
        queue: graphics.queue.clone(),
        backend: graphics.adapter.get_info().backend,
    };
    let device = Device::wgpu_options()
        .setup(setup)
        .init()
        .map_err(|error| refused(&graphics.about, error))?;
    if let Some(bytes) = graphics.about.memory {
        memory::opened(&device, bytes);
    }
    Ok(Opened {
        device,
        name: graphics.about.name.clone(),
        note: auto.then(|| "the best adapter".to_owned()),
    })
}

/// NVIDIA GPUs that CUDA finds, in order of number.
#[cfg(feature = "cuda")]
fn cuda_devices() -> Vec<Device> {
    Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec()
}

/// Number of NVIDIA GPUs for `cuda:N`; 0 in a build without CUDA.
#[cfg(feature = "cuda")]
pub fn cuda_count() -> usize {
    cuda_devices().len()
}

/// Number of NVIDIA GPUs for `cuda:N`; 0 in a build without CUDA.
#[cfg(not(feature = "cuda"))]
pub fn cuda_count() -> usize {
    0
}

/// Opens an NVIDIA GPU through CUDA.
#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<Opened, DeviceError> {
    let devices = cuda_devices();
    let count = devices.len();
    match devices.into_iter().nth(number) {
        Some(device) => Ok(Opened {
            device,
            name: format!("CUDA device {number}"),
            note: None,
        }),
        None => Err(DeviceError::NoCuda(
            number,
            format!("this machine has {count}; install NVIDIA's driver and CUDA's libraries"),
        )),
    }
}

/// Explains how to build with CUDA.
#[cfg(not(feature = "cuda"))]
fn cuda(number: usize) -> Result<Opened, DeviceError> {
    let reason = "this build has no CUDA; build it with --features cuda, or use --device wgpu";
    Err(DeviceError::NoCuda(number, reason.into()))
}

/// On a software adapter one kernel takes as long as a hundred on a GPU: trying all variants before
/// the first result would take minutes per shape.
#[cfg(feature = "autotune")]
fn limit_autotune() {
    use cubecl::config::autotune::AutotuneLevel;
    use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    config.autotune.level = AutotuneLevel::Minimal;
    config.autotune.bench.min_samples = 1;
    config.autotune.bench.max_samples = 1;
    // Fails if a configuration has already been read: then a device is open.
    CubeClRuntimeConfig::try_set(config);
}
