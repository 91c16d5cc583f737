//! The menus, which are also groups in the list of keyboard shortcuts.

/// A menu, or a group of the list; [`Flow`](Self::Flow) is no menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    File,
    Edit,
    Flow,
    View,
    Correct,
    Help,
}

impl Group {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Edit",
            Self::Flow => "Flow",
            Self::View => "View",
            Self::Correct => "Correct",
            Self::Help => "Help",
        }
    }
}
