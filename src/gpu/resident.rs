//! A tensor's buffer on a device shared with drawing, used in place without a copy.

use burn::backend::Wgpu;
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::wgpu::{AutoCompiler, WgpuResource, WgpuServer};
use std::any::Any;

/// A tensor's values in graphics memory. The memory stays allocated while this lives.
pub struct Resident {
    resource: WgpuResource,
    /// Keeps the allocation alive and in place.
    _hold: Box<dyn Any + Send + Sync>,
}

impl Resident {
    /// Finds the buffer of a tensor on a wgpu device; `None` if the tensor is elsewhere.
    ///
    /// Waits until the work that computes it has been submitted to the driver. Call it on the
    /// thread that computes: fusion orders work by thread.
    pub fn of<const R: usize>(tensor: Tensor<R>) -> Option<Self> {
        let device = tensor.device();
        let fused = tensor.try_into_primitive::<Wgpu>().ok()?;
        let client = fused.client.clone();
        let primitive = into_contiguous(client.resolve_tensor_float::<CubeBackend>(fused));
        let held = primitive
            .client
            .get_resource::<WgpuServer<AutoCompiler>>(primitive.handle.clone())
            .ok()?;
        device.flush().ok()?;
        Some(Self {
            resource: held.resource().clone(),
            _hold: Box::new(held),
        })
    }

    /// The values as a read-only storage binding; the buffer is shared with other tensors, and the
    /// binding starts at this one's offset.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        self.resource.as_wgpu_bind_resource()
    }

    /// The buffer and the offset of the first value, in bytes.
    pub fn location(&self) -> (&wgpu::Buffer, u64) {
        (&self.resource.buffer, self.resource.offset)
    }
}
