//! The canvas: panes of one flow, panned and zoomed to the pixel together.

use super::app_state::AppState;
use super::theme::{self, GRID};
use super::view::{self, Arrangement, LAYERS};
use super::{background, brush, commands, commands::Command, pixel_panel};
use crate::gpu::canvas::{Layer, Sources};
use crate::viewer::canvas_renderer::Style;
use eframe::egui::{self, Color32, Pos2, Rect, Sense, Stroke, Vec2, pos2, vec2};
use egui_material_icons::icons;

/// Draws the panel: a bar of choices and the panes.
pub fn show(app: &mut AppState, ui: &mut egui::Ui) {
    egui::Panel::top("canvas bar")
        .frame(background::bare(ui))
        .exact_size(5.0 * GRID)
        .show(ui, |ui| bar(app, ui));
    egui::CentralPanel::no_frame().show(ui, |ui| {
        background::paint(ui, ui.max_rect(), ui.visuals().extreme_bg_color);
        panes(app, ui);
    });
}

fn bar(app: &mut AppState, ui: &mut egui::Ui) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = GRID / 2.0;
        let context = ui.ctx().clone();
        let active = app.active_layer();
        for (layer, name, help) in LAYERS {
            let known = !matches!(layer, Layer::Truth | Layer::Error) || app.has_truth();
            let button = egui::Button::selectable(active == layer, name);
            let keys = commands::help(&context, Command::Show(layer));
            let response = ui
                .add_enabled(known, button)
                .on_hover_text(format!("{help}\n{keys}"))
                .on_disabled_hover_text(
                    "No label file is known for this photo: open one from a data set's folder \
                     whose classes are the model's",
                );
            if response.clicked() {
                app.run(&context, Command::Show(layer));
            }
        }
        ui.separator();
        for (arrangement, icon, _) in Arrangement::ALL {
            let command = Command::Arrange(arrangement);
            let on = app.settings.view.arrangement == arrangement;
            let help = commands::help(&context, command);
            if theme::icon_toggle(ui, on, icon, &help).clicked() {
                app.run(&context, command);
            }
        }
        ui.separator();
        for (command, icon) in [
            (Command::Fit, icons::ICON_FIT_SCREEN),
            (Command::ActualSize, icons::ICON_ASPECT_RATIO),
        ] {
            if theme::icon_button(ui, icon, &commands::help(&context, command)).clicked() {
                app.run(&context, command);
            }
        }
        let fine = app.settings.view.fine;
        let help = commands::help(&context, Command::Fine);
        if theme::icon_toggle(ui, fine, icons::ICON_GRAIN, &help).clicked() {
            app.run(&context, Command::Fine);
        }
        let shown = &app.settings.view.layers[..app.settings.view.arrangement.panes()];
        if shown.contains(&Layer::Overlay) {
            ui.separator();
            ui.spacing_mut().slider_width = 10.0 * GRID;
            let slider = egui::Slider::new(&mut app.settings.view.opacity, 0.0..=1.0)
                .custom_formatter(|value, _| format!("{:.0} %", 100.0 * value))
                .custom_parser(|text| {
                    Some(text.trim_end_matches([' ', '%']).parse::<f64>().ok()? / 100.0)
                });
            ui.add(slider).on_hover_text("Opacity of the overlay");
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let help = format!(
                "{}\nDrag over the photo, here or with Shift held: its pixels light up in the Field \
                 panel's cube. Escape clears the brush.",
                commands::help(&context, Command::Brush)
            );
            if theme::icon_toggle(ui, app.brushing, icons::ICON_SELECT, &help).clicked() {
                app.run(&context, Command::Brush);
            }
        });
    });
}

fn panes(app: &mut AppState, ui: &mut egui::Ui) {
    let (area, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    response.widget_info(|| {
        let text = app.describe();
        egui::WidgetInfo::labeled(egui::Role::Image, true, text)
    });
    if area.width() < 2.0 * GRID || area.height() < 2.0 * GRID {
        return;
    }
    let sources = app.sources();
    let Some(photo) = app.flow.as_ref().map(|flow| size(&flow.photo)) else {
        nothing(app, ui, area);
        return;
    };
    let arrangement = app.settings.view.arrangement;
    let rects = view::panes(arrangement, area);
    let divider = divider(app, ui, area, arrangement);
    // Everything happens in the coordinates of the pane under the pointer.
    let pointer = response.hover_pos().or(response.interact_pointer_pos());
    let pointer = pointer.filter(|_| !app.pictured);
    let under = match arrangement {
        Arrangement::Swipe => usize::from(pointer.is_some_and(|p| p.x > divider)),
        _ => rects
            .iter()
            .position(|rect| pointer.is_some_and(|p| rect.contains(p)))
            .unwrap_or(0),
    };
    let pane = rects[under];
    let brushing = brush::drag(app, &response, pane, photo);
    navigate(app, ui, &response, pane, photo, brushing);
    if response.clicked() || response.drag_started() {
        app.active = under;
    }
    if let Some(sources) = &sources {
        for (i, rect) in rects.iter().enumerate() {
            let clip = match (arrangement, i) {
                (Arrangement::Swipe, 0) => Rect::from_min_max(rect.min, pos2(divider, rect.max.y)),
                (Arrangement::Swipe, _) => Rect::from_min_max(pos2(divider, rect.min.y), rect.max),
                _ => *rect,
            };
            draw(app, ui, i, *rect, clip, photo, sources);
        }
    } else {
        waiting(app, ui, area);
    }
    decorate(app, ui, &rects, divider, photo);
    brush::hint(app, ui, area);
    let over = pointer.filter(|_| response.hovered()).and_then(|pointer| {
        let target = app.settings.view.camera.target(pane, photo);
        let flow = app.flow.as_ref()?;
        pixel_at(pointer, target, flow.size)
    });
    app.hovered_pixel = over;
    if response.clicked()
        && let Some(pixel) = over
    {
        app.toggle_pin(pixel);
    }
    if over.is_some() && !ui.input(|input| input.pointer.any_down()) {
        response.on_hover_ui_at_pointer(|ui| {
            if let Some(pixel) = over {
                pixel_panel::brief(app, ui, pixel);
            }
        });
    }
}

fn size(photo: &image::RgbImage) -> Vec2 {
    vec2(photo.width() as f32, photo.height() as f32)
}

/// The network's pixel at a point of the window.
fn pixel_at(pointer: Pos2, target: Rect, [height, width]: [usize; 2]) -> Option<usize> {
    let at = (pointer - target.min) / target.size();
    if !(0.0..1.0).contains(&at.x) || !(0.0..1.0).contains(&at.y) {
        return None;
    }
    let (column, row) = (at.x * width as f32, at.y * height as f32);
    Some((row as usize).min(height - 1) * width + (column as usize).min(width - 1))
}

fn navigate(
    app: &mut AppState,
    ui: &egui::Ui,
    response: &egui::Response,
    pane: Rect,
    photo: Vec2,
    brushing: bool,
) {
    let camera = &mut app.settings.view.camera;
    app.pane = Some((pane, photo));
    if response.dragged() && !brushing {
        camera.pan(response.drag_delta(), pane, photo);
    }
    if let Some(pointer) = response.hover_pos() {
        let (scroll, pinch) = ui.input(|i| (i.smooth_scroll_delta.y, i.zoom_delta()));
        let factor = (scroll * 0.005).exp() * pinch;
        if factor != 1.0 {
            camera.magnify(factor, pointer, pane, photo);
        }
    }
    if response.double_clicked() {
        *camera = Default::default();
    }
}

/// The divider of a swipe, dragged by its handle. Returns where it stands.
fn divider(app: &mut AppState, ui: &egui::Ui, area: Rect, arrangement: Arrangement) -> f32 {
    if arrangement != Arrangement::Swipe {
        return area.max.x;
    }
    let view = &mut app.settings.view;
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
    area.min.x + view.divider * area.width()
}

fn draw(
    app: &mut AppState,
    ui: &egui::Ui,
    index: usize,
    rect: Rect,
    clip: Rect,
    photo: Vec2,
    sources: &Sources,
) {
    let Some(screen) = &app.screen else { return };
    let view = &app.settings.view;
    let style = Style {
        layer: view.layers[index],
        fine: view.fine,
        opacity: view.opacity,
        lit: app.lit,
    };
    let target = view.camera.target(rect, photo);
    if let Err(error) = screen.paint(ui, clip, target, sources, style) {
        app.errors.tell(error.to_string());
    }
    brush::mask(app, ui, clip, target);
}

/// Names of the panes, the divider, and the pinned pixels.
fn decorate(app: &AppState, ui: &egui::Ui, rects: &[Rect], divider: f32, photo: Vec2) {
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
            let target = view.camera.target(*rect, photo);
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
            let active = app.active == i;
            badge(ui, at, align, view::name(view.layers[i]), active);
        }
    }
}

/// A few words on the picture; returns their place.
pub fn badge(ui: &egui::Ui, at: Pos2, align: egui::Align2, text: &str, active: bool) -> Rect {
    let font = egui::TextStyle::Small.resolve(ui.style());
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), font, Color32::WHITE);
    let size = galley.size() + vec2(2.0 * GRID, GRID);
    let rect = align.anchor_size(at, size);
    let fill = if active {
        theme::ACCENT
    } else {
        Color32::from_black_alpha(170)
    };
    ui.painter().rect_filled(rect, 4.0, fill);
    let inner = rect.center() - galley.size() / 2.0;
    ui.painter().galley(inner, galley, Color32::WHITE);
    rect
}

fn pins(app: &AppState, painter: &egui::Painter, target: Rect, [height, width]: [usize; 2]) {
    let cell = target.size() / vec2(width as f32, height as f32);
    let place = |pixel: usize| {
        let at = vec2((pixel % width) as f32, (pixel / width) as f32);
        Rect::from_min_size(target.min + at * cell, cell)
    };
    if let Some(pixel) = app.hovered_pixel.filter(|_| cell.x >= 6.0) {
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

/// What stands where no photo is: what to do, or what is being done.
fn nothing(app: &AppState, ui: &mut egui::Ui, area: Rect) {
    let text = match app.doing() {
        Some(doing) => doing,
        None => "Drop a photo here, press Ctrl+O to open one, or choose a sample in the File menu"
            .into(),
    };
    let colour = ui.visuals().weak_text_color();
    let font = egui::TextStyle::Body.resolve(ui.style());
    let painter = ui.painter();
    painter.text(
        area.center(),
        egui::Align2::CENTER_CENTER,
        text,
        font,
        colour,
    );
    let icon = icons::ICON_ADD_PHOTO_ALTERNATE;
    painter.text(
        area.center() - vec2(0.0, 5.0 * GRID),
        egui::Align2::CENTER_CENTER,
        icon.codepoint,
        egui::FontId::new(40.0, icon.font_family()),
        colour,
    );
}

/// What is being done while the first state is awaited.
fn waiting(app: &AppState, ui: &mut egui::Ui, area: Rect) {
    let text = if app.screen.is_none() {
        "No graphics device draws here: masks can be made with `flowseg segment`".into()
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
