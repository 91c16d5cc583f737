//! Draws egui's shapes on a software adapter, at a fraction of the time that egui's own shader takes
//! there (`gpu::interface`).

use super::plain_shapes::simplify;
use crate::gpu::GpuError;
use crate::gpu::interface::{Fill, Interface, Part, Triangles};
use eframe::egui::epaint::{
    ClippedPrimitive, ClippedShape, ImageData, ImageDelta, Primitive, Vertex, WHITE_UV,
};
use eframe::egui::{
    self, Context, FullOutput, PaintCallbackInfo, Rect, Shape, TextureFilter, TextureId,
    TextureWrapMode,
};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState};

/// Draws everything in the window but what panels draw themselves.
struct Software(Interface);

/// Draws this way from the next frame on. Without it, egui draws all.
///
/// # Errors
/// The graphics driver fails.
pub(super) fn install(context: &Context, state: &RenderState) -> Result<(), GpuError> {
    let interface = Interface::new(&state.device, &state.queue, state.target_format)?;
    // Discs would be magnified from the texture of the glyphs, which is not filtered here.
    context.tessellation_options_mut(|options| options.prerasterized_discs = false);
    context.add_plugin(Software(interface));
    Ok(())
}

impl egui::Plugin for Software {
    fn debug_name(&self) -> &'static str {
        "software adapter"
    }

    fn output_hook(&mut self, context: &Context, output: &mut FullOutput) {
        self.set_textures(output);
        let scale = output.pixels_per_point;
        let mut shapes = std::mem::take(&mut output.shapes);
        for shape in &mut shapes {
            simplify(&mut shape.shape, scale);
        }
        let screen = context.viewport_rect();
        let mut meshes = Vec::new();
        for ClippedPrimitive {
            clip_rect,
            primitive,
        } in context.tessellate(shapes, scale)
        {
            let shape = match primitive {
                Primitive::Mesh(mesh)
                    if number(mesh.texture_id).is_some_and(|it| self.0.has_texture(it)) =>
                {
                    meshes.push((clip_rect, mesh));
                    continue;
                }
                Primitive::Mesh(mesh) => Shape::mesh(mesh),
                Primitive::Callback(callback) => Shape::Callback(callback),
            };
            output
                .shapes
                .extend(self.draw(std::mem::take(&mut meshes), screen, scale));
            output.shapes.push(ClippedShape::new(clip_rect, shape));
        }
        output.shapes.extend(self.draw(meshes, screen, scale));
        for texture in output.textures_delta.free.iter().copied() {
            if let Some(number) = number(texture) {
                self.0.free_texture(number);
            }
        }
    }
}

impl Software {
    /// Uploads new glyphs and pictures. egui draws those that repeat or that cannot be uploaded.
    fn set_textures(&mut self, output: &FullOutput) {
        for (texture, deltas) in &output.textures_delta.set {
            let Some(number) = number(*texture) else {
                continue;
            };
            for delta in deltas {
                let repeats = delta.options.wrap_mode != TextureWrapMode::ClampToEdge;
                if repeats || !(delta.is_whole() || self.0.has_texture(number)) {
                    self.0.free_texture(number);
                } else if let Err(error) = self.set_texture(number, delta) {
                    tracing::warn!("{error}");
                }
            }
        }
    }

    fn set_texture(&mut self, number: u64, delta: &ImageDelta) -> Result<(), GpuError> {
        let ImageData::Color(image) = &delta.image;
        let filters = [delta.options.magnification, delta.options.minification];
        let filters = filters.map(|filter| match filter {
            TextureFilter::Nearest => wgpu::FilterMode::Nearest,
            TextureFilter::Linear => wgpu::FilterMode::Linear,
        });
        let origin = delta.pos.map(|pos| pos.map(|at| at as u32));
        let size = image.size.map(|side| side as u32);
        let texels = bytemuck::cast_slice(&image.pixels);
        self.0.set_texture(number, filters, origin, size, texels)
    }

    /// The shapes that draw meshes that follow each other, each with its clip rectangle: one, if all is well.
    fn draw(&self, meshes: Vec<(Rect, egui::Mesh)>, screen: Rect, scale: f32) -> Vec<ClippedShape> {
        if meshes.is_empty() {
            return Vec::new();
        }
        let (mut vertices, mut indices) = (Vec::<Vertex>::new(), Vec::<u32>::new());
        let mut parts = Vec::new();
        for (clip, mesh) in &meshes {
            let (first, mut start) = (vertices.len() as u32, indices.len() as u32);
            vertices.extend(&mesh.vertices);
            let sides = [clip.left(), clip.top(), clip.right(), clip.bottom()];
            let clip = sides.map(|side| (side * scale).round() as u32);
            let triangles = mesh.indices.as_chunks().0;
            for run in triangles.chunk_by(|a, b| fill(mesh, a) == fill(mesh, b)) {
                indices.extend(run.as_flattened().iter().map(|index| first + index));
                let end = indices.len() as u32;
                parts.push(Part {
                    indices: start..end,
                    clip,
                    texture: number(mesh.texture_id).unwrap_or_default(),
                    fill: fill(mesh, &run[0]),
                });
                start = end;
            }
        }
        let vertices = bytemuck::cast_slice(&vertices);
        let triangles = self
            .0
            .triangles(screen.size().into(), vertices, &indices, parts);
        match triangles {
            Ok(Some(triangles)) => {
                let callback = Callback::new_paint_callback(screen, Paint(triangles));
                vec![ClippedShape::new(screen, Shape::Callback(callback))]
            }
            failed => {
                if let Err(error) = failed {
                    tracing::warn!("{error}");
                }
                let meshes = meshes.into_iter();
                meshes
                    .map(|(clip, mesh)| ClippedShape::new(clip, Shape::mesh(mesh)))
                    .collect()
            }
        }
    }
}

/// The number of a texture of egui's; `None` for one of a panel's own.
fn number(texture: TextureId) -> Option<u64> {
    match texture {
        TextureId::Managed(number) => Some(number),
        TextureId::User(_) => None,
    }
}

/// How a triangle is drawn. A large part of an area of one opaque colour takes less time by itself.
fn fill(mesh: &egui::Mesh, triangle: &[u32; 3]) -> Fill {
    /// Square points, from which on a change of the pipeline pays.
    const LARGE: f32 = 4096.0;
    if mesh.texture_id != TextureId::default() {
        return Fill::Picture;
    }
    let [a, b, c] = triangle.map(|index| mesh.vertices[index as usize]);
    let is_alike = |corner: &Vertex| corner.color == a.color && corner.uv == WHITE_UV;
    let (right, down) = (b.pos - a.pos, c.pos - a.pos);
    let is_plain = a.color.is_opaque()
        && [a, b, c].iter().all(is_alike)
        && (right.x * down.y - right.y * down.x).abs() > LARGE;
    if is_plain { Fill::Plain } else { Fill::Glyphs }
}

struct Paint(Triangles);

impl CallbackTrait for Paint {
    fn paint(
        &self,
        info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &CallbackResources,
    ) {
        self.0.draw(pass, info.screen_size_px);
    }
}
