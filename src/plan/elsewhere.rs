//! What in the whole cluster names a machine's namespace and would not find the machine in the target: one line for each kind.
//!
//! Sources of the fields: kubernetes/api `networking/v1/types.go`, `core/v1/types.go`; kubernetes-sigs/gateway-api `apis/v1/httproute_types.go`;
//! kubevirt/containerized-data-importer `staging/src/kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1/types.go`;
//! kubevirt/kubevirt `staging/src/kubevirt.io/api/migrations/v1alpha1/types.go`; vmware-tanzu/velero `pkg/apis/velero/v1/backup_types.go`;
//! prometheus-operator `pkg/apis/monitoring/v1/types.go`.

use std::collections::BTreeMap;

use super::checks::machines::Machine;
use super::pointers::{Guest, owned, picks};
use super::references::matches;
use crate::model::inventory::Place;
use crate::model::json::Json;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;

/// Label that the API server gives each namespace (Kubernetes `pkg/apis/core/v1/defaults.go`, since 1.21).
const NAME: &str = "kubernetes.io/metadata.name";

/// A kind of which objects anywhere may name a namespace with a guest in it.
pub struct Elsewhere {
    pub kind: Kind,
    /// What cannot be known where the kind may not be listed: completes "it cannot be known ...".
    pub why: &'static str,
    /// Which of them are looked at, as a field selector.
    pub fields: &'static str,
    /// Whether an object says something of the source's namespace that it does not say of the target's.
    of: fn(&Manifest, &Ends) -> bool,
    /// Whether what it says is for a guest.
    to: fn(&Manifest, &Ends, &Guest) -> bool,
}

const TRAFFIC: &str = "which network policies elsewhere name the guest's namespace";
const WATCHES: &str = "whether monitors elsewhere watch a guest";

const fn row(kind: Kind, why: &'static str, of: fn(&Manifest, &Ends) -> bool, to: fn(&Manifest, &Ends, &Guest) -> bool) -> Elsewhere {
    Elsewhere { kind, why, fields: "", of, to }
}

const SERVICES: Elsewhere = row(kind::SERVICE, "which Services elsewhere are other names of the guest's", |_, _| true, external_name);

pub const ELSEWHERE: &[Elsewhere] = &[
    row(kind::NETWORK_POLICY, TRAFFIC, lets_the_source, lets_through),
    row(kind::MULTI_NETWORK_POLICY, TRAFFIC, lets_the_source, lets_through),
    Elsewhere { fields: "spec.type=ExternalName", ..SERVICES },
    row(kind::HTTP_ROUTE, "whether routes elsewhere lead to a guest", is_elsewhere, http_route),
    row(kind::DATA_SOURCE, "whether a disk is a golden image for others", is_elsewhere, data_source),
    row(kind::SERVICE_MONITOR, WATCHES, watches, |monitor, _, guest| {
        guest.services.iter().any(|service| picks(monitor, "/spec/selector", &owned(service)))
    }),
    row(kind::POD_MONITOR, WATCHES, watches, |monitor, _, guest| picks(monitor, "/spec/selector", &guest.labels)),
    row(kind::BACKUP_SCHEDULE, "which schedules back the guest's namespace up", schedule, |_, _, _| true),
    row(kind::MIGRATION_POLICY, "whether a policy for migrations is for the guest's namespace", migrates, |policy, _, guest| {
        has_labels(policy, "virtualMachineInstanceSelector", &guest.labels)
    }),
];

/// Where machines are, and where they are to be, as selectors see it.
pub struct Ends<'a> {
    source: Space<'a>,
    /// `None` where only the source is looked at.
    target: Option<Space<'a>>,
}

struct Space<'a> {
    name: &'a str,
    labels: BTreeMap<String, String>,
}

impl<'a> Space<'a> {
    /// Of one that cannot be read, or is to be made, only the name is known.
    fn of(place: &'a Place) -> Self {
        let mut labels = place.namespace_object().map(owned).unwrap_or_default();
        labels.insert(NAME.to_owned(), place.namespace.clone());
        Self { name: &place.namespace, labels }
    }
}

impl<'a> Ends<'a> {
    pub fn of(source: &'a Place, target: Option<&'a Place>) -> Self {
        Self { source: Space::of(source), target: target.map(Space::of) }
    }

    /// Whether something is said of the source and not of the target.
    fn left(&self, said: impl Fn(&Space) -> bool) -> bool {
        said(&self.source) && !self.target.as_ref().is_some_and(said)
    }

    fn is_source(&self, namespace: Option<&str>) -> bool {
        namespace == Some(self.source.name)
    }
}

/// Whether an object says something of the source's namespace that it does not say of the target's. The others are not looked at further.
pub fn concerns(row: &Elsewhere, object: &Manifest, ends: &Ends) -> bool {
    (row.of)(object, ends)
}

/// What names the namespace of a machine, or the machine by way of it, anywhere in the cluster.
pub fn left_pointing<'a>(machine: &Machine<'a>, ends: &Ends) -> Vec<(Kind, &'a Manifest)> {
    let seen = machine.seen;
    let mut there = ELSEWHERE.iter().flat_map(|row| seen.elsewhere.all(row.kind).map(move |object| (row, object))).peekable();
    if there.peek().is_none() {
        return Vec::new();
    }
    let guest = Guest::of(machine);
    there.filter(|(row, object)| concerns(row, object, ends) && (row.to)(object, ends, &guest)).map(|(row, object)| (row.kind, object)).collect()
}

fn is_elsewhere(object: &Manifest, ends: &Ends) -> bool {
    !ends.is_source(object.namespace())
}

fn peers(policy: &Manifest) -> impl Iterator<Item = Json<'_>> {
    let side = |rules: &str, side: &'static str| policy.list(rules).flat_map(move |rule| rule.list(side));
    side("/spec/ingress", "/from").chain(side("/spec/egress", "/to"))
}

/// A peer without a selector of namespaces is in the policy's own; one without any is a range of addresses.
fn is_left(policy: &Manifest, peer: Json, ends: &Ends) -> bool {
    match (peer.at("/namespaceSelector"), peer.at("/podSelector")) {
        (Some(spaces), _) => ends.left(|space| matches(Some(spaces), &space.labels)),
        (None, Some(_)) => ends.left(|space| policy.namespace() == Some(space.name)),
        (None, None) => false,
    }
}

fn lets_the_source(policy: &Manifest, ends: &Ends) -> bool {
    peers(policy).any(|peer| is_left(policy, peer, ends))
}

fn lets_through(policy: &Manifest, ends: &Ends, guest: &Guest) -> bool {
    peers(policy).any(|peer| is_left(policy, peer, ends) && matches(peer.at("/podSelector"), &guest.labels))
}

/// The name is one in the cluster's DNS, of a Service or of something below it.
fn external_name(service: &Manifest, ends: &Ends, guest: &Guest) -> bool {
    let host = service.text("/spec/externalName").unwrap_or_default();
    let parts: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    parts.windows(3).any(|part| guest.has_service(part[0]) && ends.is_source(Some(part[1])) && part[2] == "svc")
}

/// Those of the guest's own namespace are told as what points at it there.
fn http_route(route: &Manifest, ends: &Ends, guest: &Guest) -> bool {
    let mut backends = route.list("/spec/rules").flat_map(|rule| rule.list("/backendRefs"));
    backends.any(|backend| ends.is_source(backend.text("/namespace")) && backend.text("/name").is_some_and(|name| guest.has_service(name)))
}

/// Those of the guest's own namespace have a check of their own.
fn data_source(source: &Manifest, ends: &Ends, guest: &Guest) -> bool {
    let Some(claim) = source.at("/spec/source/pvc") else { return false };
    ends.is_source(claim.text("/namespace"))
        && claim.text("/name").is_some_and(|name| guest.instance.volumes().any(|volume| volume.claim() == Some(name)))
}

fn watches(monitor: &Manifest, ends: &Ends) -> bool {
    ends.left(|space| monitor.list("/spec/namespaceSelector/matchNames").any(|name| name.as_str() == Some(space.name)))
}

/// Without a list all namespaces are meant.
fn schedule(schedule: &Manifest, ends: &Ends) -> bool {
    let names = |list: &str, space: &Space| {
        schedule.list(&format!("/spec/template/{list}")).any(|name| name.as_str().is_some_and(|name| name == "*" || name == space.name))
    };
    let all = schedule.list("/spec/template/includedNamespaces").next().is_none();
    ends.left(|space| (all || names("includedNamespaces", space)) && !names("excludedNamespaces", space))
}

fn migrates(policy: &Manifest, ends: &Ends) -> bool {
    ends.left(|space| has_labels(policy, "namespaceSelector", &space.labels))
}

/// The selectors of such a policy are plain labels; an absent one picks all.
fn has_labels(policy: &Manifest, selector: &str, labels: &BTreeMap<String, String>) -> bool {
    let mut wanted = policy.at(&format!("/spec/selectors/{selector}")).into_iter().flat_map(Json::fields);
    wanted.all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
}
