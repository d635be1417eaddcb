//! The virtual machines of a namespace at a glance.

use jiff::Timestamp;

use super::{list, or_none};
use crate::model::assessment::AssessmentRow;
use crate::model::{age, quantity};
use crate::output::table::{Column, Tabular};

impl Tabular for AssessmentRow {
    const COLUMNS: &'static [Column] = &[
        Column::new("NAME"),
        Column::new("STATUS"),
        Column::new("DISKS"),
        Column::new("SIZE"),
        Column::new("NETWORKS"),
        Column::new("DEPENDENTS"),
        Column::new("FINDINGS"),
        Column::wide("NODE"),
        Column::wide("RUN-STRATEGY"),
        Column::wide("CLAIMS"),
        Column::wide("CLASSES"),
        Column::new("AGE"),
    ];

    fn cells(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.name.clone(),
            self.status.clone(),
            self.disks.to_string(),
            quantity::human(self.size),
            list(&self.networks),
            self.dependents.to_string(),
            findings(self.blocking, self.warnings),
            or_none(self.node.as_deref()),
            self.run_strategy.clone(),
            list(&self.claims),
            list(&self.classes),
            age::since(self.created.as_deref(), now),
        ]
    }
}

fn findings(blocking: usize, warnings: usize) -> String {
    let plural = if warnings == 1 { "" } else { "s" };
    match (blocking, warnings) {
        (0, 0) => "-".to_owned(),
        (0, warnings) => format!("{warnings} warning{plural}"),
        (blocking, 0) => format!("{blocking} blocking"),
        (blocking, warnings) => format!("{blocking} blocking, {warnings} warning{plural}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::table::{Style, render};

    fn rows() -> [AssessmentRow; 2] {
        let text = str::to_owned;
        let db = AssessmentRow {
            name: text("db-1"),
            status: text("Running"),
            disks: 2,
            size: 120 << 30,
            networks: vec![text("pod"), text("vlan10")],
            dependents: 5,
            warnings: 1,
            created: Some(text("2026-10-11T10:00:00Z")),
            node: Some(text("node-a")),
            run_strategy: text("Always"),
            claims: vec![text("db-1-root"), text("db-1-data")],
            classes: vec![text("fast")],
            ..AssessmentRow::default()
        };
        let old = AssessmentRow {
            name: text("old-7"),
            status: text("Stopped"),
            run_strategy: text("Halted"),
            blocking: 1,
            warnings: 2,
            ..AssessmentRow::default()
        };
        [db, old]
    }

    #[test]
    fn machines_at_a_glance() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(render(&rows(), Style::default(), now), @r#"
        NAME    STATUS    DISKS   SIZE    NETWORKS     DEPENDENTS   FINDINGS                 AGE
        db-1    Running   2       120Gi   pod,vlan10   5            1 warning                41d
        old-7   Stopped   0       0       <none>       0            1 blocking, 2 warnings   <unknown>
        "#);
        insta::assert_snapshot!(render(&rows(), Style { wide: true, ..Style::default() }, now), @r#"
        NAME    STATUS    DISKS   SIZE    NETWORKS     DEPENDENTS   FINDINGS                 NODE     RUN-STRATEGY   CLAIMS                CLASSES   AGE
        db-1    Running   2       120Gi   pod,vlan10   5            1 warning                node-a   Always         db-1-root,db-1-data   fast      41d
        old-7   Stopped   0       0       <none>       0            1 blocking, 2 warnings   <none>   Halted         <none>                <none>    <unknown>
        "#);
    }
}
