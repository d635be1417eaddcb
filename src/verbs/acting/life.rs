//! Whether somebody carries a move at the moment, as its Lease says. Only for people: what decides is in `ledger/lease`.

use std::time::Duration;

use crate::cluster::{Cluster, Reason};
use crate::ledger::lease::EXPIRY;
use crate::ledger::object_name;
use crate::model::age;
use crate::model::failure::Failure;
use crate::model::kind;
use crate::model::names::{End, MoveId, ObjectRef};

/// Who is in the Lease, and for how long nothing was heard of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Life {
    pub holder: String,
    pub silent: Duration,
}

impl Life {
    /// Whether the last sign of life is recent, by the clocks of both computers.
    pub fn is_alive(&self) -> bool {
        self.silent < EXPIRY
    }

    /// `alice`, or `alice, not heard of for 3h`.
    pub fn described(&self) -> String {
        if self.is_alive() { self.holder.clone() } else { format!("{}, not heard of for {}", self.holder, age::human(self.silent)) }
    }
}

/// Who carries the move, if anybody says so.
///
/// # Errors
/// The server's; who may not read Leases learns nothing.
pub async fn of(cluster: &Cluster, namespace: &str, id: &MoveId, now: jiff::Timestamp) -> Result<Option<Life>, Failure> {
    let lease = match cluster.get(&ObjectRef::namespaced(End::Source, kind::LEASE, namespace, &object_name(id))).await {
        Ok(lease) => lease,
        Err(error) if error.reason == Reason::Forbidden => None,
        Err(error) => return Err(error.into()),
    };
    let Some(lease) = lease else { return Ok(None) };
    let holder = lease.text("/spec/holderIdentity").unwrap_or_default().to_owned();
    let renewed = lease.text("/spec/renewTime").and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let silent = renewed.map_or(Duration::MAX, |renewed| Duration::try_from(now.duration_since(renewed)).unwrap_or_default());
    Ok((!holder.is_empty()).then_some(Life { holder, silent }))
}
