//! What the cluster does by itself, one file per subject: rules for what may be written, and controllers that look at what was.

#![allow(clippy::unnecessary_wraps, reason = "all rules, and all controllers, have one shape")]

pub use super::store::is_deleting;
use super::store::{Change, Key};
pub use super::subject::{Controller, Rule, Subject, Verb};
use super::world::World;

pub mod backend_storage;
pub mod binding;
pub mod claim_specs;
pub mod claims;
pub mod clone_phases;
pub mod clone_rights;
pub mod clone_strategies;
pub mod clones;
#[cfg(test)]
mod cluster_for_tests;
mod csi;
pub mod data_sources;
pub mod datavolume_rules;
pub mod datavolumes;
mod differences;
pub mod drivers;
mod expansion;
pub mod guests;
pub mod imports;
pub mod instance_rules;
pub mod instances;
pub mod instancetypes;
pub mod jobs;
pub mod labels;
pub mod launchers;
mod limits;
pub mod machine_restores;
pub mod machine_rules;
pub mod machine_status;
pub mod machines;
mod matching;
pub mod namespaces;
pub mod objects;
mod origins;
pub mod ownership;
pub mod pods;
pub mod policies;
pub mod populators;
pub mod power;
mod quota;
mod reclaiming;
mod records;
pub mod refusals;
pub mod rights;
pub mod run_strategies;
pub mod scheduling;
pub mod services;
mod snapshots;
mod snapshotting;
pub mod storage_profiles;
#[cfg(test)]
mod stories;
pub mod templates;
pub mod virtual_snapshots;
pub mod volume_updates;
pub mod volumes;

/// All subjects: every file of this folder has one or belongs to one that has. Rules are asked in this order.
#[rustfmt::skip]
pub const SUBJECTS: &[&Subject] = &[
    &namespaces::SUBJECT,
    &ownership::SUBJECT,
    &records::SUBJECT,
    &services::SUBJECT,
    &policies::SUBJECT,
    &rights::SUBJECT,
    &claims::SUBJECT,
    &volumes::SUBJECT,
    &binding::SUBJECT,
    &csi::SUBJECT,
    &storage_profiles::SUBJECT,
    &datavolumes::SUBJECT,
    &data_sources::SUBJECT,
    &populators::SUBJECT,
    &machines::SUBJECT,
    &instances::SUBJECT,
    &launchers::SUBJECT,
    &virtual_snapshots::SUBJECT,
    &machine_restores::SUBJECT,
    &pods::SUBJECT,
    &jobs::SUBJECT,
    &scheduling::SUBJECT,
    &snapshots::SUBJECT,
    &snapshotting::SUBJECT,
    &expansion::SUBJECT,
    &limits::SUBJECT,
    // After everything that fills in or refuses.
    &quota::SUBJECT,
];

/// The changed object itself.
fn itself(_: &World, change: &Change) -> Vec<Key> {
    vec![change.key.clone()]
}
