//! The pixel cloud: every pixel of a photo as a disc at its state.
//!
//! States are read where they are stored, also from a buffer of the compute runtime; between two
//! states the shader interpolates. Labels, brush and the photo's colours are packed into eight bytes
//! per pixel.

use super::context::{Gpu, Phase, Pipeline, Slot, wgsl};
use super::layer::{Draw, Frame, Layer};
use super::pixels::{Cloud, CloudState};
use crate::encoding::to_byte;
use crate::gpu::GpuError;
use serde::{Deserialize, Serialize};

/// What colours the points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloudColours {
    /// The state itself, read as a colour.
    #[default]
    State,
    /// The class that the state decodes to.
    Class,
    /// The photo's pixel.
    Photo,
}

/// The cloud's settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CloudStyle {
    /// Radius of a point in points of the screen.
    pub radius: f32,
    /// The points' colours.
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

/// Most points that are drawn.
const MOST_POINTS: u32 = 1 << 22;

mod gpu_data {
    use bytemuck::{Pod, Zeroable};

    /// `Cloud` of field/cloud.wgsl.
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    pub struct Cloud {
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
    pub const BRUSHED: u32 = 1 << 31;
}

pub(super) struct CloudLayer {
    pipeline: Pipeline,
    uniform: wgpu::Buffer,
    loaded: Option<Loaded>,
}

/// A cloud on the device.
struct Loaded {
    generation: u64,
    brushed: Vec<bool>,
    tags: wgpu::Buffer,
    group: wgpu::BindGroup,
    /// All but the stride, which the level of detail decides.
    content: gpu_data::Cloud,
}

impl CloudLayer {
    pub fn new(gpu: &Gpu) -> Self {
        let slots = [Slot::Uniform, Slot::Read, Slot::Read, Slot::Read];
        let empty: gpu_data::Cloud = bytemuck::Zeroable::zeroed();
        Self {
            pipeline: Pipeline::new(gpu, "field cloud", Self::WGSL, &slots, Phase::Opaque),
            uniform: gpu.uniform(&empty),
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
            } => ((buffer, offset), next, share),
        };
        let pixels = cloud.pixels();
        let [(state, offset), (next, next_offset)] =
            [state, next.unwrap_or(state)].map(|(buffer, at)| binding(gpu, buffer, at, pixels));
        let tags = gpu.storage(&tags(cloud, brushed));
        let resources = [
            self.uniform.as_entire_binding(),
            state,
            next,
            tags.as_entire_binding(),
        ];
        Loaded {
            generation: cloud.generation,
            brushed: brushed.to_vec(),
            group: self.pipeline.bind(gpu, &resources),
            tags,
            content: gpu_data::Cloud {
                pixels: pixels as u32,
                stride: 1,
                offset,
                next_offset,
                share,
                radius: 0.0,
                colours: 0,
                brushed: 0,
            },
        }
    }
}

impl Layer for CloudLayer {
    type Settings = CloudStyle;

    const WGSL: &'static str = wgsl!("common/scene", "common/potential", "field/cloud");

    fn prepare(&mut self, style: Option<&CloudStyle>, frame: &Frame<'_>) -> Result<(), GpuError> {
        let (Some(style), Some(cloud)) = (style, frame.cloud) else {
            self.loaded = None;
            return Ok(());
        };
        let known = self.loaded.take();
        let known = known.filter(|loaded| loaded.generation == cloud.generation);
        let mut loaded = known.unwrap_or_else(|| self.load(frame.gpu, cloud, frame.brushed));
        if loaded.brushed != frame.brushed {
            frame.gpu.write(&loaded.tags, &tags(cloud, frame.brushed));
            loaded.brushed = frame.brushed.to_vec();
        }
        loaded.content.radius = style.radius;
        loaded.content.colours = match style.colours {
            CloudColours::State => 0,
            CloudColours::Class => 1,
            CloudColours::Photo => 2,
        };
        loaded.content.brushed = u32::from(frame.brushed.contains(&true));
        self.loaded = Some(loaded);
        Ok(())
    }

    fn draw(&self, draw: &Draw<'_>, pass: &mut wgpu::RenderPass<'_>) {
        let Some(loaded) = self.loaded.as_ref().filter(|_| draw.phase == Phase::Opaque) else {
            return;
        };
        let most = (MOST_POINTS as f32 * draw.detail.points) as u32;
        let stride = loaded.content.pixels.div_ceil(most.max(1)).max(1);
        let content = gpu_data::Cloud {
            stride,
            ..loaded.content
        };
        draw.gpu.write(&self.uniform, &[content]);
        let points = content.pixels.div_ceil(stride);
        self.pipeline
            .draw(pass, draw.detail.fine, &loaded.group, 3 * points);
    }
}

/// A state as a shader reads it: bound from an offset that the device accepts, and the remaining
/// offset in numbers.
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

/// Each pixel's label with the brush's bit, and its colour in the photo.
fn tags(cloud: &Cloud<'_>, brushed: &[bool]) -> Vec<[u32; 2]> {
    let pixels = cloud.pixels();
    (0..pixels)
        .map(|p| {
            let brush = match brushed.get(p) {
                Some(true) => gpu_data::BRUSHED,
                _ => 0,
            };
            let [r, g, b] = [0, 1, 2].map(|c| to_byte(cloud.source[c * pixels + p]));
            let photo = u32::from_le_bytes([r, g, b, 255]);
            [u32::from(cloud.labels[p]) | brush, photo]
        })
        .collect()
}
