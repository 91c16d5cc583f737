//! Whether actions have an effect now, and whether those that switch something are on: the same for
//! menus, toolbars and keys.

use super::table::Action;
use crate::gpu::canvas::Layer;
use crate::viewer::app_state::AppState;
use crate::viewer::correct::Correction;

/// Whether the masks made so far can be exported together: those of a list of several photos.
pub(crate) fn exports_list(app: &AppState) -> bool {
    let (_, photos) = app.photos.place();
    photos > 1 && app.masks.done().next().is_some()
}

/// Whether an action has an effect now.
pub(crate) fn is_enabled(app: &AppState, action: Action) -> bool {
    match action {
        Action::Undo => app.can_undo()[0],
        Action::Redo => app.can_undo()[1],
        Action::Next | Action::Previous => app.photos.turns(),
        Action::Play | Action::First | Action::StepBack | Action::StepForward | Action::Last => {
            app.has_flow()
        }
        Action::Export => app.has_flow() || exports_list(app),
        Action::Rerun => app.photos.item().is_some() && app.model.is_some(),
        Action::Fit | Action::ActualSize | Action::ZoomIn | Action::ZoomOut => {
            app.photos.item().is_some() && app.has_flow()
        }
        Action::Compare => app.second.is_some() || (app.model.is_some() && app.has_flow()),
        Action::Show(Layer::Truth | Layer::Error) => app.has_truth(),
        Action::Show(Layer::Second | Layer::Disagreement) => app.second.is_some(),
        Action::Show(_) => app.has_flow(),
        // While a mask is corrected, a drag paints.
        Action::Brush => !app.correct.on && (app.brushing || app.has_flow()),
        Action::ShowAll => !app.selection.hidden.is_empty(),
        Action::ClearPins => !app.selection.pins.is_empty(),
        Action::ClearBrush => !app.selection.brushed.is_empty(),
        Action::CorrectMask => app.correct.on || app.flow.is_some(),
        Action::Correct(Correction::ChooseFolder | Correction::FineTune) => true,
        Action::Correct(_) => app.correct.is_ready(),
        _ => true,
    }
}

/// Whether what an action switches or chooses is on; `None` for an action that does something once.
pub(crate) fn is_on(app: &AppState, action: Action) -> Option<bool> {
    let view = &app.settings.view;
    Some(match action {
        Action::Show(layer) => app.active_layer() == layer,
        Action::Arrange(arrangement) => view.arrangement == arrangement,
        Action::Compare => app.second.is_some(),
        Action::Fine => view.fine,
        Action::Colours => app.settings.published_colours,
        Action::Loop => app.settings.looping,
        Action::Brush => app.brushing,
        Action::CorrectMask => app.correct.on,
        Action::Correct(Correction::Tool(tool)) => {
            app.correct.is_ready() && app.correct.tool == tool
        }
        Action::Correct(Correction::Snap) => app.correct.snap,
        _ => return None,
    })
}
