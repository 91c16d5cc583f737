//! The fine-tuning dialog.

use super::bar::fine_tune_button;
use super::folder::folder_name;
use super::request::{Correction, FineTuneRequest, Request};
use super::training_process::Ending;
use crate::compare;
use crate::format::{counted, duration, thousands};
use crate::runs::Run;
use crate::train::Judgement;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::{Action, Command};
use crate::viewer::open_model::OpenModel;
use crate::viewer::theme::GRID;
use eframe::egui;

pub(crate) fn dialog(app: &AppState, context: &egui::Context, commands: &mut Vec<Command>) {
    if !app.correct.fine_tuning.is_open() {
        return;
    }
    let mut open = true;
    egui::Window::new("Fine-tune on my corrections")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .default_width(52.0 * GRID)
        // It can be moved, since it stays open beside what is trained on.
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(context.content_rect().center())
        .show(context, |ui| contents(app, ui, commands));
    if !open {
        commands.push(Command::Correct(Request::FineTune(FineTuneRequest::Close)));
    }
}

fn contents(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let fine_tuning = &app.correct.fine_tuning;
    let Some(folder) = folder_name(app) else {
        ui.label("No folder for corrected photos was chosen yet: correct a photo and save it.");
        return;
    };
    let [training, held_back] = fine_tuning.photos();
    ui.label(format!(
        "{folder}: {training} labelled photo{} to train on, {held_back} held back",
        if training == 1 { "" } else { "s" },
    ));
    if let Some(model) = &app.model {
        let name = compare::model_name(&model.name);
        let text = if fine_tuning.suits(&model.card.classes) {
            format!("Starts from the open model, {name}")
        } else {
            format!(
                "These corrections have other classes than {name}: open the model that they were made \
                 with, or choose another folder."
            )
        };
        ui.label(text).on_hover_text(&model.name);
    }
    ui.add_space(GRID);
    match fine_tuning.ending() {
        Some(ending) => ended(ending, ui, commands),
        None if fine_tuning.is_running() => {}
        None if held_back == 0 => {
            ui.weak(
                "Of two or more photos one in four is held back, so that the new model can be \
                 compared with the old one on photos that it was not trained on.",
            );
        }
        None => {
            ui.weak("The new model is offered if it is better on the photos that are held back.");
        }
    }
    if let Some(run) = fine_tuning.run_folder() {
        let name = run.file_name().unwrap_or_default().to_string_lossy();
        ui.label(if fine_tuning.is_stopping() {
            format!("{name} is stopping: it finishes this step and saves its state.")
        } else {
            format!("{name} is training; the Runs panel shows its progress.")
        });
        if let Some(progress) = fine_tuning.run().and_then(progress) {
            ui.weak(progress);
        }
    }
    if let Some(run) = fine_tuning.trained_elsewhere() {
        let name = run.file_name().unwrap_or_default().to_string_lossy();
        ui.label(format!("{name} is training in another process."));
    }
    ui.add_space(GRID);
    ui.horizontal(|ui| buttons(app, training, ui, commands));
}

/// How far a run is, and how long it goes on; `None` before its settings are there.
fn progress(run: &Run) -> Option<String> {
    if run.curves.loss.is_empty() {
        let steps = run.plan.log_every?;
        return Some(format!(
            "The first numbers come after {}.",
            counted(steps, "step")
        ));
    }
    let step = thousands(run.curves.last_step());
    let steps = thousands(run.plan.steps?);
    let then = match run.time_left() {
        Some(left) => format!(", about {} left", duration(left)),
        None if run.is_ending() => ", validating and saving".to_owned(),
        None => String::new(),
    };
    Some(format!("Step {step} of {steps}{then}"))
}

/// Draws the result of the last run.
fn ended(ending: &Ending, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    match ending {
        Ending::Failed(reason) => {
            ui.label(format!("The training failed: {reason}"));
        }
        Ending::Stopped => {
            ui.label("The training was stopped and can be continued.");
        }
        Ending::Finished { gain, .. } => {
            let (text, better) = result(*gain);
            ui.label(text);
            let take = if better {
                "Open the new model"
            } else {
                "Open it anyway"
            };
            fine_tune_button(ui, take, FineTuneRequest::Take, commands);
        }
    }
}

/// What comes of a finished run with these scores before and after, and whether its model is to be opened.
fn result(gain: Option<[f64; 2]>) -> (String, bool) {
    let Some(gain) = gain else {
        let text = "The new model is trained. No photo was held back to compare it on.";
        return (text.to_owned(), true);
    };
    let ([before, after], judgement) = (gain.map(|miou| 100.0 * miou), Judgement::of(gain));
    let words = judgement.words();
    let text =
        format!("mIoU {before:.1} before and {after:.1} after, on the photos held back: {words}.");
    (text, judgement == Judgement::Better)
}

fn buttons(app: &AppState, training: usize, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let fine_tuning = &app.correct.fine_tuning;
    if fine_tuning.is_closing() {
        ui.label("Close the window:");
        fine_tune_button(ui, "Let it continue", FineTuneRequest::LetRun, commands);
        stop_button(app, ui, "Stop it first", commands);
        fine_tune_button(ui, "Cancel", FineTuneRequest::Close, commands);
    } else if fine_tuning.is_running() {
        stop_button(app, ui, "Stop", commands);
    } else {
        let suits = |model: &OpenModel| fine_tuning.suits(&model.card.classes);
        let can_start = training > 0 && app.model.as_ref().is_some_and(suits);
        ui.add_enabled_ui(can_start, |ui| {
            fine_tune_button(ui, "Start", FineTuneRequest::Start, commands);
        });
        if fine_tuning.can_resume() {
            fine_tune_button(
                ui,
                "Continue the last one",
                FineTuneRequest::Resume,
                commands,
            );
        }
        if ui.button("Other folder").clicked() {
            commands.push(Action::Correct(Correction::ChooseFolder).into());
        }
    }
}

/// A button that stops the run, once.
fn stop_button(app: &AppState, ui: &mut egui::Ui, text: &str, commands: &mut Vec<Command>) {
    let can_stop = !app.correct.fine_tuning.is_stopping();
    ui.add_enabled_ui(can_stop, |ui| {
        fine_tune_button(ui, text, FineTuneRequest::Stop, commands);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::Status;
    use std::path::Path;

    #[test]
    fn the_steps_and_the_time_left_are_told() {
        let mut run = Run::new(Path::new("run-0001"));
        assert_eq!(progress(&run), None);
        run.plan.log_every = Some(5);
        // The score before the first step.
        run.curves.miou.push([0.0, 0.5]);
        let first = "The first numbers come after 5 steps.";
        assert_eq!(progress(&run).as_deref(), Some(first));
        (run.plan.steps, run.plan.batch_size) = (Some(120), Some(4));
        run.status = Status::Running;
        run.curves.loss.push([5.0, 1.0]);
        run.curves.photos_per_second.push([5.0, 0.5]);
        // 115 steps of 8 seconds.
        let text = "Step 5 of 120, about 15 min left";
        assert_eq!(progress(&run).as_deref(), Some(text));
        run.curves.loss.push([120.0, 1.0]);
        let text = "Step 120 of 120, validating and saving";
        assert_eq!(progress(&run).as_deref(), Some(text));
    }

    #[test]
    fn only_a_clear_difference_is_a_judgement() {
        for (after, words, better) in [
            (0.7052, ": no clear difference.", false),
            (0.7048, ": no clear difference.", false),
            (0.72, ": the new model is better.", true),
            (0.69, ": the new model is not better.", false),
        ] {
            let (text, offered) = result(Some([0.705, after]));
            assert!(text.ends_with(words), "{text}");
            assert_eq!(offered, better);
        }
        assert!(result(None).1);
    }
}
