//! The one place that opens a compute device.

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use cubecl::config::autotune::AutotuneLevel;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The best real GPU, and the CPU where there is none.
    #[default]
    Auto,
    /// The processor, through Burn's flex backend and this crate's fused operations.
    Cpu,
    /// A wgpu adapter by its number in [`adapters`]; without one the best.
    Wgpu(Option<usize>),
    /// An NVIDIA GPU through CUDA, by its number. Only a build with the feature `cuda` opens it.
    Cuda(usize),
}

/// A device name that means nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no device {0}: use auto, cpu, wgpu, wgpu:N, cuda or cuda:N (see `flowseg devices`)"
)]
pub struct UnknownDevice(String);

impl FromStr for Choice {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.to_owned());
        match text {
            "auto" => Ok(Choice::Auto),
            "cpu" => Ok(Choice::Cpu),
            "wgpu" => Ok(Choice::Wgpu(None)),
            "cuda" => Ok(Choice::Cuda(0)),
            _ => {
                let (kind, number) = text.split_once(':').ok_or_else(unknown)?;
                let number = number.parse().map_err(|_| unknown())?;
                match kind {
                    "wgpu" => Ok(Choice::Wgpu(Some(number))),
                    "cuda" => Ok(Choice::Cuda(number)),
                    _ => Err(unknown()),
                }
            }
        }
    }
}

/// Why a device can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No adapter at all.
    #[error(
        "no graphics adapter was found: install a Vulkan, Metal or DirectX 12 driver, or use --device cpu"
    )]
    NoAdapter,
    /// A number past the end.
    #[error("there is no adapter {0}; `flowseg devices` lists {1}")]
    NoSuchAdapter(usize, usize),
    /// A CUDA device that is not there.
    #[error("there is no CUDA device {0}: {1}")]
    NoCuda(usize, String),
    /// The driver refused.
    #[error("{adapter} cannot be opened ({reason}): update its driver, or use --device cpu")]
    Refused {
        /// The adapter.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
}

/// A wgpu adapter.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its name and graphics interface.
    pub name: String,
    /// Whether it is a program on the processor rather than a GPU.
    pub software: bool,
    /// Its own memory in bytes, where its interface says.
    pub memory: Option<u64>,
    /// How good a choice it is; higher is better.
    rank: u8,
}

/// An open device.
pub struct Opened {
    /// For tensors.
    pub device: Device,
    /// For people.
    pub name: String,
    /// What `auto` decided and why, where it was asked.
    pub note: Option<String>,
}

impl Opened {
    /// Whether it is the processor itself, to which the tighter limits of the checks apply.
    pub fn is_cpu(&self) -> bool {
        crate::kernels::on_cpu(&self.device)
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn instance() -> wgpu::Instance {
    // OpenGL is left out: it is no primary interface, and looking for it makes the display libraries
    // complain on machines without a display.
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
        let name = format!("{} ({})", info.name, info.backend);
        let software = info.device_type == wgpu::DeviceType::Cpu;
        // A software adapter's is a part of the system's, and no limit.
        let memory = own_memory(&adapter).filter(|_| !software);
        adapters.push((
            adapter,
            Adapter {
                name,
                software,
                memory,
                rank,
            },
        ));
    }
    adapters
}

/// The size of an adapter's largest heap of its own memory. Only Vulkan tells.
#[cfg(any(target_os = "linux", target_os = "windows", target_os = "android"))]
fn own_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the handles are only asked for properties, while the guard keeps them alive.
    let properties = unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        adapter
            .shared_instance()
            .raw_instance()
            .get_physical_device_memory_properties(adapter.raw_physical_device())
    };
    let heaps = properties.memory_heaps_as_slice().iter();
    heaps
        .filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0)
        .map(|heap| heap.size)
        .max()
}

/// Other interfaces don't tell.
#[cfg(not(any(target_os = "linux", target_os = "windows", target_os = "android")))]
fn own_memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// The memory of the graphics adapter that was opened: a process opens one.
static OPENED_MEMORY: OnceLock<u64> = OnceLock::new();

/// Memory in bytes that a device can give: what the system has left for the processor, and what an
/// adapter has in all, where its interface says.
pub fn memory(device: &Device) -> Option<u64> {
    if !crate::kernels::on_cpu(device) {
        return OPENED_MEMORY.get().copied();
    }
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let group = system.cgroup_limits().map(|limits| limits.free_memory);
    let free = system.available_memory();
    Some(group.map_or(free, |group| group.min(free))).filter(|bytes| *bytes > 0)
}

/// All adapters, numbered as `wgpu:N` numbers them.
pub async fn adapters_async() -> Vec<Adapter> {
    enumerate(&instance())
        .await
        .into_iter()
        .map(|(_, adapter)| adapter)
        .collect()
}

/// All adapters, numbered as `wgpu:N` numbers them.
pub fn adapters() -> Vec<Adapter> {
    pollster::block_on(adapters_async())
}

/// The one device descriptor, for tensors and for drawing: everything that the adapter has, since
/// Burn's kernels are chosen from the adapter's features and limits. Mapped primary buffers are
/// left out: with them wgpu places every buffer in shared memory.
pub fn descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    wgpu::DeviceDescriptor {
        label: Some("flowseg"),
        required_features: adapter
            .features()
            .difference(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        // SAFETY: nothing is asked for that the adapter did not just report.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..Default::default()
    }
}

/// A wgpu device with all that is needed to draw with it.
#[derive(Clone)]
pub struct Graphics {
    /// The instance, for surfaces.
    pub instance: wgpu::Instance,
    /// The adapter.
    pub adapter: wgpu::Adapter,
    /// The device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    /// What the adapter is.
    pub about: Adapter,
}

/// Opens a device. Call it once: every tensor and the window share the result.
///
/// # Errors
/// A missing adapter or a driver that refuses.
pub fn open(choice: Choice) -> Result<Opened, DeviceError> {
    pollster::block_on(open_async(choice))
}

/// As [`open`], without blocking.
///
/// # Errors
/// As [`open`].
pub async fn open_async(choice: Choice) -> Result<Opened, DeviceError> {
    match choice {
        Choice::Cpu => return Ok(cpu(None)),
        Choice::Cuda(number) => return cuda(number),
        Choice::Auto | Choice::Wgpu(_) => {}
    }
    let (adapter, instance, about) = match select(choice).await {
        Ok(selected) => selected,
        Err(DeviceError::NoAdapter) if choice == Choice::Auto => {
            return Ok(cpu(Some("no graphics adapter was found".into())));
        }
        Err(error) => return Err(error),
    };
    if choice == Choice::Auto && about.software {
        return Ok(cpu_instead_of(&about));
    }
    share(choice, &request(instance, adapter, about).await?)
}

/// Opens the device that draws and the one that computes: the same one, unless the processor is
/// asked for or the only adapter is a software one.
///
/// # Errors
/// A missing adapter or a driver that refuses.
pub async fn open_for_window(choice: Choice) -> Result<(Opened, Graphics), DeviceError> {
    let drawing = match choice {
        Choice::Cpu | Choice::Cuda(_) => Choice::Auto,
        other => other,
    };
    let (adapter, instance, about) = select(drawing).await?;
    let graphics = request(instance, adapter, about).await?;
    let opened = match choice {
        Choice::Cpu => cpu(None),
        Choice::Cuda(number) => cuda(number)?,
        Choice::Auto if graphics.about.software => cpu_instead_of(&graphics.about),
        _ => share(choice, &graphics)?,
    };
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

/// The adapter of a choice: the numbered one, or the first of the best.
async fn select(choice: Choice) -> Result<(wgpu::Adapter, wgpu::Instance, Adapter), DeviceError> {
    let instance = instance();
    let mut adapters = enumerate(&instance).await;
    let count = adapters.len();
    let index = match choice {
        Choice::Wgpu(Some(index)) if index < count => index,
        Choice::Wgpu(Some(index)) => return Err(DeviceError::NoSuchAdapter(index, count)),
        _ => (0..count)
            .max_by_key(|&i| (adapters[i].1.rank, count - i))
            .ok_or(DeviceError::NoAdapter)?,
    };
    let (adapter, about) = adapters.swap_remove(index);
    if let Some(memory) = about.memory {
        // A second device of this process would share the first one's limit.
        let _ = OPENED_MEMORY.set(memory);
    }
    Ok((adapter, instance, about))
}

fn refused(about: &Adapter, reason: impl fmt::Display) -> DeviceError {
    DeviceError::Refused {
        adapter: about.name.clone(),
        reason: reason.to_string().replace('\n', " "),
    }
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
    Ok(Graphics {
        instance,
        adapter,
        device,
        queue,
        about,
    })
}

/// Burn on an open wgpu device.
fn share(choice: Choice, graphics: &Graphics) -> Result<Opened, DeviceError> {
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
    Ok(Opened {
        device,
        name: graphics.about.name.clone(),
        note: (choice == Choice::Auto).then(|| "the best adapter".to_owned()),
    })
}

/// Opens an NVIDIA GPU through CUDA.
#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<Opened, DeviceError> {
    let devices: Vec<Device> = Device::enumerate(burn::tensor::DeviceType::Cuda)
        .into_iter()
        .collect();
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

/// Says how a build that opens CUDA devices is made.
#[cfg(not(feature = "cuda"))]
fn cuda(number: usize) -> Result<Opened, DeviceError> {
    let reason = "this build has no CUDA; build it with --features cuda, or use --device wgpu";
    Err(DeviceError::NoCuda(number, reason.into()))
}

/// On a software adapter one kernel takes as long as a hundred on a GPU: trying them all out
/// before the first result would take minutes a shape.
fn limit_autotune() {
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    config.autotune.level = AutotuneLevel::Minimal;
    config.autotune.bench.min_samples = 1;
    config.autotune.bench.max_samples = 1;
    // A configuration that was read before stays: then a device is open already.
    CubeClRuntimeConfig::try_set(config);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        assert_eq!("wgpu:2".parse::<Choice>().unwrap(), Choice::Wgpu(Some(2)));
        assert_eq!("auto".parse::<Choice>().unwrap(), Choice::Auto);
        assert_eq!("cuda:1".parse::<Choice>().unwrap(), Choice::Cuda(1));
        for wrong in ["gpu", "wgpu:", "wgpu:x", "cpu:1", ""] {
            assert!(
                wrong
                    .parse::<Choice>()
                    .unwrap_err()
                    .to_string()
                    .contains("flowseg devices")
            );
        }
    }
}
