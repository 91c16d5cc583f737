//! Training: a [`Trainer`](trainer::Trainer) that takes steps, and the run around it.
//!
//! | files | contents |
//! |---|---|
//! | `config/` | every setting, stages |
//! | `objective`, `batch`, `completed_labels`, `wrong_states` | the losses, and the batches they are computed on |
//! | `trainer`, `trainee`, `recompute`, `optimizer`, `state` | one step, and what it changes |
//! | `supervision`, `repa` | the teacher and class weights |
//! | `tokens` | the tokens of a frozen encoder, on disk |
//! | `parallel/` | several devices |
//! | `run`, `stage`, `validate`, `restore`, `start`, `prepare`, `class_order` | a run and its loop |
//! | `folder`, `checkpoint`, `earlier_models`, `metrics`, `score_kind`, `tensorboard`, `provenance` | the run folder |
//! | `judgement` | what the scores of a finished run say |
//! | `memory`, `dry_run`, `measure` | the cost of a run |
//!
//! The batch of a step, its times and its noise are pure functions of the seed and the step's
//! number. A resumed run therefore continues exactly as an uninterrupted one would have.

mod batch;
mod checkpoint;
mod class_order;
mod completed_labels;
pub mod config;
mod dry_run;
mod earlier_models;
mod error;
mod event;
pub(crate) mod folder;
mod judgement;
pub(crate) mod measure;
mod memory;
mod metrics;
pub mod objective;
mod optimizer;
mod parallel;
mod prepare;
mod provenance;
mod recompute;
pub mod repa;
mod restore;
mod run;
mod running_metrics;
mod score_kind;
mod stage;
mod start;
pub mod state;
pub mod supervision;
mod tensorboard;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokens;
mod trainee;
pub mod trainer;
mod unlogged;
mod validate;
pub mod wrong_states;

pub(crate) use dry_run::{dry_run, peak_memory};
pub(crate) use error::TrainError;
pub(crate) use event::{Event, Outcome, TokensKept};
pub(crate) use judgement::Judgement;
pub(crate) use run::{Place, run, run_at};
