//! The triangles of the user interface, for a software adapter.
//!
//! egui's own shader also dithers, filters textures in two ways and wraps them in three. Such an adapter
//! takes all branches for every pixel: two thirds of a frame. Here glyphs are not filtered, pictures do not repeat, and
//! large areas of one colour read neither a texture nor what is below them.

use super::draw::{bind, flag};
use super::textures::{UPLOADED, texture};
use super::{GpuError, guarded};
use std::collections::HashMap;
use std::ops::Range;
use wgpu::util::DeviceExt;

/// Bytes of a vertex: position in points and place in the texture, 0 to 1, as two floats each; colour as
/// four bytes, gamma-encoded and multiplied by its alpha.
const VERTEX: u64 = 20;

/// The textures that triangles have texels of, and the pipelines for one framebuffer format.
pub struct Interface {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Pipelines,
    /// Width and height of the window in points.
    screen: wgpu::Buffer,
    textures: HashMap<u64, Texture>,
}

struct Texture {
    texels: wgpu::Texture,
    group: wgpu::BindGroup,
}

struct Pipelines {
    glyphs: wgpu::RenderPipeline,
    picture: wgpu::RenderPipeline,
    plain: wgpu::RenderPipeline,
    /// The layout of all.
    layout: wgpu::BindGroupLayout,
}

/// Triangles in graphics memory.
pub struct Triangles {
    vertices: wgpu::Buffer,
    indices: wgpu::Buffer,
    parts: Vec<(Part, wgpu::RenderPipeline, wgpu::BindGroup)>,
}

/// Triangles that are drawn together.
pub struct Part {
    pub indices: Range<u32>,
    /// Left, top, right and bottom of what is visible of them, in pixels.
    pub clip: [u32; 4],
    /// The number of their texture.
    pub texture: u64,
    pub fill: Fill,
}

/// What is between the corners of triangles.
#[derive(Clone, Copy, PartialEq)]
pub enum Fill {
    /// One opaque colour per triangle.
    Plain,
    /// Colours times the nearest texels.
    Glyphs,
    /// Colours times filtered texels.
    Picture,
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
        let (pipelines, screen) = guarded(device, "compiling the interface's shader", || {
            let screen = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("interface"),
                size: 8,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            (pipelines(device, format), screen)
        })?;
        Ok(Self {
            device: device.clone(),
            queue: queue.clone(),
            pipelines,
            screen,
            textures: HashMap::new(),
        })
    }

    /// Whether a texture of this number has been set.
    pub fn has_texture(&self, number: u64) -> bool {
        self.textures.contains_key(&number)
    }

    /// Sets all texels of a texture, or those of a rectangle at `origin` if there is one of this number: `size` is width
    /// and height, and each texel has four bytes, gamma-encoded and multiplied by alpha. `filters` are those of texels
    /// larger and smaller than pixels.
    ///
    /// # Errors
    /// If the texture is too large for the device.
    pub fn set_texture(
        &mut self,
        number: u64,
        filters: [wgpu::FilterMode; 2],
        origin: Option<[u32; 2]>,
        [width, height]: [u32; 2],
        texels: &[u8],
    ) -> Result<(), GpuError> {
        let size = wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        };
        let old = self.textures.remove(&number);
        let set = guarded(&self.device, "uploading a texture", || {
            let old = old.filter(|_| origin.is_some());
            let set = old.unwrap_or_else(|| self.texture([width, height], filters));
            let [x, y] = origin.unwrap_or([0, 0]);
            self.queue.write_texture(
                wgpu::TexelCopyTextureInfo {
                    texture: &set.texels,
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
            set
        })?;
        self.textures.insert(number, set);
        Ok(())
    }

    fn texture(&self, size: [u32; 2], [larger, smaller]: [wgpu::FilterMode; 2]) -> Texture {
        let device = &self.device;
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let texels = texture(device, "interface", size, 1, format, UPLOADED);
        let view = texels.create_view(&Default::default());
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("interface"),
            mag_filter: larger,
            min_filter: smaller,
            ..Default::default()
        });
        let resources = [
            self.screen.as_entire_binding(),
            wgpu::BindingResource::TextureView(&view),
            wgpu::BindingResource::Sampler(&sampler),
        ];
        let group = bind(device, &self.pipelines.layout, &resources);
        Texture { texels, group }
    }

    /// Frees a texture; triangles that were made before are drawn with it still.
    pub fn free_texture(&mut self, number: u64) {
        self.textures.remove(&number);
    }

    /// Uploads triangles for a window of `screen` points. Every three indices are a triangle. `None` if a part's texture
    /// has not been set.
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
        let with_texture = |part: Part| {
            let texture = self.textures.get(&part.texture)?;
            let pipeline = match part.fill {
                Fill::Plain => &self.pipelines.plain,
                Fill::Glyphs => &self.pipelines.glyphs,
                Fill::Picture => &self.pipelines.picture,
            };
            Some((part, pipeline.clone(), texture.group.clone()))
        };
        let Some(parts) = parts.into_iter().map(with_texture).collect() else {
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
            let screen = bytemuck::bytes_of(&screen);
            self.queue.write_buffer(&self.screen, 0, screen);
            Some(Triangles {
                vertices: buffer(vertices, wgpu::BufferUsages::VERTEX),
                indices: buffer(bytemuck::cast_slice(indices), wgpu::BufferUsages::INDEX),
                parts,
            })
        })
    }
}

impl Triangles {
    /// Draws into a pass whose viewport is the window of this size in pixels.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, [width, height]: [u32; 2]) {
        pass.set_vertex_buffer(0, self.vertices.slice(..));
        pass.set_index_buffer(self.indices.slice(..), wgpu::IndexFormat::Uint32);
        for (Part { indices, clip, .. }, pipeline, group) in &self.parts {
            let [left, top] = [clip[0].min(width), clip[1].min(height)];
            let [right, bottom] = [clip[2].min(width), clip[3].min(height)];
            if left < right && top < bottom {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, group, &[]);
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
        sample_type: wgpu::TextureSampleType::Float { filterable: true },
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
    let sampler = wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering);
    let stages = wgpu::ShaderStages::VERTEX_FRAGMENT;
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("interface"),
        entries: &[
            entry(0, stages, screen),
            entry(1, stages, texture),
            entry(2, wgpu::ShaderStages::FRAGMENT, sampler),
        ],
    });
    let of_pipelines = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("interface"),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = |vertex, fragment, blend| {
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("interface"),
            layout: Some(&of_pipelines),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some(vertex),
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
        glyphs: pipeline("glyph_corner", "glyph", Some(over)),
        picture: pipeline("picture_corner", "picture", Some(over)),
        plain: pipeline("plain_corner", "plain", None),
        layout,
    }
}
