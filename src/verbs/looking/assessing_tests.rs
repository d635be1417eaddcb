//! Stories of people who assess, choose, and come back to a plan later.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use serde_json::json;

use super::shop::{Shop, document, shop, tried};
use super::typing::Said;
use crate::model::kind;

/// A plan of the shop in a file.
async fn planned(folder: &Path) -> String {
    let path = folder.join("plan.yaml").display().to_string();
    let said = shop().run(&format!("plan --all -n shop --to prod --save {path}")).await;
    assert_eq!(said.code, 0, "{}", said.all());
    path
}

async fn validated(shop: Shop) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let path = planned(folder.path()).await;
    let said = shop.run(&format!("validate -f {path}")).await;
    assert!(said.changed_nothing());
    said
}

#[tokio::test]
async fn a_plan_that_holds_is_tried_again_and_said_to_hold() {
    let said = validated(shop()).await;
    insta::assert_snapshot!(said.all(), @"
    plan shop-to-prod, digest 6fd4eb: 2 virtual machines, 2 disks, 120Gi; copies 120Gi inside the storage system
    -- stderr
    the plan still holds
    -- exit code 0
    ");
    assert_eq!(tried(&said.log).len(), 7);
}

#[tokio::test]
async fn what_changed_since_a_plan_was_made_is_exit_code_four() {
    for (changed, code, words) in [
        (shop().change(kind::NAMESPACE, "kube-system", |system| system.set("/metadata/uid", "u".into())), "P001", "made on another cluster"),
        (shop().change(kind::VM, "db-1", |vm| vm.set("/metadata/uid", "u".into())), "P002", "was made again"),
        (shop().change(kind::VM, "db-1", |vm| vm.set("/metadata/generation", 4.into())), "P003", "(generation 3, now 4)"),
        (shop().change(kind::CLAIM, "web-1", |claim| claim.set("/metadata/uid", "u".into())), "P004", "another claim took its place"),
        (shop().without(kind::VM, "web-1"), "V001", "there is no virtual machine \"web-1\""),
        (shop().without(kind::NAMESPACE, "prod"), "T002", "there is no namespace prod"),
    ] {
        let said = validated(changed).await;
        assert_eq!((said.code, tried(&said.log).len()), (4, 0), "{}", said.all());
        assert!(said.stdout.contains(code) && said.stdout.contains(words), "{code}: {}", said.stdout);
        assert!(said.stderr.contains("nothing was touched"), "{}", said.stderr);
    }
}

#[tokio::test]
async fn what_the_server_refuses_today_is_found_too() {
    let said = validated(shop().answer("POST /namespaces/prod/virtualmachines", 403, "Forbidden", "exceeded quota: small")).await;
    assert!(said.code == 4 && said.stdout.contains("D005"), "{}", said.all());
}

#[tokio::test]
async fn plans_that_cannot_be_used_are_named_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = planned(folder.path()).await;
    let plan = fs::read_to_string(&path).unwrap();
    for (from, to, code, answer) in [
        ("    parallel: 4", "    paralel: 4", 1, "plan.yaml:18: unknown field \"paralel\"\n  hint: did you mean \"parallel\"?"),
        ("vmmove.io/v1alpha1", "vmmove.io/v3", 1, "version vmmove.io/v3 is not known"),
        ("    parallel: 4", "    parallel: 5", 4, "plan.yaml was changed after it was made: it carries digest "),
        ("kind: MovePlan", "kind: MovePlans", 1, "a document of kind \"MovePlans\" cannot be used here\n  hint: did you mean MovePlan?"),
        ("spec:", "spec: [", 1, "plan.yaml:"),
    ] {
        fs::write(&path, plan.replacen(from, to, 1)).unwrap();
        let said = shop().run(&format!("validate -f {path}")).await;
        assert!(said.code == code && said.stderr.contains(answer) && said.log.len() == 0, "{to}: {} {}", said.code, said.stderr);
    }
    let said = shop().typing("db-1\n").run("validate -f -").await;
    assert_eq!(said.stderr, "error: standard input holds no plan\n  hint: make one with 'plan --save FILE'\n");
    let said = shop().run(&format!("validate -f {path}/none")).await;
    assert!(said.stderr.contains("cannot read ") && said.code == 1);
}

#[tokio::test]
async fn a_plan_is_of_one_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let path = planned(folder.path()).await;
    let said = shop().run(&format!("validate -f {path} -n other")).await;
    assert!(said.stderr.starts_with("error: the file speaks of namespace shop, and -n of other\n"), "{}", said.stderr);
    let said = shop().run(&format!("plan -f {path} --to prod")).await;
    assert!(said.stderr.starts_with("error: the file holds a plan, which has decided already\n"), "{}", said.stderr);
}

#[tokio::test]
async fn an_assessment_is_a_table_and_a_document() {
    let old = || shop().change(kind::VM, "web-1", |vm| vm.set("/status/snapshotInProgress", "nightly".into()));
    let said = old().run("assess -n shop").await;
    let table: Vec<&str> = said.stdout.lines().map(|line| line.rsplit_once("   ").unwrap().0.trim_end()).collect();
    assert_eq!(
        table,
        [
            "NAME    STATUS    DISKS   SIZE    NETWORKS   DEPENDENTS   FINDINGS",
            "db-1    Running   1       100Gi   pod        1            -",
            "web-1   Stopped   1       20Gi    pod        0            1 blocking",
        ]
    );
    assert_eq!((said.code, said.stderr.as_str(), said.changed_nothing()), (0, "", true));
    let wide = old().run("assess web-1 -n shop -o wide").await;
    assert!(wide.stdout.contains("\nSEVERITY   CODE   OBJECT     MESSAGE\nBlocking"), "{}", wide.stdout);
    let yaml = old().run("assess -n shop -o yaml").await;
    assert_eq!(document(&yaml.stdout)["machines"][1]["summary"]["blocking"], 1);
    assert_eq!(old().run("assess -n shop -o name").await.stdout, "virtualmachine.kubevirt.io/db-1\nvirtualmachine.kubevirt.io/web-1\n");
    assert_eq!(old().run("assess -n shop -o jsonpath={.metadata.namespace}").await.stdout, "shop");
}

#[tokio::test]
async fn an_empty_namespace_is_no_failure_and_a_wrong_name_is() {
    let empty = shop().run("assess -n other").await;
    assert_eq!((empty.code, empty.stdout.as_str(), empty.stderr.as_str()), (0, "", "No resources found in other namespace.\n"));
    let labelled = shop().run("assess -l app=none -n shop").await;
    assert_eq!((labelled.code, labelled.stderr.as_str()), (0, "No resources found in shop namespace.\n"));
    let wrong = shop().run("assess bd-1 db-1 -n shop").await;
    assert!(wrong.code == 4 && wrong.stderr.contains("did you mean \"db-1\"?"), "{}", wrong.all());
    let blind = shop().answer("GET /namespaces/shop/virtualmachines", 403, "Forbidden", "not for alice").run("assess -n shop").await;
    assert!(blind.code == 4 && blind.stderr.contains("not for alice"), "{}", blind.all());
}

#[tokio::test]
async fn an_export_is_for_its_owner_alone_and_overwrites_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/db-1");
    let line = format!("assess db-1 -n shop --export {}", out.display());
    let said = shop().run(&line).await;
    assert!(said.stderr.ends_with(&format!("3 manifests written to {}\n", out.display())) && !said.all().contains("aHVudGVyMg"), "{}", said.all());
    let secret = fs::read_to_string(out.join("secret.db-1-seed.yaml")).unwrap();
    assert_eq!(document(&secret)["data"], json!({"userdata": "aHVudGVyMg=="}));
    let vm = document(&fs::read_to_string(out.join("virtualmachine.db-1.yaml")).unwrap());
    assert_eq!((vm.get("status"), vm["metadata"].get("uid")), (None, None));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&out), mode(&out.join("secret.db-1-seed.yaml"))), (0o700, 0o600));
    }
    assert_eq!(shop().run(&line).await.code, 0, "an export of its own is written again");
    fs::write(out.join("secret.db-1-seed.yaml"), "mine\n").unwrap();
    fs::remove_file(out.join("virtualmachine.db-1.yaml")).unwrap();
    let said = shop().run(&line).await;
    assert!(said.code == 1 && said.stderr.contains("secret.db-1-seed.yaml exists and is no export of namespace shop"), "{}", said.stderr);
    assert_eq!(fs::read_to_string(out.join("secret.db-1-seed.yaml")).unwrap(), "mine\n");
    assert!(!out.join("virtualmachine.db-1.yaml").exists(), "all or nothing");
}

#[tokio::test]
async fn what_may_not_be_read_is_left_out_of_an_export_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("assess db-1 -n shop --export {}", folder.path().display());
    let said = shop().answer("GET /secrets/db-1-seed", 403, "Forbidden", "no").run(&line).await;
    assert!(said.stderr.contains("Warning: secret/db-1-seed was left out: you may not read it") && said.code == 0, "{}", said.stderr);
}

#[tokio::test]
async fn a_list_is_written_from_names_and_read_by_plan() {
    let said = shop().run("select web-1 -n shop --to prod").await;
    let list = "apiVersion: vmmove.io/v1alpha1\nkind: MoveList\nspec:\n  source: shop\n  target: prod\n  machines:\n  - name: web-1\n";
    assert_eq!((said.stdout.as_str(), said.code), (list, 0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.yaml").display().to_string();
    let said = shop().run(&format!("select --all -n shop --save {path}")).await;
    let told = format!("2 virtual machines written to {path}; review the move with: kubectl vmmove plan -f {path} --to NAMESPACE -n shop\n");
    assert_eq!((said.stderr.as_str(), said.stdout.as_str()), (told.as_str(), ""));
    let planned = shop().run(&format!("plan -f {path} --to prod -o jsonpath={{.spec.machines[*].name}}")).await;
    assert_eq!(planned.stdout, "db-1 web-1");
    assert_eq!(shop().run("select bd-1 -n shop").await.code, 4);
}

#[tokio::test]
async fn without_a_terminal_there_is_a_template_to_fill_in() {
    let said = shop().run("select -n shop").await;
    insta::assert_snapshot!(said.stdout, @r#"
    # What is to be moved. Take the '# ' away in front of what you want, then review it with 'plan -f'.
    apiVersion: vmmove.io/v1alpha1
    kind: MoveList
    spec:
      source: "shop"
      # target: NAMESPACE          # the namespace they go to
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
      # - name: "db-1"
      # - name: "web-1"
    "#);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.yaml");
    let plan = format!("plan -f {} --to prod -o jsonpath={{.spec.machines[*].name}}", path.display());
    fs::write(&path, &said.stdout).unwrap();
    let empty = shop().run(&plan).await;
    assert!(empty.code == 1 && empty.stderr.contains("lists no virtual machine"), "{}", empty.all());
    fs::write(&path, said.stdout.replace("# - name: \"web-1\"", "- name: \"web-1\"")).unwrap();
    assert_eq!(shop().run(&plan).await.stdout, "web-1");
    let everything = said.stdout.replace("\n  # ", "\n  ").replace("CLAIM", "web-1").replace("NAMESPACE", "prod").replace("name: NEW", "name: new");
    fs::write(&path, everything).unwrap();
    let all = shop().run(&plan).await;
    assert_eq!(all.stderr.lines().find(|line| line.contains("list.yaml")), None, "every comment is a field that can be read");
}
