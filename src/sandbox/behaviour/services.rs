//! Services: each gets an address that no other has.
//! Source: kubernetes 1.36 `pkg/registry/core/service/storage/alloc.go`, `pkg/apis/core/v1/defaults.go`.
//!
//! Cases: `objects/a-service-gets-an-address`, `objects/an-address-is-given-once`, `objects/a-service-without-an-address-stays-so`.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::objects::{default, list, put, remove};
use super::{Rule, Subject, Verb};
use crate::sandbox::catalog::SERVICE;
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &SERVICE, subresource: "", verbs: &[Verb::Create, Verb::Update], run: complete },
        Rule { resource: &SERVICE, subresource: "", verbs: &[Verb::Create, Verb::Update], run: address },
        Rule { resource: &SERVICE, subresource: "", verbs: &[Verb::Create, Verb::Update], run: ports },
    ],
    controllers: &[],
};

/// Addresses are 10.96.x.y; the first belongs to the API server.
const ADDRESSES: u64 = 1 << 16;
/// Ports on nodes begin here, and there are so many.
const NODE_PORTS: (u64, u64) = (30_000, 2_768);

fn complete(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let service = &mut attempt.object;
    default(service, "/spec/type", "ClusterIP");
    default(service, "/spec/sessionAffinity", "None");
    let mut ports = list(service, "/spec/ports").to_vec();
    for port in &mut ports {
        default(port, "/protocol", "TCP");
        let own = port["port"].clone();
        default(port, "/targetPort", own);
    }
    if !ports.is_empty() {
        put(service, "/spec/ports", ports);
    }
    if text(service, "/spec/type") == "ExternalName" {
        return Ok(());
    }
    default(service, "/spec/internalTrafficPolicy", "Cluster");
    default(service, "/spec/ipFamilies", json!(["IPv4"]));
    default(service, "/spec/ipFamilyPolicy", "SingleStack");
    if attempt.verb == Verb::Create {
        put(service, "/status/loadBalancer", json!({}));
    }
    Ok(())
}

fn address(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let old = attempt.old.as_deref().map(|old| text(old, "/spec/clusterIP").to_owned()).unwrap_or_default();
    let asked = text(&attempt.object, "/spec/clusterIP").to_owned();
    if text(&attempt.object, "/spec/type") == "ExternalName" {
        remove(&mut attempt.object, "/spec", "clusterIP");
        remove(&mut attempt.object, "/spec", "clusterIPs");
        return Ok(());
    }
    let refused = |field: &str, asked: Value, why: &str| Err(Status::invalid(&SERVICE, attempt.name(), &[Cause::invalid(field, &asked, why)]));
    let given = match (old.as_str(), asked.as_str()) {
        ("", "") => free(world, attempt.name()),
        (old, "") => old.to_owned(),
        ("" | "None", "None") => asked,
        ("", asked) if taken(world).contains(asked) => {
            let why = format!("failed to allocate IP {asked}: provided IP is already allocated");
            return refused("spec.clusterIPs", json!([asked]), &why);
        }
        ("", asked) => asked.to_owned(),
        (old, asked) if old == asked => asked.to_owned(),
        (_, asked) => return refused("spec.clusterIPs[0]", json!([asked]), "may not change once set"),
    };
    put(&mut attempt.object, "/spec/clusterIP", given.as_str());
    put(&mut attempt.object, "/spec/clusterIPs", json!([given]));
    Ok(())
}

fn taken(world: &World) -> BTreeSet<String> {
    world.store.list(&SERVICE, None).map(|(_, service)| text(service, "/spec/clusterIP").to_owned()).collect()
}

/// Where the search for something free begins.
fn lot(of: impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    of.hash(&mut hash);
    hash.finish()
}

fn free(world: &World, name: &str) -> String {
    let taken = taken(world);
    let first = lot((name, taken.len()));
    let all = (0..ADDRESSES).map(|step| first.wrapping_add(step) % ADDRESSES).filter(|number| *number > 1);
    all.map(|number| format!("10.96.{}.{}", number >> 8, number & 0xff)).find(|address| !taken.contains(address)).unwrap_or_default()
}

/// Services that are reached through nodes get a port there.
fn ports(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if !matches!(text(&attempt.object, "/spec/type"), "NodePort" | "LoadBalancer") {
        return Ok(());
    }
    let of = |service: &Value| list(service, "/spec/ports").iter().filter_map(|port| port["nodePort"].as_u64()).collect::<Vec<u64>>();
    let mut taken: BTreeSet<u64> = world.store.list(&SERVICE, None).flat_map(|(_, service)| of(service)).collect();
    let mut ports = list(&attempt.object, "/spec/ports").to_vec();
    for port in ports.iter_mut().filter(|port| port["nodePort"].as_u64().is_none_or(|port| port == 0)) {
        let kept =
            attempt.old.as_deref().and_then(|old| list(old, "/spec/ports").iter().find(|was| was["port"] == port["port"])?["nodePort"].as_u64());
        let first = lot((attempt.name(), port["port"].as_u64()));
        let mut all = (0..NODE_PORTS.1).map(|step| NODE_PORTS.0 + first.wrapping_add(step) % NODE_PORTS.1);
        if let Some(number) = kept.or_else(|| all.find(|number| !taken.contains(number))) {
            taken.insert(number);
            port["nodePort"] = number.into();
        }
    }
    put(&mut attempt.object, "/spec/ports", ports);
    Ok(())
}
