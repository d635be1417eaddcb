//! What the verbs have in common that act on a move: finding it, holding it, carrying it, and its last words.

pub mod again;
pub mod asking;
pub mod carry;
pub mod closing;
pub mod finding;
pub mod flags;
pub mod freezing;
pub mod holding;
pub mod life;
pub mod passes;
pub mod phase;
pub mod preview;
pub mod reading;
pub mod signals;
pub mod telling;

#[cfg(test)]
mod beginning_tests;
#[cfg(test)]
mod begun;
#[cfg(test)]
mod going_on_tests;
