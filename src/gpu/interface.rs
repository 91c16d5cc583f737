//! The triangles of the user interface, for a software adapter.
//!
//! egui's own shader also dithers, filters textures in two ways and wraps them in three. Such an adapter
//! takes all branches for every pixel: two thirds of a frame. Here glyphs are not filtered, and large areas of one colour
//! read neither glyphs nor what is below them.

use super::draw::{bind, flag};
use super::textures::{UPLOADED, texture};
use super::{GpuError, guarded};
use std::ops::Range;
use wgpu::util::DeviceExt;

/// Bytes of a vertex: position in points and place in the texture, 0 to 1, as two floats each; colour as
/// four bytes, gamma-encoded and multiplied by its alpha.
const VERTEX: u64 = 20;

/// The pipelines for one framebuffer format, and the texture of the glyphs.
pub struct Interface {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Pipelines,
    glyphs: Option<wgpu::Texture>,
}

#[derive(Clone)]
struct Pipelines {
    textured: wgpu::RenderPipeline,
    plain: wgpu::RenderPipeline,
    /// The layout of both.
    layout: wgpu::BindGroupLayout,
}

/// Triangles in graphics memory.
pub struct Triangles {
    pipelines: Pipelines,
    group: wgpu::BindGroup,
    vertices: wgpu::Buffer,
    indices: wgpu::Buffer,
    parts: Vec<Part>,
}

/// Triangles that are drawn together.
pub struct Part {
    pub indices: Range<u32>,
    /// Left, top, right and bottom of what is visible of them, in pixels.
    pub clip: [u32; 4],
    /// Whether they are opaque, and their place in the texture is white.
    pub plain: bool,
}

impl Interface {
    /// Compiles the shader for passes with one attachment of this format, one sample per pixel and
    /// no depth.
    ///
    /// # Errors
    /// If the driver rejects it.
    pub fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        format: wgpu::TextureFormat,
    ) -> Result<Self, GpuError> {
        let pipelines = guarded(device, "compiling the interface's shader", || {
            pipelines(device, format)
        })?;
        Ok(Self {
            device: device.clone(),
            queue: queue.clone(),
            pipelines,
            glyphs: None,
        })
    }

    /// Sets all texels of the glyphs, or those of a rectangle at `origin`: `size` is width and height, and
    /// each texel has four bytes, gamma-encoded and multiplied by alpha.
    ///
    /// # Errors
    /// If the texture is too large for the device.
    pub fn set_glyphs(
        &mut self,
        origin: Option<[u32; 2]>,
        [width, height]: [u32; 2],
        texels: &[u8],
    ) -> Result<(), GpuError> {
        let size = wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        };
        let device = &self.device;
        let glyphs = guarded(device, "uploading glyphs", || {
            let format = wgpu::TextureFormat::Rgba8Unorm;
            let new = || texture(device, "glyphs", [width, height], 1, format, UPLOADED);
            let old = self.glyphs.take().filter(|_| origin.is_some());
            let glyphs = old.unwrap_or_else(new);
            let [x, y] = origin.unwrap_or([0, 0]);
            self.queue.write_texture(
                wgpu::TexelCopyTextureInfo {
                    texture: &glyphs,
                    mip_level: 0,
                    origin: wgpu::Origin3d { x, y, z: 0 },
                    aspect: wgpu::TextureAspect::All,
                },
                texels,
                wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(4 * width),
                    rows_per_image: None,
                },
                size,
            );
            glyphs
        })?;
        self.glyphs = Some(glyphs);
        Ok(())
    }

    /// Uploads triangles for a window of `screen` points. Every three indices are a triangle. `None` before
    /// there are glyphs.
    ///
    /// # Errors
    /// If graphics memory runs out.
    pub fn triangles(
        &self,
        screen: [f32; 2],
        vertices: &[u8],
        indices: &[u32],
        parts: Vec<Part>,
    ) -> Result<Option<Triangles>, GpuError> {
        let Some(glyphs) = &self.glyphs else {
            return Ok(None);
        };
        let device = &self.device;
        let buffer = |contents: &[u8], usage| {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some("interface"),
                contents,
                usage,
            })
        };
        guarded(device, "drawing the interface", || {
            let screen = buffer(bytemuck::bytes_of(&screen), wgpu::BufferUsages::UNIFORM);
            let view = glyphs.create_view(&Default::default());
            let resources = [
                screen.as_entire_binding(),
                wgpu::BindingResource::TextureView(&view),
            ];
            Some(Triangles {
                group: bind(device, &self.pipelines.layout, &resources),
                vertices: buffer(vertices, wgpu::BufferUsages::VERTEX),
                indices: buffer(bytemuck::cast_slice(indices), wgpu::BufferUsages::INDEX),
                pipelines: self.pipelines.clone(),
                parts,
            })
        })
    }
}

impl Triangles {
    /// Draws into a pass whose viewport is the window of this size in pixels.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, [width, height]: [u32; 2]) {
        pass.set_bind_group(0, &self.group, &[]);
        pass.set_vertex_buffer(0, self.vertices.slice(..));
        pass.set_index_buffer(self.indices.slice(..), wgpu::IndexFormat::Uint32);
        for Part {
            indices,
            clip,
            plain,
        } in &self.parts
        {
            let [left, top] = [clip[0].min(width), clip[1].min(height)];
            let [right, bottom] = [clip[2].min(width), clip[3].min(height)];
            if left < right && top < bottom {
                pass.set_pipeline(if *plain {
                    &self.pipelines.plain
                } else {
                    &self.pipelines.textured
                });
                pass.set_scissor_rect(left, top, right - left, bottom - top);
                pass.draw_indexed(indices.clone(), 0, 0..1);
            }
        }
    }
}

fn pipelines(device: &wgpu::Device, format: wgpu::TextureFormat) -> Pipelines {
    let module = device.create_shader_module(wgpu::include_wgsl!("../../shaders/interface.wgsl"));
    let over = wgpu::BlendState {
        color: wgpu::BlendComponent {
            src_factor: wgpu::BlendFactor::One,
            dst_factor: wgpu::BlendFactor::OneMinusSrcAlpha,
            operation: wgpu::BlendOperation::Add,
        },
        alpha: wgpu::BlendComponent {
            src_factor: wgpu::BlendFactor::OneMinusDstAlpha,
            dst_factor: wgpu::BlendFactor::One,
            operation: wgpu::BlendOperation::Add,
        },
    };
    let texture = wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: false },
        view_dimension: wgpu::TextureViewDimension::D2,
        multisampled: false,
    };
    let screen = wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Uniform,
        has_dynamic_offset: false,
        min_binding_size: None,
    };
    let entry = |binding, visibility, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility,
        ty,
        count: None,
    };
    let attributes = wgpu::vertex_attr_array![0 => Float32x2, 1 => Float32x2, 2 => Unorm8x4];
    let stages = wgpu::ShaderStages::VERTEX_FRAGMENT;
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("interface"),
        entries: &[entry(0, stages, screen), entry(1, stages, texture)],
    });
    let of_pipelines = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("interface"),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = |fragment, blend| {
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("interface"),
            layout: Some(&of_pipelines),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: None,
                compilation_options: Default::default(),
                buffers: &[Some(wgpu::VertexBufferLayout {
                    array_stride: VERTEX,
                    step_mode: wgpu::VertexStepMode::Vertex,
                    attributes: &attributes,
                })],
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some(fragment),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[("linear", flag(format.is_srgb()))],
                    ..Default::default()
                },
                targets: &[Some(wgpu::ColorTargetState {
                    format,
                    blend,
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            multiview_mask: None,
            cache: None,
        })
    };
    Pipelines {
        textured: pipeline("textured", Some(over)),
        plain: pipeline("plain", None),
        layout,
    }
}
