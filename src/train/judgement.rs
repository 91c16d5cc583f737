//! Which of two models is better, as far as their scores tell.

/// The least difference of two validation scores, as mIoU from 0 to 1, that says which model is better.
const CLEAR: f64 = 0.005;

/// What the scores of a model before and after its training say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Better,
    NotBetter,
    Unclear,
}

impl Judgement {
    /// Of the scores before and after, as mIoU from 0 to 1.
    pub(crate) fn of([before, after]: [f64; 2]) -> Self {
        match after - before {
            gain if gain >= CLEAR => Self::Better,
            gain if gain <= -CLEAR => Self::NotBetter,
            _ => Self::Unclear,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Better => "the new model is better",
            Self::NotBetter => "the new model is not better",
            Self::Unclear => "no clear difference",
        }
    }
}
