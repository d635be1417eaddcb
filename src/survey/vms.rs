//! Virtual machines, what runs them, and what else acts on them.

use super::eyes::Row;
use crate::model::kind;

pub(super) const ROWS: &[Row] = &[
    Row::whole(kind::VM),
    Row::whole(kind::VMI),
    Row::whole(kind::VMIM),
    Row::whole(kind::PRESET),
    Row::whole(kind::POD),
    Row::whole(kind::VM_SNAPSHOT),
    Row::whole(kind::VM_EXPORT),
    Row::whole(kind::VM_CLONE),
    Row::whole(kind::INSTANCETYPE),
    Row::whole(kind::PREFERENCE),
    Row::whole(kind::CONTROLLER_REVISION),
];
