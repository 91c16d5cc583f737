//! Answers one request at a time, in a turn of the page's event loop. Requests are dropped while it is
//! busy, so that none pile up and the next answer is to what is wanted then.

use crate::page;
use eframe::egui;
use std::cell::RefCell;
use std::rc::Rc;

type Function<Q, A> = Rc<RefCell<dyn FnMut(Q) -> A>>;

/// As the desktop's, which has a thread for it.
pub(super) struct Latest<Q, A> {
    answer: Function<Q, A>,
    answered: Rc<RefCell<Option<A>>>,
    busy: bool,
    wake: egui::Context,
}

impl<Q: 'static, A: 'static> Latest<Q, A> {
    /// Every answer repaints the window.
    ///
    /// # Errors
    /// Never.
    pub(super) fn start(
        _: &str,
        context: &egui::Context,
        answer: impl FnMut(Q) -> A + 'static,
    ) -> std::io::Result<Self> {
        Ok(Self {
            answer: Rc::new(RefCell::new(answer)),
            answered: Rc::default(),
            busy: false,
            wake: context.clone(),
        })
    }

    /// Sends a request, unless an answer is still pending.
    pub(super) fn ask(&mut self, request: Q) {
        if self.busy {
            return;
        }
        self.busy = true;
        let (answer, answered) = (self.answer.clone(), self.answered.clone());
        let wake = self.wake.clone();
        page::later(
            move || (answer.borrow_mut())(request),
            move |answer| {
                *answered.borrow_mut() = Some(answer);
                wake.request_repaint();
            },
        );
    }

    /// The answer, if it is available.
    pub(super) fn poll(&mut self) -> Option<A> {
        let answer = self.answered.borrow_mut().take()?;
        self.busy = false;
        Some(answer)
    }

    /// Whether an answer is pending.
    pub(super) fn busy(&self) -> bool {
        self.busy
    }
}
