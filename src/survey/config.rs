//! What virtual machines refer to, and what bounds a namespace. What Secrets and ConfigMaps hold is never asked for.

use super::eyes::Row;
use crate::model::kind;

pub(super) const ROWS: &[Row] = &[
    Row::metadata(kind::SECRET),
    Row::metadata(kind::CONFIG_MAP),
    Row::whole(kind::SERVICE_ACCOUNT),
    Row::whole(kind::QUOTA),
    Row::whole(kind::LIMIT_RANGE),
];
