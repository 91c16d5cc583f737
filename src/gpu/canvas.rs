//! The canvas's pipelines: states decoded to their nearest centroids, and panes that draw a photo,
//! its state, its classes, its uncertainty, the truth, the error or a second result (`shaders/decode.wgsl`,
//! `shaders/canvas.wgsl`).

use super::draw::{bind, cover, covering, flag};
use super::resident::Resident;
use super::textures::{
    Fitted, LabelTexture, Photo, UPLOADED, label_texture, texture, write_texture,
};
use super::{GpuError, guarded};
use crate::encoding::Centroids;
use bytemuck::{Pod, Zeroable};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wgpu::util::DeviceExt;

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Layer {
    Photo,
    /// The state `x_t`, its first three channels as red, green and blue.
    Raw,
    /// The nearest class of every pixel, in class colours.
    Map,
    /// The mask over the photo.
    #[default]
    Overlay,
    /// The label file, in class colours.
    Truth,
    /// Where the mask differs from the label file.
    Error,
    /// The probability of the most probable class, over the photo.
    Probability,
    /// Its lead over the second class, over the photo.
    Margin,
    /// The entropy of the classes, over the photo.
    Entropy,
    /// The mask of a second result over the photo.
    Second,
    /// Where the mask of the second result differs from the first.
    Disagreement,
}

/// The colours of uncertainty, from certain to open.
pub const DOUBT_COLOURS: [[u8; 3]; 8] = [
    [30, 26, 58],
    [62, 40, 112],
    [108, 54, 142],
    [158, 66, 146],
    [206, 84, 132],
    [238, 120, 104],
    [250, 172, 96],
    [252, 228, 144],
];

/// The uniform of `shaders/canvas.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct CanvasUniform {
    origin: [f32; 2],
    extent: [f32; 2],
    size: [u32; 2],
    second: [u32; 2],
    opacity: f32,
    share: f32,
    lit: i32,
    level: f32,
    classes: u32,
    padding: [u32; 3],
    doubt_colours: [[f32; 4]; 8],
}
const _: () = assert!(size_of::<CanvasUniform>() == 192);

/// `Decode` of `shaders/decode.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Decode {
    pixels: u32,
    share: f32,
}
const _: () = assert!(size_of::<Decode>() == 8);

/// Workgroup size of `shaders/decode.wgsl`.
const GROUP: u32 = 64;

/// Class colours in a row of their texture, as in `shaders/canvas.wgsl`.
const ROW: usize = 256;

/// Fours of coordinates that a uniform buffer holds, as in `shaders/decode.wgsl`.
const FEW: usize = 4096;

/// A state's values `[d, H, W]` in graphics memory.
pub enum Values {
    /// Copied from the host.
    Uploaded(wgpu::Buffer),
    /// Where the network wrote them.
    Resident(Resident),
}

impl Values {
    /// The buffer and the offset of the first value, in bytes.
    pub fn location(&self) -> (&wgpu::Buffer, u64) {
        match self {
            Values::Uploaded(buffer) => (buffer, 0),
            Values::Resident(resident) => resident.location(),
        }
    }

    fn binding(&self) -> wgpu::BindingResource<'_> {
        match self {
            Values::Uploaded(buffer) => buffer.as_entire_binding(),
            Values::Resident(resident) => resident.binding(),
        }
    }
}

/// The classes' centroids and colours in graphics memory.
pub struct Classes {
    /// Padded to [`FEW`]; unused if there are more.
    few_centroids: wgpu::Buffer,
    /// Unused unless there are more.
    many_centroids: wgpu::Buffer,
    many: bool,
    /// In rows of [`ROW`].
    colours: wgpu::TextureView,
    /// Number of colours: classes added by hand have one, but no centroid.
    coloured: u32,
    count: u32,
    dims: u32,
}

/// A second result in graphics memory.
pub struct Second {
    labels: wgpu::Buffer,
    colours: wgpu::Buffer,
    /// Width and height.
    size: [u32; 2],
}

/// What a picture is drawn from.
#[derive(Clone)]
pub struct Sources {
    pub photo: Arc<Photo>,
    /// The label file, if there is one.
    pub truth: Option<Arc<LabelTexture>>,
    /// A mask of another size, such as the photo's, that is shown instead of the state's classes.
    pub corrected: Option<Arc<LabelTexture>>,
    /// Height and width of the states.
    pub size: [usize; 2],
    /// The state before the position on the timeline.
    pub before: Arc<Values>,
    /// The state after it.
    pub after: Arc<Values>,
    /// The position between the two, 0 to 1.
    pub share: f32,
    /// The decoded classes there (see [`Pipelines::decode`]).
    pub labels: Arc<LabelTexture>,
    /// The measures of uncertainty there, where they are computed (see [`Pipelines::doubt`]).
    pub doubt: Option<Arc<wgpu::Buffer>>,
    /// A second result, where there is one.
    pub second: Option<Arc<Second>>,
}

/// What a pane shows, and where.
#[derive(Clone, Copy, Debug)]
pub struct PaneView {
    pub layer: Layer,
    /// The picture's top left corner, in framebuffer pixels.
    pub origin: [f32; 2],
    /// The picture's width and height, in framebuffer pixels.
    pub extent: [f32; 2],
    /// Draws outlines at the photo's resolution instead of the network's.
    pub fine: bool,
    /// Opacity of the overlay, 0 to 1.
    pub opacity: f32,
    /// The highlighted class.
    pub lit: Option<usize>,
}

pub struct Pane {
    pipeline: wgpu::RenderPipeline,
    group: wgpu::BindGroup,
}

/// What differs between the pipelines of panes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PaneKind {
    layer: Layer,
    /// Whether there is what the layer shows.
    known: bool,
    fine: bool,
    /// Whether there is a mask that is shown instead of the state's classes.
    whole: bool,
    /// Whether pixels of the photo are smaller than the target's.
    shrunk: bool,
    target: wgpu::TextureFormat,
}

pub struct Pipelines {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    decode: wgpu::ShaderModule,
    /// The pipelines used so far that decode states, by channels and number of classes.
    decoders: Mutex<HashMap<(u32, u32), wgpu::ComputePipeline>>,
    canvas: wgpu::ShaderModule,
    format: wgpu::TextureFormat,
    /// The pipelines of the panes drawn so far.
    panes: Mutex<HashMap<PaneKind, wgpu::RenderPipeline>>,
    soft: wgpu::Sampler,
    nothing: LabelTexture,
    /// What stands for a storage buffer that a pane lacks.
    empty: wgpu::Buffer,
    /// Photos and masks at the size of their pictures, for software adapters.
    pub(super) photos: Mutex<Vec<Fitted<Photo>>>,
    pub(super) masks: Mutex<Vec<Fitted<LabelTexture>>>,
    /// Whether the adapter is this machine's processor.
    software: bool,
}

impl Pipelines {
    /// Compiles the shaders for a framebuffer format.
    ///
    /// # Errors
    /// If the driver rejects a shader or a pipeline.
    pub fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        format: wgpu::TextureFormat,
    ) -> Result<Self, GpuError> {
        guarded(device, "preparing the canvas", || {
            let decode =
                device.create_shader_module(wgpu::include_wgsl!("../../shaders/decode.wgsl"));
            let canvas =
                device.create_shader_module(wgpu::include_wgsl!("../../shaders/canvas.wgsl"));
            let soft = device.create_sampler(&wgpu::SamplerDescriptor {
                label: Some("canvas photo"),
                mag_filter: wgpu::FilterMode::Linear,
                min_filter: wgpu::FilterMode::Linear,
                mipmap_filter: wgpu::MipmapFilterMode::Linear,
                ..Default::default()
            });
            let nothing = label_texture(device, queue, [1, 1], &[u16::MAX]);
            let empty = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("empty"),
                size: 16,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            });
            Self {
                software: device.adapter_info().device_type == wgpu::DeviceType::Cpu,
                device: device.clone(),
                queue: queue.clone(),
                decode,
                decoders: Mutex::default(),
                canvas,
                format,
                panes: Mutex::default(),
                soft,
                nothing,
                empty,
                photos: Mutex::default(),
                masks: Mutex::default(),
            }
        })
    }

    /// Whether the adapter is this machine's processor.
    pub fn software(&self) -> bool {
        self.software
    }

    /// Uploads a state `[d, H, W]`.
    ///
    /// # Errors
    /// If graphics memory runs out.
    pub fn state(&self, x: &[f32]) -> Result<Values, GpuError> {
        guarded(&self.device, "uploading a state", || {
            Values::Uploaded(self.storage("state", bytemuck::cast_slice(x)))
        })
    }

    /// Uploads the classes' centroids and colours; `shown` hides classes.
    ///
    /// # Errors
    /// If graphics memory runs out.
    pub fn classes(
        &self,
        centroids: &Centroids,
        colours: &[[u8; 3]],
        shown: impl Fn(usize) -> bool,
    ) -> Result<Classes, GpuError> {
        let mut few = in_fours(&centroids.flat_f32(), centroids.dims());
        let mut rest = vec![[0.0; 4]];
        let many = few.len() > FEW;
        if many {
            std::mem::swap(&mut few, &mut rest);
        }
        few.resize(FEW, [0.0; 4]);
        guarded(&self.device, "uploading the classes", || Classes {
            few_centroids: self.uniform(bytemuck::cast_slice(&few)),
            many_centroids: self.storage("centroids", bytemuck::cast_slice(&rest)),
            many,
            colours: self.colours(colours, shown),
            coloured: colours.len() as u32,
            count: centroids.len() as u32,
            dims: centroids.dims() as u32,
        })
    }

    /// Uploads measures of uncertainty `[3, H, W]`, 0 to 1, of the size of the states: the probability of the
    /// most probable class, its lead over the second, and the entropy over its greatest value.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub fn doubt(&self, values: &[f32]) -> Result<wgpu::Buffer, GpuError> {
        guarded(&self.device, "uploading the uncertainty", || {
            self.storage("doubt", bytemuck::cast_slice(values))
        })
    }

    /// Uploads the classes `[height, width]` of a second result, and the colours of all classes that
    /// they may be; those of the first result have the same indices there. `shown` hides classes.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub fn second(
        &self,
        labels: &[u16],
        [height, width]: [usize; 2],
        colours: &[[u8; 3]],
        shown: impl Fn(usize) -> bool,
    ) -> Result<Second, GpuError> {
        let labels: Vec<u32> = labels.iter().copied().map(u32::from).collect();
        let colours = with_alpha(colours, shown);
        guarded(&self.device, "uploading the second result", || Second {
            labels: self.storage("second labels", bytemuck::cast_slice(&labels)),
            colours: self.storage("second colours", bytemuck::cast_slice(&colours)),
            size: [width as u32, height as u32],
        })
    }

    /// Class colours as a texture; alpha is 0 for hidden classes.
    fn colours(&self, colours: &[[u8; 3]], shown: impl Fn(usize) -> bool) -> wgpu::TextureView {
        let colours = colours.iter().enumerate();
        let mut texels: Vec<[u8; 4]> = colours
            .map(|(class, &[r, g, b])| [r, g, b, 255 * u8::from(shown(class))])
            .collect();
        let rows = texels.len().div_ceil(ROW).max(1);
        texels.resize(ROW * rows, [0; 4]);
        let size = [ROW as u32, rows as u32];
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let texture = texture(&self.device, "colours", size, 1, format, UPLOADED);
        let bytes = bytemuck::cast_slice(&texels);
        write_texture(&self.queue, &texture, 0, size, bytes, 4);
        texture.create_view(&Default::default())
    }

    fn storage(&self, label: &str, contents: &[u8]) -> wgpu::Buffer {
        self.device
            .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some(label),
                contents,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
            })
    }

    /// Decodes the interpolation at `share` between two states of a height and width to the nearest
    /// class of every pixel, one u32 each.
    ///
    /// # Errors
    /// A driver error, or a state too large for one dispatch (over four million pixels) or a texture.
    pub fn decode(
        &self,
        classes: &Classes,
        [height, width]: [usize; 2],
        before: &Values,
        after: &Values,
        share: f32,
    ) -> Result<LabelTexture, GpuError> {
        guarded(&self.device, "decoding a state", || {
            let device = &self.device;
            let size = [width as u32, height as u32];
            let usage = wgpu::TextureUsages::STORAGE_BINDING
                | wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::COPY_SRC;
            let format = wgpu::TextureFormat::R32Uint;
            let labels = texture(device, "labels", size, 1, format, usage);
            let view = labels.create_view(&Default::default());
            let pixels = (width * height) as u32;
            let decode = Decode { pixels, share };
            let decode = self.uniform(bytemuck::bytes_of(&decode));
            let entries = [
                decode.as_entire_binding(),
                before.binding(),
                after.binding(),
                classes.few_centroids.as_entire_binding(),
                wgpu::BindingResource::TextureView(&view),
                classes.many_centroids.as_entire_binding(),
            ];
            let decoder = self.decoder(classes);
            let group = bind(device, &decoder.get_bind_group_layout(0), &entries);
            let mut encoder = device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&decoder);
                pass.set_bind_group(0, &group, &[]);
                // Folded, because one dimension holds at most 65,535 groups.
                let groups = pixels.div_ceil(GROUP);
                let across = groups.clamp(1, 32_768);
                pass.dispatch_workgroups(across, groups.div_ceil(across), 1);
            }
            self.queue.submit([encoder.finish()]);
            LabelTexture {
                view,
                size,
                host: None,
            }
        })
    }

    /// The pipeline that decodes to these classes; compiled when it is first needed.
    fn decoder(&self, classes: &Classes) -> wgpu::ComputePipeline {
        let &Classes {
            count, dims, many, ..
        } = classes;
        let mut decoders = lock(&self.decoders);
        let compile = || {
            self.device
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some("decode"),
                    layout: None,
                    module: &self.decode,
                    entry_point: Some("nearest"),
                    compilation_options: wgpu::PipelineCompilationOptions {
                        constants: &[
                            ("dims", f64::from(dims)),
                            ("classes", f64::from(count)),
                            ("many", flag(many)),
                        ],
                        ..Default::default()
                    },
                    cache: None,
                })
        };
        decoders
            .entry((dims, count))
            .or_insert_with(compile)
            .clone()
    }

    /// Prepares a pane for drawing.
    ///
    /// # Errors
    /// If the driver reports an error.
    pub fn pane(
        &self,
        classes: &Classes,
        sources: &Sources,
        view: &PaneView,
    ) -> Result<Pane, GpuError> {
        let fitted = || self.fitted(classes, sources, view);
        let fitted = self.software.then(fitted).transpose()?;
        let (sources, view) = fitted.as_ref().map_or((sources, view), |(s, l)| (s, l));
        self.pane_on(self.format, classes, sources, view, self.software)
    }

    /// Prepares a pane for drawing on a texture of a format. `whole_levels` reads the photo from one mip level, which
    /// takes a software adapter half the time of two.
    ///
    /// # Errors
    /// If the driver reports an error.
    pub(super) fn pane_on(
        &self,
        target: wgpu::TextureFormat,
        classes: &Classes,
        sources: &Sources,
        view: &PaneView,
        whole_levels: bool,
    ) -> Result<Pane, GpuError> {
        let (truth, second) = (sources.truth.as_deref(), sources.second.as_deref());
        let corrected = sources.corrected.as_deref();
        let [height, width] = sources.size;
        let level = sources.photo.level(view.extent);
        let shrunk = level > 0.0;
        let level = if whole_levels { level.floor() } else { level };
        let uniform = CanvasUniform {
            origin: view.origin,
            extent: view.extent,
            size: [width as u32, height as u32],
            second: second.map_or([0, 0], |second| second.size),
            opacity: view.opacity,
            share: sources.share,
            lit: view.lit.map_or(-1, |class| class as i32),
            level,
            classes: classes.coloured,
            padding: [0; 3],
            doubt_colours: DOUBT_COLOURS.map(|rgb| opaque(rgb, 1.0)),
        };
        guarded(&self.device, "drawing the canvas", || {
            let uniform = self.uniform(bytemuck::bytes_of(&uniform));
            let entries = [
                uniform.as_entire_binding(),
                wgpu::BindingResource::TextureView(&sources.photo.view),
                wgpu::BindingResource::Sampler(&self.soft),
                sources.before.binding(),
                sources.after.binding(),
                wgpu::BindingResource::TextureView(&sources.labels.view),
                wgpu::BindingResource::TextureView(&classes.colours),
                wgpu::BindingResource::TextureView(&truth.unwrap_or(&self.nothing).view),
                sources
                    .doubt
                    .as_deref()
                    .unwrap_or(&self.empty)
                    .as_entire_binding(),
                second
                    .map_or(&self.empty, |second| &second.labels)
                    .as_entire_binding(),
                second
                    .map_or(&self.empty, |second| &second.colours)
                    .as_entire_binding(),
                wgpu::BindingResource::TextureView(&corrected.unwrap_or(&self.nothing).view),
            ];
            let pipeline = self.of_pane(PaneKind {
                layer: view.layer,
                known: match view.layer {
                    Layer::Truth | Layer::Error => truth.is_some(),
                    Layer::Probability | Layer::Margin | Layer::Entropy => sources.doubt.is_some(),
                    Layer::Second | Layer::Disagreement => second.is_some(),
                    Layer::Photo | Layer::Raw | Layer::Map | Layer::Overlay => true,
                },
                fine: view.fine,
                whole: corrected.is_some(),
                shrunk,
                target,
            });
            Pane {
                group: bind(&self.device, &pipeline.get_bind_group_layout(0), &entries),
                pipeline,
            }
        })
    }

    /// The pipeline of a pane; compiled when it is first needed.
    fn of_pane(&self, kind: PaneKind) -> wgpu::RenderPipeline {
        let mut panes = lock(&self.panes);
        let compile = || {
            let constants = [
                ("layer", f64::from(kind.layer as u32)),
                ("known", flag(kind.known)),
                ("fine", flag(kind.fine)),
                ("whole", flag(kind.whole)),
                ("shrunk", flag(kind.shrunk)),
                ("linear", flag(kind.target.is_srgb())),
            ];
            let target = kind.target.into();
            covering(&self.device, "canvas", &self.canvas, target, &constants)
        };
        panes.entry(kind).or_insert_with(compile).clone()
    }

    /// Draws a pane into the current viewport.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, pane: &Pane) {
        cover(pass, &pane.pipeline, Some(&pane.group));
    }

    fn uniform(&self, contents: &[u8]) -> wgpu::Buffer {
        self.device
            .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some("uniform"),
                contents,
                usage: wgpu::BufferUsages::UNIFORM,
            })
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Coordinates `[N, d]` as fours, with zeros after the last of a centroid.
fn in_fours(coordinates: &[f32], dims: usize) -> Vec<[f32; 4]> {
    let centroids = coordinates.chunks_exact(dims);
    let fours = centroids.flat_map(|centroid| centroid.chunks(4));
    let padded = fours.map(|four| std::array::from_fn(|i| four.get(i).copied().unwrap_or(0.0)));
    padded.collect()
}

fn opaque(rgb: [u8; 3], alpha: f32) -> [f32; 4] {
    let [r, g, b] = rgb.map(|v| f32::from(v) / 255.0);
    [r, g, b, alpha]
}

/// Colours with 1 or 0 for shown or hidden.
fn with_alpha(colours: &[[u8; 3]], shown: impl Fn(usize) -> bool) -> Vec<[f32; 4]> {
    let colours = colours.iter().enumerate();
    colours
        .map(|(k, rgb)| opaque(*rgb, f32::from(u8::from(shown(k)))))
        .collect()
}
