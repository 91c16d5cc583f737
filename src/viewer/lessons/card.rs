//! The cards, and what their answers are compared with.

use crate::vector_field::FieldKind;

/// A card, in the order of the lessons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Card {
    /// Classes as points, masks as pictures (equations 7 and 8).
    Mask,
    /// The path and its velocity (equations 1 and 2).
    Path,
    /// The gradient near the target (equation 6).
    Gradient,
    /// Paths through the neighbourhoods of other classes.
    Traversal,
    /// The reshaped field (equations 9 to 12).
    Reshaped,
    /// The predicted target at t = 0 (equation 4).
    Prediction,
}

impl Card {
    pub(crate) const ALL: [Self; 6] = [
        Self::Mask,
        Self::Path,
        Self::Gradient,
        Self::Traversal,
        Self::Reshaped,
        Self::Prediction,
    ];

    /// The fields whose particles a card counts.
    pub(super) fn counted(self) -> &'static [FieldKind] {
        match self {
            Self::Traversal => &[FieldKind::Reconstructive],
            Self::Reshaped => &[FieldKind::Reconstructive, FieldKind::Reshaped],
            Self::Mask | Self::Path | Self::Gradient | Self::Prediction => &[],
        }
    }

    /// The bounds between the three answers of a card that asks for a share, 0 to 1.
    pub(super) fn bounds(self) -> Option<[f64; 2]> {
        match self {
            Self::Traversal => Some([0.1, 0.4]),
            Self::Prediction => Some([0.5, 0.9]),
            Self::Mask | Self::Path | Self::Gradient | Self::Reshaped => None,
        }
    }
}

/// What the student answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// One of the choices, from 0.
    Choice(usize),
    /// A position of the playhead.
    Position(f32),
}

/// The choice that a share falls into: below the first bound, between the two (inclusive), or above.
pub(super) fn choice_of(share: f64, [low, high]: [f64; 2]) -> usize {
    usize::from(share >= low) + usize::from(share > high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fall_into_three_choices() {
        let bounds = [0.1, 0.4];
        for (share, choice) in [
            (0.0, 0),
            (0.099, 0),
            (0.1, 1),
            (0.4, 1),
            (0.41, 2),
            (1.0, 2),
        ] {
            assert_eq!(choice_of(share, bounds), choice, "{share}");
        }
    }
}
