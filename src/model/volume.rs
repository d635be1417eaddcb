//! Reading the volumes and networks of a virtual machine: what each one is made of, or the name of what nobody here knows.
//!
//! The lists are closed on purpose: a source that is not named here comes out as `Other`, and is never taken for harmless.
//! Source: kubevirt/kubevirt `staging/src/kubevirt.io/api/core/v1/schema.go` (VolumeSource, NetworkSource).

use super::json::Json;

/// One entry of `volumes`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Volume<'a> {
    pub name: &'a str,
    pub source: VolumeSource<'a>,
}

/// What a volume is made of. Names are names of objects in the machine's namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VolumeSource<'a> {
    Claim {
        claim: &'a str,
        hotpluggable: bool,
    },
    DataVolume {
        name: &'a str,
        hotpluggable: bool,
    },
    ContainerDisk {
        image: &'a str,
        pull_secret: Option<&'a str>,
    },
    CloudInit {
        user_data: Option<&'a str>,
        network_data: Option<&'a str>,
    },
    Secret {
        name: &'a str,
        optional: bool,
    },
    ConfigMap {
        name: &'a str,
        optional: bool,
    },
    ServiceAccount {
        name: &'a str,
    },
    Sysprep {
        secret: Option<&'a str>,
        config_map: Option<&'a str>,
    },
    EmptyDisk,
    Ephemeral {
        claim: &'a str,
    },
    HostDisk {
        path: &'a str,
    },
    MemoryDump {
        claim: &'a str,
    },
    DownwardApi,
    DownwardMetrics,
    ContainerPath,
    /// A source, or a mixture of sources, that nobody here knows: its keys.
    Other(String),
}

impl<'a> Volume<'a> {
    /// Reads one entry of `volumes`.
    pub fn read(volume: Json<'a>) -> Self {
        let source = match only_key(volume) {
            Ok((key, value)) => VolumeSource::read(key, value),
            Err(keys) => VolumeSource::Other(keys),
        };
        Self { name: text(volume, "name").unwrap_or_default(), source }
    }

    /// The claim whose bytes the volume is: a claim's or a DataVolume's, which have the same name. Not the base of an
    /// ephemeral volume, nor the claim that a memory dump is written to.
    pub fn claim(&self) -> Option<&'a str> {
        match self.source {
            VolumeSource::Claim { claim, .. } => Some(claim),
            VolumeSource::DataVolume { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl<'a> VolumeSource<'a> {
    fn read(key: &'a str, value: Json<'a>) -> Self {
        let named = |field: &str| text(value, field).unwrap_or_default();
        let flag = |field: &str| value.get(field).and_then(Json::as_bool).unwrap_or(false);
        let reference = |field: &str| value.get(field).and_then(|object| text(object, "name"));
        match key {
            "persistentVolumeClaim" => Self::Claim { claim: named("claimName"), hotpluggable: flag("hotpluggable") },
            "dataVolume" => Self::DataVolume { name: named("name"), hotpluggable: flag("hotpluggable") },
            "containerDisk" => Self::ContainerDisk { image: named("image"), pull_secret: text(value, "imagePullSecret") },
            "cloudInitNoCloud" | "cloudInitConfigDrive" => {
                Self::CloudInit { user_data: reference("secretRef"), network_data: reference("networkDataSecretRef") }
            }
            "secret" => Self::Secret { name: named("secretName"), optional: flag("optional") },
            "configMap" => Self::ConfigMap { name: named("name"), optional: flag("optional") },
            "serviceAccount" => Self::ServiceAccount { name: named("serviceAccountName") },
            "sysprep" => Self::Sysprep { secret: reference("secret"), config_map: reference("configMap") },
            "emptyDisk" => Self::EmptyDisk,
            "ephemeral" => Self::Ephemeral { claim: value.text("/persistentVolumeClaim/claimName").unwrap_or_default() },
            "hostDisk" => Self::HostDisk { path: named("path") },
            "memoryDump" => Self::MemoryDump { claim: named("claimName") },
            "downwardAPI" => Self::DownwardApi,
            "downwardMetrics" => Self::DownwardMetrics,
            "containerPath" => Self::ContainerPath,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One entry of `networks`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Network<'a> {
    pub name: &'a str,
    pub source: NetworkSource<'a>,
}

/// What a network is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NetworkSource<'a> {
    /// The pod network of the namespace.
    Pod,
    /// A network attachment: `name` (in the machine's namespace) or `namespace/name`.
    Multus {
        attachment: &'a str,
        /// It takes the place of the pod network.
        default: bool,
    },
    /// A device of a resource claim.
    ResourceClaim,
    /// A source that nobody here knows: its keys.
    Other(String),
}

impl<'a> Network<'a> {
    /// Reads one entry of `networks`.
    pub fn read(network: Json<'a>) -> Self {
        let source = match only_key(network) {
            Ok(("pod", _)) => NetworkSource::Pod,
            Ok(("multus", value)) => {
                NetworkSource::Multus { attachment: text(value, "networkName").unwrap_or_default(), default: value.flag("/default") }
            }
            Ok(("resourceClaim", _)) => NetworkSource::ResourceClaim,
            Ok((other, _)) => NetworkSource::Other(other.to_owned()),
            Err(keys) => NetworkSource::Other(keys),
        };
        Self { name: text(network, "name").unwrap_or_default(), source }
    }
}

/// One entry of `domain.devices.interfaces`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interface<'a> {
    pub name: &'a str,
    pub mac: Option<&'a str>,
    /// How it is bound, as the manifest spells it: `masquerade`, `bridge`, `sriov`, or the plugin of `binding`.
    pub binding: Option<&'a str>,
    /// Whether the binding is a plugin, which the KubeVirt CR describes.
    pub plugin: bool,
}

impl<'a> Interface<'a> {
    const BINDINGS: [&'static str; 7] = ["masquerade", "bridge", "sriov", "slirp", "macvtap", "passt", "passtBinding"];

    /// Reads one entry of `interfaces`.
    pub fn read(interface: Json<'a>) -> Self {
        let plugin = interface.get("binding").and_then(|binding| text(binding, "name"));
        let core = Self::BINDINGS.into_iter().find(|key| interface.get(key).is_some_and(|value| !value.is_null()));
        Self {
            name: text(interface, "name").unwrap_or_default(),
            mac: text(interface, "macAddress"),
            binding: plugin.or(core),
            plugin: plugin.is_some(),
        }
    }
}

/// The one key beside `name`, with its value; else the keys there are.
fn only_key(entry: Json<'_>) -> Result<(&str, Json<'_>), String> {
    let keys: Vec<_> = entry.fields().filter(|(key, value)| *key != "name" && !value.is_null()).collect();
    match keys.as_slice() {
        [one] => Ok(*one),
        several => Err(several.iter().map(|(key, _)| *key).collect::<Vec<_>>().join("+")),
    }
}

fn text<'a>(value: Json<'a>, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Json::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_volume_is_what_its_one_source_says() {
        let hot = json!({"name": "data", "dataVolume": {"name": "db-1-data", "hotpluggable": true}});
        let volume = Volume::read((&hot).into());
        assert_eq!(volume.claim(), Some("db-1-data"));
        assert_eq!(volume.source, VolumeSource::DataVolume { name: "db-1-data", hotpluggable: true });
        let seed = json!({"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "seed"}, "networkData": "version: 2"}});
        assert_eq!(Volume::read((&seed).into()).source, VolumeSource::CloudInit { user_data: Some("seed"), network_data: None });
    }

    #[test]
    fn what_nobody_knows_is_never_taken_for_something_known() {
        let future = json!({"name": "x", "quantumDisk": {}});
        assert_eq!(Volume::read((&future).into()).source, VolumeSource::Other("quantumDisk".into()));
        let mixture = json!({"name": "x", "persistentVolumeClaim": {"claimName": "c"}, "quantum": {}});
        assert_eq!(Volume::read((&mixture).into()).source, VolumeSource::Other("persistentVolumeClaim+quantum".into()));
        assert_eq!(Network::read((&json!({"name": "n", "vdpa": {}})).into()).source, NetworkSource::Other("vdpa".into()));
    }

    #[test]
    fn a_plugin_binding_goes_by_its_name() {
        let udn = json!({"name": "net", "binding": {"name": "l2bridge"}, "macAddress": "02:00:00:00:00:01"});
        assert_eq!(
            Interface::read((&udn).into()),
            Interface { name: "net", mac: Some("02:00:00:00:00:01"), binding: Some("l2bridge"), plugin: true }
        );
    }
}
