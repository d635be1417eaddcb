//! What `assess` says about the machines of a namespace: what they are made of and what would speak against moving them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::checks;
use super::checks::disks::{Disk, disks_of};
use super::checks::machines::Machine;
use super::document::API_VERSION;
use super::references::references;
use super::request::MoveRequest;
use crate::model::assessment::AssessmentRow;
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::Inventory;
use crate::model::json::Json;
use crate::model::kind::{self, Kind};
use crate::model::names::ObjectRef;
use crate::model::vm::Vmi;
use crate::model::volume::NetworkSource;

/// An `Assessment` as it is printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assessment {
    pub api_version: String,
    pub kind: String,
    pub metadata: AssessmentMeta,
    /// Sorted by name, unless the user asked for another order.
    pub machines: Vec<MachineAssessment>,
    /// What concerns no machine in particular, such as a kind that cannot be read or a name that does not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// Where the machines are.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssessmentMeta {
    pub namespace: String,
    /// UID of namespace kube-system; empty when it could not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
}

/// Of a machine's own metadata what its row is found and sorted by.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineMeta {
    pub name: String,
    pub namespace: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
}

/// One machine: the row of the table, and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineAssessment {
    #[serde(default)]
    pub metadata: MachineMeta,
    pub summary: AssessmentRow,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskAssessment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<DependentAssessment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A disk that is a claim.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskAssessment {
    /// The volume's name in the machine.
    pub volume: String,
    pub claim: String,
    /// `Bound`, `Pending`, `Lost`; empty where the claim was not seen.
    pub phase: String,
    /// Bytes: what it has, else what it asks for.
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    pub volume_mode: String,
    pub access_modes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume: Option<String>,
}

/// An object that a machine refers to, or that selects its pod.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DependentAssessment {
    pub kind: Kind,
    pub name: String,
    /// What it is for.
    pub why: String,
    pub exists: bool,
}

impl Assessment {
    /// The rows of the table.
    pub fn rows(&self) -> impl Iterator<Item = &AssessmentRow> {
        self.machines.iter().map(|machine| &machine.summary)
    }

    /// Every finding, the worst first.
    pub fn all_findings(&self) -> Vec<Finding> {
        let mut all: Vec<Finding> = self.machines.iter().flat_map(|machine| &machine.findings).chain(&self.findings).cloned().collect();
        checks::sort(&mut all);
        all
    }
}

/// Assesses these machines of the source, all of them when no names are given. A name that does not exist is a finding.
pub fn assess(seen: &Inventory, names: &[String]) -> Assessment {
    let everyone = || seen.source.objects.all(kind::VM).map(|vm| vm.name().to_owned()).collect();
    let mut chosen: Vec<String> = if names.is_empty() { everyone() } else { names.to_vec() };
    chosen.sort_unstable();
    chosen.dedup();
    let findings = checks::findings(seen, &MoveRequest { machines: chosen.clone(), ..MoveRequest::default() });
    let mut by_object = BTreeMap::<&ObjectRef, Vec<&Finding>>::new();
    for finding in &findings {
        by_object.entry(&finding.object).or_default().push(finding);
    }
    let machines = chosen.iter().filter_map(|name| Machine::find(seen, name)).map(|machine| one(machine, &by_object)).collect();
    let metadata = AssessmentMeta { namespace: seen.source.namespace.clone(), cluster: seen.source.cluster.id.clone() };
    Assessment { api_version: API_VERSION.to_owned(), kind: "Assessment".to_owned(), metadata, machines, findings: unclaimed(seen, findings) }
}

/// What is said of no machine that was assessed.
fn unclaimed(seen: &Inventory, mut findings: Vec<Finding>) -> Vec<Finding> {
    let machines = seen.source.objects.all(kind::VM).filter_map(|vm| Machine::find(seen, vm.name()));
    let claimed: BTreeSet<ObjectRef> = machines.flat_map(parts).collect();
    findings.retain(|finding| !claimed.contains(&finding.object));
    findings
}

/// A machine and its disks, each once.
fn parts(machine: Machine) -> BTreeSet<ObjectRef> {
    disks_of(machine).map(|disk| disk.reference()).chain([machine.reference()]).collect()
}

fn one(machine: Machine, findings: &BTreeMap<&ObjectRef, Vec<&Finding>>) -> MachineAssessment {
    let disks: Vec<DiskAssessment> = disks_of(machine).map(|disk| disk_of(&disk)).collect();
    let dependents: Vec<DependentAssessment> = references(machine.vm, &machine.seen.source)
        .into_iter()
        .map(|found| DependentAssessment { kind: found.kind, name: found.name, why: found.why, exists: found.exists })
        .collect();
    let mut findings: Vec<Finding> = parts(machine).iter().filter_map(|part| findings.get(part)).flatten().map(|found| (*found).clone()).collect();
    checks::sort(&mut findings);
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let mut classes: Vec<String> = disks.iter().filter_map(|disk| disk.class.clone()).collect();
    classes.sort_unstable();
    classes.dedup();
    let summary = AssessmentRow {
        name: machine.name().to_owned(),
        status: machine.lens().printable_status().to_owned(),
        disks: disks.len(),
        size: disks.iter().map(|disk| disk.size).sum(),
        networks: networks(&machine),
        dependents: dependents.iter().filter(|dependent| dependent.exists).count(),
        blocking: count(Severity::Blocking),
        warnings: count(Severity::Warning),
        created: machine.vm.text("/metadata/creationTimestamp").map(str::to_owned),
        node: machine.active().and_then(Vmi::node).map(str::to_owned),
        run_strategy: machine.lens().strategy().to_owned(),
        claims: disks.iter().map(|disk| disk.claim.clone()).collect(),
        classes,
    };
    let metadata = MachineMeta {
        name: summary.name.clone(),
        namespace: machine.vm.namespace().unwrap_or_default().to_owned(),
        labels: machine.vm.labels().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        creation_timestamp: summary.created.clone(),
    };
    MachineAssessment { metadata, summary, disks, dependents, findings }
}

fn disk_of(disk: &Disk) -> DiskAssessment {
    let named = DiskAssessment { volume: disk.volume.to_owned(), claim: disk.name.to_owned(), ..DiskAssessment::default() };
    let Some(claim) = disk.claim() else { return named };
    DiskAssessment {
        phase: claim.phase().to_owned(),
        size: claim.capacity().or_else(|| claim.request().and_then(crate::model::quantity::units)).unwrap_or(0),
        class: claim.class().map(str::to_owned),
        volume_mode: claim.volume_mode().to_owned(),
        access_modes: claim.access_modes().map(str::to_owned).collect(),
        persistent_volume: claim.volume_name().map(str::to_owned),
        ..named
    }
}

/// A machine without networks is on the pod network, unless it says otherwise (KubeVirt `autoattachPodInterface`).
fn networks(machine: &Machine) -> Vec<String> {
    let instance = machine.lens().instance();
    let names: Vec<String> = instance
        .networks()
        .map(|network| match network.source {
            NetworkSource::Pod => "pod".to_owned(),
            NetworkSource::Multus { attachment, .. } => attachment.to_owned(),
            NetworkSource::ResourceClaim | NetworkSource::Other(_) => network.name.to_owned(),
        })
        .collect();
    let attached = instance.at("/domain/devices/autoattachPodInterface").and_then(Json::as_bool).unwrap_or(true);
    if names.is_empty() && attached { vec!["pod".to_owned()] } else { names }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::plan::fixtures::{World, claim, codes, object, running, vm, vmi, volume};

    fn world() -> World {
        let mut db = running(vm("db-1", &["root", "data"]));
        db.set("/spec/template/spec/networks", json!([{"name": "default", "pod": {}}, {"name": "lan", "multus": {"networkName": "vlan10"}}]));
        db.set("/status/snapshotInProgress", "nightly".into());
        let (root, data) = (claim("root", 20), claim("data", 100));
        World::new().source(vmi(&db)).source(db).source(vm("web-1", &[])).cluster(volume(&root)).cluster(volume(&data)).source(root).source(data)
    }

    #[test]
    fn each_machine_is_a_row() {
        let assessment = assess(&world().seen_source(), &[]);
        let rows: Vec<_> = assessment.rows().collect();
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["db-1", "web-1"]);
        assert_eq!((rows[0].disks, rows[0].size, rows[0].blocking, rows[0].status.as_str()), (2, 120 << 30, 1, "Running"));
        assert_eq!((&rows[0].networks, &rows[1].networks), (&vec!["pod".to_owned(), "vlan10".to_owned()], &vec!["pod".to_owned()]));
        assert_eq!((rows[0].node.as_deref(), rows[0].classes.len(), rows[1].warnings + rows[1].blocking), (Some("node-1"), 1, 0));
        assert_eq!(codes(&assessment.machines[0].findings), ["V006"]);
        assert!(assessment.findings.is_empty());
    }

    #[test]
    fn what_a_machine_refers_to_is_counted() {
        let mut db = vm("db-1", &[]);
        db.set("/spec/template/spec/volumes", json!([{"name": "login", "secret": {"secretName": "login"}}]));
        let assessment = assess(&World::new().source(db).source(object(kind::SECRET, "login", json!({}))).seen_source(), &[]);
        assert_eq!(assessment.machines[0].summary.dependents, 1);
        assert_eq!(assessment.machines[0].dependents[0].name, "login");
    }

    #[test]
    fn a_name_that_does_not_exist_is_a_finding_of_nobody() {
        let assessment = assess(&world().seen_source(), &["web".to_owned()]);
        assert!(assessment.machines.is_empty());
        assert_eq!(codes(&assessment.findings), ["V001"]);
    }

    #[test]
    fn an_assessment_is_a_document() {
        let assessment = assess(&world().seen_source(), &[]);
        let text = serde_json::to_string(&assessment).unwrap();
        assert_eq!(serde_json::from_str::<Assessment>(&text).unwrap(), assessment);
    }
}
