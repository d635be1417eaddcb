//! What the tables of the command line have as columns, one file per table.

pub mod assessment;
pub mod changes;
pub mod dependents;
pub mod disks;
pub mod findings;
pub mod status;

/// A cell for a list: its items joined by commas, `<none>` for none.
fn list(items: &[String]) -> String {
    if items.is_empty() { "<none>".to_owned() } else { items.join(",") }
}

/// A cell for something that may be absent.
fn or_none(text: Option<&str>) -> String {
    text.unwrap_or("<none>").to_owned()
}
