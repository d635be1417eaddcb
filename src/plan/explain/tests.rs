//! Every code, strategy and field has a text, and every text is of something that there is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::model::kind;
use crate::plan::assessment::assess;
use crate::plan::document::{Change, DependentPlan, Ownership, Plan, PlanMeta, Rejected};
use crate::plan::fixtures::{World, claim, disk_plan, machine_plan, object, plan_spec, running, vm, vmi, volume};
use crate::plan::move_list::{ListedDisk, ListedMachine, MoveList, MoveListSpec};
use crate::plan::request::Strategy;

/// Codes in the source text of floors that make findings, tests and the texts themselves apart.
fn codes_in_source() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files =
        walkdir::WalkDir::new(root).into_iter().filter_map(Result::ok).filter(|entry| entry.path().extension().is_some_and(|end| end == "rs"));
    let counts = |path: &str| !["/explain/", "/output/", "/sandbox/", "/model/", "tests.rs"].iter().any(|part| path.contains(part));
    let mut codes = BTreeSet::new();
    for file in files.filter(|file| counts(&file.path().to_string_lossy().replace('\\', "/"))) {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        codes.extend(code.split('"').filter(|word| is_code(word)).map(str::to_owned));
    }
    codes
}

fn is_code(word: &str) -> bool {
    word.len() == 4 && word.starts_with(|c: char| c.is_ascii_uppercase()) && word[1..].chars().all(|c| c.is_ascii_digit())
}

#[test]
fn every_code_has_a_text_and_every_text_a_code() {
    let texts: Vec<&str> = FINDINGS.iter().flat_map(|group| group.iter()).map(|text| text.topic).collect();
    let explained: BTreeSet<String> = texts.iter().map(|topic| (*topic).to_owned()).collect();
    assert_eq!(explained.len(), texts.len(), "one text for each code");
    let used = codes_in_source();
    assert_eq!(used.difference(&explained).collect::<Vec<_>>(), [] as [&String; 0], "codes without a text");
    assert_eq!(explained.difference(&used).collect::<Vec<_>>(), [] as [&String; 0], "texts of codes that nothing uses");
}

#[test]
fn every_row_of_a_check_is_explained() {
    for check in checks::all() {
        assert!(explain(check.code).is_ok(), "{}: {}", check.code, check.title);
    }
}

#[test]
fn every_strategy_has_a_text() {
    assert_eq!(strategies::TEXTS.iter().map(|text| text.topic).collect::<Vec<_>>(), Strategy::ALL.map(Strategy::name));
}

#[test]
fn a_topic_is_found_in_any_case_and_a_mistyped_one_has_a_neighbour() {
    assert!(matches!(explain("v004"), Ok(Explanation::Text(text)) if text.topic == "V004"));
    assert!(matches!(explain("rebind"), Ok(Explanation::Text(_))));
    assert_eq!(explain("CdiClon"), Err(Some("CdiClone")));
    let Ok(Explanation::Fields { field, below }) = explain("moveplan.spec.machines.power") else { panic!("a field") };
    assert_eq!((field.path, below.len()), ("MovePlan.spec.machines.power", 4));
}

#[test]
fn texts_are_sentences() {
    for text in FINDINGS.iter().flat_map(|group| group.iter()).chain(strategies::TEXTS) {
        assert!(text.text.ends_with('.') && !text.title.ends_with('.'), "{}", text.topic);
    }
}

/// Paths of all fields of a document, through lists; what `free` names may hold anything.
fn paths(prefix: &str, value: &Value, free: &[&str], found: &mut BTreeSet<String>) {
    found.insert(prefix.to_owned());
    match value {
        _ if free.contains(&prefix) => {}
        Value::Object(fields) => fields.iter().for_each(|(key, value)| paths(&format!("{prefix}.{key}"), value, free, found)),
        Value::Array(items) => items.iter().for_each(|item| paths(prefix, item, free, found)),
        _ => {}
    }
}

fn documented(document: &[Field]) -> BTreeSet<String> {
    document.iter().map(|field| field.path.to_owned()).collect()
}

/// A plan in which every field says something.
fn full_plan() -> Plan {
    let mut disk = disk_plan("db-1", 20, Strategy::Rebind);
    disk.ownership = Ownership::DataVolume { name: "db-1".into(), uid: "u".into(), template: true };
    disk.rejected = vec![Rejected { strategy: Strategy::CloneRebind, why: "because".into() }];
    let mut machine = machine_plan("db-1", vec![disk]);
    machine.revisions = vec!["db-1-small".into()];
    machine.changes = vec![Change { path: "/x".into(), from: Some(1.into()), to: Some(2.into()), why: "because".into() }];
    machine.identity.firmware_serial = Some("s".into());
    machine.identity.machine_type = Some("q35".into());
    machine.identity.macs = [("net".to_owned(), "02:00:00:00:00:01".to_owned())].into();
    machine.identity.pci = machine.identity.macs.clone();
    machine.identity.agent = true;
    let mut spec = plan_spec(vec![machine]);
    spec.create_namespace = true;
    spec.force = true;
    spec.networks = [("shop/vlan10".to_owned(), "vlan10".to_owned())].into();
    spec.options.shutdown_timeout_seconds = Some(60);
    spec.options.max_downtime_seconds = Some(60);
    spec.options.force_stop = true;
    spec.options.accept_unclean = true;
    spec.dependents = vec![DependentPlan {
        kind: kind::SECRET,
        name: "login".into(),
        uid: "u".into(),
        resource_version: "1".into(),
        used_by: vec!["db-1".into()],
        exists: true,
    }];
    let metadata = PlanMeta { name: "shop-to-prod".into(), digest: "3f9ac1".into() };
    Plan { api_version: crate::plan::document::API_VERSION.into(), kind: "MovePlan".into(), metadata, spec }
}

#[test]
fn every_field_of_a_plan_is_documented_and_no_other() {
    let mut found = BTreeSet::new();
    let free = ["MovePlan.spec.networks", "MovePlan.spec.machines.identity.macs", "MovePlan.spec.machines.identity.pci"];
    paths("MovePlan", &serde_json::to_value(full_plan()).unwrap(), &free, &mut found);
    assert_eq!(found, documented(plan_fields::FIELDS));
}

#[test]
fn every_field_of_a_move_list_is_documented_and_no_other() {
    let pairs = || [("a".to_owned(), "b".to_owned())].into();
    let options = full_plan().spec.options;
    let disks = vec![ListedDisk { claim: "c".into(), strategy: Some(Strategy::Rebind), storage_class: Some("fast".into()) }];
    let mut list = MoveList::of("shop", Some("prod"), &[]);
    list.spec = MoveListSpec {
        create_namespace: true,
        options,
        strategy: Some(Strategy::Rebind),
        storage_class: Some("fast".into()),
        map_storage_class: pairs(),
        map_network: pairs(),
        force: true,
        machines: vec![ListedMachine { name: "db-1".into(), rename: Some("db-2".into()), disks }],
        ..list.spec
    };
    let mut found = BTreeSet::new();
    let free = ["MoveList.spec.mapStorageClass", "MoveList.spec.mapNetwork"];
    paths("MoveList", &serde_json::to_value(list).unwrap(), &free, &mut found);
    assert_eq!(found, documented(super::move_list::FIELDS));
}

#[test]
fn every_field_of_an_assessment_is_documented_and_no_other() {
    let mut db = running(vm("db-1", &["root"]));
    db.set(
        "/spec/template/spec/volumes",
        json!([{"name": "root", "persistentVolumeClaim": {"claimName": "root"}}, {"name": "s", "secret": {"secretName": "s"}}]),
    );
    db.set("/status/snapshotInProgress", "nightly".into());
    db.set("/metadata/labels", json!({"app": "db"}));
    db.set("/metadata/creationTimestamp", "2026-10-11T10:00:00Z".into());
    let root = claim("root", 20);
    let secret = object(kind::SECRET, "s", json!({}));
    let seen = World::new().source(vmi(&db)).source(db).source(secret).cluster(volume(&root)).source(root).seen_source();
    let assessment = assess(&seen, &["db-1".to_owned(), "nobody".to_owned()]);
    let mut found = BTreeSet::new();
    let free = ["Assessment.machines.metadata.labels"];
    paths("Assessment", &serde_json::to_value(&assessment).unwrap(), &free, &mut found);
    assert_eq!(found, documented(super::assessment::FIELDS));
}

#[test]
fn the_schema_names_fields_types_and_what_is_required() {
    let schema = schema("MovePlan").unwrap();
    assert_eq!(schema["required"], json!(["apiVersion", "kind", "metadata", "spec"]));
    let disk = &schema["properties"]["spec"]["properties"]["machines"]["items"]["properties"]["disks"]["items"];
    assert_eq!(disk["properties"]["strategy"]["enum"], json!(["CloneRebind", "Rebind", "CdiClone"]));
    assert_eq!(disk["additionalProperties"], json!(false));
    assert!(super::schema("MovePlan.nothing").is_none());
}
