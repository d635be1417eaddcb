//! A cluster in this process: a Kubernetes API with the behaviours that a move meets, for trying the tool and for tests.
//!
//! It imports nothing of the tool, so that it cannot share its mistakes; `tests/conformance` holds it to the real controllers.

pub mod access;
pub mod api;
pub mod at;
pub mod behaviour;
pub mod catalog;
pub mod delete;
pub mod disks;
pub mod dump;
pub mod fault;
pub mod fields;
pub mod identity;
pub mod index;
pub mod life;
pub mod listen;
pub mod load_error;
pub mod names;
pub mod quantity;
pub mod reading;
pub mod repeat;
pub mod scenario;
pub mod scenarios;
pub mod server;
pub mod status;
pub mod store;
pub mod subject;
pub mod time;
pub mod wire;
pub mod world;
pub mod write;
