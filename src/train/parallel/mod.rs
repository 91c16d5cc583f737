//! Data-parallel training on several devices.

mod all_reduce;
mod group;

pub(super) use all_reduce::{PeerLost, Rank};
pub(super) use group::WorkerGroup;
