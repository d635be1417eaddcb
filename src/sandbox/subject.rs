//! The forms in which a cluster is told what to do by itself: rules for what may be written, and controllers that look at what was.
//! The world follows them and knows none of them.

use std::time::Duration;

use super::catalog::{ANYTHING, Res};
use super::status::Status;
use super::store::{Change, Key};
use super::world::World;
use super::write::Attempt;

/// What a write does to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    Create,
    Update,
    Delete,
}

/// A rule for what is written: sets what is missing, or refuses. Rules run in the order of the list, before anything is stored.
pub struct Rule {
    /// Or [`ANYTHING`].
    pub resource: Res,
    /// Empty for the object itself, or `status` and the like.
    pub subresource: &'static str,
    pub verbs: &'static [Verb],
    pub run: fn(&World, &mut Attempt) -> Result<(), Status>,
}

/// Which keys a controller looks at when something of a kind, or [`ANYTHING`], has changed.
pub type Watch = (Res, fn(&World, &Change) -> Vec<Key>);

/// Looks at one object when something about it changed, and brings the world a step nearer to what the object asks for.
/// It may be called at any time and any number of times.
pub struct Controller {
    pub name: &'static str,
    pub watches: &'static [Watch],
    /// `Some` asks to look again after that time.
    pub reconcile: fn(&mut World, &Key) -> Option<Duration>,
}

/// What belongs together: the rules for some objects, and who looks after them.
pub struct Subject {
    pub rules: &'static [Rule],
    pub controllers: &'static [Controller],
}

impl Rule {
    /// Whether it is asked about a write.
    pub fn is_for(&self, attempt: &Attempt) -> bool {
        concerns(self.resource, attempt.resource) && self.subresource == attempt.subresource && self.verbs.contains(&attempt.verb)
    }
}

/// Whether what is said of one kind, or of anything, is said of this one.
pub fn concerns(said_of: Res, resource: Res) -> bool {
    said_of == resource || said_of == &ANYTHING
}
