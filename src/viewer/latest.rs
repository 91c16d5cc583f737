//! A worker that answers one request at a time. Requests are dropped while it is busy, so that none
//! pile up and the next answer is to what is wanted then.

use eframe::egui;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::Builder;

/// A worker thread. Once this is dropped, it ends after the current request.
pub(super) struct Latest<Q, A> {
    requests: SyncSender<Q>,
    answers: Receiver<A>,
    busy: bool,
}

impl<Q: Send + 'static, A: Send + 'static> Latest<Q, A> {
    /// Starts the thread; every answer repaints the window.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(
        name: &str,
        context: &egui::Context,
        mut answer: impl FnMut(Q) -> A + Send + 'static,
    ) -> std::io::Result<Self> {
        let (requests, asked) = sync_channel(1);
        let (sender, answers) = sync_channel(1);
        let wake = context.clone();
        Builder::new().name(name.into()).spawn(move || {
            while let Ok(request) = asked.recv() {
                if sender.send(answer(request)).is_err() {
                    return;
                }
                wake.request_repaint();
            }
        })?;
        Ok(Self {
            requests,
            answers,
            busy: false,
        })
    }

    /// Sends a request, unless an answer is still pending.
    pub(super) fn ask(&mut self, request: Q) {
        if !self.busy {
            self.busy = self.requests.try_send(request).is_ok();
        }
    }

    /// The answer, if it is available.
    pub(super) fn poll(&mut self) -> Option<A> {
        match self.answers.try_recv() {
            Ok(answer) => {
                self.busy = false;
                Some(answer)
            }
            Err(TryRecvError::Empty) => None,
            // The thread has panicked, so there will be no answer.
            Err(TryRecvError::Disconnected) => {
                self.busy = false;
                None
            }
        }
    }

    /// Whether an answer is pending.
    pub(super) fn busy(&self) -> bool {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_at_a_time_is_answered() {
        let context = egui::Context::default();
        let mut worker = Latest::start("flowseg-test", &context, |n: u32| 2 * n).unwrap();
        let wait = |worker: &mut Latest<u32, u32>| {
            loop {
                if let Some(answer) = worker.poll() {
                    return answer;
                }
                std::thread::yield_now();
            }
        };
        worker.ask(3);
        assert!(worker.busy());
        // Refused while an answer is pending.
        worker.ask(4);
        assert_eq!(wait(&mut worker), 6);
        assert!(!worker.busy() && worker.poll().is_none());
        worker.ask(5);
        assert_eq!(wait(&mut worker), 10);
    }

    #[test]
    fn a_thread_that_panicked_is_not_waited_for() {
        let context = egui::Context::default();
        let mut worker =
            Latest::start("flowseg-test", &context, |n: u32| assert_eq!(n, 0)).unwrap();
        worker.ask(1);
        while worker.busy() {
            assert!(worker.poll().is_none());
            std::thread::yield_now();
        }
        worker.ask(0);
        assert!(!worker.busy());
    }
}
