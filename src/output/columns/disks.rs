//! The disks of a plan: how each travels, and why so.

use jiff::Timestamp;

use super::or_none;
use crate::model::quantity;
use crate::output::table::{Column, Tabular};
use crate::plan::document::{DiskPlan, MachinePlan, Ownership, Plan};

/// One disk of one machine.
pub struct DiskRow<'a> {
    pub machine: &'a MachinePlan,
    pub disk: &'a DiskPlan,
}

/// All disks of a plan, in its order.
pub fn rows(plan: &Plan) -> Vec<DiskRow<'_>> {
    plan.spec.machines.iter().flat_map(|machine| machine.disks.iter().map(move |disk| DiskRow { machine, disk })).collect()
}

impl Tabular for DiskRow<'_> {
    const COLUMNS: &'static [Column] = &[
        Column::new("VM"),
        Column::new("DISK"),
        Column::new("SIZE"),
        Column::new("STRATEGY"),
        Column::wide("CLASS"),
        Column::wide("TARGET-CLASS"),
        Column::wide("TARGET-DISK"),
        Column::wide("OWNER"),
        Column::wide("VOLUME"),
        Column::new("WHY"),
    ];

    fn cells(&self, _: Timestamp) -> Vec<String> {
        let Self { machine, disk } = self;
        let owner = match &disk.ownership {
            Ownership::Nobody => "<none>".to_owned(),
            Ownership::Machine => format!("vm/{}", machine.name),
            Ownership::DataVolume { name, .. } => format!("dv/{name}"),
        };
        vec![
            machine.name.clone(),
            disk.claim.clone(),
            if disk.capacity == 0 { disk.request.clone() } else { quantity::human(disk.capacity) },
            disk.strategy.name().to_owned(),
            or_none(disk.class.as_deref()),
            or_none(disk.target_class.as_deref()),
            disk.target_claim.clone(),
            owner,
            or_none(disk.persistent_volume.as_deref()),
            disk.why.clone(),
        ]
    }
}
