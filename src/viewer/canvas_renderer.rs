//! The window's side of the canvas: pipelines, class colours, and panes as egui paints them.

use crate::encoding::Centroids;
use crate::gpu::GpuError;
use crate::gpu::canvas::{Classes, Layer, Look, Pane, Pipelines, Sources};
use eframe::egui::{self, Rect};
use eframe::egui_wgpu::{self, CallbackTrait, RenderState};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What drawing needs.
pub struct CanvasRenderer {
    state: RenderState,
    pipelines: Arc<Pipelines>,
    classes: Option<Arc<Classes>>,
    /// What the uploaded classes were made from.
    key: Option<(Vec<[u8; 3]>, BTreeSet<usize>)>,
    version: u64,
}

impl CanvasRenderer {
    /// Builds the pipelines for the window's framebuffer.
    ///
    /// # Errors
    /// A driver that refuses.
    pub fn new(state: &RenderState) -> Result<Self, GpuError> {
        let pipelines = Pipelines::new(&state.device, &state.queue, state.target_format)?;
        Ok(Self {
            state: state.clone(),
            pipelines: Arc::new(pipelines),
            classes: None,
            key: None,
            version: 0,
        })
    }

    /// The window's device and renderer.
    pub fn state(&self) -> &RenderState {
        &self.state
    }

    /// The pipelines.
    pub fn pipelines(&self) -> &Arc<Pipelines> {
        &self.pipelines
    }

    /// Class colours for the next pictures; uploads them where they changed.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub fn set_classes(
        &mut self,
        centroids: &Centroids,
        colours: &[[u8; 3]],
        hidden: &BTreeSet<usize>,
    ) -> Result<(), GpuError> {
        let same = self
            .key
            .as_ref()
            .is_some_and(|(c, h)| c == colours && h == hidden);
        if !same {
            let shown = |class| !hidden.contains(&class);
            let classes = self.pipelines.classes(centroids, colours, shown)?;
            self.classes = Some(Arc::new(classes));
            self.key = Some((colours.to_vec(), hidden.clone()));
            self.version += 1;
        }
        Ok(())
    }

    /// The uploaded classes.
    pub fn classes(&self) -> Option<Arc<Classes>> {
        self.classes.clone()
    }

    /// Another number whenever the classes change.
    pub fn classes_version(&self) -> u64 {
        self.version
    }

    /// Paints a picture at `target` into the part `clip` of the window, both in points.
    ///
    /// # Errors
    /// A driver that refuses.
    pub fn paint(
        &self,
        ui: &egui::Ui,
        clip: Rect,
        target: Rect,
        sources: &Sources,
        style: Style,
    ) -> Result<(), GpuError> {
        let Some(classes) = &self.classes else {
            return Ok(());
        };
        let scale = ui.pixels_per_point();
        let look = Look {
            layer: style.layer,
            origin: [target.min.x * scale, target.min.y * scale],
            extent: [target.width() * scale, target.height() * scale],
            fine: style.fine,
            opacity: style.opacity,
            lit: style.lit,
        };
        let pane = self.pipelines.pane(classes, sources, &look)?;
        let paint = Paint {
            pipelines: self.pipelines.clone(),
            pane,
        };
        ui.painter()
            .with_clip_rect(clip)
            .add(egui_wgpu::Callback::new_paint_callback(clip, paint));
        Ok(())
    }
}

/// How a picture is painted.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// What it shows.
    pub layer: Layer,
    /// Outlines at the photo's resolution rather than the network's.
    pub fine: bool,
    /// Opacity of the overlay, 0 to 1.
    pub opacity: f32,
    /// The class that is lit.
    pub lit: Option<usize>,
}

struct Paint {
    pipelines: Arc<Pipelines>,
    pane: Pane,
}

impl CallbackTrait for Paint {
    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &egui_wgpu::CallbackResources,
    ) {
        self.pipelines.draw(pass, &self.pane);
    }
}
