//! The photo whose pixels the cloud and the arrows of the network's velocity show.

use super::readback::read;
use crate::gpu::GpuError;
use std::borrow::Cow;

/// Where a photo's state is stored.
#[derive(Clone, Copy, Debug)]
pub enum CloudState<'a> {
    /// In memory: `[3, pixels]`, channel-major.
    Host(&'a [f32]),
    /// In buffers on the device that draws, `[3, pixels]` channel-major 32-bit floats, each at a
    /// byte offset that is a multiple of 4. The buffers need STORAGE and COPY_SRC usage, and their
    /// contents must not change until the next state is set.
    Device {
        buffer: &'a wgpu::Buffer,
        /// Offset of the state, in bytes.
        offset: u64,
        /// The state one step later and its offset, to show times in between.
        next: Option<(&'a wgpu::Buffer, u64)>,
        /// Position between the two, 0 to 1: 0 shows the state, 1 the next one.
        share: f32,
        /// The numbers of both, `[3, pixels]` channel-major, where memory holds them as well; those of
        /// the state twice if there is no next one.
        host: Option<[&'a [f32]; 2]>,
    },
}

/// The pixels of a photo at one time of its flow.
#[derive(Clone, Copy, Debug)]
pub struct Cloud<'a> {
    /// Height and width; pixels are in row-major order.
    pub size: [usize; 2],
    /// The state `x_t`.
    pub state: CloudState<'a>,
    /// The state at the start of the flow, `[3, pixels]` channel-major.
    pub source: &'a [f32],
    /// The photo's colours, -1 to 1, `[3, pixels]` channel-major.
    pub colours: &'a [f32],
    /// The network's velocity at the state, `[3, pixels]` channel-major.
    pub velocity: Option<&'a [f32]>,
    /// The class that each pixel's state decodes to.
    pub labels: &'a [u16],
    /// An id that differs between photos.
    pub photo: u64,
    /// Changes whenever any of these does.
    pub generation: u64,
}

impl Cloud<'_> {
    pub(crate) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Whether every part has the right size; other clouds are not drawn.
    pub(crate) fn is_whole(&self) -> bool {
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
                host,
                ..
            } => {
                fits(buffer, offset)
                    && next.is_none_or(|(buffer, offset)| fits(buffer, offset))
                    && host.is_none_or(|states| states.iter().all(|s| s.len() == 3 * pixels))
            }
        };
        pixels > 0
            && state
            && self.labels.len() == pixels
            && self.source.len() == 3 * pixels
            && self.colours.len() == 3 * pixels
            && self.velocity.is_none_or(|v| v.len() == 3 * pixels)
    }

    /// The state in memory, `[3, pixels]`; copied from the device, which is waited for, if it is stored
    /// only there.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn read(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
    ) -> Result<Cow<'_, [f32]>, GpuError> {
        let (buffer, offset, next, share) = match self.state {
            CloudState::Host(state) => return Ok(state.into()),
            CloudState::Device {
                host: Some([state, next]),
                share,
                ..
            } => {
                let mixed = state
                    .iter()
                    .zip(next)
                    .map(|(x, next)| x + share * (next - x));
                return Ok(mixed.collect());
            }
            CloudState::Device {
                buffer,
                offset,
                next,
                share,
                host: None,
            } => (buffer, offset, next, share),
        };
        let size = 12 * self.pixels() as u64;
        let mut state: Vec<f32> = read(device, queue, buffer, offset, size)?;
        if let Some((buffer, offset)) = next {
            let next: Vec<f32> = read(device, queue, buffer, offset, size)?;
            for (x, next) in state.iter_mut().zip(next) {
                *x += share * (next - *x);
            }
        }
        Ok(state.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_with_a_missing_part_is_not_whole() {
        let state = [0.0; 12];
        let labels = [0; 4];
        let mut cloud = Cloud {
            size: [2, 2],
            state: CloudState::Host(&state),
            source: &state,
            colours: &state,
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
