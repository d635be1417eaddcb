//! Stories of people who may carry a move, but not list what there is.

#![allow(clippy::unwrap_used)]

use super::looking::shop::shop;

const UNLISTED: (&str, u16, &str, &str) =
    ("GET /namespaces/shop/configmaps", 403, "Forbidden", "configmaps is forbidden: User \"alice\" cannot list resource \"configmaps\"");

#[tokio::test]
async fn who_may_not_list_moves_is_told_to_name_one() {
    let (request, code, reason, message) = UNLISTED;
    let said = shop().answer(request, code, reason, message).run("status -n shop").await;
    insta::assert_snapshot!(said.all(), @r#"
    -- stderr
    Error from server (Forbidden): configmaps is forbidden: User "alice" cannot list resource "configmaps"
      hint: name the move: that needs no right to list ConfigMaps
    -- exit code 1
    "#);
}

#[tokio::test]
async fn who_may_not_list_moves_is_told_that_a_plan_does_not_find_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.yaml");
    std::fs::write(&path, shop().run("plan db-1 -n shop --to prod -o yaml").await.stdout).unwrap();
    let (request, code, reason, message) = UNLISTED;
    let said = shop().answer(request, code, reason, message).run(&format!("clone -f {} -n shop", path.display())).await;
    assert!(said.changed_nothing());
    insta::assert_snapshot!(said.all().replace(path.to_str().unwrap(), "plan.yaml"), @r"
    -- stderr
    Warning: you may not list ConfigMaps in namespace shop, so a move that was begun with this plan is not found; if there is one, name it
    error: virtualmachine.kubevirt.io/db-1 is not fenced yet, which 'clone' needs; nothing was done
      hint: do that first: kubectl vmmove stop -f plan.yaml -n shop
    -- exit code 1
    ");
}
