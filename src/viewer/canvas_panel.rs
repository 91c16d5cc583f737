//! The canvas: panes of one flow that pan and zoom together, down to single pixels.

use super::app_event::{AppEvent, Zoom};
use super::app_state::AppState;
use super::brush_tool::{self, BrushTool};
use super::canvas_renderer::{CanvasRenderer, Style};
use super::commands::{self, Action, Command, help, keys_of};
use super::correct;
use super::mask_picture::{MaskPicture, ReadyMask};
use super::panel::Panel;
use super::theme::{self, GRID};
use super::view::{self, Arrangement, Camera, LAYERS};
use super::{background, doubt_bar, doubt_maps, pixel_info};
use crate::gpu::GpuError;
use crate::gpu::canvas::{Layer, Sources};
use eframe::egui::{self, Color32, Pos2, Rect, Sense, Stroke, Vec2, pos2, vec2};
use egui_material_icons::icons;

/// Height of the toolbar in one row, and of every further row, in points.
const BAR: f32 = 5.0 * GRID;
const FURTHER: f32 = 4.0 * GRID;
/// Width of the toolbar's buttons in one row, of those for a second result, and of the opacity, in points.
const BUTTONS: f32 = 97.0 * GRID;
const OF_SECOND: f32 = 9.5 * GRID;
const OPACITY: f32 = 13.0 * GRID;
/// The most rows of the toolbar.
const MOST_ROWS: f32 = 4.0;

#[derive(Default)]
pub(super) struct CanvasPanel {
    /// `None` without a graphics device.
    pub(super) renderer: Option<CanvasRenderer>,
    pub(super) camera: Camera,
    /// The pane under the pointer and the photo's size, for zooming by keys.
    pane: Option<(Rect, Vec2)>,
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
        egui::Panel::top("canvas bar")
            .frame(background::bare(ui))
            .exact_size(bar_height(app, ui.available_width()))
            .show(ui, |ui| bar(app, ui, commands));
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

/// The number of rows of the toolbar at a width in points.
fn rows(app: &AppState, width: f32) -> f32 {
    let second = if app.second.is_some() { OF_SECOND } else { 0.0 };
    let opacity = if shows_opacity(app) { OPACITY } else { 0.0 };
    let needed = BUTTONS + second + opacity;
    if width >= needed {
        return 1.0;
    }
    // What does not fit into the rest of a row leaves it empty.
    (needed / (0.85 * width.max(1.0)))
        .ceil()
        .clamp(2.0, MOST_ROWS)
}

/// The height of the toolbar at a width, both in points.
pub(super) fn bar_height(app: &AppState, width: f32) -> f32 {
    BAR + (rows(app, width) - 1.0) * FURTHER
}

/// Draws the toolbar above the panes, in as many rows as it needs.
fn bar(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.x = GRID / 2.0;
    // The margins are part of the panel's width.
    if rows(app, ui.available_width() + 2.0 * GRID) > 1.0 {
        ui.add_space(GRID / 4.0);
        ui.spacing_mut().interact_size.y = 3.5 * GRID;
        ui.horizontal_wrapped(|ui| {
            views(app, ui, false, commands);
            if shows_opacity(app) {
                if ui.available_size_before_wrap().x < OPACITY {
                    ui.end_row();
                }
                opacity(app, ui, commands);
            }
            correct_toggle(app, ui, commands);
            brush_toggle(app, ui, commands);
        });
        return;
    }
    ui.horizontal_centered(|ui| {
        views(app, ui, true, commands);
        if shows_opacity(app) {
            ui.separator();
            opacity(app, ui, commands);
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            brush_toggle(app, ui, commands);
            correct_toggle(app, ui, commands);
        });
    });
}

/// Draws the buttons of layers, arrangements and zoom, with or without lines between these groups.
fn views(app: &AppState, ui: &mut egui::Ui, lines: bool, commands: &mut Vec<Command>) {
    let line = |ui: &mut egui::Ui| {
        if lines {
            ui.separator();
        }
    };
    layers(app, ui, commands);
    line(ui);
    for (arrangement, icon, _) in Arrangement::ALL {
        commands::toggle(app, ui, Action::Arrange(arrangement), icon, commands);
    }
    line(ui);
    commands::button(app, ui, Action::Fit, icons::ICON_FIT_SCREEN, commands);
    let actual = Action::ActualSize;
    commands::button(app, ui, actual, icons::ICON_ASPECT_RATIO, commands);
    commands::toggle(app, ui, Action::Fine, icons::ICON_GRAIN, commands);
}

/// Whether a visible layer has an opacity.
fn shows_opacity(app: &AppState) -> bool {
    let view = &app.settings.view;
    view.shown().iter().any(|layer| has_opacity(*layer))
}

fn opacity(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let before = app.settings.view.opacity;
    let mut opacity = before;
    // The number and the buttons at the right keep their room.
    let room = ui.available_size_before_wrap().x - 17.0 * GRID;
    ui.spacing_mut().slider_width = room.clamp(4.0 * GRID, 10.0 * GRID);
    let slider = egui::Slider::new(&mut opacity, 0.0..=1.0)
        .custom_formatter(|value, _| format!("{:.0} %", 100.0 * value))
        .custom_parser(|text| Some(text.trim_end_matches([' ', '%']).parse::<f64>().ok()? / 100.0));
    ui.add(slider)
        .on_hover_text("Opacity of the layer over the photo");
    if opacity != before {
        commands.push(Command::SetOpacity(opacity));
    }
}

fn brush_toggle(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let help = format!(
        "{}\nDrag over the photo, with this on or Shift held: its pixels light up in the Field panel's \
         cube. Escape clears the brush.",
        help(ui.ctx(), Action::Brush)
    );
    if theme::icon_toggle(ui, app.brushing, icons::ICON_SELECT, &help).clicked() {
        commands.push(Action::Brush.into());
    }
}

fn correct_toggle(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let correct = Action::CorrectMask;
    commands::toggle(app, ui, correct, icons::ICON_EDIT, commands);
}

/// Draws the choice of layers: buttons, a menu for the measures of doubt and, during a comparison,
/// buttons for the second result.
fn layers(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let active = app.active_layer();
    let of_second = |layer| matches!(layer, Layer::Second | Layer::Disagreement);
    let plain = |layer| doubt_maps::measure(layer).is_none() && !of_second(layer);
    for row in LAYERS.iter().filter(|(layer, ..)| plain(*layer)) {
        layer_button(app, ui, row, commands);
    }
    let doubt = doubt_maps::measure(active);
    let text = doubt.map_or("Uncertainty", |_| view::name(active));
    let arrow = theme::icon(icons::ICON_ARROW_DROP_DOWN);
    let button = egui::Button::selectable(doubt.is_some(), (text, arrow));
    let menu = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        for row in LAYERS {
            if doubt_maps::measure(row.0).is_some() && layer_button(app, ui, &row, commands) {
                ui.close();
            }
        }
    });
    menu.0.on_hover_text(
        "How certain the shown state is: probability, margin or entropy of every pixel",
    );
    if app.second.is_some() {
        for row in LAYERS.iter().filter(|(layer, ..)| of_second(*layer)) {
            layer_button(app, ui, row, commands);
        }
    }
}

/// A button that shows a layer in the active pane. Returns whether it was clicked.
fn layer_button(
    app: &AppState,
    ui: &mut egui::Ui,
    &(layer, name, description): &(Layer, &str, &str),
    commands: &mut Vec<Command>,
) -> bool {
    let known = commands::is_enabled(app, Action::Show(layer));
    let button = egui::Button::selectable(app.active_layer() == layer, name);
    let keys = help(ui.ctx(), Action::Show(layer));
    let response = ui
        .add_enabled(known, button)
        .on_hover_text(format!("{description}\n{keys}"))
        .on_disabled_hover_text(
            "No label file is known for this photo: open one from the folder of a data set with the \
             model's classes",
        );
    if response.clicked() {
        commands.push(Action::Show(layer).into());
    }
    response.clicked()
}

/// Whether the opacity applies to a layer.
fn has_opacity(layer: Layer) -> bool {
    matches!(layer, Layer::Overlay | Layer::Second) || doubt_maps::measure(layer).is_some()
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
            .picture(renderer, flow.id, position >= app.reachable())?;
        let Some(mut sources) = flow.sources(renderer, position)? else {
            return Ok(None);
        };
        sources.corrected = corrected;
        sources.doubt = app.doubt.of(flow);
        if let Some(second) = &app.second {
            sources.second = second.uploaded(renderer, model, hidden, flow.time(position))?;
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
        // All coordinates are relative to the pane under the pointer.
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
            .follow(app, self.camera, &response, pane, photo, commands);
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
        if response.clicked() {
            commands.push(Command::TogglePin(pixel));
        }
        if !ui.input(|input| input.pointer.any_down()) {
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
        let drawn = renderer.paint(ui, clip, target, sources, style);
        self.brush.darken(app, ui, clip, target);
        drawn
    }

    /// Draws the names of the panes, the divider, and the pinned pixels.
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
            if rects.len() > 1 {
                let right = view.arrangement == Arrangement::Swipe && i == 1;
                let (at, align) = if right {
                    (
                        rect.right_top() + vec2(-GRID, GRID),
                        egui::Align2::RIGHT_TOP,
                    )
                } else {
                    (rect.left_top() + vec2(GRID, GRID), egui::Align2::LEFT_TOP)
                };
                let active = app.active_pane == i;
                theme::badge(ui, at, align, &pane_name(app, view.layers[i]), active);
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
