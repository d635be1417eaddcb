//! Stories of people who plan before they move.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::shop::{Shop, document, shop, tried};
use super::typing::Said;
use crate::model::kind;
use crate::output::yaml;
use crate::plan::fixtures::object;

const PLAN: &str = "plan db-1 web-1 -n shop --to prod";

async fn planned(shop: Shop) -> Said {
    let said = shop.run(PLAN).await;
    assert!(said.changed_nothing());
    said
}

#[tokio::test]
async fn a_plan_says_how_each_disk_travels_and_why() {
    insta::assert_snapshot!(planned(shop()).await.all(), @"
    plan shop-to-prod, digest 6fd4eb: 2 virtual machines, 2 disks, 120Gi; copies 120Gi inside the storage system

    VM      DISK        SIZE    STRATEGY      WHY
    db-1    db-1-data   100Gi   CloneRebind   class fast clones; you may patch volumes
    web-1   web-1       20Gi    CloneRebind   class fast clones; you may patch volumes
    -- stderr
    -- exit code 0
    ");
}

#[tokio::test]
async fn the_server_tries_every_object_that_will_be_made() {
    let said = planned(shop()).await;
    let expected = [
        "shop persistentvolumeclaims vmmove-00000",
        "prod persistentvolumeclaims db-1-data",
        "prod virtualmachines db-1",
        "shop persistentvolumeclaims vmmove-00000",
        "prod persistentvolumeclaims web-1",
        "prod virtualmachines web-1",
        "prod secrets db-1-seed",
    ];
    assert_eq!(tried(&said.log), expected);
}

#[tokio::test]
async fn what_the_server_refuses_blocks_and_is_quoted() {
    let words = "admission webhook \"virtualmachine-validator.kubevirt.io\" denied the request: spec.template.spec.domain is old";
    let said = planned(shop().answer("POST /namespaces/prod/virtualmachines", 422, "Invalid", words)).await;
    assert_eq!(said.code, 4);
    assert!(said.stdout.contains("Blocking   D001   vm/db-1"), "{}", said.stdout);
    assert_eq!(
        said.stderr,
        "error: 2 blocking findings; nothing was touched\n  hint: what a code means and what helps: kubectl vmmove explain D001\n"
    );
}

#[tokio::test]
async fn what_the_first_look_finds_is_not_asked_again() {
    let said = shop().run("plan bd-1 -n shop --to prod").await;
    assert_eq!((said.code, tried(&said.log).len()), (4, 0));
    assert!(said.stdout.contains("there is no virtual machine \"bd-1\" in namespace shop") && said.stdout.contains("did you mean \"db-1\"?"));
}

#[tokio::test]
async fn a_right_that_is_missing_is_told_once() {
    let refused = r#"secrets is forbidden: User "alice" cannot create resource "secrets" in API group "" in the namespace "prod""#;
    let said = planned(shop().denying("create secrets").answer("POST /namespaces/prod/secrets", 403, "Forbidden", refused)).await;
    assert_eq!((said.code, said.stdout.matches("Blocking").count()), (4, 1), "{}", said.stdout);
    assert!(said.stdout.contains("you may not create secrets in namespace prod"), "{}", said.stdout);
}

#[tokio::test]
async fn a_namespace_still_to_be_made_cannot_be_tried_in() {
    let line = format!("{PLAN} --create-namespace");
    let said = shop().without(kind::NAMESPACE, "prod").run(&line).await;
    assert_eq!((said.code, tried(&said.log).len()), (0, 0));
    assert!(said.stdout.contains("Info       D008   ns/prod"), "{}", said.stdout);
    assert_eq!(shop().without(kind::NAMESPACE, "prod").run(PLAN).await.code, 4);
}

#[tokio::test]
async fn an_equal_dependent_is_used_and_another_one_blocks() {
    let there = |data: &str| {
        let mut secret = object(kind::SECRET, "db-1-seed", json!({"data": {"userdata": data}}));
        secret.set("/metadata/namespace", "prod".into());
        shop().with(secret)
    };
    let same = planned(there("aHVudGVyMg==")).await;
    assert_eq!((same.code, tried(&same.log).iter().any(|tried| tried.contains("secrets"))), (0, false));
    let other = planned(there("b3RoZXI=")).await;
    assert!(other.code == 4 && other.stdout.contains("Blocking   T012   secret/db-1-seed"), "{}", other.stdout);
    assert!(!other.all().contains("b3RoZXI") && !other.all().contains("aHVudGVyMg"));
}

#[tokio::test]
async fn an_instance_type_that_comes_along_cannot_be_looked_up_yet() {
    let small = object(kind::INSTANCETYPE, "small", json!({"spec": {"cpu": {"guest": 1}}}));
    let asks = json!({"kind": "VirtualMachineInstancetype", "name": "small"});
    let shop = shop().with(small).change(kind::VM, "db-1", |vm| vm.set("/spec/instancetype", asks));
    let words = "admission webhook denied the request: Failure to find instancetype: virtualmachineinstancetypes \"small\" not found";
    let said = shop.answer("POST /namespaces/prod/virtualmachines", 400, "BadRequest", words).run("plan db-1 -n shop --to prod").await;
    assert_eq!(said.code, 0, "{}", said.stdout);
    assert!(said.stdout.contains("it needs virtualmachineinstancetype.instancetype.kubevirt.io/small, which the move copies first"));
}

#[tokio::test]
async fn documents_go_to_standard_output_and_findings_beside_them() {
    let kubevirt_only = || shop().answer("GET /nodes", 403, "Forbidden", "nodes is forbidden");
    let said = kubevirt_only().run(&format!("{PLAN} -o yaml")).await;
    assert_eq!(document(&said.stdout)["kind"], "MovePlan");
    assert!(said.stderr.contains("Warning    R003"), "{}", said.stderr);
    let json = kubevirt_only().run(&format!("{PLAN} -o json")).await;
    assert_eq!(document(&json.stdout), document(&said.stdout));
    assert_eq!(shop().run(&format!("{PLAN} -o name")).await.stdout, "moveplan.vmmove.io/shop-to-prod\n");
    let wide = shop().run(&format!("{PLAN} -o wide")).await;
    assert!(wide.stdout.contains("secret/db-1-seed   db-1"), "{}", wide.stdout);
}

#[tokio::test]
async fn a_plan_is_saved_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.yaml");
    let save = |what: &str| format!("plan {what} -n shop --to prod --save {}", path.display());
    let blocked = shop().run(&save("bd-1")).await;
    assert!(blocked.code == 4 && !path.exists() && blocked.stderr.contains("the plan is blocked and was not saved"));
    let said = shop().run(&save("db-1")).await;
    assert!(said.stderr.ends_with(&format!("carry it out with: kubectl vmmove run -f {} -n shop\n", path.display())), "{}", said.stderr);
    assert_eq!(document(&std::fs::read_to_string(&path).unwrap())["spec"]["machines"][0]["name"], "db-1");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_ends_the_command_and_nothing_else() {
    let said = planned_to("/dev/full").await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.starts_with("error: cannot write /dev/full: No space left on device"), "{}", said.stderr);
}

#[cfg(target_os = "linux")]
async fn planned_to(path: &str) -> Said {
    shop().run(&format!("{PLAN} --save {path}")).await
}

#[tokio::test]
async fn roles_are_printed_before_anybody_has_them() {
    let said = shop().denying("patch persistentvolumes").run(&format!("{PLAN} --print-rbac")).await;
    assert_eq!((said.code, tried(&said.log).len()), (0, 0), "{}", said.stderr);
    let roles = yaml::read_all("roles", &said.stdout).unwrap();
    assert!(roles.iter().any(|role| role["kind"] == "Role" && role["metadata"]["name"] == "vmmove-shop-to-prod-source"), "{}", said.stdout);
}

#[tokio::test]
async fn a_diff_shows_what_changes_and_no_secret() {
    let said = shop().run("plan db-1 -n shop --to prod --diff").await;
    for secret in ["hunter2", "aHVudGVyMg"] {
        assert!(!said.all().contains(secret), "{}", said.stdout);
    }
    let vm = &said.stdout[said.stdout.find("--- shop/virtualmachine").unwrap()..said.stdout.find("--- shop/secret").unwrap()];
    insta::assert_snapshot!(vm, @r"
    --- shop/virtualmachine.kubevirt.io/db-1
    +++ prod/virtualmachine.kubevirt.io/db-1
    @@ -2,9 +2,9 @@
     kind: VirtualMachine
     metadata:
       name: db-1
    -  namespace: shop
    +  namespace: prod
     spec:
    -  runStrategy: Always
    +  runStrategy: Halted
       template:
         metadata: {}
         spec:
    @@ -14,6 +14,8 @@
               - disk:
                   bus: virtio
                 name: db-1-data
    +        firmware:
    +          uuid: 5d307ca9-b3ef-428c-8861-06e72d69f223
             resources:
               requests:
                 memory: 1Gi
    ");
}

#[tokio::test]
async fn scripts_can_tell_whether_there_is_something_to_move() {
    let detailed = |what: &str| format!("plan {what} -n shop --to prod --detailed-exitcode");
    assert_eq!(shop().run(&detailed("--all")).await.code, 2);
    let none = shop().run(&detailed("-l app=nothing")).await;
    assert_eq!((none.code, none.stderr.as_str()), (0, "No resources found in shop namespace.\n"));
    assert_eq!(shop().run(&detailed("bd-1")).await.code, 4);
}

#[tokio::test]
async fn machines_can_be_named_in_every_way() {
    let chosen = async |shop: Shop, line: &str| {
        let said = shop.run(&format!("plan {line} -n shop --to prod -o jsonpath={{.spec.machines[*].name}}")).await;
        if said.code == 0 { said.stdout } else { said.stderr }
    };
    assert_eq!(chosen(shop(), "web-* vm/db-1 db-1").await, "db-1 web-1");
    assert_eq!(chosen(shop(), "--all").await, "db-1 web-1");
    let labelled = shop().change(kind::VM, "web-1", |vm| vm.set_label("app", "web"));
    assert_eq!(chosen(labelled, "-l app=web").await, "web-1");
    assert_eq!(chosen(shop().typing("# tonight\nweb-1\n"), "-f -").await, "web-1");
    let list = "apiVersion: vmmove.io/v1alpha1\nkind: MoveList\nspec:\n  source: shop\n  machines:\n  - name: web-1\n";
    assert_eq!(chosen(shop().typing(list), "-f -").await, "web-1");
    let manifest = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  name: web-1\n";
    assert_eq!(chosen(shop().typing(manifest), "-f -").await, "web-1");
    assert_eq!(chosen(shop(), "x-*").await, "error: no virtual machine in namespace shop matches 'x-*'\n");
    assert!(chosen(shop(), "").await.starts_with("error: no virtual machine is named\n"));
}

#[tokio::test]
async fn a_move_list_says_what_flags_say_and_flags_win() {
    let list = "apiVersion: vmmove.io/v1alpha1\nkind: MoveList\nspec:\n  source: shop\n  target: prod\n  options:\n    volumes: move\n  \
                machines:\n  - name: web-1\n    rename: web-2\n    disks:\n    - claim: web-1\n      strategy: Rebind\n";
    let machine = |said: &Said| document(&said.stdout)["spec"]["machines"][0].clone();
    let said = shop().typing(list).run("plan -f - -o yaml").await;
    assert_eq!((&machine(&said)["target"], &machine(&said)["disks"][0]["strategy"]), (&json!("web-2"), &json!("Rebind")), "{}", said.stderr);
    let said = shop().typing(list).run("plan -f - -o yaml --rename web-1=web-3 --strategy CdiClone --volumes copy").await;
    assert_eq!((&machine(&said)["target"], &machine(&said)["disks"][0]["strategy"]), (&json!("web-3"), &json!("CdiClone")), "{}", said.stderr);
    let said = shop().typing(list).run("plan -f - -n other").await;
    assert_eq!(said.stderr.lines().next(), Some("error: the file speaks of namespace shop, and -n of other"));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_answered_with_what_is_wrong() {
    for (text, answer) in [
        ("kind: MoveList\n", "error: standard input: field \"apiVersion\" is missing"),
        ("apiVersion: vmmove.io/v2\nkind: MoveList\n", "error: standard input: version vmmove.io/v2 is not known to this version of the tool"),
        ("apiVersion: vmmove.io/v1alpha1\nkind: MoveLis\n", "error: standard input: a document of kind \"MoveLis\" cannot be used here"),
        ("apiVersion: vmmove.io/v1alpha1\nkind: MoveList\nspec:\n  machine: []\n", "error: standard input:4: unknown field \"machine\""),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", "error: standard input: a Pod cannot be moved"),
        ("apiVersion: v1\nkind: List\nitems: []\n", "error: standard input names no virtual machine"),
        ("kind: a: b\n", "error: standard input:1: "),
        ("# nothing\n", "error: standard input names no virtual machine"),
    ] {
        let said = shop().typing(text).run("plan -f - --to prod").await;
        assert!(said.stderr.starts_with(answer) && said.code == 1 && said.log.len() == 0, "{text}: {}", said.stderr);
    }
    let gone = shop().run("plan -f /nowhere/at/all --to prod").await;
    assert!(gone.stderr.starts_with("error: cannot read /nowhere/at/all: No such file"), "{}", gone.stderr);
}

#[tokio::test]
async fn a_cluster_without_kubevirt_is_told() {
    let said = shop().answer("GET /virtualmachines", 404, "NotFound", "404 page not found").run("plan --all -n shop --to prod").await;
    assert!(said.code == 4 && said.stdout.contains("KubeVirt is not installed"), "{}", said.all());
}

#[tokio::test]
async fn without_a_target_there_is_no_plan() {
    let said = shop().run("plan db-1 -n shop").await;
    assert_eq!((said.code, said.stderr.lines().next()), (1, Some("error: required flag(s) \"to\" not set")));
}
