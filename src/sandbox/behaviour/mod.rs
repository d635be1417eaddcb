//! What the cluster does by itself, one file per subject: rules for what may be written, and controllers that look at what was.

#![allow(clippy::unnecessary_wraps, reason = "all rules, and all controllers, have one shape")]

use std::time::Duration;

use serde_json::Value;

use super::catalog::Resource;
use super::status::Status;
use super::store::{Change, Key};
use super::world::World;
use super::write::Attempt;

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
pub mod labels;
pub mod launchers;
mod limits;
pub mod machine_rules;
pub mod machine_status;
pub mod machines;
mod matching;
pub mod namespaces;
pub mod objects;
mod origins;
pub mod ownership;
pub mod pods;
pub mod populators;
pub mod power;
mod quota;
mod reclaiming;
mod records;
pub mod refusals;
pub mod run_strategies;
pub mod scheduling;
mod snapshots;
mod snapshotting;
pub mod storage_profiles;
#[cfg(test)]
mod stories;
pub mod templates;
pub mod virtual_snapshots;
pub mod volumes;

/// What a write does to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    Create,
    Update,
    Delete,
}

/// A rule for what is written: sets what is missing, or refuses. Rules run in the order of the list, before anything is stored.
pub struct Rule {
    pub resource: &'static Resource,
    /// Empty for the object itself, or `status` and the like.
    pub subresource: &'static str,
    pub verbs: &'static [Verb],
    pub run: fn(&World, &mut Attempt) -> Result<(), Status>,
}

/// Which keys a controller looks at when something has changed.
pub type Watch = (&'static Resource, fn(&World, &Change) -> Vec<Key>);

/// Looks at one object when something about it changed, and brings the world a step nearer to what the object asks for.
/// It may be called at any time and any number of times.
pub struct Controller {
    pub name: &'static str,
    pub watches: &'static [Watch],
    /// `Some` asks to look again after that time.
    pub reconcile: fn(&mut World, &Key) -> Option<Duration>,
}

/// One subject. Every file of this folder has one of these, and one line below.
pub struct Subject {
    pub rules: &'static [Rule],
    pub controllers: &'static [Controller],
}

/// Rules are asked in this order.
#[rustfmt::skip]
const SUBJECTS: &[&Subject] = &[
    &namespaces::SUBJECT,
    &ownership::SUBJECT,
    &records::SUBJECT,
    &claims::SUBJECT,
    &volumes::SUBJECT,
    &binding::SUBJECT,
    &csi::SUBJECT,
    &storage_profiles::SUBJECT,
    &datavolumes::SUBJECT,
    &populators::SUBJECT,
    &machines::SUBJECT,
    &instances::SUBJECT,
    &launchers::SUBJECT,
    &virtual_snapshots::SUBJECT,
    &pods::SUBJECT,
    &scheduling::SUBJECT,
    &snapshots::SUBJECT,
    &snapshotting::SUBJECT,
    &expansion::SUBJECT,
    &limits::SUBJECT,
    // After everything that fills in or refuses.
    &quota::SUBJECT,
];

/// All rules, in their order.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    SUBJECTS.iter().flat_map(|subject| subject.rules)
}

/// All controllers, in their order.
pub fn controllers() -> impl Iterator<Item = &'static Controller> {
    SUBJECTS.iter().flat_map(|subject| subject.controllers)
}

/// The changed object itself.
fn itself(_: &World, change: &Change) -> Vec<Key> {
    vec![change.key.clone()]
}

/// Whether an object is on its way out.
pub fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}
