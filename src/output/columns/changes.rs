//! The fields of each manifest that change on the way.

use jiff::Timestamp;
use serde_json::Value;

use crate::output::table::{Column, Tabular};
use crate::plan::document::{Change, Plan};

/// One changed field of one machine.
pub struct ChangeRow<'a> {
    pub machine: &'a str,
    pub change: &'a Change,
}

/// All changes of a plan, in its order.
pub fn rows(plan: &Plan) -> Vec<ChangeRow<'_>> {
    plan.spec.machines.iter().flat_map(|machine| machine.changes.iter().map(|change| ChangeRow { machine: &machine.name, change })).collect()
}

impl Tabular for ChangeRow<'_> {
    const COLUMNS: &'static [Column] = &[Column::new("VM"), Column::new("FIELD"), Column::new("FROM"), Column::new("TO"), Column::new("WHY")];

    fn cells(&self, _: Timestamp) -> Vec<String> {
        let Self { machine, change } = self;
        vec![(*machine).to_owned(), change.path.clone(), value(change.from.as_ref()), value(change.to.as_ref()), change.why.clone()]
    }
}

/// A value in one cell; long ones are cut, for `-o yaml` has them whole.
fn value(value: Option<&Value>) -> String {
    const LONGEST: usize = 40;
    let text = match value {
        None => return "<none>".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST - 1).chain(['…']).collect() }
}
