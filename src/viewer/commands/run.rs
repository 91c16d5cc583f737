//! What commands do. Panels change the shared state only through them.

use super::{Action, Command, is_enabled};
use crate::export::{Artifact, Format, Look};
use crate::inference::Sampling;
use crate::viewer::app_event::{AppEvent, Zoom};
use crate::viewer::app_state::{AppState, Dialogs, ExportFirst};
use crate::viewer::correct;
use crate::viewer::exports::Exports;
use crate::viewer::file_open::Dialog;
use crate::viewer::lessons::Request;
use crate::viewer::photo_list::{Item, PhotoList};
use crate::viewer::settings::SCALE;
use crate::viewer::view::Arrangement;
use eframe::egui::{self, ViewportCommand};

pub(crate) fn run(app: &mut AppState, context: &egui::Context, command: Command) {
    if stays(&app.photos, &command) {
        return;
    }
    let Some(command) = app.correct.guard(command) else {
        return;
    };
    match command {
        Command::Action(action) => act(app, context, action),
        Command::OpenPaths(paths) => app.open_paths(paths),
        Command::PasteImage(image, number) => app.paste(&image, number),
        Command::ShowPhotos(photos, number) => {
            app.opener.outdate_photos(number);
            app.show(photos);
        }
        Command::ShowPhotosBy(model, photos) => app.show_by(&model, photos),
        Command::ChooseModel(name, number) => {
            app.opener.outdate_model(number);
            app.choose_model(&name);
        }
        Command::Compare(choice) => app.compare(context, choice),
        Command::GoTo(position) => app.go_to(position),
        Command::Sample(sampling) => resample(app, sampling),
        Command::SetScale(scale) => {
            app.flow_settings.scale = scale;
            app.selection.forget_pixels();
            app.playhead.playing = true;
            app.sample();
            app.sample_second();
        }
        Command::SetMasks(masks) => {
            app.settings.masks = masks;
            app.queue_masks();
            // Corrections begin with the mask that is chosen now.
            app.correct.close_unchanged();
            app.restore_correction();
        }
        Command::SegmentAll(all) => app.segment_all(all),
        Command::ShowPhoto(at) => {
            if app.photos.go_to(at) {
                app.open_photo();
            }
        }
        Command::SetSpeed(speed) => app.settings.speed = speed,
        Command::ShowFilmstrip(shown) => app.settings.filmstrip = shown,
        Command::SetOpacity(opacity) => app.settings.view.opacity = opacity,
        Command::SetDivider(divider) => {
            app.settings.view.set_divider(divider);
        }
        Command::ActivatePane(pane) => app.active_pane = pane,
        Command::HoverPixel(pixel) => app.hover.pixel = pixel,
        Command::HoverClass(class) => app.hover.class = class,
        Command::TogglePin(pixel) => app.selection.toggle_pin(pixel),
        Command::ToggleClass(class) => app.selection.toggle_class(class),
        Command::ShowOnlyClass(class) => {
            let classes = app.model.as_ref().map_or(0, |model| model.names.len());
            // The first click of a double click has toggled the class; this overrides it.
            let others = (0..classes).filter(|&k| k != class).collect();
            app.selection.change(|selection| selection.hidden = others);
        }
        Command::ListClass(class) => app.list_class(context, class),
        Command::Brush(brush) => app.selection.brush(brush),
        Command::Correct(request) => correct::request(app, request),
        Command::ChooseNth(number) => correct::act_on_nth(app, number),
        Command::Lesson(request) => app.emit(AppEvent::Lesson(request)),
        Command::SetLanguage(language) => app.settings.language = language,
        Command::ReportError(error) => app.errors.report(error),
        Command::ShowErrors(shown) => app.errors.open = shown,
        Command::DismissErrors(lines) => app.errors.dismiss(lines),
        Command::OpenExportAll => open_export(app, ExportFirst::AllMasks),
        Command::CloseExport => app.dialogs.export = None,
        Command::CloseDevices => app.dialogs.devices = false,
        Command::Export(artifact, look) => export(app, artifact, look),
        Command::ExportAll(format) => export_all(app, format),
        Command::CancelExport => app.change_exports(Exports::cancel),
        Command::LeaveExports(leave) => {
            app.change_exports(|exports| exports.answer(leave));
            // The window closes in its next turn.
            context.request_repaint();
        }
        Command::Save(file) => {
            let inputs = app.inputs();
            if let Err(error) = app.exports.save(file, inputs) {
                app.errors.report_no_thread(&error);
            }
        }
    }
}

/// Whether a command asks for the photo that is shown already, so that nothing is to be left.
fn stays(photos: &PhotoList, command: &Command) -> bool {
    match command {
        Command::ShowPhoto(at) => !photos.goes_to(*at),
        Command::Action(Action::Next | Action::Previous) => !photos.turns(),
        _ => false,
    }
}

fn act(app: &mut AppState, context: &egui::Context, action: Action) {
    if !is_enabled(app, action) {
        return;
    }
    match action {
        Action::OpenPhotos => ask(app, Dialog::Photos),
        Action::OpenFolder => ask(app, Dialog::Folder),
        Action::OpenModel => ask(app, Dialog::Model),
        Action::OpenRun => ask(app, Dialog::Runs),
        Action::Paste => context.send_viewport_cmd(ViewportCommand::RequestPaste),
        Action::Next | Action::Previous => {
            if app.photos.turn(if action == Action::Next { 1 } else { -1 }) {
                app.open_photo();
            }
        }
        Action::Export => open_export(app, ExportFirst::Photo),
        Action::Quit => context.send_viewport_cmd(ViewportCommand::Close),
        Action::Play => {
            if !app.playhead.playing && app.playhead.position >= app.end() {
                app.playhead.position = 0.0;
            }
            app.playhead.playing = !app.playhead.playing;
        }
        Action::Loop => app.settings.looping = !app.settings.looping,
        Action::StepForward => app.go_to(app.playhead.position.floor() + 1.0),
        Action::StepBack => app.go_to(app.playhead.position.ceil() - 1.0),
        Action::First => app.go_to(0.0),
        Action::Last => app.go_to(app.reachable()),
        Action::Rerun => {
            app.playhead.playing = true;
            app.sample();
        }
        Action::Cancel => cancel(app),
        Action::Show(layer) => app.settings.view.layers[app.active_pane.min(3)] = layer,
        Action::Compare => {
            if app.second.is_some() {
                app.stop_comparing()
            } else {
                if let Some(choice) = app.suggested_comparison() {
                    app.compare(context, choice);
                }
            }
        }
        Action::Arrange(arrangement) => {
            app.settings.view.arrangement = arrangement;
            if app.active_pane >= arrangement.panes() || arrangement == Arrangement::Single {
                app.active_pane = 0;
            }
        }
        Action::Fit => app.emit(AppEvent::Zoom(Zoom::Fit)),
        Action::ActualSize => app.emit(AppEvent::Zoom(Zoom::Actual)),
        Action::ZoomIn => app.emit(AppEvent::Zoom(Zoom::By(1.25))),
        Action::ZoomOut => app.emit(AppEvent::Zoom(Zoom::By(0.8))),
        Action::Fine => app.settings.view.fine = !app.settings.view.fine,
        Action::Colours => app.toggle_colours(),
        Action::Undo => app.undo(),
        Action::Redo => app.redo(),
        Action::ShowAll => app.selection.change(|selection| selection.hidden.clear()),
        Action::ClearPins => app.selection.change(|selection| selection.pins.clear()),
        Action::Brush => app.brushing = !app.brushing,
        Action::ClearBrush => {
            app.selection.clear_brush();
        }
        Action::CorrectMask => app.toggle_correct(),
        Action::Correct(correction) => correct::act(app, correction),
        Action::ResetPanels => app.emit(AppEvent::PanelsReset),
        Action::FullScreen => {
            let full = context.input(|input| input.viewport().fullscreen) == Some(true);
            context.send_viewport_cmd(ViewportCommand::Fullscreen(!full));
        }
        Action::LargerText => rescale(app, 1.1),
        Action::SmallerText => rescale(app, 1.0 / 1.1),
        Action::Lessons => app.emit(AppEvent::Lesson(Request::Toggle)),
        Action::NextLesson => app.emit(AppEvent::Lesson(Request::Next)),
        Action::PreviousLesson => app.emit(AppEvent::Lesson(Request::Back)),
        Action::Help => app.dialogs.help = !app.dialogs.help,
        Action::Devices => app.dialogs.devices = !app.dialogs.devices,
    }
}

/// Closes dialogs; otherwise ends correcting, stops sampling, clears the brush or deselects it.
fn cancel(app: &mut AppState) {
    if app.dialogs != Dialogs::default() {
        app.dialogs = Dialogs::default();
        return;
    }
    if app.correct.cancel() {
        // If the window was to be closed, the photo stays after all.
        app.restore_correction();
        return;
    }
    if app.correct.on && !app.busy() {
        app.toggle_correct();
    } else if app.busy() || !app.selection.clear_brush() {
        app.brushing &= app.busy();
        app.cancel();
    }
}

fn ask(app: &mut AppState, dialog: Dialog) {
    if let Err(error) = app.opener.ask(dialog) {
        app.errors
            .report(format!("cannot show the dialog: {error}"));
    }
}

fn resample(app: &mut AppState, sampling: Sampling) {
    app.playhead.playing = true;
    let start = |sampling: Sampling| (sampling.source, sampling.seed);
    let elsewhere = start(app.flow_settings.sampling) != start(sampling);
    app.choose_sampling(sampling);
    app.sample();
    if elsewhere {
        // Two flows are compared from the same source, such as the same noise.
        app.resample_second();
    }
}

fn export(app: &mut AppState, artifact: Artifact, look: Look) {
    let Some(flow) = app.snapshot(look) else {
        return;
    };
    let name = app.photos.item().map(Item::stem);
    let name = name.unwrap_or_else(|| "flow".into());
    if let Err(error) = app.exports.ask(artifact, flow, &name) {
        app.errors.report_no_thread(&error);
    }
}

fn open_export(app: &mut AppState, first: ExportFirst) {
    app.dialogs.export = Some(first);
    // It would be taken for what is written next.
    app.exports.forget();
}

fn export_all(app: &mut AppState, format: Format) {
    let Some(masks) = app.all_masks() else {
        return;
    };
    if let Err(error) = app.exports.ask_all(format, masks) {
        app.errors.report_no_thread(&error);
    }
}

fn rescale(app: &mut AppState, factor: f32) {
    let wanted = app.settings.scale * factor;
    // Snap to the designed size instead of a rounding error beside it.
    let scale = if (wanted - 1.0).abs() < 0.04 {
        1.0
    } else {
        wanted
    };
    app.settings.scale = scale.clamp(*SCALE.start(), *SCALE.end());
}
