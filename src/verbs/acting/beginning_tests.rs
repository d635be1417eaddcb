//! Stories of people who begin to move: given this shop, this command, this result.
#![allow(clippy::unwrap_used)]

use super::begun::{MOVE, begun, plan_in};
use crate::model::graph::Phase;
use crate::model::kind;
use crate::verbs::looking::shop::{Shop, shop};

const RUN: &str = "run db-1 -n shop --to prod";

fn with_a_snapshot_under_way() -> Shop {
    shop().change(kind::VM, "web-1", |vm| vm.set("/status/snapshotInProgress", "nightly".into()))
}

#[tokio::test]
async fn a_no_changes_nothing() {
    for answer in ["n\n", "\n", ""] {
        let said = shop().answering(answer).run(RUN).await;
        let asked = "Move 1 virtual machine from shop to prod? It will be down until it has started there. [y/N] ";
        assert!(said.stderr.starts_with(asked) && said.stderr.trim_end().ends_with("Nothing was done."), "{}", said.stderr);
        assert_eq!((said.code, said.changed_nothing(), said.stdout.as_str()), (1, true, ""));
    }
}

#[tokio::test]
async fn without_a_terminal_somebody_must_have_said_yes() {
    let said = shop().typing("y\n").run(RUN).await;
    insta::assert_snapshot!(said.all(), @r#"
    -- stderr
    error: this must be agreed to, and there is no terminal to ask on; nothing was done
      hint: the question is: Move 1 virtual machine from shop to prod? It will be down until it has started there.
      hint: if the answer is yes, say so with --yes
    -- exit code 1
    "#);
    assert!(said.changed_nothing());
}

#[tokio::test]
async fn what_blocks_a_plan_is_told_before_anything_is_asked() {
    let said = with_a_snapshot_under_way().answering("y\n").run("run --all -n shop --to prod").await;
    insta::assert_snapshot!(said.all(), @r#"
    -- stderr
    SEVERITY   CODE   OBJECT     MESSAGE
    Blocking   V006   vm/web-1   snapshot nightly is under way; the virtual machine cannot be stopped meanwhile
               hint: wait until it has finished, then plan again
    error: 1 blocking finding; nothing was touched
      hint: what a code means and what helps: kubectl vmmove explain V006
    -- exit code 4
    "#);
    assert!(said.changed_nothing());
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_in(&folder).await;
    for line in [format!("run -f {plan} --yes"), format!("stop -f {plan} --yes"), format!("copy -f {plan} --yes")] {
        let said = with_a_snapshot_under_way().run(&line).await;
        assert!(said.code == 4 && said.changed_nothing() && said.stderr.contains("snapshot nightly is under way"), "{line}: {}", said.all());
    }
}

#[tokio::test]
async fn a_plan_has_decided_already() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_in(&folder).await;
    let said = shop().run(&format!("run -f {plan} --to test --volumes move --yes")).await;
    insta::assert_snapshot!(said.all(), @r#"
    -- stderr
    error: --to, --volumes cannot be used with a plan: the plan has decided
      hint: make another plan with these flags, or leave them out
    See 'kubectl vmmove run --help' for usage.
    -- exit code 1
    "#);
    assert!(said.changed_nothing());
    for (shop, verb) in [(shop(), "run"), (shop(), "stop"), (begun(Phase::Clone).await, "clone")] {
        let elsewhere = shop.run(&format!("{verb} -f {plan} -n other --yes")).await;
        let told = elsewhere.stderr.starts_with("error: the file speaks of namespace shop, and -n of other\n");
        assert!(told && elsewhere.code == 1 && elsewhere.changed_nothing(), "{verb}: {}", elsewhere.all());
    }
}

#[tokio::test]
async fn a_plan_that_is_being_carried_out_is_not_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_in(&folder).await;
    let said = begun(Phase::Clone).await.typed_by("bob").run(&format!("run -f {plan} --yes --context lab")).await;
    insta::assert_snapshot!(said.all(), @r#"
    -- stderr
    error: this plan is being carried out already, as move shop-to-prod-7k2fq of alice
      hint: see where it stands: kubectl vmmove status shop-to-prod-7k2fq -n shop --context lab
      hint: go on with it:       kubectl vmmove resume shop-to-prod-7k2fq -n shop --context lab
    -- exit code 1
    "#);
    assert!(said.changed_nothing());
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done() {
    let said = shop().run("run web-1 -n shop --to prod --dry-run=client").await;
    insta::assert_snapshot!(said.all(), @r#"
    virtualmachine.kubevirt.io/web-1 fenced (dry run)
    virtualmachine.kubevirt.io/web-1 stopped (dry run)
    persistentvolumeclaim/web-1 cloned (dry run)
    persistentvolumeclaim/web-1 handed over to prod (dry run)
    virtualmachine.kubevirt.io/web-1 recreated in prod (dry run)
    virtualmachine.kubevirt.io/web-1 verified (dry run)
    -- stderr
    -- exit code 0
    "#);
    assert!(said.changed_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_phase_begins_a_move_and_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_in(&folder).await;
    let shop = shop();
    let store = shop.store.clone();
    let said = shop.run(&format!("copy -f {plan}")).await;
    insta::assert_snapshot!(said.all(), @r#"
    move shop-to-prod-7k2fq started
    secret/db-1-seed copied to prod                                 0.0s
    2 copied, 0 failed, 0 skipped.
    -- stderr
    -- exit code 0
    "#);
    for kept in ["db-1-seed", &format!("vmmove-{MOVE}")] {
        assert!(store.names().iter().any(|name| name == kept), "{kept}: {:?}", store.names());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_away_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_in(&folder).await;
    let shop = shop().with_closed_stdout();
    let store = shop.store.clone();
    let said = shop.run(&format!("copy -f {plan}")).await;
    assert_eq!((said.code, said.all().as_str()), (0, "-- stderr\n-- exit code 0\n"));
    assert!(store.names().iter().any(|name| name == "db-1-seed"), "{:?}", store.names());
}

#[tokio::test]
async fn what_was_begun_and_failed_can_be_gone_on_with_by_whoever_types_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_in(&folder).await;
    let refused = "secrets \"db-1-seed\" is forbidden: exceeded quota: small";
    let shop = shop().refusing_for_real("POST /namespaces/prod/secrets", 403, "Forbidden", refused);
    let said = shop.run(&format!("copy -f {plan} --context lab --kubeconfig my/config --as root")).await;
    insta::assert_snapshot!(said.all(), @r#"
    move shop-to-prod-7k2fq started
    0 copied, 1 failed, 2 skipped.
    -- stderr
    error: secret/db-1-seed not copied to prod: secrets "db-1-seed" is forbidden: exceeded quota: small
    error: move shop-to-prod-7k2fq is not finished: what the machines share: secrets "db-1-seed" is forbidden: exceeded quota: small
      hint: see where it stands: kubectl vmmove status shop-to-prod-7k2fq -n shop --kubeconfig my/config --context lab --as root
      hint: go on with:          kubectl vmmove copy shop-to-prod-7k2fq -n shop --kubeconfig my/config --context lab --as root
      hint: go back with:        kubectl vmmove rollback shop-to-prod-7k2fq -n shop --kubeconfig my/config --context lab --as root
    -- exit code 7
    "#);
}

#[tokio::test]
async fn a_phase_is_not_begun_before_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_in(&folder).await;
    let said = shop().run(&format!("recreate -f {plan} --vm web-1 --context lab")).await;
    let told = said.stderr.replace(&plan, "plan.json");
    insta::assert_snapshot!(told, @r#"
    error: virtualmachine.kubevirt.io/web-1 is not fenced yet, which 'recreate' needs; nothing was done
      hint: do that first: kubectl vmmove stop -f plan.json --vm web-1 -n shop --context lab
    "#);
    assert_eq!((said.code, said.changed_nothing()), (1, true));
}
