//! The pixel cloud: every pixel of a photo as a disc at its state.
//!
//! States are read in place, even from a buffer of the compute runtime; the shader interpolates
//! between two states. Labels, brush and the photo's colours are packed into eight bytes per pixel.

use super::context::{Gpu, Phase, Pipeline, Slot, wgsl, whole};
use super::layer::{Draw, Frame, Layer};
use super::pixels::{Cloud, CloudState};
use crate::encoding::to_byte;
use crate::gpu::GpuError;
use bytemuck::Zeroable;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloudColours {
    /// The state itself, read as a colour.
    #[default]
    State,
    /// The class that the state decodes to.
    Class,
    Photo,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CloudStyle {
    /// Radius of a disc in points of the screen.
    pub radius: f32,
    pub colours: CloudColours,
}

impl Default for CloudStyle {
    fn default() -> Self {
        Self {
            radius: 1.6,
            colours: CloudColours::State,
        }
    }
}

/// Maximum number of points drawn.
const MOST_POINTS: u32 = 1 << 22;

mod gpu_data {
    use bytemuck::{Pod, Zeroable};

    /// `Cloud` of field/cloud.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub(super) struct Cloud {
        pub pixels: u32,
        pub stride: u32,
        pub offset: u32,
        pub next_offset: u32,
        pub share: f32,
        pub radius: f32,
        pub colours: u32,
        pub brushed: u32,
    }
    const _: () = assert!(size_of::<Cloud>() == 32);

    /// The bit of a tag that marks a brushed pixel: `BRUSHED` of field/cloud.wgsl.
    pub(super) const BRUSHED: u32 = 1 << 31;
}

pub(super) struct CloudLayer {
    pipeline: Pipeline,
    style: wgpu::Buffer,
    loaded: Option<Loaded>,
}

/// A cloud on the device.
struct Loaded {
    generation: u64,
    brushed: Vec<bool>,
    tags: wgpu::Buffer,
    group: wgpu::BindGroup,
    /// The part of the style that does not depend on settings or level of detail.
    content: gpu_data::Cloud,
}

impl CloudLayer {
    pub(super) fn new(gpu: &Gpu) -> Self {
        let slots = [Slot::Read; 4];
        Self {
            pipeline: Pipeline::new(gpu, "field cloud", Self::WGSL, &slots, Phase::Opaque),
            style: gpu.storage(&[gpu_data::Cloud::zeroed()]),
            loaded: None,
        }
    }

    fn load(&self, gpu: &Gpu, cloud: &Cloud<'_>, brushed: &[bool]) -> Loaded {
        let own;
        let (state, next, share) = match cloud.state {
            CloudState::Host(state) => {
                own = gpu.storage(state);
                ((&own, 0), None, 0.0)
            }
            CloudState::Device {
                buffer,
                offset,
                next,
                share,
                ..
            } => ((buffer, offset), next, share),
        };
        let pixels = cloud.pixels();
        let states = [state, next.unwrap_or(state)];
        let [(state, offset), (next, next_offset)] =
            states.map(|(buffer, offset)| binding(gpu, buffer, offset, pixels));
        let tags = gpu.storage(&tags(cloud, brushed));
        let [style, bound_tags] = whole([&self.style, &tags]);
        Loaded {
            generation: cloud.generation,
            brushed: brushed.to_vec(),
            group: self.pipeline.bind(gpu, &[style, state, next, bound_tags]),
            tags,
            content: gpu_data::Cloud {
                pixels: pixels as u32,
                offset,
                next_offset,
                share,
                brushed: u32::from(brushed.contains(&true)),
                ..Zeroable::zeroed()
            },
        }
    }
}

impl Layer for CloudLayer {
    type Settings = CloudStyle;

    const WGSL: &'static str = wgsl!(scene, potential => cloud);

    fn prepare(&mut self, _: &CloudStyle, frame: &Frame<'_>) -> Result<(), GpuError> {
        let Frame { gpu, brushed, .. } = frame;
        match (&mut self.loaded, frame.cloud) {
            (Some(loaded), Some(cloud)) if loaded.generation == cloud.generation => {
                if loaded.brushed != *brushed {
                    gpu.write(&loaded.tags, &tags(cloud, brushed));
                    loaded.content.brushed = u32::from(brushed.contains(&true));
                    loaded.brushed = brushed.to_vec();
                }
            }
            (_, cloud) => self.loaded = cloud.map(|cloud| self.load(gpu, cloud, brushed)),
        }
        Ok(())
    }

    fn draw(&self, style: &CloudStyle, draw: &mut Draw<'_, '_>) {
        let Some(loaded) = self.loaded.as_ref().filter(|_| draw.phase == Phase::Opaque) else {
            return;
        };
        let most = (MOST_POINTS as f32 * draw.detail.points) as u32;
        let stride = loaded.content.pixels.div_ceil(most.max(1)).max(1);
        let content = gpu_data::Cloud {
            stride,
            radius: style.radius,
            colours: match style.colours {
                CloudColours::State => 0,
                CloudColours::Class => 1,
                CloudColours::Photo => 2,
            },
            ..loaded.content
        };
        draw.gpu.write(&self.style, &[content]);
        let points = content.pixels.div_ceil(stride);
        draw.vertices(&self.pipeline, &loaded.group, 3 * points);
    }
}

/// A state as a shader reads it: bound at an offset that meets the device's alignment, and the
/// remaining offset in elements.
fn binding<'a>(
    gpu: &Gpu,
    buffer: &'a wgpu::Buffer,
    offset: u64,
    pixels: usize,
) -> (wgpu::BindingResource<'a>, u32) {
    let alignment = u64::from(gpu.device.limits().min_storage_buffer_offset_alignment);
    let aligned = offset / alignment * alignment;
    let binding = wgpu::BufferBinding {
        buffer,
        offset: aligned,
        size: wgpu::BufferSize::new(12 * pixels as u64 + offset - aligned),
    };
    let numbers = ((offset - aligned) / 4) as u32;
    (wgpu::BindingResource::Buffer(binding), numbers)
}

/// Each pixel's label with the brush bit, and its colour in the photo.
fn tags(cloud: &Cloud<'_>, brushed: &[bool]) -> Vec<[u32; 2]> {
    let pixels = cloud.pixels();
    (0..pixels)
        .map(|p| {
            let brush = match brushed.get(p) {
                Some(true) => gpu_data::BRUSHED,
                _ => 0,
            };
            let [r, g, b] = [0, 1, 2].map(|c| to_byte(cloud.colours[c * pixels + p]));
            let photo = u32::from_le_bytes([r, g, b, 255]);
            [u32::from(cloud.labels[p]) | brush, photo]
        })
        .collect()
}
