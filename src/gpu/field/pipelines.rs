//! Compiled shaders: compute kernels and drawing pipelines.

use super::shaders;
use crate::gpu::{GpuError, guarded};

/// Colour format of the off-screen picture: what egui shows as it is.
pub const COLOUR: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;
/// Depth format.
pub(super) const DEPTH: wgpu::TextureFormat = wgpu::TextureFormat::Depth32Float;

/// The compute kernels.
pub(super) struct Kernels {
    pub vectors: wgpu::ComputePipeline,
    pub particles: wgpu::ComputePipeline,
    pub slice_map: wgpu::ComputePipeline,
    pub streamlines: wgpu::ComputePipeline,
}

impl Kernels {
    /// Compiles them.
    pub fn new(device: &wgpu::Device) -> Result<Self, GpuError> {
        guarded(device, "compiling the field's kernels", || {
            let kernel = |label, source| {
                device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some(label),
                    layout: None,
                    module: &module(device, label, source),
                    entry_point: Some("main"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    cache: None,
                })
            };
            Self {
                vectors: kernel("field vectors", shaders::VECTORS),
                particles: kernel("field particles", shaders::PARTICLES),
                slice_map: kernel("field slice map", shaders::SLICE_MAP),
                streamlines: kernel("field streamlines", shaders::STREAMLINES),
            }
        })
    }
}

/// The drawing pipelines for one number of samples a pixel.
pub(super) struct Drawing {
    pub samples: u32,
    pub spheres: wgpu::RenderPipeline,
    pub arrows: wgpu::RenderPipeline,
    pub lines: wgpu::RenderPipeline,
    pub slice: wgpu::RenderPipeline,
    pub points: wgpu::RenderPipeline,
    pub cloud: wgpu::RenderPipeline,
}

impl Drawing {
    /// Compiles them.
    pub fn new(device: &wgpu::Device, samples: u32) -> Result<Self, GpuError> {
        guarded(device, "compiling the field's drawing", || {
            let solid = |label, source| pipeline(device, samples, label, source, true);
            let blended = |label, source| pipeline(device, samples, label, source, false);
            Self {
                samples,
                spheres: solid("field spheres", shaders::SPHERES),
                arrows: solid("field arrows", shaders::ARROWS),
                lines: blended("field lines", shaders::LINES),
                slice: blended("field slice", shaders::SLICE),
                points: solid("field points", shaders::POINTS),
                cloud: solid("field cloud", shaders::CLOUD),
            }
        })
    }
}

fn module(device: &wgpu::Device, label: &str, source: &str) -> wgpu::ShaderModule {
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    })
}

/// Solid things write depth and, where there are samples, turn alpha into coverage; blended ones
/// come after them, with premultiplied alpha.
fn pipeline(
    device: &wgpu::Device,
    samples: u32,
    label: &str,
    source: &str,
    solid: bool,
) -> wgpu::RenderPipeline {
    let module = module(device, label, source);
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(label),
        layout: None,
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("vertex"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: Some(wgpu::DepthStencilState {
            format: DEPTH,
            depth_write_enabled: Some(solid),
            depth_compare: Some(wgpu::CompareFunction::LessEqual),
            stencil: wgpu::StencilState::default(),
            bias: wgpu::DepthBiasState::default(),
        }),
        multisample: wgpu::MultisampleState {
            count: samples,
            mask: !0,
            alpha_to_coverage_enabled: solid && samples > 1,
        },
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("fragment"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(wgpu::ColorTargetState {
                format: COLOUR,
                blend: (!solid).then_some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                write_mask: wgpu::ColorWrites::ALL,
            })],
        }),
        multiview_mask: None,
        cache: None,
    })
}

/// Binds resources to bindings 0, 1, 2, ... of a pipeline's group 0.
pub(super) fn bind(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    resources: &[wgpu::BindingResource<'_>],
) -> wgpu::BindGroup {
    let entries: Vec<wgpu::BindGroupEntry<'_>> = resources
        .iter()
        .enumerate()
        .map(|(binding, resource)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: resource.clone(),
        })
        .collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout,
        entries: &entries,
    })
}
