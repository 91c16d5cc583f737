//! Draws the panes of the canvas with egui: pipelines, class colours and paint callbacks.

use crate::encoding::Centroids;
use crate::gpu::GpuError;
use crate::gpu::canvas::{Classes, Layer, Pane, PaneView, Pipelines, Sources};
use eframe::egui::{self, Rect};
use eframe::egui_wgpu::{self, CallbackTrait, RenderState};
use eframe::wgpu;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) struct CanvasRenderer {
    pipelines: Arc<Pipelines>,
    classes: Option<Arc<Classes>>,
    /// The centroids, colours and hidden classes that were uploaded.
    key: Option<(Centroids, Vec<[u8; 3]>, BTreeSet<usize>)>,
    version: u64,
}

impl CanvasRenderer {
    /// Builds the pipelines for the window's framebuffer.
    ///
    /// # Errors
    /// The graphics driver fails.
    pub(super) fn new(state: &RenderState) -> Result<Self, GpuError> {
        let pipelines = Pipelines::new(&state.device, &state.queue, state.target_format)?;
        Ok(Self {
            pipelines: Arc::new(pipelines),
            classes: None,
            key: None,
            version: 0,
        })
    }

    pub(super) fn pipelines(&self) -> &Arc<Pipelines> {
        &self.pipelines
    }

    /// Sets the class colours for drawing; uploads them if they changed.
    ///
    /// # Errors
    /// Not enough graphics memory.
    pub(super) fn set_classes(
        &mut self,
        centroids: &Centroids,
        colours: &[[u8; 3]],
        hidden: &BTreeSet<usize>,
    ) -> Result<(), GpuError> {
        let same = self
            .key
            .as_ref()
            .is_some_and(|(m, c, h)| m == centroids && c == colours && h == hidden);
        if !same {
            let shown = |class| !hidden.contains(&class);
            let classes = self.pipelines.classes(centroids, colours, shown)?;
            self.classes = Some(Arc::new(classes));
            self.key = Some((centroids.clone(), colours.to_vec(), hidden.clone()));
            self.version += 1;
        }
        Ok(())
    }

    /// The classes' centroids, if the adapter is this machine's processor.
    pub(super) fn software(&self) -> Option<&Centroids> {
        let (centroids, ..) = self.key.as_ref()?;
        self.pipelines.software().then_some(centroids)
    }

    pub(super) fn classes(&self) -> Option<Arc<Classes>> {
        self.classes.clone()
    }

    /// Changes whenever the classes are uploaded.
    pub(super) fn classes_version(&self) -> u64 {
        self.version
    }

    /// Paints a picture at `target`, clipped to the part `clip` of the window, both in points.
    ///
    /// # Errors
    /// The graphics driver fails.
    pub(super) fn paint(
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
        let view = PaneView {
            layer: style.layer,
            origin: [target.min.x * scale, target.min.y * scale],
            extent: [target.width() * scale, target.height() * scale],
            fine: style.fine,
            opacity: style.opacity,
            lit: style.lit,
        };
        let pane = self.pipelines.pane(classes, sources, &view)?;
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

#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub layer: Layer,
    /// Outlines at the resolution of the photo rather than of the network.
    pub fine: bool,
    /// Opacity of the overlay, 0 to 1.
    pub opacity: f32,
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
