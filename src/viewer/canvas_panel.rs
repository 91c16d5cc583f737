//! The canvas: panes of one flow that pan and zoom together, down to single pixels.

use super::app_event::{AppEvent, Zoom};
use super::app_state::AppState;
use super::brush_tool::{self, BrushTool};
use super::canvas_renderer::{CanvasRenderer, Style};
use super::commands::{Action, Command, keys_of};
use super::correct;
use super::mask_picture::{MaskPicture, ReadyMask};
use super::panel::Panel;
use super::theme::{self, GRID};
use super::view::{self, Arrangement, Camera};
use super::{background, canvas_bar, doubt_bar, doubt_maps, pixel_info};
use crate::gpu::GpuError;
use crate::gpu::canvas::{Layer, Sources};
use eframe::egui::{self, Color32, Pos2, Rect, Sense, Stroke, Vec2, pos2, vec2};
use egui_material_icons::icons;

#[derive(Default)]
pub(super) struct CanvasPanel {
    /// `None` without a graphics device.
    pub(super) renderer: Option<CanvasRenderer>,
    pub(super) camera: Camera,
    /// The pane under the pointer and the photo's size, for zooming by keys.
    pane: Option<(Rect, Vec2)>,
    /// Height of the toolbar in the last frame, in points.
    pub(super) bar_height: f32,
    brush: BrushTool,
    pointer: correct::Pointer,
    mask: MaskPicture,
}

impl Panel for CanvasPanel {
    fn title(&self) -> &'static str {
        "Flow"
    }

    fn margin(&self) -> f32 {
        0.0
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        self.bar_height = canvas_bar::show(app, ui, commands);
        correct::bar(app, ui, commands);
        egui::CentralPanel::no_frame().show(ui, |ui| {
            background::paint(ui, ui.max_rect(), ui.visuals().extreme_bg_color);
            self.panes(app, ui, commands);
        });
    }

    fn on_event(&mut self, event: &AppEvent, context: &egui::Context) {
        match (event, self.pane) {
            (AppEvent::PhotoOpened | AppEvent::Zoom(Zoom::Fit), _) => {
                self.camera = Camera::default();
            }
            (AppEvent::Zoom(Zoom::Actual), Some((pane, photo))) => {
                let scale = 1.0 / context.pixels_per_point();
                self.camera.magnify_to(scale, pane, photo);
            }
            (AppEvent::Zoom(Zoom::By(factor)), Some((pane, photo))) => {
                self.camera.magnify(*factor, pane.center(), pane, photo);
            }
            _ => {}
        }
    }
}

impl CanvasPanel {
    pub(super) fn new(renderer: Option<CanvasRenderer>) -> Self {
        Self {
            renderer,
            ..Self::default()
        }
    }

    /// The inputs for drawing the panes at the playhead.
    pub(super) fn sources(&mut self, app: &AppState) -> Result<Option<Sources>, GpuError> {
        let (Some(renderer), Some(model), Some(flow)) = (&mut self.renderer, &app.model, &app.flow)
        else {
            return Ok(None);
        };
        let hidden = &app.selection.hidden;
        renderer.set_classes(&model.centroids, &model.colours, hidden)?;
        let position = app.playhead.position;
        let corrected = app
            .correct
            .picture(renderer, flow.id, app.shows_corrections())?;
        let Some(mut sources) = flow.sources(renderer, position)? else {
            return Ok(None);
        };
        sources.corrected = corrected;
        sources.doubt = app.doubt.of(flow);
        let mut shown = app.settings.view.shown().iter();
        let shows_second = shown.any(|layer| canvas_bar::of_second(*layer));
        if let Some(second) = app.second.as_ref().filter(|_| shows_second) {
            let t = flow.time(app.decoded_position());
            sources.second = second.uploaded(renderer, model, hidden, t)?;
        }
        Ok(Some(sources))
    }

    fn panes(&mut self, app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
        let (area, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, app.describe()));
        if area.width() < 2.0 * GRID || area.height() < 2.0 * GRID {
            return;
        }
        let sources = self.sources(app).unwrap_or_else(|error| {
            commands.push(Command::ReportError(error.to_string()));
            None
        });
        let mask = self.mask.ready(app, ui.ctx());
        let Some(flow) = &app.flow else {
            match &mask {
                Some(mask) => self.mask_alone(app, ui, area, mask),
                None => nothing(app, ui, area),
            }
            return;
        };
        let photo = vec2(flow.photo.width() as f32, flow.photo.height() as f32);
        let arrangement = app.settings.view.arrangement;
        let rects = view::panes(arrangement, area);
        let divider = divider(app, ui, area, commands);
        // Except for strokes, all coordinates are relative to the pane under the pointer.
        let pointer = response.hover_pos().or(response.interact_pointer_pos());
        let under = match arrangement {
            Arrangement::Swipe => usize::from(pointer.is_some_and(|p| p.x > divider)),
            _ => rects
                .iter()
                .position(|rect| pointer.is_some_and(|p| rect.contains(p)))
                .unwrap_or(0),
        };
        let pane = rects[under];
        let painting = self
            .pointer
            .follow(app, self.camera, &response, &rects, photo, commands);
        let brushing = painting
            || (!app.correct.on
                && self
                    .brush
                    .drag(app, self.camera, &response, pane, photo, commands));
        self.navigate(ui, &response, pane, photo, brushing);
        if (response.clicked() || response.drag_started()) && app.active_pane != under {
            commands.push(Command::ActivatePane(under));
        }
        if let Some(sources) = &sources {
            for (i, rect) in rects.iter().enumerate() {
                let clip = match (arrangement, i) {
                    (Arrangement::Swipe, 0) => rect.with_max_x(divider),
                    (Arrangement::Swipe, _) => rect.with_min_x(divider),
                    _ => *rect,
                };
                let layer = app.settings.view.layers[i];
                let target = self.camera.target(*rect, photo);
                let mask = mask.as_ref().filter(|_| ReadyMask::covers(layer));
                let below = mask.map_or(layer, |_| Layer::Photo);
                if let Err(error) = self.draw(app, ui, below, clip, target, sources) {
                    commands.push(Command::ReportError(error.to_string()));
                }
                if let Some(mask) = mask {
                    mask.paint(ui, layer, clip, target, false);
                }
            }
        } else if let Some(mask) = &mask {
            self.mask_alone(app, ui, area, mask);
        } else {
            self.waiting(app, ui, area);
        }
        self.decorate(app, ui, &rects, divider, photo);
        self.pointer
            .ring(app, ui, self.camera, &response, pane, photo);
        brush_tool::hint(app, ui, area, commands);
        let over = pointer.filter(|_| response.hovered()).and_then(|pointer| {
            let target = self.camera.target(pane, photo);
            pixel_at(pointer, target, flow.size)
        });
        if over != app.hover.pixel {
            commands.push(Command::HoverPixel(over));
        }
        let Some(pixel) = over.filter(|_| !app.correct.is_ready()) else {
            return;
        };
        if response.clicked() && !app.correct.on {
            commands.push(Command::TogglePin(pixel));
        }
        // A tooltip is drawn over everything else.
        if !app.shows_dialog() && !ui.input(|input| input.pointer.any_down()) {
            response.on_hover_ui_at_pointer(|ui| pixel_info::tooltip(app, ui, pixel));
        }
    }

    fn navigate(
        &mut self,
        ui: &egui::Ui,
        response: &egui::Response,
        pane: Rect,
        photo: Vec2,
        brushing: bool,
    ) {
        self.pane = Some((pane, photo));
        if response.dragged() && !brushing {
            self.camera.pan(response.drag_delta(), pane, photo);
        }
        if let Some(pointer) = response.hover_pos() {
            let (scroll, pinch) = ui.input(|i| (i.smooth_scroll_delta.y, i.zoom_delta()));
            let factor = (scroll * 0.005).exp() * pinch;
            if factor != 1.0 {
                self.camera.magnify(factor, pointer, pane, photo);
            }
        }
        if response.double_clicked() && !brushing {
            self.camera = Camera::default();
        }
    }

    fn draw(
        &mut self,
        app: &AppState,
        ui: &egui::Ui,
        layer: Layer,
        clip: Rect,
        target: Rect,
        sources: &Sources,
    ) -> Result<(), GpuError> {
        let Some(renderer) = &self.renderer else {
            return Ok(());
        };
        let view = &app.settings.view;
        let style = Style {
            layer,
            fine: view.fine,
            opacity: view.opacity,
            lit: app.hover.class,
        };
        let plain;
        let sources = if layer == Layer::Disagreement {
            // The two results are compared, as in the table beside it, and not corrections.
            plain = Sources {
                corrected: None,
                ..sources.clone()
            };
            &plain
        } else {
            sources
        };
        let drawn = renderer.paint(ui, clip, target, sources, style);
        self.brush.darken(app, ui, clip, target);
        drawn
    }

    /// Draws the names of the panes and of masks that are not the network's, the divider, and the pinned pixels.
    fn decorate(&self, app: &AppState, ui: &egui::Ui, rects: &[Rect], divider: f32, photo: Vec2) {
        let view = &app.settings.view;
        let painter = ui.painter();
        let line = ui.visuals().widgets.noninteractive.bg_stroke;
        if view.arrangement == Arrangement::Swipe {
            let rect = rects[0];
            painter.vline(divider, rect.y_range(), Stroke::new(2.0, Color32::WHITE));
            let handle = pos2(divider, rect.center().y);
            painter.circle(handle, 1.25 * GRID, Color32::WHITE, line);
            painter.text(
                handle,
                egui::Align2::CENTER_CENTER,
                icons::ICON_UNFOLD_MORE.codepoint,
                egui::FontId::new(14.0, icons::ICON_UNFOLD_MORE.font_family()),
                Color32::BLACK,
            );
        }
        for (i, rect) in rects.iter().enumerate() {
            if let Some(flow) = &app.flow {
                let target = self.camera.target(*rect, photo);
                pins(app, &painter.with_clip_rect(*rect), target, flow.size);
            }
            let several = rects.len() > 1;
            let named = several.then(|| pane_name(app, view.layers[i]));
            let text = match (named, mark(app, view.layers[i])) {
                (Some(name), Some(mark)) => Some(format!("{name}: {mark}")),
                (name, mark) => name.or(mark.map(str::to_owned)),
            };
            if let Some(text) = text {
                let right = view.arrangement == Arrangement::Swipe && i == 1;
                let (at, align) = if right {
                    (
                        rect.right_top() + vec2(-GRID, GRID),
                        egui::Align2::RIGHT_TOP,
                    )
                } else {
                    (rect.left_top() + vec2(GRID, GRID), egui::Align2::LEFT_TOP)
                };
                let active = several && app.active_pane == i;
                theme::badge(ui, at, align, &text, active);
            }
            if let Some(doubt) = doubt_maps::measure(view.layers[i]) {
                let right = view.arrangement == Arrangement::Swipe && i == 1;
                doubt_bar::show(ui, *rect, doubt, right);
            }
        }
    }

    /// Draws a mask before the photo itself is loaded.
    fn mask_alone(&self, app: &AppState, ui: &egui::Ui, area: Rect, mask: &ReadyMask) {
        let layers = app.settings.view.layers;
        for (rect, layer) in view::panes(app.settings.view.arrangement, area)
            .iter()
            .zip(layers)
        {
            if ReadyMask::covers(layer) {
                let target = self.camera.target(*rect, mask.photo);
                mask.paint(ui, layer, *rect, target, true);
                // The photo below an overlay is still to come.
                if let Some(doing) = app.doing() {
                    let corner = rect.left_bottom() + vec2(GRID, -GRID);
                    theme::badge(ui, corner, egui::Align2::LEFT_BOTTOM, &doing, false);
                }
            }
        }
    }

    /// Draws the worker's status until the first state arrives.
    fn waiting(&self, app: &AppState, ui: &mut egui::Ui, area: Rect) {
        let text = if self.renderer.is_none() {
            "There is no graphics device: make masks with `flowseg segment`".into()
        } else {
            app.doing().unwrap_or_default()
        };
        let colour = ui.visuals().weak_text_color();
        let font = egui::TextStyle::Body.resolve(ui.style());
        ui.painter().text(
            area.center(),
            egui::Align2::CENTER_CENTER,
            text,
            font,
            colour,
        );
    }
}

/// What a layer draws instead of the network's mask, if it does, or that its own is still computed.
fn mark(app: &AppState, layer: Layer) -> Option<&'static str> {
    let flow = app.flow.as_ref()?;
    if canvas_bar::of_second(layer) {
        let t = flow.time(app.decoded_position());
        return app.second.as_ref()?.awaits(t).then_some("computing");
    }
    let shows = matches!(layer, Layer::Map | Layer::Overlay | Layer::Error);
    let is_shown = app.shows_corrections();
    app.correct.mark(flow.id, is_shown).filter(|_| shows)
}

/// The name of a pane's layer and, during a comparison, of its result.
fn pane_name(app: &AppState, layer: Layer) -> String {
    let name = view::name(layer);
    match (&app.second, layer) {
        (Some(second), Layer::Second) => format!("B: {}", second.caption()),
        (Some(_), Layer::Overlay | Layer::Map) => format!("A: {} ({name})", app.caption()),
        _ => name.to_owned(),
    }
}

/// The pixel at the network's size under a point of the window.
fn pixel_at(pointer: Pos2, target: Rect, [height, width]: [usize; 2]) -> Option<usize> {
    let at = (pointer - target.min) / target.size();
    if !(0.0..1.0).contains(&at.x) || !(0.0..1.0).contains(&at.y) {
        return None;
    }
    let (column, row) = (at.x * width as f32, at.y * height as f32);
    Some((row as usize).min(height - 1) * width + (column as usize).min(width - 1))
}

/// The divider of [`Arrangement::Swipe`], dragged by its handle. Returns its x coordinate.
fn divider(app: &AppState, ui: &egui::Ui, area: Rect, commands: &mut Vec<Command>) -> f32 {
    let mut view = app.settings.view.clone();
    if view.arrangement != Arrangement::Swipe {
        return area.max.x;
    }
    let x = area.min.x + view.divider * area.width();
    let grip = Rect::from_center_size(pos2(x, area.center().y), vec2(1.5 * GRID, area.height()));
    let response = ui
        .interact(grip, ui.scope_id().with("divider"), Sense::drag())
        .on_hover_cursor(egui::CursorIcon::ResizeHorizontal);
    response.widget_info(|| {
        egui::WidgetInfo::slider(true, f64::from(view.divider), "divider between two views")
    });
    view.divider += response.drag_delta().x / area.width();
    view.clamp();
    if view.divider != app.settings.view.divider {
        commands.push(Command::SetDivider(view.divider));
    }
    area.min.x + view.divider * area.width()
}

fn pins(app: &AppState, painter: &egui::Painter, target: Rect, [height, width]: [usize; 2]) {
    let cell = target.size() / vec2(width as f32, height as f32);
    let place = |pixel: usize| {
        let at = vec2((pixel % width) as f32, (pixel / width) as f32);
        Rect::from_min_size(target.min + at * cell, cell)
    };
    if let Some(pixel) = app.hover.pixel.filter(|_| cell.x >= 6.0) {
        let stroke = Stroke::new(1.0, Color32::from_white_alpha(160));
        painter.rect_stroke(place(pixel), 0.0, stroke, egui::StrokeKind::Inside);
    }
    for (i, &pixel) in app.selection.pins.iter().enumerate() {
        let centre = place(pixel).center();
        painter.circle(
            centre,
            0.75 * GRID,
            Color32::from_black_alpha(120),
            Stroke::new(1.5, Color32::WHITE),
        );
        painter.text(
            centre,
            egui::Align2::CENTER_CENTER,
            (i + 1).to_string(),
            egui::FontId::proportional(11.0),
            Color32::WHITE,
        );
    }
}

/// Draws what to do, what is wrong, or the worker's status, if no photo is shown.
fn nothing(app: &AppState, ui: &mut egui::Ui, area: Rect) {
    let problem = app.problem();
    let icon = match problem {
        Some(_) => icons::ICON_BROKEN_IMAGE,
        None => icons::ICON_ADD_PHOTO_ALTERNATE,
    };
    let text = app.doing().or(problem).unwrap_or_else(|| {
        let open = keys_of(ui.ctx(), Action::OpenPhotos);
        format!("Drop a photo here, press {open} to open one, or choose a sample in the File menu")
    });
    let colour = ui.visuals().weak_text_color();
    let font = egui::TextStyle::Body.resolve(ui.style());
    let painter = ui.painter();
    // Paths in errors may be longer than the pane is wide.
    let galley = painter.layout(text, font, colour, area.width() - 4.0 * GRID);
    let corner = area.center() - galley.size() / 2.0;
    painter.galley(corner, galley, colour);
    painter.text(
        pos2(area.center().x, corner.y - 4.0 * GRID),
        egui::Align2::CENTER_CENTER,
        icon.codepoint,
        egui::FontId::new(40.0, icon.font_family()),
        colour,
    );
}
