//! Begins lessons, goes from card to card, and puts the window back.

use super::card::{Answer, Card};
use super::facts::{self, Fact};
use super::film::{Film, Step};
use super::request::Request;
use super::stage;
use crate::viewer::app_state::{AppState, SetAside};
use crate::viewer::field::{FieldBefore, FieldSettings};
use crate::viewer::panels::{PanelKind, Panels};
use crate::viewer::selection::SelectionHistory;
use crate::viewer::settings::Settings;
use crate::viewer::view::Camera;
use eframe::egui;
use egui_tiles::Tree;
#[cfg(test)]
use std::path::PathBuf;

/// The parts of the window that a lesson arranges.
pub(crate) struct Parts<'a> {
    pub(crate) app: &'a mut AppState,
    pub(crate) panels: &'a mut Panels,
    pub(crate) layout: &'a mut Tree<PanelKind>,
}

/// What the window showed before the lessons.
struct Before {
    app: SetAside,
    layout: Tree<PanelKind>,
    field: FieldBefore,
    camera: Camera,
}

#[derive(Default)]
pub(crate) struct Driver {
    /// Set while a lesson is open.
    before: Option<Before>,
    /// The card to open once a model is open.
    wanted: Option<usize>,
    /// The card that was open last.
    last: usize,
    /// Whether particles run to their end at once.
    pub(crate) hurry: bool,
    film: Option<Film>,
    /// Where animations are written without asking.
    #[cfg(test)]
    pub(crate) destination: Option<PathBuf>,
}

impl Driver {
    pub(crate) fn act(&mut self, request: Request, parts: &mut Parts<'_>) {
        let open = self.before.is_some();
        match request {
            Request::Toggle if open || self.wanted.is_some() => self.leave(parts),
            Request::Toggle => self.wanted = Some(self.last),
            Request::Open(at) => self.wanted = Some(at.min(Card::ALL.len() - 1)),
            Request::Next | Request::Back if !open => self.wanted = Some(self.last),
            Request::Next => {
                if self.last + 1 < Card::ALL.len() {
                    self.show(self.last + 1, parts);
                }
            }
            Request::Back => {
                if self.last > 0 {
                    self.show(self.last - 1, parts);
                }
            }
            Request::Leave => self.leave(parts),
            Request::Choose(choice) => parts.panels.lessons.answer(Answer::Choice(choice)),
            Request::Check => {
                let position = parts.app.playhead.position;
                parts.panels.lessons.answer(Answer::Position(position));
            }
            Request::Save(_) if self.film.is_some() => self.give_up(parts),
            Request::Save(kind) => {
                if let Some(card) = parts.panels.lessons.card() {
                    self.film = Some(Film::new(kind, stage::pictures(card, parts.app)));
                    stage::arrange(card, 0, parts.app, &mut parts.panels.field);
                }
            }
        }
        self.follow(parts);
    }

    /// Opens the wanted card as soon as there is a model, and measures the window for the open card.
    /// Must be called every frame.
    pub(crate) fn follow(&mut self, parts: &mut Parts<'_>) {
        let ready = parts.app.model.is_some() && !parts.app.is_loading();
        if ready && let Some(at) = self.wanted.take() {
            self.begin(parts);
            self.show(at, parts);
        }
        let Parts { app, panels, .. } = parts;
        let Some(lesson) = panels.lessons.lesson.as_mut() else {
            return;
        };
        let flow = app.flow.as_ref().filter(|flow| flow.settled.is_some());
        if let Some(flow) = flow
            && lesson.prepared != Some(flow.id)
        {
            lesson.prepared = Some(flow.id);
            lesson.fact = None;
            let (pixel, last) = (facts::pixel_to_watch(flow), flow.states.len() - 1);
            app.selection = SelectionHistory::pinned(pixel);
            app.go_to(stage::position(lesson.card, last as f32));
        }
        // What the whole flow says stays the same; the rest is cheap.
        if lesson.fact.is_none() || lesson.card != Card::Prediction {
            lesson.fact = Fact::of(lesson.card, app, &mut panels.field);
        }
        // In a frame without the field's picture of the chosen settings, the counts are of others.
        if !stage::shows_field(lesson.card) || panels.field.settled() {
            lesson.forget_old_answer();
        }
        lesson.hidden = !panels.field.shows_particles_of(lesson.card.counted());
    }

    /// Sets aside what the window shows, unless a lesson is open already.
    fn begin(
        &mut self,
        Parts {
            app,
            panels,
            layout,
        }: &mut Parts<'_>,
    ) {
        if self.before.is_none() {
            self.before = Some(Before {
                layout: layout.clone(),
                field: panels.field.set_aside(),
                camera: panels.canvas.camera,
                app: app.set_aside(stage::flow_settings(app)),
            });
        }
    }

    /// Arranges the window for a card.
    fn show(
        &mut self,
        at: usize,
        Parts {
            app,
            panels,
            layout,
        }: &mut Parts<'_>,
    ) {
        let card = Card::ALL[at];
        self.film = None;
        self.last = at;
        **layout = stage::layout(card);
        app.settings.view = stage::view(card);
        app.active_pane = 0;
        app.brushing = false;
        app.playhead.playing = false;
        app.selection = SelectionHistory::default();
        panels.canvas.camera = Camera::default();
        stage::field(card, &mut panels.field, self.hurry);
        panels.lessons.show(card);
    }

    fn leave(
        &mut self,
        Parts {
            app,
            panels,
            layout,
        }: &mut Parts<'_>,
    ) {
        self.wanted = None;
        self.film = None;
        panels.lessons.lesson = None;
        let Some(before) = self.before.take() else {
            return;
        };
        app.put_back(before.app);
        panels.field.put_back(before.field);
        panels.canvas.camera = before.camera;
        **layout = before.layout;
    }

    /// Ends an animation without saving it.
    fn give_up(&mut self, parts: &mut Parts<'_>) {
        self.film = None;
        parts.panels.lessons.taken = None;
        if let Some(lesson) = &mut parts.panels.lessons.lesson {
            stage::field(lesson.card, &mut parts.panels.field, self.hurry);
            // The playhead is put back with the pins.
            lesson.prepared = None;
        }
    }

    /// Takes the next picture of an animation once the window is `still`. Must be called every frame.
    pub(crate) fn shoot(&mut self, context: &egui::Context, still: bool, parts: &mut Parts<'_>) {
        let (Some(film), Some(card)) = (&mut self.film, parts.panels.lessons.card()) else {
            return;
        };
        let bar = parts.panels.canvas.bar_height;
        let Some(area) = stage::area(card, bar, parts.layout) else {
            return;
        };
        parts.panels.lessons.taken = Some([film.taken(), film.count]);
        match film.step(context, still, area) {
            Step::Wait => {}
            Step::Arrange(next) => stage::arrange(card, next, parts.app, &mut parts.panels.field),
            Step::Done => {
                let film = self.film.take();
                self.give_up(parts);
                if let Some(film) = film {
                    self.save(card, film, parts);
                }
            }
        }
    }

    fn save(&self, card: Card, film: Film, parts: &mut Parts<'_>) {
        let Parts { app, panels, .. } = parts;
        let name = format!("lesson-{}", card as usize + 1);
        let kind = film.kind;
        let pictures = film.captioned(&app.texts().lessons.cards[card as usize]);
        #[cfg(test)]
        if let Some(path) = &self.destination {
            app.exports
                .write_pictures(kind, pictures, path.clone())
                .unwrap();
            panels.lessons.saved = app.exports.follow_latest();
            return;
        }
        let inputs = app.inputs();
        match app.exports.ask_pictures(kind, pictures, &name, inputs) {
            Ok(()) => panels.lessons.saved = app.exports.follow_latest(),
            Err(error) => app.errors.report_no_thread(&error),
        }
    }

    /// Whether the open card is measured, so that nothing changes any more.
    pub(crate) fn settled(&self, panels: &Panels) -> bool {
        let lesson = panels.lessons.lesson.as_ref();
        self.wanted.is_none()
            && lesson.is_none_or(|lesson| {
                (lesson.fact.is_some() || lesson.hidden)
                    && (!stage::shows_field(lesson.card) || panels.field.settled())
            })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.before.is_some()
    }

    /// The settings, layout and field settings to remember: those from before the lessons, or from before a comparison.
    pub(crate) fn remembered<'a>(
        &'a self,
        app: &AppState,
        panels: &'a Panels,
        layout: &'a Tree<PanelKind>,
    ) -> (Settings, &'a Tree<PanelKind>, &'a FieldSettings) {
        match &self.before {
            Some(before) => (
                before.app.settings(&app.settings),
                &before.layout,
                before.field.settings(),
            ),
            None => {
                let mut settings = app.settings.clone();
                if let Some(second) = &app.second {
                    settings.view.arrangement = second.before.arrangement;
                    settings.view.layers = second.before.layers;
                }
                (settings, layout, &panels.field.settings)
            }
        }
    }
}
