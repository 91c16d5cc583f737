//! Opens the window on a desktop.

use super::app::App;
use super::app_state::Devices;
use super::capture::{self, Capture};
use super::memory::Memory;
use super::options::Options;
use super::reopen::{self, Handover, Shown};
use super::{display, drawing_on, remembered, software};
use crate::device::Choice;
use crate::{crash, device, files};
use eframe::egui;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The program's name for the desktop, and for its settings folder.
const APP: &str = "flowseg";

/// The icon of the window; empty if it cannot be decoded.
fn icon() -> egui::IconData {
    let png = include_bytes!("../../assets/icon/flowseg.png");
    eframe::icon_data::from_png_bytes(png).unwrap_or_default()
}

/// Opens the window and returns when it closes. If its graphics device is lost, it is opened again.
///
/// # Errors
/// There is no display or adapter, or the graphics driver fails; the screenshot cannot be written, or
/// shows an error; the graphics device is lost again and again.
pub fn open(options: Options) -> Result<(), String> {
    display::check()?;
    let drawing = options.device.drawing();
    reopen::until_closed(options, Instant::now, |options, handover, shown| {
        window(options.clone(), &drawing, handover, shown)
    })
}

/// Opens one window. `drawing` is the adapter that draws, also where the CPU has taken its place in
/// computing.
fn window(
    options: Options,
    drawing: &Choice,
    handover: Handover,
    shown: Option<Shown>,
) -> Result<(), String> {
    let screenshot = options.screenshot.clone();
    let opening = device::open_drawing_on(drawing, options.device.clone());
    let opened = pollster::block_on(opening);
    let (compute, graphics) = opened.map_err(display::cannot_draw)?;
    let devices = Devices::of(&compute, &graphics);
    crash::set_adapter(&format!(
        "compute: {}, graphics: {}",
        devices.compute, devices.adapter
    ));
    // A picture must be the same on every machine, so it ignores what is remembered.
    let remember = options.screenshot.is_none();
    let nowhere = if remember {
        None
    } else {
        Some(
            files::TemporaryFolder::private()
                .map_err(|error| format!("cannot create a temporary folder: {error}"))?,
        )
    };
    if let Some(folder) = eframe::storage_dir(APP).filter(|_| remember) {
        remembered::repair(&folder.join("app.ron"));
    }
    let choice = options.device.to_string();
    let size = options.size.map(egui::Vec2::from);
    // A smaller window must be requested explicitly.
    let smallest = egui::vec2(720.0, 480.0);
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("FlowSeg")
            .with_app_id(APP)
            .with_icon(icon())
            .with_inner_size(size.unwrap_or(egui::vec2(1280.0, 800.0)))
            .with_min_inner_size(size.map_or(smallest, |size| size.min(smallest))),
        window_builder: Some(Box::new(move |builder| {
            let placed = remembered::placed(builder);
            match size {
                Some(size) => placed.with_inner_size(size),
                None => placed,
            }
        })),
        // The program has its own fallback fonts, which exported pictures use as well.
        system_font_fallback: false,
        wgpu_options: drawing_on(&graphics),
        // Dithering costs time for every pixel, and no colour gradient here shows banding.
        dithering: !graphics.about.software,
        persist_window: remember,
        persistence_path: nowhere
            .as_ref()
            .map(|folder| folder.path().join("window.ron")),
        ..Default::default()
    };
    let on_software = graphics.about.software;
    let (loss, of_window_loss) = (graphics.loss.clone(), graphics.loss);
    let outcome = capture::Outcome::default();
    let of_app = outcome.clone();
    let visible = Arc::new(AtomicBool::new(false));
    let of_window = visible.clone();
    let run = || {
        let app: eframe::AppCreator<'_> = Box::new(move |creation| {
            of_window.store(true, Ordering::Relaxed);
            let stored = creation.storage.filter(|_| remember);
            let memory = stored.and_then(Memory::read);
            let state = creation.wgpu_render_state.as_ref();
            let context = &creation.egui_ctx;
            if let Some(theme) = options.theme {
                context.set_theme(theme);
            }
            if size.is_some() {
                // A remembered window that filled the screen does so again, whatever its builder asks for.
                for command in [
                    egui::ViewportCommand::Fullscreen(false),
                    egui::ViewportCommand::Maximized(false),
                ] {
                    context.send_viewport_cmd(command);
                }
            }
            if let Some(state) = state.filter(|_| on_software)
                && let Err(error) = software::install(context, state)
            {
                tracing::warn!("{error}");
            }
            let mut app = App::new(context, state, compute.device, devices, memory, &options);
            app.shared.correct.fine_tuning.device = choice;
            if let Some(folder) = eframe::storage_dir(APP).filter(|_| remember) {
                app.shared.correct.keep_in(folder.join("corrections"));
            }
            app.capture = options.screenshot.map(|path| Capture::new(path, of_app));
            app.watch(context, of_window_loss, handover);
            if let Some(shown) = shown {
                app.show_again(context, shown);
            }
            Ok(Box::new(app))
        });
        eframe::run_native(APP, native, app)
    };
    let ended = display::run(&visible, run).map_err(|error| match loss.reason() {
        // A frame that was being drawn at that moment.
        Some(reason) => format!(
            "the graphics device was lost ({reason}): open the window again; settings and corrections \
             are kept"
        ),
        None => error,
    });
    ended.inspect_err(|error| crash::record_error(error))?;
    screenshot.map_or(Ok(()), |path| capture::result(&path, &outcome))
}
