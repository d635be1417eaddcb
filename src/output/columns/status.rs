//! Where moves stand: all of them, and one of them by machine.

use jiff::Timestamp;

use crate::model::age;
use crate::output::table::{Column, Tabular};

/// One virtual machine of a move, in words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StatusRow {
    pub vm: String,
    pub phase: String,
    pub state: String,
    /// Disks that are done, of all: `1/2`.
    pub disks: String,
    /// `43%`.
    pub progress: String,
    pub waiting_for: String,
    pub elapsed: String,
}

impl Tabular for StatusRow {
    const COLUMNS: &'static [Column] = &[
        Column::new("VM"),
        Column::new("PHASE"),
        Column::new("STATE"),
        Column::new("DISKS"),
        Column::new("PROGRESS"),
        Column::new("WAITING-FOR"),
        Column::new("ELAPSED"),
    ];

    fn cells(&self, _: Timestamp) -> Vec<String> {
        [&self.vm, &self.phase, &self.state, &self.disks, &self.progress, &self.waiting_for, &self.elapsed]
            .map(|text| if text.is_empty() { "-".to_owned() } else { text.clone() })
            .to_vec()
    }
}

/// One move of a namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MoveRow {
    pub name: String,
    pub target: String,
    /// Machines that are done, of all: `3/4`.
    pub machines: String,
    pub state: String,
    /// Who carries it, or carried it last.
    pub holder: String,
    /// When it began, as a timestamp.
    pub began: Option<String>,
}

impl Tabular for MoveRow {
    const COLUMNS: &'static [Column] =
        &[Column::new("NAME"), Column::new("TARGET"), Column::new("VMS"), Column::new("STATE"), Column::wide("HOLDER"), Column::new("AGE")];

    fn cells(&self, now: Timestamp) -> Vec<String> {
        let texts = [&self.name, &self.target, &self.machines, &self.state, &self.holder].map(Clone::clone);
        texts.into_iter().chain([age::since(self.began.as_deref(), now)]).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::table::{Style, render};

    #[test]
    fn a_move_by_machine_and_all_moves() {
        let text = str::to_owned;
        let web = StatusRow { vm: text("web-1"), phase: text("verify"), state: text("Done"), disks: text("1/1"), ..StatusRow::default() };
        let waits = StatusRow { vm: text("db-1"), waiting_for: text("CDI clone of db-1-data"), elapsed: text("18m"), ..StatusRow::default() };
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(render(&[web, waits], Style::default(), now), @r#"
        VM      PHASE    STATE   DISKS   PROGRESS   WAITING-FOR              ELAPSED
        web-1   verify   Done    1/1     -          -                        -
        db-1    -        -       -       -          CDI clone of db-1-data   18m
        "#);
        let running =
            MoveRow { name: text("shop-to-prod-7k2fq"), target: text("prod"), began: Some(text("2026-11-21T11:00:00Z")), ..MoveRow::default() };
        insta::assert_snapshot!(render(&[running], Style::default(), now), @r#"
        NAME                 TARGET   VMS   STATE   AGE
        shop-to-prod-7k2fq   prod                   60m
        "#);
    }
}
