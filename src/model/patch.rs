//! A change to an object as a JSON patch (RFC 6902): conditional, bounded, the same bytes for the same decision.
//!
//! The operations of one patch hold together: the server applies all of them or none.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::manifest::Manifest;

/// One operation of a JSON patch; the first field is a JSON pointer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub enum PatchOp {
    /// The patch is refused unless the value is there and equal.
    Test(String, Value),
    /// Sets a member whether it was there or not, or inserts into a list (`/-` appends). The parent must exist.
    Add(String, Value),
    /// Sets a member that must be there.
    Replace(String, Value),
    /// Takes away a member that must be there.
    Remove(String),
}

impl PatchOp {
    /// The operation that refuses the patch unless the object is exactly the one that was looked at.
    pub fn unchanged(seen: &Manifest) -> Self {
        Self::Test("/metadata/resourceVersion".to_owned(), seen.resource_version().into())
    }

    /// The operation that refuses the patch unless this is the same object, whatever its version.
    pub fn same_object(seen: &Manifest) -> Self {
        Self::Test("/metadata/uid".to_owned(), seen.uid().into())
    }
}

/// Applies a patch as the server would; the error says which operation did not hold.
pub fn apply(ops: &[PatchOp], to: &Manifest) -> Result<Manifest, String> {
    let wire = serde_json::to_value(ops).and_then(serde_json::from_value::<json_patch::Patch>).map_err(|error| error.to_string())?;
    let mut result = to.clone();
    json_patch::patch(result.value_mut(), &wire).map_err(|error| error.to_string())?;
    Ok(result)
}

/// How RFC 6902 writes an operation.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Wire {
    Test { path: String, value: Value },
    Add { path: String, value: Value },
    Replace { path: String, value: Value },
    Remove { path: String },
}

impl From<PatchOp> for Wire {
    fn from(op: PatchOp) -> Self {
        match op {
            PatchOp::Test(path, value) => Self::Test { path, value },
            PatchOp::Add(path, value) => Self::Add { path, value },
            PatchOp::Replace(path, value) => Self::Replace { path, value },
            PatchOp::Remove(path) => Self::Remove { path },
        }
    }
}

impl From<Wire> for PatchOp {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Test { path, value } => Self::Test(path, value),
            Wire::Add { path, value } => Self::Add(path, value),
            Wire::Replace { path, value } => Self::Replace(path, value),
            Wire::Remove { path } => Self::Remove(path),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_is_written_as_the_server_reads_it() {
        let ops = vec![PatchOp::Test("/spec/running".into(), true.into()), PatchOp::Remove("/spec/x".into())];
        let wire = json!([{"op": "test", "path": "/spec/running", "value": true}, {"op": "remove", "path": "/spec/x"}]);
        assert_eq!(serde_json::to_value(&ops).unwrap(), wire);
        assert_eq!(serde_json::from_value::<Vec<PatchOp>>(wire).unwrap(), ops);
    }

    #[test]
    fn a_patch_holds_as_a_whole_or_not_at_all() {
        let seen = Manifest::from(json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {"running": true}}));
        let stop = PatchOp::Replace("/spec/running".into(), false.into());
        assert!(!apply(&[PatchOp::unchanged(&seen), PatchOp::same_object(&seen), stop.clone()], &seen).unwrap().flag("/spec/running"));
        let mut later = seen.clone();
        later.set("/metadata/resourceVersion", "8".into());
        assert!(apply(&[PatchOp::unchanged(&seen), stop], &later).is_err());
    }
}
