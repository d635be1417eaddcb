//! The twins of `plan/step`: what each step does to a cluster. Probe, perform, undo; all of it safe to repeat.

pub mod sites;
