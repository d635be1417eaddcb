//! JSON as kubectl prints it: four spaces for each level.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use crate::model::failure::Failure;

/// The value in JSON, with a line end.
pub fn write(value: &impl Serialize) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    value.serialize(&mut writer).map_err(|error| Failure::error(format!("cannot write JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value in JSON on one line, with a line end.
pub fn line(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|error| Failure::error(format!("cannot write JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents_by_four() {
        let text = write(&serde_json::json!({"kind": "List", "items": [1], "none": []})).unwrap_or_default();
        assert_eq!(text, "{\n    \"items\": [\n        1\n    ],\n    \"kind\": \"List\",\n    \"none\": []\n}\n");
    }
}
