//! How the objects of the target are made out of those of the source: lossless, and every change is told.

use crate::model::manifest::Manifest;
use crate::model::names::{ANNOTATION_EPOCH, ANNOTATION_PLAN, ANNOTATION_ROLE, ANNOTATION_SOURCE_UID, LABEL_MOVE, MoveId};

pub mod changes;
pub mod claim;
pub mod data_volume;
pub mod dependent;
pub mod fence;
pub mod identity;
pub mod metadata;
pub mod owner;
pub mod vm;

/// What an object that a move made is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A copy of a disk beside the source, gone when the move is done.
    Staging,
    /// The virtual machine or a disk in the target.
    Target,
    /// Something that the machine refers to.
    Dependent,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Target => "target",
            Self::Dependent => "dependent",
        }
    }
}

/// What the tool writes on every object it makes. Alone it proves nothing: CDI and KubeVirt copy labels and annotations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marks {
    pub move_id: MoveId,
    pub plan_digest: String,
    /// UID of the source object that this one stands for.
    pub source_uid: String,
    pub role: Role,
    /// The epoch in which a disk was copied (see [`crate::model::journal::Epoch::mark`]).
    pub epoch: Option<String>,
}

impl Marks {
    /// Writes the marks on an object.
    pub fn put(&self, object: &mut Manifest) {
        object.set_label(LABEL_MOVE, &self.move_id.0);
        object.set_annotation(ANNOTATION_PLAN, &self.plan_digest);
        object.set_annotation(ANNOTATION_SOURCE_UID, &self.source_uid);
        object.set_annotation(ANNOTATION_ROLE, self.role.name());
        if let Some(epoch) = &self.epoch {
            object.set_annotation(ANNOTATION_EPOCH, epoch);
        }
    }

    /// Whether an object carries these marks (its epoch is not asked).
    pub fn are_on(&self, object: &Manifest) -> bool {
        object.label(LABEL_MOVE) == Some(&self.move_id.0)
            && object.annotation(ANNOTATION_PLAN) == Some(&self.plan_digest)
            && object.annotation(ANNOTATION_SOURCE_UID) == Some(&self.source_uid)
            && object.annotation(ANNOTATION_ROLE) == Some(self.role.name())
    }
}
