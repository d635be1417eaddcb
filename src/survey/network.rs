//! What virtual machines are connected to and reached by, and what else points at them.

use super::eyes::Row;
use crate::model::kind;
use crate::plan::pointers::{POINTERS, POLICIES};

const ROWS: &[Row] = &[Row::whole(kind::SERVICE), Row::whole(kind::NETWORK_ATTACHMENT), Row::add_on(kind::IP_CLAIM)];

pub(super) fn rows() -> impl Iterator<Item = Row> {
    ROWS.iter().copied().chain(POINTERS.iter().map(|pointer| Row::add_on(pointer.kind)))
}

pub(super) fn cluster_rows() -> impl Iterator<Item = Row> {
    POLICIES.iter().map(|policies| Row::add_on(policies.kind))
}
