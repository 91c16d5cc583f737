//! What the window measures for a card, and whether an answer agrees with it.

use super::card::{Answer, Card, choice_of};
use crate::texts::{Texts, fill};
use crate::vector_field::FieldKind;
use crate::viewer::app_state::AppState;
use crate::viewer::field::FieldPanel;
use crate::viewer::flow::Flow;
use crate::viewer::open_model::OpenModel;
use crate::viewer::pixel_info::distance;

/// The classes that the first card offers.
const OFFERED: usize = 3;

/// What the window measured for a card.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// The class nearest to the pinned pixel's last state.
    Nearest {
        /// The nearest classes, by number.
        offered: Vec<usize>,
        class: usize,
        distance: f64,
    },
    /// When the pinned pixel settles.
    Settles {
        step: usize,
        /// The time of that state, 0 to 1.
        t: f32,
        class: usize,
        /// Its class at every state.
        classes: Vec<usize>,
    },
    /// What is left of the vanilla and of the reshaped gradient, as shares.
    Gradient([f64; 2]),
    /// The share of particles that cross the neighbourhood of another class in each field that the card
    /// counts, in the order of [`Card::counted`].
    Crossing(Vec<f64>),
    /// The share of pixels whose predicted target at t = 0 has their final class.
    Known(f64),
}

/// The comment on an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) right: bool,
    pub(crate) text: String,
}

impl Fact {
    /// Measures the window for a card; `None` while something is still being computed.
    pub(super) fn of(card: Card, app: &AppState, field: &mut FieldPanel) -> Option<Self> {
        let model = app.model.as_ref()?;
        match card {
            Card::Mask => nearest(complete(app)?, model, *app.selection.pins.first()?),
            Card::Path => settles(complete(app)?, *app.selection.pins.first()?),
            Card::Gradient => field.left_halfway(&model.centroids).map(Fact::Gradient),
            Card::Traversal | Card::Reshaped => crossing(card, &field.crossing()?),
            Card::Prediction => {
                let share = complete(app)?.foreseen.first()?;
                Some(Fact::Known(f64::from(*share)))
            }
        }
    }

    /// The right one of the choices; `None` if the answer is a position.
    pub(super) fn choice(&self, card: Card) -> Option<usize> {
        match self {
            Fact::Nearest { offered, class, .. } => offered.iter().position(|k| k == class),
            Fact::Settles { .. } => None,
            // All of it, half of it, or a tenth of it.
            Fact::Gradient([vanilla, _]) => {
                let near = |share: f64| (vanilla - share).abs();
                let shares = [1.0, 0.5, 0.1];
                (0..shares.len()).min_by(|&a, &b| near(shares[a]).total_cmp(&near(shares[b])))
            }
            Fact::Crossing(shares) => match (card.bounds(), shares.as_slice()) {
                (Some(bounds), [share, ..]) => Some(choice_of(*share, bounds)),
                (None, [vanilla, reshaped]) => {
                    Some(usize::from(reshaped < vanilla) + usize::from(2.0 * reshaped < *vanilla))
                }
                _ => None,
            },
            Fact::Known(share) => Some(choice_of(*share, card.bounds()?)),
        }
    }

    /// Whether an answer to what was measured `before` says the same about this.
    pub(super) fn has_the_answer_of(&self, before: &Self, card: Card) -> bool {
        match (self, before) {
            // A choice is one of the classes that are offered.
            (
                Fact::Nearest { offered, class, .. },
                Fact::Nearest {
                    offered: old_offered,
                    class: old_class,
                    ..
                },
            ) => offered == old_offered && class == old_class,
            (Fact::Settles { step, .. }, Fact::Settles { step: old, .. }) => step == old,
            _ => self.choice(card) == before.choice(card),
        }
    }

    /// The values for the words in braces.
    fn values(&self, model: &OpenModel, texts: &Texts) -> Vec<(&'static str, String)> {
        let fraction = |number: f64| fraction(number, texts);
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let name = |class: usize| model.names.get(class).cloned().unwrap_or_default();
        match self {
            Fact::Nearest {
                class, distance, ..
            } => vec![("class", name(*class)), ("distance", fraction(*distance))],
            Fact::Settles { step, t, class, .. } => vec![
                ("step", step.to_string()),
                ("t", fraction(f64::from(*t))),
                ("class", name(*class)),
            ],
            Fact::Gradient([vanilla, reshaped]) => vec![
                ("vanilla", percent(*vanilla)),
                ("reshaped", percent(*reshaped)),
            ],
            Fact::Crossing(shares) => {
                let names = match shares.len() {
                    1 => &["share"][..],
                    _ => &["vanilla", "reshaped"],
                };
                let shares = shares.iter().map(|share| percent(*share));
                names.iter().copied().zip(shares).collect()
            }
            Fact::Known(share) => vec![("share", percent(*share))],
        }
    }

    /// Compares an answer with what was measured.
    pub(super) fn verdict(
        &self,
        (card, answer): (Card, Answer),
        model: &OpenModel,
        texts: &Texts,
    ) -> Option<Verdict> {
        let values = self.values(model, texts);
        let texts = &texts.lessons;
        let of_card = &texts.cards[card as usize];
        let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let verdict = |right: bool, text: &str, more: &[(&str, &str)]| {
            let text = fill(&fill(text, &values), more);
            Some(Verdict { right, text })
        };
        match (self, answer) {
            (Fact::Settles { step, classes, .. }, Answer::Position(position)) => {
                let at = (position.max(0.0).round() as usize).min(classes.len().checked_sub(1)?);
                let now = model.names.get(classes[at]).map_or("", String::as_str);
                match at.cmp(step) {
                    std::cmp::Ordering::Less => verdict(false, &texts.later, &[("now", now)]),
                    std::cmp::Ordering::Equal => verdict(true, &of_card.right, &[]),
                    std::cmp::Ordering::Greater => verdict(false, &texts.earlier, &[]),
                }
            }
            (_, Answer::Choice(choice)) => {
                let right = self.choice(card)? == choice;
                let text = if right {
                    &of_card.right
                } else {
                    &of_card.wrong
                };
                verdict(right, text, &[])
            }
            _ => None,
        }
    }
}

/// A number with two decimals.
fn fraction(number: f64, texts: &Texts) -> String {
    texts.number(&format!("{number:.2}"))
}

/// The shares that a card asks for among those of the fields shown; `None` if one is missing.
fn crossing(card: Card, shown: &[(FieldKind, f64)]) -> Option<Fact> {
    let share = |wanted: &FieldKind| {
        let found = shown.iter().find(|(kind, _)| kind == wanted)?;
        Some(found.1)
    };
    let shares: Option<_> = card.counted().iter().map(share).collect();
    shares.map(Fact::Crossing)
}

fn complete(app: &AppState) -> Option<&Flow> {
    app.flow.as_ref().filter(|flow| flow.settled.is_some())
}

fn nearest(flow: &Flow, model: &OpenModel, pixel: usize) -> Option<Fact> {
    let x = flow.state_of(pixel, f32::MAX)?;
    let centroids = &model.centroids;
    let mut classes: Vec<(usize, f64)> = (0..centroids.len())
        .map(|class| (class, distance(&x, centroids.code(class))))
        .collect();
    classes.sort_by(|a, b| a.1.total_cmp(&b.1));
    classes.truncate(OFFERED);
    let (class, distance) = *classes.first()?;
    let mut offered: Vec<usize> = classes.into_iter().map(|(class, _)| class).collect();
    offered.sort_unstable();
    Some(Fact::Nearest {
        offered,
        class,
        distance,
    })
}

fn settles(flow: &Flow, pixel: usize) -> Option<Fact> {
    let step = usize::from(*flow.settled.as_ref()?.get(pixel)?);
    let classes = flow.states.iter().map(|state| {
        let labels = &state.host.as_ref()?.labels;
        labels.get(pixel).map(|label| usize::from(*label))
    });
    let classes: Vec<usize> = classes.collect::<Option<_>>()?;
    Some(Fact::Settles {
        step,
        t: flow.states.get(step)?.t,
        class: *classes.last()?,
        classes,
    })
}

/// The pixel that lessons pin: of those that settle last inside a region of one class, the one nearest
/// to the centre.
pub(super) fn pixel_to_watch(flow: &Flow) -> Option<usize> {
    let settled = flow.settled.as_ref()?;
    let labels = &flow.states.last()?.host.as_ref()?.labels;
    best_pixel(settled, labels, flow.size)
}

fn best_pixel(settled: &[u16], labels: &[u16], [height, width]: [usize; 2]) -> Option<usize> {
    /// How far the region reaches to each side.
    const AROUND: usize = 2;
    let alike = |pixel: usize| {
        let [row, column] = [pixel / width, pixel % width];
        let inside = (AROUND..height.saturating_sub(AROUND)).contains(&row)
            && (AROUND..width.saturating_sub(AROUND)).contains(&column);
        inside
            && (row - AROUND..=row + AROUND).all(|r| {
                (column - AROUND..=column + AROUND).all(|c| {
                    let other = r * width + c;
                    labels[other] == labels[pixel] && settled[other] == settled[pixel]
                })
            })
    };
    let from_centre = |pixel: usize| {
        let [row, column] = [pixel / width, pixel % width];
        let away = |at: usize, side: usize| (2 * at + 1).abs_diff(side).pow(2);
        away(row, height) + away(column, width)
    };
    let order = |&a: &usize, &b: &usize| {
        let later = settled[b].cmp(&settled[a]);
        later.then(from_centre(a).cmp(&from_centre(b)))
    };
    let all = 0..settled.len().min(labels.len());
    let inside = all.clone().filter(|&pixel| alike(pixel)).min_by(order);
    inside.or_else(|| all.min_by(order))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn the_pinned_pixel_lies_inside_a_region_that_settles_late() {
        let size = [7, 12];
        // A region of class 1 at the right that settles at step 3, and one pixel that settles later.
        let labels: Vec<u16> = (0..84).map(|i| u16::from(i % 12 >= 6)).collect();
        let mut settled: Vec<u16> = labels.iter().map(|label| 3 * label).collect();
        settled[13] = 9;
        let pixel = best_pixel(&settled, &labels, size).unwrap();
        assert_eq!([pixel / 12, pixel % 12], [3, 8]);
        // Without such a region, the latest pixel.
        assert_eq!(best_pixel(&[0, 2, 1], &[0, 0, 0], [1, 3]), Some(1));
        assert_eq!(best_pixel(&[], &[], [0, 0]), None);
    }

    #[test]
    fn a_card_takes_the_shares_of_its_own_fields() {
        let [vanilla, reshaped] = [(FieldKind::Reconstructive, 0.4), (FieldKind::Reshaped, 0.1)];
        for (card, shown, shares) in [
            (Card::Traversal, vec![vanilla], Some(vec![0.4])),
            (Card::Traversal, vec![vanilla, reshaped], Some(vec![0.4])),
            (Card::Traversal, vec![reshaped], None),
            (
                Card::Reshaped,
                vec![vanilla, reshaped],
                Some(vec![0.4, 0.1]),
            ),
            (Card::Reshaped, vec![reshaped], None),
        ] {
            assert_eq!(crossing(card, &shown), shares.map(Fact::Crossing));
        }
    }

    #[test]
    fn numbers_are_written_as_in_the_language() {
        let [english, german] = [Language::English, Language::German]
            .map(|language| fraction(0.5, Texts::of(language)));
        assert_eq!([english, german], ["0.50", "0,50"]);
    }

    #[test]
    fn an_answer_stays_while_it_means_the_same() {
        let crossing = |share: f64| Fact::Crossing(vec![share]);
        let nearest = |offered: [usize; 3], class: usize| Fact::Nearest {
            offered: offered.to_vec(),
            class,
            distance: 0.25,
        };
        let settles = |step: usize| Fact::Settles {
            step,
            t: 0.5,
            class: 1,
            classes: vec![1; 11],
        };
        for (card, before, now, stays) in [
            (Card::Traversal, crossing(0.2), crossing(0.3), true),
            (Card::Traversal, crossing(0.2), crossing(0.5), false),
            (
                Card::Mask,
                nearest([0, 1, 2], 1),
                nearest([0, 1, 2], 1),
                true,
            ),
            // The second choice is another class.
            (
                Card::Mask,
                nearest([0, 1, 2], 1),
                nearest([3, 4, 5], 4),
                false,
            ),
            (Card::Path, settles(4), settles(4), true),
            (Card::Path, settles(4), settles(5), false),
        ] {
            assert_eq!(now.has_the_answer_of(&before, card), stays, "{now:?}");
        }
    }

    #[test]
    fn measured_numbers_choose_the_right_answer() {
        for (fact, card, choice) in [
            (Fact::Gradient([0.5, 1.7]), Card::Gradient, Some(1)),
            (Fact::Gradient([0.95, 1.0]), Card::Gradient, Some(0)),
            (Fact::Crossing(vec![0.5]), Card::Traversal, Some(2)),
            (Fact::Crossing(vec![0.2]), Card::Traversal, Some(1)),
            (Fact::Crossing(vec![0.5, 0.5]), Card::Reshaped, Some(0)),
            (Fact::Crossing(vec![0.5, 0.25]), Card::Reshaped, Some(1)),
            (Fact::Crossing(vec![0.5, 0.2]), Card::Reshaped, Some(2)),
            (Fact::Crossing(vec![0.0, 0.0]), Card::Reshaped, Some(0)),
            (Fact::Crossing(Vec::new()), Card::Traversal, None),
            (Fact::Known(0.95), Card::Prediction, Some(2)),
            (Fact::Known(0.3), Card::Prediction, Some(0)),
        ] {
            assert_eq!(fact.choice(card), choice, "{fact:?}");
        }
    }
}
