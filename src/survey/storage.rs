//! Disks in a namespace, and what the cluster stores them with.

use super::eyes::Row;
use crate::model::kind;

pub(super) const ROWS: &[Row] =
    &[Row::whole(kind::DATA_VOLUME), Row::whole(kind::CLAIM), Row::whole(kind::VOLUME_SNAPSHOT), Row::whole(kind::DATA_SOURCE)];

pub(super) const CLUSTER_ROWS: &[Row] = &[
    Row::whole(kind::VOLUME),
    Row::whole(kind::STORAGE_CLASS),
    Row::whole(kind::CSI_DRIVER),
    Row::whole(kind::ATTACHMENT),
    Row::whole(kind::SNAPSHOT_CLASS),
    Row::whole(kind::STORAGE_PROFILE),
    Row::whole(kind::CDI),
    Row::whole(kind::CDI_CONFIG),
];
