//! The panel with the open card.

use super::card::{Answer, Card};
use super::facts::{Fact, Verdict};
use super::request::Request;
use crate::texts::{CardTexts, LessonTexts, Texts, fill};
use crate::viewer::app_state::AppState;
use crate::viewer::commands::{Action, Command, help};
use crate::viewer::exports::{Followed, PictureKind};
use crate::viewer::panel::Panel;
use crate::viewer::platform;
use crate::viewer::theme::{self, GRID};
use eframe::egui;
use egui_material_icons::icons;
use std::time::Duration;

/// The open card.
pub(super) struct Lesson {
    pub(super) card: Card,
    pub(super) answer: Option<Answer>,
    /// What the window measured, once it has.
    pub(super) fact: Option<Fact>,
    /// What the answer belongs to: what was last measured for it.
    pub(super) answered: Option<Fact>,
    /// Whether particles that the card counts are not shown.
    pub(super) hidden: bool,
    /// The flow that pins and playhead were set for.
    pub(super) prepared: Option<u64>,
}

impl Lesson {
    /// Takes back an answer that was given before the window measured something with another right answer.
    pub(super) fn forget_old_answer(&mut self) {
        let Some(fact) = self.fact.as_ref() else {
            return;
        };
        let before = self.answered.as_ref();
        if before.is_some_and(|before| !fact.has_the_answer_of(before, self.card)) {
            self.answer = None;
        }
        if before != Some(fact) {
            self.answered = Some(fact.clone());
        }
    }

    fn texts(&self, app: &AppState) -> &'static CardTexts {
        &app.texts().lessons.cards[self.card as usize]
    }

    /// The comment on the answer; `None` without an answer, or while it can't be checked.
    fn verdict(&self, app: &AppState) -> Option<Verdict> {
        let answered = (self.card, self.answer?);
        self.fact
            .as_ref()?
            .verdict(answered, app.model.as_ref()?, app.texts())
    }
}

#[derive(Default)]
pub(crate) struct LessonsPanel {
    pub(super) lesson: Option<Lesson>,
    /// The pictures taken and wanted of an animation that is being made.
    pub(super) taken: Option<[usize; 2]>,
    /// The card's animation once its pictures are taken: other exports are not told of here.
    pub(super) saved: Option<Followed>,
}

impl LessonsPanel {
    /// How far the card's animation is, and where it was written.
    fn saving(&self, ui: &mut egui::Ui, app: &AppState, texts: &LessonTexts) {
        if let Some([taken, count]) = self.taken {
            let values = [taken + 1, count].map(|number| number.to_string());
            let values = [("number", &*values[0]), ("count", &*values[1])];
            ui.weak(fill(&texts.saving, &values));
            return;
        }
        let Some(saved) = &self.saved else { return };
        if let Some(share) = app.exports.progress_of(saved) {
            ui.add(egui::ProgressBar::new(share).desired_height(GRID));
            // The export thread requests a repaint only when it ends.
            ui.ctx().request_repaint_after(Duration::from_millis(200));
        } else if let Some(path) = saved.written() {
            let text = fill(&texts.written, &[("path", &path.to_string_lossy())]);
            ui.add(egui::Label::new(egui::RichText::new(text).weak()).truncate());
        }
    }

    /// Shows a card, not answered yet.
    pub(super) fn show(&mut self, card: Card) {
        self.lesson = Some(Lesson {
            card,
            answer: None,
            fact: None,
            answered: None,
            hidden: false,
            prepared: None,
        });
        self.taken = None;
        self.saved = None;
    }

    /// The open card.
    pub(super) fn card(&self) -> Option<Card> {
        self.lesson.as_ref().map(|lesson| lesson.card)
    }

    /// Whether the answer is right; `None` if there is none, or while it can't be checked.
    #[cfg(test)]
    pub(crate) fn verdict(&self, app: &AppState) -> Option<bool> {
        let lesson = self.lesson.as_ref()?;
        Some(lesson.verdict(app)?.right)
    }

    #[cfg(test)]
    pub(crate) fn taken(&self) -> Option<[usize; 2]> {
        self.taken
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        if let Some(lesson) = &mut self.lesson {
            lesson.answer = Some(answer);
            lesson.answered = lesson.fact.clone();
        }
    }
}

impl Panel for LessonsPanel {
    fn title(&self) -> &'static str {
        self.title_in(Texts::of(Default::default()))
    }

    fn title_in(&self, texts: &'static Texts) -> &'static str {
        &texts.lessons.title
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let texts = &app.texts().lessons;
        match &self.lesson {
            Some(lesson) => {
                egui::Panel::bottom("lesson buttons")
                    .frame(egui::Frame::new())
                    .show_separator_line(false)
                    .show(ui, |ui| {
                        self.saving(ui, app, texts);
                        let animates = lesson.fact.is_some() || self.taken.is_some();
                        buttons(ui, lesson.card, animates, texts, commands);
                    });
                egui::ScrollArea::vertical()
                    .auto_shrink(false)
                    .show(ui, |ui| card(ui, app, lesson, texts, commands));
            }
            None => contents(ui, app, texts, commands),
        }
    }
}

/// The list of the cards.
fn contents(ui: &mut egui::Ui, app: &AppState, texts: &LessonTexts, commands: &mut Vec<Command>) {
    if app.model.is_none() {
        theme::empty(ui, &texts.no_model);
        return;
    }
    egui::ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| {
            ui.label(&texts.intro);
            ui.add_space(GRID / 2.0);
            for (at, card) in texts.cards.iter().enumerate() {
                let text = format!("{}   {}", at + 1, card.title);
                let button = egui::Button::new(text).frame_when_inactive(false);
                if ui.add(button).clicked() {
                    commands.push(Command::Lesson(Request::Open(at)));
                }
            }
        });
}

fn card(
    ui: &mut egui::Ui,
    app: &AppState,
    lesson: &Lesson,
    texts: &LessonTexts,
    commands: &mut Vec<Command>,
) {
    let at = lesson.card as usize;
    let of_card = lesson.texts(app);
    let count = texts.cards.len().to_string();
    let number = [("number", &*(at + 1).to_string()), ("count", &*count)];
    ui.weak(fill(&texts.number, &number));
    ui.heading(&of_card.title);
    ui.add_space(GRID / 2.0);
    ui.label(&of_card.text);
    theme::section(ui, &texts.r#try);
    ui.label(&of_card.r#try);
    theme::section(ui, &texts.question);
    ui.label(&of_card.question);
    ui.add_space(GRID / 4.0);
    answers(ui, app, lesson, commands);
    ui.add_space(GRID / 2.0);
    verdict(ui, app, lesson);
}

/// The choices, or the button that takes the position of the playhead as the answer.
fn answers(ui: &mut egui::Ui, app: &AppState, lesson: &Lesson, commands: &mut Vec<Command>) {
    if lesson.card == Card::Path {
        if ui.button(&app.texts().lessons.check).clicked() {
            commands.push(Command::Lesson(Request::Check));
        }
        return;
    }
    let bounds = lesson.card.bounds().unwrap_or_default();
    let [low, high] = bounds.map(|bound| format!("{:.0}", 100.0 * bound));
    let classes = match (&lesson.fact, &app.model) {
        (Some(Fact::Nearest { offered, .. }), Some(model)) => offered
            .iter()
            .map(|&class| (model.names.get(class), model.colours.get(class).copied()))
            .filter_map(|(name, colour)| Some((name?.clone(), colour)))
            .collect(),
        _ => Vec::new(),
    };
    let fixed = lesson.texts(app).choices.iter();
    let fixed = fixed.map(|text| (fill(text, &[("low", &low), ("high", &high)]), None));
    for (choice, (text, colour)) in fixed.chain(classes).enumerate() {
        ui.horizontal(|ui| {
            if let Some(colour) = colour {
                theme::swatch(ui, colour, 1.5 * GRID);
            }
            let chosen = lesson.answer == Some(Answer::Choice(choice));
            if theme::radio(ui, chosen, text).clicked() {
                commands.push(Command::Lesson(Request::Choose(choice)));
            }
        });
    }
}

fn verdict(ui: &mut egui::Ui, app: &AppState, lesson: &Lesson) {
    if lesson.answer.is_none() {
        return;
    }
    let Some(found) = lesson.verdict(app) else {
        let texts = &app.texts().lessons;
        ui.weak(match (lesson.hidden, lesson.card.counted().len()) {
            (false, _) => &texts.waiting,
            (true, 0..2) => &texts.hidden,
            (true, _) => &texts.hidden_both,
        });
        return;
    };
    let (icon, colour) = if found.right {
        (icons::ICON_CHECK_CIRCLE, theme::ACCENT)
    } else {
        (icons::ICON_CANCEL, theme::ERROR)
    };
    let comment = ui.horizontal_top(|ui| {
        ui.label(theme::icon(icon).color(colour));
        ui.add(egui::Label::new(&found.text).wrap());
    });
    // In a low window, the comment may be below the visible part of the card.
    let id = ui.scope_id().with("verdict");
    if ui.data(|data| data.get_temp::<String>(id)).as_ref() != Some(&found.text) {
        comment.response.scroll_to_me(None);
        ui.data_mut(|data| data.insert_temp(id, found.text));
    }
}

/// The buttons that go from card to card.
fn buttons(
    ui: &mut egui::Ui,
    card: Card,
    animates: bool,
    texts: &LessonTexts,
    commands: &mut Vec<Command>,
) {
    // The height of the icons.
    ui.spacing_mut().interact_size.y = 3.5 * GRID;
    ui.horizontal_wrapped(|ui| {
        let at = card as usize;
        for (text, action, request, possible) in [
            (&texts.back, Action::PreviousLesson, Request::Back, at > 0),
            (
                &texts.next,
                Action::NextLesson,
                Request::Next,
                at + 1 < Card::ALL.len(),
            ),
            (&texts.leave, Action::Lessons, Request::Leave, true),
        ] {
            // A button that does not fit goes to the next row, rather than its last words.
            let button = egui::Button::new(text).wrap_mode(egui::TextWrapMode::Extend);
            let button = ui.add_enabled(possible, button);
            if button.on_hover_text(help(ui.ctx(), action)).clicked() {
                commands.push(Command::Lesson(request));
            }
        }
        for (icon, text, kind) in [
            (icons::ICON_ANIMATED_IMAGES, &texts.save, PictureKind::Gif),
            (
                icons::ICON_PHOTO_LIBRARY,
                &texts.save_frames,
                PictureKind::Frames,
            ),
        ] {
            if kind == PictureKind::Frames && !platform::DESKTOP {
                continue;
            }
            // An animation shows states that must all be there.
            if theme::icon_button_if(ui, animates, icon, text).clicked() {
                commands.push(Command::Lesson(Request::Save(kind)));
            }
        }
    });
}
