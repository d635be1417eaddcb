//! What virtual machines are connected to and reached by.

use super::eyes::Row;
use crate::model::kind;

pub(super) const ROWS: &[Row] = &[Row::whole(kind::SERVICE), Row::whole(kind::NETWORK_ATTACHMENT)];
