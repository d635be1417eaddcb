//! What was changed that may not be changed, as the API server shows it: a unified diff of its own view of both.
//! Source: kubernetes 1.36 `pkg/apis/core/types.go` (the names and their order), apimachinery `pkg/util/diff/diff.go`.
//!
//! Cases: `claims/a-claim-does-not-change-its-mind`.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};
use similar::TextDiff;

/// How the one became the other; both as [`claim`] or [`source`] shows them.
pub fn between(old: &str, new: &str) -> String {
    let lines = |text: &str| format!("{text}\n");
    TextDiff::from_lines(&lines(old), &lines(new)).unified_diff().context_radius(3).to_string()
}

/// What a claim asks for.
pub fn claim(spec: &Value) -> String {
    let resources = structure(&[("Limits", plain(spec.pointer("/resources/limits"))), ("Requests", plain(spec.pointer("/resources/requests")))]);
    structure(&[
        ("AccessModes", plain(spec.get("accessModes"))),
        ("Selector", plain(spec.get("selector"))),
        ("Resources", resources),
        ("VolumeName", plain(Some(spec.get("volumeName").unwrap_or(&Value::String(String::new()))))),
        ("StorageClassName", plain(spec.get("storageClassName"))),
        ("VolumeMode", plain(spec.get("volumeMode"))),
        ("DataSource", fields(spec.get("dataSource"), &["apiGroup", "kind", "name"])),
        ("DataSourceRef", fields(spec.get("dataSourceRef"), &["apiGroup", "kind", "name", "namespace"])),
        ("VolumeAttributesClassName", plain(spec.get("volumeAttributesClassName"))),
    ])
}

/// What kinds of storage a volume can be, as they are called in it.
pub const SOURCES: [&str; 22] = [
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "hostPath",
    "glusterfs",
    "nfs",
    "rbd",
    "quobyte",
    "iscsi",
    "flexVolume",
    "cinder",
    "cephfs",
    "fc",
    "flocker",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

const CSI: [&str; 10] = [
    "driver",
    "volumeHandle",
    "readOnly",
    "fsType",
    "volumeAttributes",
    "controllerPublishSecretRef",
    "nodeStageSecretRef",
    "nodePublishSecretRef",
    "controllerExpandSecretRef",
    "nodeExpandSecretRef",
];

/// Where a volume's storage is.
pub fn source(spec: &Value) -> String {
    let shown = |name: &&'static str| {
        let value = spec.get(*name);
        let shown = match *name {
            "csi" => fields(value, &CSI),
            "hostPath" => fields(value, &["path", "type"]),
            "nfs" => fields(value, &["server", "path", "readOnly"]),
            "local" => fields(value, &["path", "fsType"]),
            _ => plain(value),
        };
        (named(name), shown)
    };
    let all: Vec<(String, String)> = SOURCES.iter().map(shown).collect();
    structure(&all.iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>())
}

/// The API server's name for a field.
fn named(field: &str) -> String {
    match field {
        "csi" | "nfs" | "rbd" | "iscsi" | "fc" => field.to_uppercase(),
        "cephfs" => "CephFS".to_owned(),
        "storageos" => "StorageOS".to_owned(),
        "fsType" => "FSType".to_owned(),
        "apiGroup" => "APIGroup".to_owned(),
        "gcePersistentDisk" => "GCEPersistentDisk".to_owned(),
        "awsElasticBlockStore" => "AWSElasticBlockStore".to_owned(),
        _ => field[..1].to_uppercase() + &field[1..],
    }
}

/// Texts and truths that are not given are shown empty, everything else as nothing.
fn fields(object: Option<&Value>, names: &[&str]) -> String {
    let Some(object) = object else { return "null".to_owned() };
    let shown = |name: &&str| {
        let value = match (object.get(*name), *name) {
            (Some(value), _) => plain(Some(value)),
            (None, "readOnly") => "false".to_owned(),
            (None, "driver" | "volumeHandle" | "fsType" | "path" | "server" | "kind" | "name") => "\"\"".to_owned(),
            (None, _) => "null".to_owned(),
        };
        (named(name), value)
    };
    let all: Vec<(String, String)> = names.iter().map(shown).collect();
    structure(&all.iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>())
}

fn structure(fields: &[(&str, String)]) -> String {
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!(" \"{name}\": {}", value.replace('\n', "\n "))).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn plain(value: Option<&Value>) -> String {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" "));
    drop(value.serialize(&mut serializer));
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let spec = |name: &str| {
            json!({"accessModes": ["ReadWriteOnce"], "volumeName": name, "storageClassName": "fast", "volumeMode": "Block",
                "resources": {"requests": {"storage": "1Gi"}}})
        };
        let shown = between(&claim(&spec("one")), &claim(&spec("two")));
        assert_eq!(
            shown,
            concat!(
                "@@ -9,7 +9,7 @@\n    \"storage\": \"1Gi\"\n   }\n  },\n- \"VolumeName\": \"one\",\n+ \"VolumeName\": \"two\",\n",
                "  \"StorageClassName\": \"fast\",\n  \"VolumeMode\": \"Block\",\n  \"DataSource\": null,\n"
            )
        );
    }
}
