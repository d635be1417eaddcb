//! `--show-labels` and `-L`: columns for labels, behind all others.
//!
//! Source: kubernetes/cli-runtime `pkg/printers/tableprinter.go` (1.36). A label that is not there is an empty cell.

use std::collections::BTreeMap;

use super::table::Extra;

/// The labels of each row, as columns: those that were asked for, then all in one if that was asked for.
pub fn columns(rows: &[&BTreeMap<String, String>], asked: &[String], all: bool) -> Vec<Extra> {
    let one = |key: &String| Extra {
        title: key.rsplit('/').next().unwrap_or_default().to_uppercase(),
        cells: rows.iter().map(|labels| labels.get(key).cloned().unwrap_or_default()).collect(),
    };
    let every = all.then(|| Extra { title: "LABELS".to_owned(), cells: rows.iter().map(|labels| in_one(labels)).collect() });
    asked.iter().map(one).chain(every).collect()
}

fn in_one(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "<none>".to_owned();
    }
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
