//! What the machines of a plan refer to and the target needs.

use jiff::Timestamp;

use super::findings::short;
use super::list;
use crate::output::table::{Column, Tabular};
use crate::plan::document::DependentPlan;

impl Tabular for DependentPlan {
    const COLUMNS: &'static [Column] = &[Column::new("OBJECT"), Column::new("USED-BY"), Column::new("IN-TARGET")];

    fn cells(&self, _: Timestamp) -> Vec<String> {
        let there = if self.exists { "there, compared before anything is touched" } else { "copied" };
        vec![short(self.kind, &self.name), list(&self.used_by), there.to_owned()]
    }
}
