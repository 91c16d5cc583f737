//! Evaluating the field at points on the device.

use super::buffers::{read, storage};
use super::camera::Vec3;
use super::layout::Vector;
use super::pane::{Gpu, Pane, centroids, field_at};
use super::pipelines::Kernels;
use super::scene::Scene;
use crate::gpu::{GpuError, guarded};

/// The field at points of the cube on the device, read back: its vectors and `Phi`. This is the
/// kernel that the arrows use; it lets a caller hold it against the CPU.
///
/// # Errors
/// A driver that refuses.
pub fn probe(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    scene: &Scene,
    points: &[Vec3],
) -> Result<Vec<Vec<(Vec3, f32)>>, GpuError> {
    let kernels = Kernels::new(device)?;
    let gpu = Gpu {
        device,
        queue,
        kernels: &kernels,
    };
    let table = centroids(device, scene);
    let at: Vec<[f32; 4]> = points.iter().map(|&[x, y, z]| [x, y, z, 0.0]).collect();
    let at = storage(device, &at);
    scene
        .panes
        .iter()
        .map(|&kind| {
            let pane = Pane::new(device, scene, kind);
            let count = points.len() as u32;
            let vectors = guarded(device, "evaluating the field", || {
                field_at(&gpu, [&pane.field, &table], &at, count)
            })?;
            let bytes = read(device, queue, &vectors, 0, vectors.size())?;
            let vectors: Vec<Vector> = bytemuck::pod_collect_to_vec(&bytes);
            Ok(vectors.iter().map(|v| (v.vector, v.phi)).collect())
        })
        .collect()
}
