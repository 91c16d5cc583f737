//! A device with helpers for layers: buffers, bind groups, compute kernels and drawing pipelines.
//!
//! Bind group 0 of every shader is the global one (`globals.rs`), bind group 1 the layer's own.

use crate::gpu::draw::bind;
use glam::Vec3;
use wgpu::util::DeviceExt;

/// The source of a shader: files of `shaders/common`, then one of `shaders/field`.
macro_rules! wgsl {
    ($($common:ident),* => $own:ident) => {
        concat!(
            $(include_str!(concat!("../../../shaders/common/", stringify!($common), ".wgsl")),)*
            include_str!(concat!("../../../shaders/field/", stringify!($own), ".wgsl"))
        )
    };
}
pub(super) use wgsl;

/// Colour format of the off-screen picture, gamma-encoded like egui's own colours.
pub(crate) const COLOUR: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;
pub(super) const DEPTH: wgpu::TextureFormat = wgpu::TextureFormat::Depth32Float;
/// Samples per pixel of a finished picture.
pub(super) const SAMPLES: u32 = 4;

/// The kind of one binding.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Uniform,
    Read,
    ReadWrite,
    Texture,
    Store(wgpu::TextureFormat),
}

impl Slot {
    fn entry(self, binding: u32, visibility: wgpu::ShaderStages) -> wgpu::BindGroupLayoutEntry {
        let buffer = |ty| wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let storage = |read_only| buffer(wgpu::BufferBindingType::Storage { read_only });
        let view_dimension = wgpu::TextureViewDimension::D2;
        wgpu::BindGroupLayoutEntry {
            binding,
            visibility,
            ty: match self {
                Slot::Uniform => buffer(wgpu::BufferBindingType::Uniform),
                Slot::Read => storage(true),
                Slot::ReadWrite => storage(false),
                Slot::Texture => wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Float { filterable: false },
                    view_dimension,
                    multisampled: false,
                },
                Slot::Store(format) => wgpu::BindingType::StorageTexture {
                    access: wgpu::StorageTextureAccess::WriteOnly,
                    format,
                    view_dimension,
                },
            },
            count: None,
        }
    }
}

/// A device with the layout of the global bind group.
pub(super) struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    global: wgpu::BindGroupLayout,
}

impl Gpu {
    /// `global` lists the bindings of the global group.
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue, global: &[Slot]) -> Self {
        let stages = wgpu::ShaderStages::VERTEX_FRAGMENT | wgpu::ShaderStages::COMPUTE;
        Self {
            device: device.clone(),
            queue: queue.clone(),
            global: group_layout(device, stages, global),
        }
    }

    /// A storage buffer with these contents, usable as a copy source.
    pub(super) fn storage<T: bytemuck::Pod>(&self, contents: &[T]) -> wgpu::Buffer {
        self.buffer(bytemuck::cast_slice(contents), STORAGE)
    }

    fn buffer(&self, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let contents = wgpu::util::BufferInitDescriptor {
            label: Some("field"),
            contents,
            usage,
        };
        self.device.create_buffer_init(&contents)
    }

    /// A storage buffer with points as `vec4f`.
    pub(super) fn points(&self, points: &[Vec3]) -> wgpu::Buffer {
        let points: Vec<[f32; 4]> = points.iter().map(|p| p.extend(0.0).to_array()).collect();
        self.storage(&points)
    }

    /// A storage buffer for `count` elements, filled with zeros.
    pub(super) fn empty_storage<T>(&self, count: usize) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("field"),
            size: (count * size_of::<T>()) as u64,
            usage: STORAGE,
            mapped_at_creation: false,
        })
    }

    pub(super) fn uniform<T: bytemuck::Pod>(&self, content: &T) -> wgpu::Buffer {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        self.buffer(bytemuck::bytes_of(content), usage)
    }

    /// Overwrites a buffer from its start.
    pub(super) fn write<T: bytemuck::Pod>(&self, buffer: &wgpu::Buffer, content: &[T]) {
        self.queue
            .write_buffer(buffer, 0, bytemuck::cast_slice(content));
    }

    /// Records commands and submits them.
    pub(super) fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        record(&mut encoder);
        self.queue.submit([encoder.finish()]);
    }

    pub(super) fn global_group(&self, resources: &[wgpu::BindingResource<'_>]) -> wgpu::BindGroup {
        bind(&self.device, &self.global, resources)
    }

    fn pipeline_layout(&self, own: &wgpu::BindGroupLayout) -> wgpu::PipelineLayout {
        let layouts = wgpu::PipelineLayoutDescriptor {
            label: Some("field"),
            bind_group_layouts: &[Some(&self.global), Some(own)],
            immediate_size: 0,
        };
        self.device.create_pipeline_layout(&layouts)
    }
}

const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_DST)
    .union(wgpu::BufferUsages::COPY_SRC);

/// The layout of a group with bindings 0, 1, 2, ...
fn group_layout(
    device: &wgpu::Device,
    visibility: wgpu::ShaderStages,
    slots: &[Slot],
) -> wgpu::BindGroupLayout {
    let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..)
        .zip(slots)
        .map(|(binding, slot)| slot.entry(binding, visibility))
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("field"),
        entries: &entries,
    })
}

/// Whole buffers as resources to bind.
pub(super) fn whole<const N: usize>(buffers: [&wgpu::Buffer; N]) -> [wgpu::BindingResource<'_>; N] {
    buffers.map(|buffer| buffer.as_entire_binding())
}

pub(super) fn module(device: &wgpu::Device, label: &str, source: &str) -> wgpu::ShaderModule {
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    })
}

/// A compute kernel: the entry point `cs_main` of a shader.
pub(super) struct Kernel {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl Kernel {
    pub(super) fn new(gpu: &Gpu, label: &str, source: &str, slots: &[Slot]) -> Self {
        let layout = group_layout(&gpu.device, wgpu::ShaderStages::COMPUTE, slots);
        let pipeline = wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&gpu.pipeline_layout(&layout)),
            module: &module(&gpu.device, label, source),
            entry_point: Some("cs_main"),
            compilation_options: Default::default(),
            cache: None,
        };
        Self {
            pipeline: gpu.device.create_compute_pipeline(&pipeline),
            layout,
        }
    }

    pub(super) fn bind(
        &self,
        gpu: &Gpu,
        resources: &[wgpu::BindingResource<'_>],
    ) -> wgpu::BindGroup {
        bind(&gpu.device, &self.layout, resources)
    }

    /// Runs a grid of workgroups with a global bind group and the kernel's own.
    pub(super) fn run(&self, gpu: &Gpu, [global, own]: [&wgpu::BindGroup; 2], [x, y]: [u32; 2]) {
        gpu.submit(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, global, &[]);
            pass.set_bind_group(1, own, &[]);
            pass.dispatch_workgroups(x, y, 1);
        });
    }
}

/// The two phases of drawing, in their order.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Phase {
    /// Writes depth and, with several samples per pixel, turns alpha into coverage.
    Opaque,
    /// Premultiplied alpha over the opaque items, against whose depth it is tested.
    Blended,
}

/// A drawing pipeline, the entry points `vs_main` and `fs_main` of a shader, for several samples
/// per pixel and for one.
///
/// Shaders select the item that they draw by vertex index instead of instance index: instances with
/// few vertices leave most threads of a GPU idle.
pub(super) struct Pipeline {
    fine: wgpu::RenderPipeline,
    quick: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
}

impl Pipeline {
    pub(super) fn new(gpu: &Gpu, label: &str, source: &str, slots: &[Slot], phase: Phase) -> Self {
        let layout = group_layout(&gpu.device, wgpu::ShaderStages::VERTEX_FRAGMENT, slots);
        let pipeline_layout = gpu.pipeline_layout(&layout);
        let module = module(&gpu.device, label, source);
        let opaque = phase == Phase::Opaque;
        let pipeline = |samples| {
            let pipeline = wgpu::RenderPipelineDescriptor {
                label: Some(label),
                layout: Some(&pipeline_layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("vs_main"),
                    compilation_options: Default::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: Some(wgpu::DepthStencilState {
                    format: DEPTH,
                    depth_write_enabled: Some(opaque),
                    depth_compare: Some(wgpu::CompareFunction::LessEqual),
                    stencil: wgpu::StencilState::default(),
                    bias: wgpu::DepthBiasState::default(),
                }),
                multisample: wgpu::MultisampleState {
                    count: samples,
                    mask: !0,
                    alpha_to_coverage_enabled: opaque && samples > 1,
                },
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some("fs_main"),
                    compilation_options: Default::default(),
                    targets: &[Some(wgpu::ColorTargetState {
                        format: COLOUR,
                        blend: (!opaque).then_some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                        write_mask: wgpu::ColorWrites::ALL,
                    })],
                }),
                multiview_mask: None,
                cache: None,
            };
            gpu.device.create_render_pipeline(&pipeline)
        };
        Self {
            fine: pipeline(SAMPLES),
            quick: pipeline(1),
            layout,
        }
    }

    pub(super) fn bind(
        &self,
        gpu: &Gpu,
        resources: &[wgpu::BindingResource<'_>],
    ) -> wgpu::BindGroup {
        bind(&gpu.device, &self.layout, resources)
    }

    /// Draws vertices into a pass with several samples per pixel (`fine`) or one. The global bind
    /// group must be set already.
    pub(super) fn draw(
        &self,
        pass: &mut wgpu::RenderPass<'_>,
        fine: bool,
        own: &wgpu::BindGroup,
        vertices: u32,
    ) {
        pass.set_pipeline(if fine { &self.fine } else { &self.quick });
        pass.set_bind_group(1, own, &[]);
        pass.draw(0..vertices, 0..1);
    }
}
