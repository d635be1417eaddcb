//! The cluster: how to reach it, its objects, rights, and waiting for changes. The only user of the kube crate.

pub mod access;
pub mod connect;
pub mod error;
pub mod objects;
pub mod wait;

mod call;
mod kubeconfig;
mod lists;
mod log;
mod path;
mod proxy;
mod request;
mod stack;
mod unreached;
mod watch;

#[cfg(test)]
pub(crate) mod scripted;

pub use access::Access;
pub use call::Cluster;
pub use connect::{Connect, connect, connect_with};
pub use error::{ApiError, Reason};
pub use lists::Row;
pub use objects::{Dry, Guard, PatchOp, Propagation};
pub use wait::{About, Topic, Wakes, Watching};
