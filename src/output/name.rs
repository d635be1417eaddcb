//! `-o name`: the kind in lower case with its group, a slash, the name.
//!
//! Source: kubernetes/cli-runtime `pkg/printers/name.go`.

use serde_json::Value;

use super::escape;

/// `virtualmachine.kubevirt.io/db-1`, with a line end.
pub fn line(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = match text("/kind") {
        "" => "<unknown>".to_owned(),
        kind => kind.to_lowercase(),
    };
    let group = text("/apiVersion").rsplit_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
    format!("{}\n", escape::terminal(&format!("{kind}{group}/{}", text("/metadata/name"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_core_group_is_left_out() {
        assert_eq!(
            line(&json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "db-1"}})),
            "virtualmachine.kubevirt.io/db-1\n"
        );
        assert_eq!(line(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}})), "secret/s\n");
    }
}
