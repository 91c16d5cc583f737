//! The pixel cloud: every pixel of a photo as a point at its state.

use super::buffers::{read, storage, uniform};
use super::camera::{Camera, Vec3};
use super::layout;
use super::scene::{CloudColours, CloudStyle};
use crate::encoding::to_byte;
use crate::gpu::GpuError;

/// Where a photo's state is.
#[derive(Clone, Copy, Debug)]
pub enum CloudState<'a> {
    /// In memory: `[3, pixels]`, channel-major.
    Host(&'a [f32]),
    /// In buffers on the device that draws, `[3, pixels]` channel-major 32-bit floats, each from a
    /// byte offset that is a multiple of 4. The buffers need STORAGE and COPY_SRC usage, and what
    /// they hold has to stay until the next state is given.
    Device {
        /// Holds the state.
        buffer: &'a wgpu::Buffer,
        /// Where the state starts, in bytes.
        offset: u64,
        /// The state one step later and where it starts, to show times in between.
        next: Option<(&'a wgpu::Buffer, u64)>,
        /// 0 shows the state, 1 the next one.
        share: f32,
    },
}

/// A photo on its way to its mask.
#[derive(Clone, Copy, Debug)]
pub struct Cloud<'a> {
    /// Height and width; pixels are in row-major order.
    pub size: [usize; 2],
    /// The state `x_t`.
    pub state: CloudState<'a>,
    /// The photo itself as a state, `[3, pixels]` channel-major.
    pub source: &'a [f32],
    /// The network's velocity at the state, `[3, pixels]` channel-major.
    pub velocity: Option<&'a [f32]>,
    /// The class that each pixel's state decodes to.
    pub labels: &'a [u16],
    /// Another number for another photo.
    pub photo: u64,
    /// Changes whenever any of these does.
    pub generation: u64,
}

impl Cloud<'_> {
    /// Height times width.
    pub fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Whether every part has the size that it should; a cloud that is not whole is not drawn.
    pub fn is_whole(&self) -> bool {
        let pixels = self.pixels();
        let needed = 12 * pixels as u64;
        let fits = |buffer: &wgpu::Buffer, offset: u64| {
            offset.is_multiple_of(4) && buffer.size().saturating_sub(offset) >= needed
        };
        let state = match self.state {
            CloudState::Host(state) => state.len() == 3 * pixels,
            CloudState::Device {
                buffer,
                offset,
                next,
                ..
            } => fits(buffer, offset) && next.is_none_or(|(buffer, offset)| fits(buffer, offset)),
        };
        pixels > 0
            && state
            && self.labels.len() == pixels
            && self.source.len() == 3 * pixels
            && self.velocity.is_none_or(|v| v.len() == 3 * pixels)
    }

    /// The state in memory, `[3, pixels]`: read from the device where it lies there.
    ///
    /// # Errors
    /// A device that fails.
    pub fn read(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
    ) -> Result<std::borrow::Cow<'_, [f32]>, GpuError> {
        match self.state {
            CloudState::Host(state) => Ok(state.into()),
            CloudState::Device {
                buffer,
                offset,
                next,
                share,
            } => {
                let size = 12 * self.pixels() as u64;
                let bytes = read(device, queue, buffer, offset, size)?;
                let mut state: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
                if let Some((buffer, offset)) = next {
                    let bytes = read(device, queue, buffer, offset, size)?;
                    let next: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
                    for (x, next) in state.iter_mut().zip(next) {
                        *x += share * (next - *x);
                    }
                }
                Ok(state.into())
            }
        }
    }
}

/// The pixels whose points fall into a rectangle of the view (corners with x and y in -1..1).
pub fn inside(
    state: &[f32],
    camera: &Camera,
    aspect: f32,
    low: [f32; 2],
    high: [f32; 2],
) -> Vec<bool> {
    let pixels = state.len() / 3;
    (0..pixels)
        .map(|p| {
            let point = [state[p], state[pixels + p], state[2 * pixels + p]];
            camera
                .project(point, aspect)
                .is_some_and(|at| (0..2).all(|a| (low[a]..=high[a]).contains(&at[a])))
        })
        .collect()
}

/// One buffer of states as a shader sees it: bound from an offset that the device accepts, and the
/// rest of the way in numbers.
struct Bound {
    buffer: wgpu::Buffer,
    offset: u64,
    numbers: u32,
}

impl Bound {
    fn new(device: &wgpu::Device, buffer: &wgpu::Buffer, offset: u64) -> Self {
        let alignment = u64::from(device.limits().min_storage_buffer_offset_alignment);
        let aligned = offset / alignment * alignment;
        Self {
            buffer: buffer.clone(),
            offset: aligned,
            numbers: ((offset - aligned) / 4) as u32,
        }
    }

    fn binding(&self, pixels: usize) -> wgpu::BindingResource<'_> {
        let size = 12 * pixels as u64 + 4 * u64::from(self.numbers);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.offset,
            size: wgpu::BufferSize::new(size),
        })
    }
}

/// The cloud on the device.
pub(super) struct CloudBuffers {
    pixels: usize,
    state: Bound,
    next: Bound,
    share: f32,
    tags: wgpu::Buffer,
    brushed: bool,
    uniform: wgpu::Buffer,
}

impl CloudBuffers {
    /// Brings a whole cloud to the device. `brushed` has one entry a pixel or none.
    pub fn new(device: &wgpu::Device, cloud: &Cloud<'_>, brushed: &[bool]) -> Self {
        let pixels = cloud.pixels();
        let own;
        let (state, next, share) = match cloud.state {
            CloudState::Host(numbers) => {
                own = storage(device, numbers);
                (
                    Bound::new(device, &own, 0),
                    Bound::new(device, &own, 0),
                    0.0,
                )
            }
            CloudState::Device {
                buffer,
                offset,
                next,
                share,
            } => {
                let (later, later_offset) = next.unwrap_or((buffer, offset));
                (
                    Bound::new(device, buffer, offset),
                    Bound::new(device, later, later_offset),
                    share,
                )
            }
        };
        let empty = layout::Cloud {
            pixels: 0,
            stride: 1,
            offset: 0,
            next_offset: 0,
            share: 0.0,
            radius: 0.0,
            colours: 0,
            brushed: 0,
        };
        let mut out = Self {
            pixels,
            state,
            next,
            share,
            tags: storage(device, &tags(cloud, brushed)),
            brushed: false,
            uniform: uniform(device, &empty),
        };
        out.brushed = brushed.contains(&true);
        out
    }

    /// Marks other pixels as brushed.
    pub fn brush(&mut self, queue: &wgpu::Queue, cloud: &Cloud<'_>, brushed: &[bool]) {
        queue.write_buffer(&self.tags, 0, bytemuck::cast_slice(&tags(cloud, brushed)));
        self.brushed = brushed.contains(&true);
    }

    /// Writes the uniform and says how many points to draw.
    pub fn prepare(&self, queue: &wgpu::Queue, style: &CloudStyle) -> u32 {
        let stride = self.pixels.div_ceil(style.most.max(1) as usize).max(1);
        let content = layout::Cloud {
            pixels: self.pixels as u32,
            stride: stride as u32,
            offset: self.state.numbers,
            next_offset: self.next.numbers,
            share: self.share,
            radius: style.radius,
            colours: match style.colours {
                CloudColours::State => 0,
                CloudColours::Class => 1,
                CloudColours::Photo => 2,
            },
            brushed: u32::from(self.brushed),
        };
        queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&content));
        self.pixels.div_ceil(stride) as u32
    }

    /// The bindings 1 to 4 of field_cloud.wgsl.
    pub fn bindings(&self) -> [wgpu::BindingResource<'_>; 4] {
        [
            self.uniform.as_entire_binding(),
            self.state.binding(self.pixels),
            self.next.binding(self.pixels),
            self.tags.as_entire_binding(),
        ]
    }
}

fn tags(cloud: &Cloud<'_>, brushed: &[bool]) -> Vec<[u32; 2]> {
    let pixels = cloud.pixels();
    (0..pixels)
        .map(|p| {
            let lit = brushed.get(p).copied().unwrap_or(false);
            let photo = [0, 1, 2].map(|c| to_byte(cloud.source[c * pixels + p]));
            [
                u32::from(cloud.labels[p]) | (u32::from(lit) << 31),
                u32::from_le_bytes([photo[0], photo[1], photo[2], 255]),
            ]
        })
        .collect()
}

/// At most `most` points of a state, evenly spread over the pixels, with their indices.
pub(super) fn thin(state: &[f32], most: usize) -> Vec<(usize, Vec3)> {
    let pixels = state.len() / 3;
    let stride = pixels.div_ceil(most.max(1)).max(1);
    (0..pixels)
        .step_by(stride)
        .map(|p| (p, [state[p], state[pixels + p], state[2 * pixels + p]]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rectangle_picks_what_is_seen_in_it() {
        let camera = Camera::default();
        // Two pixels: one at the pivot, one far to the right of the view.
        let [right, ..] = camera.basis();
        let state: Vec<f32> = (0..3).flat_map(|a| [0.0, right[a]]).collect();
        let picked = inside(&state, &camera, 1.0, [-0.1, -0.1], [0.1, 0.1]);
        assert_eq!(picked, [true, false]);
    }

    #[test]
    fn a_cloud_with_a_missing_part_is_not_whole() {
        let state = [0.0; 12];
        let labels = [0; 4];
        let mut cloud = Cloud {
            size: [2, 2],
            state: CloudState::Host(&state),
            source: &state,
            velocity: None,
            labels: &labels,
            photo: 0,
            generation: 0,
        };
        assert!(cloud.is_whole());
        cloud.velocity = Some(&state[..9]);
        assert!(!cloud.is_whole());
    }
}
