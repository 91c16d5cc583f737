//! The network, its configuration and its files.

pub mod config;
pub mod init;
pub mod network;
pub mod positions;
