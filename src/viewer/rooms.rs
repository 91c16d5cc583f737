//! The panels with rooms of their own: the field lab and the run monitor.

use super::app_state::AppState;
use super::field::{FieldInput, FieldPanel, Pin, Preset};
use super::flow::Flow;
use super::panel_kind::PanelKind;
use super::runs::RunMonitor;
use super::theme;
use crate::gpu::field::{Cloud, CloudState};
use eframe::egui;

/// The rooms.
pub struct Rooms {
    /// The vector field around the centroids.
    pub field: FieldPanel,
    /// Training runs, once some were asked for.
    monitor: Option<RunMonitor>,
    /// The network's velocity at the state that is shown, and the state's number.
    velocity: Option<(u64, usize, Vec<f32>)>,
}

impl Rooms {
    /// Rooms with the field as it was left.
    pub fn new(field: super::field::FieldSettings) -> Self {
        let mut lab = FieldPanel::new();
        lab.settings = field;
        Self {
            field: lab,
            monitor: None,
            velocity: None,
        }
    }

    /// Shows a ready-made view of the field.
    pub fn preset(&mut self, preset: Preset) {
        self.field.preset(preset);
    }

    /// Follows runs in place of those before.
    pub fn follow(&mut self, runs: Vec<std::path::PathBuf>, context: &egui::Context) {
        let wake = context.clone();
        self.monitor = Some(RunMonitor::new(runs, move || wake.request_repaint()));
    }

    /// Whether the runs that were asked for are shown, with the picture of their samples.
    pub fn runs_settled(&self) -> bool {
        self.monitor.as_ref().is_none_or(RunMonitor::settled)
    }

    /// Draws a panel.
    pub fn show(&mut self, app: &mut AppState, panel: PanelKind, ui: &mut egui::Ui) {
        match (panel, &mut self.monitor) {
            (PanelKind::Runs, Some(monitor)) => monitor.ui(ui),
            (PanelKind::Runs, None) => theme::empty(
                ui,
                "Follow training runs here: File, Open training run, or drop run folders.\n\
                 Start a run with: flowseg --train --data FOLDER --out RUN",
            ),
            (PanelKind::Field, _) => self.field(app, ui),
            _ => {}
        }
    }

    fn field(&mut self, app: &mut AppState, ui: &mut egui::Ui) {
        let Some(model) = &app.model else {
            theme::empty(ui, "The field appears with a model.");
            return;
        };
        let position = app.play.position;
        let shown = app.flow.as_ref().and_then(|flow| flow.nearest(position));
        if let (Some((step, _)), Some(flow)) = (shown, &app.flow) {
            velocity(&mut self.velocity, flow, step);
        }
        let paths: Vec<Vec<[f32; 3]>> = app.flow.as_ref().map_or_else(Vec::new, |flow| {
            let pins = app.selection.pins.iter();
            pins.map(|&pixel| flow.path_of(pixel)).collect()
        });
        let pins: Vec<Pin<'_>> = app
            .selection
            .pins
            .iter()
            .zip(&paths)
            .enumerate()
            .map(|(i, (&pixel, trajectory))| Pin {
                pixel,
                label: (i + 1).to_string(),
                trajectory,
            })
            .collect();
        let cloud = app.flow.as_ref().and_then(|flow| {
            let (step, host) = flow.nearest(position)?;
            let (low, high, share) = flow.around(position)?;
            let source = &flow.states.first()?.host.as_ref()?.x;
            // Where both neighbours lie on the device their buffers are read there.
            let on_device = flow.location(low).zip(flow.location(high));
            let on_device = on_device.map(|((buffer, offset), next)| CloudState::Device {
                buffer,
                offset,
                next: Some(next),
                share,
            });
            Some(Cloud {
                size: flow.size,
                state: on_device.unwrap_or(CloudState::Host(&host.x)),
                source,
                velocity: self
                    .velocity
                    .as_ref()
                    .filter(|(_, at, _)| *at == step)
                    .map(|(_, _, v)| v.as_slice()),
                labels: &host.labels,
                photo: flow.id,
                generation: flow.generation << 32 | u64::from(position.to_bits()),
            })
        });
        let input = FieldInput {
            centroids: &model.centroids,
            classes: &model.card.classes,
            cloud,
            brushed: &app.selection.brushed,
            pins: &pins,
        };
        let gpu = app
            .screen
            .as_ref()
            .map(super::canvas_renderer::CanvasRenderer::state);
        let output = self.field.ui(ui, gpu, &input);
        if let Some(brushed) = output.brushed {
            app.brush(brushed);
        }
        if let Some(error) = output.error {
            app.errors.tell(error);
        }
        let inputs = super::exports::inputs(app);
        if let Some(export) = output.export
            && let Err(error) = app
                .exports
                .save(&export.name, inputs, move || export.contents.bytes())
        {
            app.errors.tell(format!("cannot start a thread: {error}"));
        }
    }
}

/// The velocity over the step at a state, from the difference quotient of the stored states.
fn velocity(kept: &mut Option<(u64, usize, Vec<f32>)>, flow: &Flow, step: usize) {
    if kept
        .as_ref()
        .is_some_and(|(generation, at, _)| (*generation, *at) == (flow.generation, step))
    {
        return;
    }
    let low = step.min(flow.states.len().saturating_sub(2));
    *kept = flow
        .states
        .get(low)
        .zip(flow.states.get(low + 1))
        .and_then(|(a, b)| {
            let h = (b.t - a.t).max(f32::EPSILON);
            let (a, b) = (a.host.as_ref()?, b.host.as_ref()?);
            let v = a.x.iter().zip(b.x.iter()).map(|(a, b)| (b - a) / h);
            Some((flow.generation, step, v.collect()))
        });
}
