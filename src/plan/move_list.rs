//! The move list: what a user writes down to be moved, by hand or with `select`. Everything that a flag can say, and more per machine and disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::document::API_VERSION;
use super::request::{MoveRequest, Options, Strategy};

/// A `MoveList` as written to files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoveList {
    pub api_version: String,
    pub kind: String,
    pub spec: MoveListSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MoveListSpec {
    /// The namespace of the machines; absent: that of the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The target namespace; absent: that of the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create_namespace: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub options: Options,
    /// A strategy for all disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The target's storage class for all disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The target's storage class for disks that are on another one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map_storage_class: BTreeMap<String, String>,
    /// Networks in the target, by networks in the source.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map_network: BTreeMap<String, String>,
    /// Also move what something else manages.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    #[serde(deserialize_with = "none_is_empty")]
    pub machines: Vec<ListedMachine>,
}

/// A list whose items are all commented out reads as null.
fn none_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ListedMachine>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// One virtual machine of a list.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListedMachine {
    pub name: String,
    /// Its name in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<ListedDisk>,
}

/// One disk of a listed machine.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListedDisk {
    pub claim: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The target's storage class for this disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

fn is_default(options: &Options) -> bool {
    *options == Options::default()
}

impl MoveList {
    /// A list of these machines.
    pub fn of(source: &str, target: Option<&str>, machines: &[String]) -> Self {
        let machines = machines.iter().map(|name| ListedMachine { name: name.clone(), ..ListedMachine::default() }).collect();
        let spec = MoveListSpec { source: Some(source.to_owned()), target: target.map(str::to_owned), machines, ..MoveListSpec::default() };
        Self { api_version: API_VERSION.to_owned(), kind: "MoveList".to_owned(), spec }
    }

    /// What the list asks for. Flags are laid over it.
    pub fn request(&self) -> MoveRequest {
        let spec = &self.spec;
        let disks = || spec.machines.iter().flat_map(|machine| &machine.disks);
        MoveRequest {
            machines: spec.machines.iter().map(|machine| machine.name.clone()).collect(),
            target_namespace: spec.target.clone().unwrap_or_default(),
            create_namespace: spec.create_namespace,
            options: spec.options.clone(),
            strategy: spec.strategy,
            claim_strategies: disks().filter_map(|disk| Some((disk.claim.clone(), disk.strategy?))).collect(),
            storage_class: spec.storage_class.clone(),
            claim_classes: disks().filter_map(|disk| Some((disk.claim.clone(), disk.storage_class.clone()?))).collect(),
            class_map: spec.map_storage_class.clone(),
            rename: spec.machines.iter().filter_map(|machine| Some((machine.name.clone(), machine.rename.clone()?))).collect(),
            network_map: spec.map_network.clone(),
            force: spec.force,
        }
    }
}

/// A list to be filled in by hand: every machine there is, commented out, beside what can be said about it.
pub fn template(source: &str, target: Option<&str>, machines: &[String]) -> String {
    let quoted = |name: &str| Value::from(name).to_string();
    let target = target
        .map_or_else(|| "  # target: NAMESPACE          # the namespace they go to\n".to_owned(), |target| format!("  target: {}\n", quoted(target)));
    let machines = machines.iter().map(|name| format!("  # - name: {}\n", quoted(name))).collect::<Vec<_>>().concat();
    format!("{HEAD}  source: {}\n{target}{MIDDLE}{machines}", quoted(source))
}

const HEAD: &str = "\
# What is to be moved. Take the '# ' away in front of what you want, then review it with 'plan -f'.
apiVersion: vmmove.io/v1alpha1
kind: MoveList
spec:
";

const MIDDLE: &str = "  \
  # createNamespace: true      # make it as the first step
  # strategy: CdiClone         # force a strategy for all disks; see 'explain CdiClone'
  # storageClass: fast         # the target's class for all disks
  # mapStorageClass:           # or only for those on another one
  #   old: new
  # mapNetwork:                # networks in the target, by those in the source
  #   vlan10: prod/vlan10
  # options:
  #   volumes: move            # the volumes themselves change hands; nothing is copied
  #   start: as-before         # or always, never
  #   parallel: 4
  machines:
  # - name: NAME
  #   rename: NEW              # its name in the target
  #   disks:
  #   - claim: CLAIM
  #     strategy: Rebind       # how this disk travels
  #     storageClass: fast     # the target's class for this disk
  ## What there is:
";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_says_what_flags_say() {
        let list: MoveList = serde_json::from_value(json!({
            "apiVersion": API_VERSION, "kind": "MoveList",
            "spec": {"source": "shop", "target": "prod", "options": {"parallel": 2}, "mapStorageClass": {"fast": "slow"}, "machines": [
                {"name": "db-1", "rename": "db-2", "disks": [
                    {"claim": "db-1-data", "strategy": "CdiClone"}, {"claim": "db-1-log", "storageClass": "cheap"},
                ]}, {"name": "web-1"},
            ]},
        }))
        .unwrap();
        let request = list.request();
        assert_eq!((request.machines, request.target_namespace), (vec!["db-1".to_owned(), "web-1".to_owned()], "prod".to_owned()));
        assert_eq!(request.options, Options { parallel: 2, ..Options::default() });
        assert_eq!(request.claim_strategies, [("db-1-data".to_owned(), Strategy::CdiClone)].into());
        assert_eq!(request.claim_classes, [("db-1-log".to_owned(), "cheap".to_owned())].into());
        assert_eq!((request.rename["db-1"].as_str(), request.class_map["fast"].as_str()), ("db-2", "slow"));
    }

    #[test]
    fn a_list_of_names_is_short() {
        let list = serde_json::to_value(MoveList::of("shop", None, &["db-1".to_owned()])).unwrap();
        assert_eq!(list["spec"], json!({"source": "shop", "machines": [{"name": "db-1"}]}));
    }
}
