//! The panel: attention, principal components, and the agreement with the state.

use super::controls::{key, labelled};
use super::heat;
use super::worker::{Answer, Found, Key, Request, Want, Worker};
use crate::inspect::{Agreement, Attention, Components, Given, Recording, TIMES};
use crate::model::config::NetworkConfig;
use crate::model::record::Layer;
use crate::patches::Patches;
use crate::texts::{NetworkTexts, Texts, fill};
use crate::viewer::app_event::AppEvent;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::field::widgets::ranged;
use crate::viewer::flow::Flow;
use crate::viewer::open_model::OpenModel;
use crate::viewer::panel::Panel;
use crate::viewer::platform;
use crate::viewer::runs::axes::fixed;
use crate::viewer::theme::{self, GRID};
use eframe::egui::{self, Sense, TextureHandle, TextureOptions, vec2};
use egui_plot::{Line, LineStyle, PlotPoints};
use image::RgbImage;
use std::sync::Arc;

/// The least height of a picture, in points.
const LEAST: f32 = 20.0 * GRID;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Attention,
    Components,
    Agreement,
}

/// A drawn texture with what it shows.
type Drawn<T> = Option<(T, TextureHandle)>;

#[derive(Default)]
pub(crate) struct NetworkPanel {
    mode: Mode,
    /// The chosen block; by default the last of the transformer.
    layer: Option<Layer>,
    /// The chosen head; by default the mean of all.
    head: Option<usize>,
    /// The patch whose attention is shown.
    patch: Option<usize>,
    worker: Option<Worker>,
    attention: Option<(Key, Attention, Arc<RgbImage>)>,
    components: Option<(Key, Components)>,
    agreement: Option<(Key, Agreement)>,
    /// What could not be computed, and why.
    failed: Option<(Key, String)>,
    heat: Drawn<(Key, Option<usize>)>,
    mosaic: Drawn<Key>,
    /// Whether something that was visible in the last frame is still to be computed.
    waiting: bool,
    /// The number of the frame that it was drawn in last.
    drawn: u64,
}

impl Panel for NetworkPanel {
    fn title(&self) -> &'static str {
        self.title_in(Texts::of(Default::default()))
    }

    fn title_in(&self, texts: &'static Texts) -> &'static str {
        &texts.network.title
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let texts = &app.texts().network;
        self.drawn = ui.ctx().cumulative_frame_nr();
        let (Some(flow), Some(model)) = (&app.flow, &app.model) else {
            self.waiting = false;
            if let Some(worker) = &self.worker {
                worker.want(None);
            }
            theme::empty(ui, &texts.empty);
            return;
        };
        while let Some(answer) = self.worker.as_mut().and_then(Worker::poll) {
            self.receive(answer);
        }
        self.point(app, flow, model);
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                ui.horizontal_wrapped(|ui| {
                    for (mode, name, help) in [
                        (Mode::Attention, &texts.attention, &texts.about_attention),
                        (Mode::Components, &texts.components, &texts.about_components),
                        (Mode::Agreement, &texts.agreement, &texts.about_agreement),
                    ] {
                        let button = ui.selectable_value(&mut self.mode, mode, name);
                        button.on_hover_text(help);
                    }
                });
                if self.mode != Mode::Agreement {
                    self.blocks(ui, &model.card.network, texts);
                }
                match self.mode {
                    Mode::Attention => self.attention(ui, flow, model, app.texts()),
                    Mode::Components => self.components(ui, flow, model, texts),
                    Mode::Agreement => self.agreement(ui, flow, texts),
                }
            });
        self.ask(ui.ctx(), app, flow, model, commands);
    }

    fn on_event(&mut self, event: &AppEvent, context: &egui::Context) {
        match event {
            // A model of the same name may have other weights now.
            AppEvent::ModelOpened => {
                let (mode, head) = (self.mode, self.head);
                *self = Self::default();
                (self.mode, self.head) = (mode, head);
            }
            // Behind another tab, nothing is kept for a photo that has been left: neither the network nor
            // what it recorded.
            AppEvent::PhotoOpened if context.cumulative_frame_nr() > self.drawn + 1 => {
                self.worker = None;
                (self.attention, self.components, self.agreement) = (None, None, None);
                (self.heat, self.mosaic, self.failed) = (None, None, None);
            }
            _ => {}
        }
    }
}

/// The blocks of a network, in the order of its forward pass.
fn layers(network: &NetworkConfig) -> Vec<Layer> {
    let encoder = network.encoder.as_ref().map_or(0, |vit| vit.blocks);
    let encoder = (0..encoder).map(Layer::Encoder);
    encoder
        .chain((0..network.transformer_blocks).map(Layer::Transformer))
        .collect()
}

fn layer_name(layer: Layer, texts: &NetworkTexts) -> String {
    let (text, index) = match layer {
        Layer::Encoder(index) => (&texts.encoder, index),
        Layer::Transformer(index) => (&texts.transformer, index),
    };
    fill(text, &[("number", &(index + 1).to_string())])
}

impl NetworkPanel {
    /// Whether the network was ever evaluated for the panel.
    #[cfg(test)]
    pub(crate) fn works(&self) -> bool {
        self.worker.is_some()
    }

    /// The attention that is known, its step and its patch.
    #[cfg(test)]
    pub(crate) fn shown_attention(&self) -> Option<(&Attention, usize, usize)> {
        let ((_, step, want), attention, _) = self.attention.as_ref()?;
        match want {
            Want::Attention(_, patch) => Some((attention, *step, *patch)),
            _ => None,
        }
    }

    /// The flow whose agreement is known.
    #[cfg(test)]
    pub(crate) fn shown_agreement(&self) -> Option<u64> {
        self.agreement.as_ref().map(|((flow, ..), _)| *flow)
    }

    /// The flow whose agreement may be computed now; 0 for none.
    #[cfg(test)]
    pub(crate) fn wanted_agreement(&self) -> u64 {
        self.worker.as_ref().map_or(0, Worker::wanted)
    }

    /// Whether everything visible is computed.
    pub(crate) fn settled(&self) -> bool {
        !self.waiting
    }

    fn receive(&mut self, (key, found): Answer) {
        if found.is_ok() {
            self.failed = None;
        }
        match found {
            Ok(Found::Attention(attention, photo)) => {
                self.attention = Some((key, attention, photo))
            }
            Ok(Found::Components(components)) => self.components = Some((key, components)),
            Ok(Found::Agreement(agreement)) => self.agreement = Some((key, agreement)),
            Ok(Found::Nothing) => {}
            Err(error) => self.failed = Some((key, error)),
        }
    }

    /// Follows the pixel under the pointer; without one, the patch stays.
    fn point(&mut self, app: &AppState, flow: &Flow, model: &OpenModel) {
        let cut = model.card.network.patches(flow.size);
        let [rows, columns] = cut.grid();
        let pinned = || app.selection.pins.last().copied();
        let pixel = match (app.hover.pixel, self.patch) {
            (None, None) => pinned(),
            (hovered, _) => hovered,
        };
        let of_pixel = pixel.map(|pixel| {
            let [row, column] = [pixel / flow.size[1].max(1), pixel % flow.size[1].max(1)];
            row / cut.side * columns + column / cut.side
        });
        let middle = rows / 2 * columns + columns / 2;
        let patch = of_pixel.or(self.patch).unwrap_or(middle);
        self.patch = Some(patch.min((rows * columns).saturating_sub(1)));
    }

    /// The shown block, one that the network has.
    fn layer(&self, network: &NetworkConfig) -> Option<Layer> {
        let layers = layers(network);
        self.layer
            .filter(|layer| layers.contains(layer))
            .or(layers.last().copied())
    }

    /// What is shown and must be known, and the position of the state that it is computed at.
    fn wanted(&self, app: &AppState, flow: &Flow, model: &OpenModel) -> Option<Key> {
        let (step, _) = flow.nearest(app.playhead.position)?;
        let layer = || self.layer(&model.card.network);
        Some(match self.mode {
            Mode::Attention => (flow.id, step, Want::Attention(layer()?, self.patch?)),
            Mode::Components => (flow.id, step, Want::Components(layer()?)),
            Mode::Agreement => (flow.id, 0, Want::Agreement),
        })
    }

    /// Requests what is shown and not known yet.
    fn ask(
        &mut self,
        context: &egui::Context,
        app: &AppState,
        flow: &Flow,
        model: &OpenModel,
        commands: &mut Vec<Command>,
    ) {
        self.waiting = false;
        let wanted = self.wanted(app, flow, model);
        if let Some(worker) = &self.worker {
            worker.want(wanted);
        }
        // Evaluations would compete with the flow for the device.
        let Some(key) = wanted.filter(|_| !app.busy()) else {
            return;
        };
        let known = [
            self.attention.as_ref().map(|(key, ..)| *key),
            self.components.as_ref().map(|(key, _)| *key),
            self.agreement.as_ref().map(|(key, _)| *key),
            self.failed.as_ref().map(|(key, _)| *key),
        ];
        if known.contains(&Some(key)) {
            return;
        }
        self.waiting = true;
        if self.worker.is_none() {
            let start = || {
                Worker::start(context, app.device().clone())
                    .map_err(|error| platform::no_thread(&error))
            };
            match start() {
                Ok(worker) => self.worker = Some(worker),
                Err(text) => {
                    // It is tried again for every other patch.
                    if self.failed.as_ref().is_none_or(|(_, last)| *last != text) {
                        commands.push(Command::ReportError(text.clone()));
                    }
                    self.failed = Some((key, text));
                }
            }
        }
        if let (Some(worker), Some(request)) = (&mut self.worker, Request::of(key, flow, model)) {
            // It may just have been started.
            worker.want(wanted);
            worker.ask(request);
        }
    }

    /// The choice of the block and, for attention, of the head and the patch.
    fn blocks(&mut self, ui: &mut egui::Ui, network: &NetworkConfig, texts: &NetworkTexts) {
        let Some(mut layer) = self.layer(network) else {
            return;
        };
        ui.horizontal_wrapped(|ui| {
            let list = egui::ComboBox::from_id_salt("network block");
            let selected = layer_name(layer, texts);
            labelled(ui, &texts.block, list, selected, 15.0 * GRID, |ui| {
                for other in layers(network) {
                    ui.selectable_value(&mut layer, other, layer_name(other, texts));
                }
            });
            if self.mode == Mode::Attention {
                self.heads(ui, network, layer, texts);
            }
        });
        self.layer = Some(layer);
    }

    fn heads(
        &mut self,
        ui: &mut egui::Ui,
        network: &NetworkConfig,
        layer: Layer,
        texts: &NetworkTexts,
    ) {
        let count = match (layer, &network.encoder) {
            (Layer::Encoder(_), Some(vit)) => vit.heads,
            _ => network.heads,
        };
        let name = |head: Option<usize>| match head {
            Some(head) => (head + 1).to_string(),
            None => fill(&texts.mean, &[("count", &count.to_string())]),
        };
        self.head = self.head.filter(|head| *head < count);
        let list = egui::ComboBox::from_id_salt("network head");
        let selected = name(self.head);
        labelled(ui, &texts.head, list, selected, 9.0 * GRID, |ui| {
            for head in std::iter::once(None).chain((0..count).map(Some)) {
                ui.selectable_value(&mut self.head, head, name(head));
            }
        });
    }

    /// The row and the column of the patch, counted from 1 as blocks and heads are, for the keyboard, and the
    /// scale of the colours up to the greatest weight, in %.
    fn place(
        &mut self,
        ui: &mut egui::Ui,
        [rows, columns]: [usize; 2],
        most: Option<&str>,
        texts: &NetworkTexts,
    ) {
        let patch = self.patch.unwrap_or(0);
        let [mut row, mut column] = [patch / columns.max(1), patch % columns.max(1)];
        ui.horizontal(|ui| {
            for (name, value, count) in [
                (&texts.row, &mut row, rows),
                (&texts.column, &mut column, columns),
            ] {
                let label = ui.label(name);
                // One row or column for each press of an arrow key.
                let mut number = *value + 1;
                let drag = egui::DragValue::new(&mut number).speed(1.0);
                let range = 1..=count.max(1);
                let help = ranged(name, &range, 0);
                let drag = ui.add(drag.range(range)).labelled_by(label.id);
                drag.on_hover_text(help);
                *value = number.saturating_sub(1);
            }
            if let Some(most) = most {
                ui.weak("0");
                let (strip, _) = ui.allocate_exact_size(vec2(6.0 * GRID, GRID), Sense::hover());
                ui.painter().add(theme::gradient(strip, &heat::ramp()));
                ui.weak(format!("{most} %"));
            }
        });
        self.patch = Some(row * columns + column);
    }

    fn attention(&mut self, ui: &mut egui::Ui, flow: &Flow, model: &OpenModel, all: &Texts) {
        let texts = &all.network;
        let network = &model.card.network;
        let cut = network.patches(flow.size);
        let grid = cut.grid();
        let known = self
            .attention
            .as_ref()
            .filter(|((id, ..), ..)| *id == flow.id);
        let Some((key, attention, photo)) = known else {
            self.place(ui, grid, None, texts);
            self.missing(ui, flow.id, texts);
            return;
        };
        let (key, head) = (*key, self.head.filter(|head| *head < attention.heads()));
        let weights = attention.of_patches(head);
        let most = weights.iter().copied().fold(0.0, f32::max);
        let beside = attention.beside(head);
        if self
            .heat
            .as_ref()
            .is_none_or(|(shown, _)| *shown != (key, head))
        {
            let picture = heat::over(photo, &weights, cut);
            let texture = ui
                .ctx()
                .load_texture("attention", picture, TextureOptions::LINEAR);
            self.heat = Some(((key, head), texture));
        }
        let most = percent(most, all);
        self.place(ui, grid, Some(&most), texts);
        let (Some((_, texture)), Want::Attention(_, patch)) = (&self.heat, key.2) else {
            return;
        };
        let response = picture(ui, texture);
        if let Some(over) = mark(ui, &response, patch, cut) {
            self.patch = Some(over);
        }
        let [row, column] = [patch / grid[1].max(1), patch % grid[1].max(1)];
        let [row, column] = [row, column].map(|at| (at + 1).to_string());
        let values = [("row", &*row), ("column", &*column), ("share", &*most)];
        let description = fill(&texts.description, &values);
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Image, true, description.as_str())
        });
        response.on_hover_text(&texts.about_attention);
        if beside > 0.0 {
            ui.weak(fill(&texts.beside, &[("share", &percent(beside, all))]));
        }
        let megabytes = Recording::bytes(network, flow.size) as f64 / 1e6;
        let t = flow.states.get(key.1).map_or(0.0, |state| state.t);
        let t = all.number(&format!("{t:.2}"));
        let megabytes = format!("{megabytes:.0}");
        let values = [("t", &*t), ("megabytes", &*megabytes)];
        ui.weak(fill(&texts.recorded, &values));
    }

    fn components(
        &mut self,
        ui: &mut egui::Ui,
        flow: &Flow,
        model: &OpenModel,
        texts: &NetworkTexts,
    ) {
        let known = self
            .components
            .as_ref()
            .filter(|((id, ..), _)| *id == flow.id);
        let Some((key, components)) = known else {
            self.missing(ui, flow.id, texts);
            return;
        };
        let grid = model.card.network.patches(flow.size).grid();
        if self.mosaic.as_ref().is_none_or(|(shown, _)| shown != key) {
            let picture = heat::mosaic(&components.colours(), grid);
            let texture = ui
                .ctx()
                .load_texture("components", picture, TextureOptions::NEAREST);
            self.mosaic = Some((*key, texture));
        }
        let Some((_, texture)) = &self.mosaic else {
            return;
        };
        let response = picture(ui, texture);
        response.widget_info(|| {
            let name = texts.components.as_str();
            egui::WidgetInfo::labeled(egui::Role::Image, true, name)
        });
        response.on_hover_text(&texts.about_components);
        let [first, second, third] = components.shares.map(|s| format!("{:.0}", 100.0 * s));
        let values = [("first", &*first), ("second", &*second), ("third", &*third)];
        ui.weak(fill(&texts.variance, &values));
    }

    fn agreement(&self, ui: &mut egui::Ui, flow: &Flow, texts: &NetworkTexts) {
        ui.weak(&texts.about_agreement);
        let known = self
            .agreement
            .as_ref()
            .filter(|((id, ..), _)| *id == flow.id);
        let Some((_, agreement)) = known else {
            self.missing(ui, flow.id, texts);
            return;
        };
        let ink = ui.visuals().strong_text_color();
        let lines = [
            (Given::Own, &texts.own, theme::ACCENT, LineStyle::Solid),
            (
                Given::Mirrored,
                &texts.mirrored,
                theme::ERROR,
                LineStyle::Solid,
            ),
            (Given::Truth, &texts.truth, ink, LineStyle::dashed_dense()),
        ];
        // A legend within the plot would cover its curves.
        for (given, name, colour, style) in lines {
            if agreement.shares(given).is_some() {
                key(ui, name, colour, style);
            }
        }
        let height = (ui.available_height() - GRID).max(LEAST);
        fixed("agreement", "t")
            .height(height)
            .include_x(1.0)
            .include_y(100.0)
            .y_axis_formatter(|mark, _| format!("{:.0} %", mark.value))
            .show(ui, |plot| {
                for (given, name, colour, style) in lines {
                    let Some(shares) = agreement.shares(given) else {
                        continue;
                    };
                    let points = TIMES.iter().zip(shares);
                    let points: PlotPoints<'_> = points
                        .map(|(t, share)| [f64::from(*t), 100.0 * f64::from(*share)])
                        .collect();
                    let line = Line::new(name.as_str(), points).color(colour);
                    plot.line(line.style(style).width(2.0));
                }
            });
    }

    /// Says that something about a flow is being computed, or why it is not.
    fn missing(&self, ui: &mut egui::Ui, flow: u64, texts: &NetworkTexts) {
        theme::empty(ui, self.error(flow).unwrap_or(&texts.computing));
    }

    /// Why what is shown about a flow could not be computed. What could not be before may be now.
    fn error(&self, flow: u64) -> Option<&str> {
        let (key, error) = self.failed.as_ref().filter(|_| !self.waiting)?;
        let mode = match key.2 {
            Want::Attention(..) => Mode::Attention,
            Want::Components(_) => Mode::Components,
            Want::Agreement => Mode::Agreement,
        };
        (key.0 == flow && mode == self.mode).then_some(error)
    }
}

/// Draws a picture as large as fits above a line of text.
fn picture(ui: &mut egui::Ui, texture: &TextureHandle) -> egui::Response {
    let room = vec2(
        ui.available_width(),
        (ui.available_height() - 3.0 * GRID).max(LEAST),
    );
    let size = texture.size_vec2();
    let size = size * (room / size).min_elem();
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    egui::Image::new(texture)
        .corner_radius(2.0)
        .paint_at(ui, rect);
    response
}

/// Marks a patch in a picture, and returns the one under the pointer.
fn mark(ui: &egui::Ui, picture: &egui::Response, patch: usize, cut: Patches) -> Option<usize> {
    let [rows, columns] = cut.grid().map(|side| side.max(1));
    let [down, across] = heat::within(cut);
    let cell = picture.rect.size() / vec2(across, down);
    let at = vec2((patch % columns) as f32, (patch / columns) as f32) * cell;
    let marked = egui::Rect::from_min_size(picture.rect.min + at, cell).intersect(picture.rect);
    let stroke = egui::Stroke::new(2.0, egui::Color32::WHITE);
    ui.painter()
        .rect_stroke(marked, 1.0, stroke, egui::StrokeKind::Outside);
    let over = (picture.hover_pos()? - picture.rect.min) / cell;
    let row = (over.y.max(0.0) as usize).min(rows - 1);
    let column = (over.x.max(0.0) as usize).min(columns - 1);
    Some(row * columns + column)
}

fn percent(share: f32, texts: &Texts) -> String {
    texts.number(&format!("{:.1}", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_only_where_it_belongs() {
        let mut panel = NetworkPanel {
            mode: Mode::Agreement,
            failed: Some(((1, 0, Want::Agreement), "broken".to_owned())),
            ..NetworkPanel::default()
        };
        assert_eq!(panel.error(1), Some("broken"));
        assert_eq!(panel.error(2), None);
        panel.waiting = true;
        assert_eq!(panel.error(1), None);
        panel.waiting = false;
        panel.mode = Mode::Components;
        assert_eq!(panel.error(1), None);
        panel.mode = Mode::Agreement;
        panel.receive(((1, 0, Want::Agreement), Ok(Found::Nothing)));
        assert_eq!(panel.error(1), None);
    }
}
