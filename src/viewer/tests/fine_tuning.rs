//! The dialog of the fine-tuning.

use super::correct::correcting;
use super::corrections::choose_folder;
use super::*;
use crate::viewer::commands::{Command, run::run};
use crate::viewer::correct::{FineTuneRequest, Request};

#[test]
fn a_run_that_another_process_trains_is_named_and_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let last = folder.path().join("runs/run-0003");
    fs::create_dir_all(last.join("checkpoints/step-0000005")).unwrap();
    let lock = fs::File::create(last.join("run.lock")).unwrap();
    let mut window = correcting();
    choose_folder(&mut window, folder.path());
    let told = |window: &mut Window| {
        let context = window.ctx.clone();
        let open = Command::Correct(Request::FineTune(FineTuneRequest::Open));
        run(&mut window.state_mut().shared, &context, open);
        window.run_steps(2);
        let named = window.query_by_label("run-0003 is training in another process.");
        let offered = window.query_by_label("Continue the last one");
        [named.is_some(), offered.is_some()]
    };
    lock.lock().unwrap();
    assert_eq!(told(&mut window), [true, false]);
    lock.unlock().unwrap();
    assert_eq!(told(&mut window), [false, true]);
}
