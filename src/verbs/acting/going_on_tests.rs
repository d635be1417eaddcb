//! Stories of people who come to a move that was begun: they look, go on, stop it, go back, or clean up.
#![allow(clippy::unwrap_used)]

use super::begun::{MOVE, begun, begun_on, carried_by, written};
use super::passes::{CLEANUP, ROLLBACK};
use crate::model::graph::{Phase, StepId};
use crate::model::journal::{Cause, Entry};
use crate::verbs::looking::shop::{Shop, shop};
use crate::verbs::looking::typing::Said;

/// Types a command about the move, in which its name is `MOVE`.
async fn typed(shop: Shop, line: &str) -> Said {
    shop.run(&line.replace("MOVE", MOVE)).await
}

/// As [`typed`]; whatever it says, nothing was changed, and this is the exit code.
async fn refused(shop: Shop, line: &str, code: u8) -> String {
    let said = typed(shop, line).await;
    assert!(said.code == code && said.changed_nothing(), "{line}: {}", said.all());
    said.stdout + &said.stderr
}

fn at() -> String {
    "2026-11-21T12:06:00Z".to_owned()
}

#[tokio::test]
async fn a_move_that_nobody_began_is_answered_with_those_that_there_are() {
    for verb in ["status", "resume", "pause", "rollback", "stop", "verify", "cleanup"] {
        let told = refused(begun(Phase::Clone).await, &format!("{verb} shop-to-prod-7k2fg -n shop"), 1).await;
        assert_eq!(told, "error: there is no move shop-to-prod-7k2fg in namespace shop\n  hint: did you mean shop-to-prod-7k2fq?\n", "{verb}");
    }
    let told = refused(shop(), "resume MOVE -n shop", 1).await;
    insta::assert_snapshot!(told, @r#"
    error: there is no move shop-to-prod-7k2fq in namespace shop
      hint: a move lives in the namespace it moves from: name that one with -n
    "#);
}

#[tokio::test]
async fn a_machine_that_is_not_in_the_move_is_answered_with_the_nearest() {
    for verb in ["stop", "verify", "rollback", "cleanup"] {
        let told = refused(begun(Phase::Cleanup).await, &format!("{verb} MOVE -n shop --vm bd-1"), 1).await;
        assert_eq!(told, "error: the move has no virtual machine bd-1\n  hint: did you mean db-1?\n", "{verb}");
    }
}

#[tokio::test]
async fn a_look_shows_each_machine() {
    let empty = shop();
    let shop = async || {
        let failed = Entry::Failed { step: StepId("db-1/db-1-data/clone".to_owned()), at: at(), cause: Cause("the class is full".to_owned()) };
        let started = Entry::Started { step: StepId("db-1/db-1-data/clone".to_owned()), at: at(), before: serde_json::Value::Null };
        written(written(begun_on(&["db-1"], Phase::Clone).await, "db-1", started).await, "db-1", failed).await
    };
    insta::assert_snapshot!(refused(shop().await, "status MOVE -n shop", 0).await, @r#"
    VM      PHASE   STATE     DISKS   PROGRESS   WAITING-FOR         ELAPSED
    db-1    clone   Failed    0/1     28%        the class is full   6m
    web-1   -       Pending   0/1     -          -                   -
    "#);
    insta::assert_snapshot!(refused(shop().await, "status -n shop -o wide", 0).await, @r#"
    NAME                 TARGET   VMS   STATE    HOLDER   AGE
    shop-to-prod-7k2fq   prod     0/2   Failed   -        10m
    "#);
    assert_eq!(refused(shop().await, "status -n shop -o name", 0).await, format!("move/{MOVE}\n"));
    assert_eq!(refused(empty, "status -n shop", 0).await, "No resources found in shop namespace.\n");
    let running = carried_by("bob", shop().await).await;
    assert!(refused(running, "status -n shop -o wide", 0).await.contains("bob"), "who carries it");
}

#[tokio::test]
async fn somebody_elses_move_is_gone_on_with_only_when_asked_for() {
    let told = refused(begun(Phase::Clone).await.typed_by("bob"), "resume MOVE -n shop", 1).await;
    insta::assert_snapshot!(told, @r#"
    error: this must be agreed to, and there is no terminal to ask on; nothing was done
      hint: the question is: Move shop-to-prod-7k2fq was begun by alice at 2026-11-21T12:00:00Z. Go on with it?
      hint: if the answer is yes, say so with --yes
    "#);
    let told = refused(begun(Phase::Clone).await.typed_by("bob").answering("n\n"), "resume MOVE -n shop", 1).await;
    insta::assert_snapshot!(told, @r#"Move shop-to-prod-7k2fq was begun by alice at 2026-11-21T12:00:00Z. Go on with it? [y/N] Nothing was done."#);
    let told = refused(begun(Phase::Clone).await.typed_by("bob").answering("n\n"), "clone MOVE -n shop", 1).await;
    assert!(told.contains("was begun by alice"), "{told}");
}

#[tokio::test]
async fn a_move_that_somebody_carries_is_theirs() {
    let told = refused(carried_by("bob", begun(Phase::Clone).await).await, "resume MOVE -n shop --context lab", 1).await;
    insta::assert_snapshot!(told, @r#"
    error: move shop-to-prod-7k2fq is carried by bob (last sign of life at 2026-11-21T12:09:58.000000Z); nothing was done
      hint: see what it does:           kubectl vmmove status shop-to-prod-7k2fq -n shop --context lab
      hint: ask it to stop:             kubectl vmmove pause shop-to-prod-7k2fq -n shop --context lab
      hint: if that process is gone:    kubectl vmmove resume shop-to-prod-7k2fq --take-over -n shop --context lab
    "#);
}

#[tokio::test]
async fn a_pause_is_asked_of_who_carries_the_move() {
    let told = refused(begun(Phase::Clone).await, "pause MOVE -n shop", 0).await;
    insta::assert_snapshot!(told, @r#"move shop-to-prod-7k2fq is carried by nobody at the moment; there is nothing to pause"#);
    let shop = carried_by("bob", begun(Phase::Clone).await).await;
    let store = shop.store.clone();
    let said = typed(shop, "pause MOVE -n shop --context lab").await;
    insta::assert_snapshot!(said.all(), @r#"
    move shop-to-prod-7k2fq: bob was asked to stop after the steps in flight; go on with: kubectl vmmove resume shop-to-prod-7k2fq -n shop --context lab
    -- stderr
    -- exit code 0
    "#);
    assert!(store.names().contains(&format!("vmmove-{MOVE}-request")), "{:?}", store.names());
}

#[tokio::test]
async fn a_finished_move_has_nothing_to_go_on_with() {
    insta::assert_snapshot!(refused(begun(Phase::Cleanup).await, "resume MOVE -n shop --context lab", 0).await, @r#"move shop-to-prod-7k2fq is finished; the sources are removed with: kubectl vmmove cleanup shop-to-prod-7k2fq -n shop --context lab"#);
    for verb in ["stop", "clone", "copy", "recreate", "start"] {
        let told = refused(begun(Phase::Cleanup).await, &format!("{verb} MOVE -n shop"), 0).await;
        assert!(told.starts_with("nothing to do: everything is "), "{told}");
        refused(begun(Phase::Cleanup).await, &format!("{verb} MOVE -n shop --error-unchanged"), 3).await;
    }
}

#[tokio::test]
async fn nothing_is_verified_before_it_has_started_and_nothing_removed_before_it_is_verified() {
    insta::assert_snapshot!(refused(begun(Phase::Start).await, "verify MOVE -n shop --yes", 1).await, @r#"
    error: virtualmachine.kubevirt.io/db-1 is not started yet, which 'verify' needs; nothing was done
      hint: do that first: kubectl vmmove start shop-to-prod-7k2fq -n shop
    "#);
    insta::assert_snapshot!(refused(begun(Phase::Verify).await, "cleanup MOVE -n shop --yes --context lab", 1).await, @r#"
    error: virtualmachine.kubevirt.io/db-1 is not verified yet, which 'cleanup' needs; nothing was done
      hint: do that first: kubectl vmmove verify shop-to-prod-7k2fq -n shop --context lab
    "#);
    let told = refused(begun_on(&["web-1"], Phase::Cleanup).await, "cleanup MOVE -n shop --yes", 1).await;
    assert!(told.contains("db-1 is not"), "one that is behind keeps the others: {told}");
}

#[tokio::test]
async fn a_cleanup_lists_what_it_deletes_and_asks() {
    insta::assert_snapshot!(refused(begun(Phase::Cleanup).await.answering("n\n"), "cleanup MOVE -n shop", 1).await, @r#"
    virtualmachine.kubevirt.io/db-1
    persistentvolumeclaim/db-1-data
    virtualmachine.kubevirt.io/web-1
    persistentvolumeclaim/web-1
    Delete these from namespace shop? There is no way back then. [y/N] Nothing was done.
    "#);
    insta::assert_snapshot!(refused(begun(Phase::Cleanup).await, "cleanup MOVE -n shop --vm web-1", 1).await, @r#"
    virtualmachine.kubevirt.io/web-1
    persistentvolumeclaim/web-1
    error: this must be agreed to, and there is no terminal to ask on; nothing was done
      hint: the question is: Delete these from namespace shop? There is no way back then.
      hint: if the answer is yes, say so with --yes
    "#);
    insta::assert_snapshot!(refused(begun(Phase::Cleanup).await, "cleanup MOVE -n shop --vm web-1 --dry-run=client", 0).await, @r#"
    virtualmachine.kubevirt.io/web-1 removed from the source (dry run)
    persistentvolumeclaim/web-1 removed from the source (dry run)
    "#);
}

#[tokio::test]
async fn after_a_cleanup_there_is_no_way_back() {
    let removed = |step: &str| Entry::Started { step: StepId(step.to_owned()), at: at(), before: serde_json::Value::Null };
    let agreed = Entry::Consented { to: CLEANUP.to_owned(), by: "alice".to_owned(), at: at() };
    let shop = async || written(written(begun(Phase::Cleanup).await, "web-1", agreed.clone()).await, "web-1", removed("web-1/remove")).await;
    insta::assert_snapshot!(refused(shop().await, "rollback MOVE -n shop --discard-target-writes --yes", 1).await, @r#"
    error: virtual machine web-1 cannot be brought back: the source has been removed, so there is nothing to go back to
      hint: nothing was done; the machine in the target is not touched
      hint: others of the move are brought back by their names, with --vm
    "#);
    let told = refused(shop().await, "rollback MOVE -n shop --vm db-1", 1).await;
    assert!(told.contains("--vm db-1 --discard-target-writes"), "the other machine can still go back: {told}");
}

#[tokio::test]
async fn going_back_says_what_it_costs() {
    insta::assert_snapshot!(refused(begun(Phase::Verify).await, "rollback MOVE -n shop --context lab --yes", 1).await, @r#"
    error: virtual machine db-1 has been started in prod; its disks were copied, so what was written there since to db-1-data would be lost by going back; nothing was done
      hint: if that may be lost: kubectl vmmove rollback shop-to-prod-7k2fq --discard-target-writes -n shop --context lab
    "#);
    insta::assert_snapshot!(refused(begun(Phase::Verify).await, "rollback MOVE -n shop --discard-target-writes", 1).await, @r#"
    error: this must be agreed to, and there is no terminal to ask on; nothing was done
      hint: the question is: Bring 2 virtual machines back from prod to shop? What was written in prod to db-1-data since the start is lost.
      hint: if the answer is yes, say so with --yes
    "#);
    insta::assert_snapshot!(refused(begun(Phase::Clone).await.typed_by("bob").answering("no\n"), "rollback MOVE -n shop", 1).await, @r#"Move shop-to-prod-7k2fq was begun by alice at 2026-11-21T12:00:00Z. Bring 2 virtual machines back from prod to shop? [y/N] Nothing was done."#);
    insta::assert_snapshot!(refused(begun_on(&[], Phase::Stop).await, "rollback MOVE -n shop", 0).await, @r#"move shop-to-prod-7k2fq has begun nothing on db-1, web-1 that could be taken back"#);
}

#[tokio::test]
async fn a_machine_that_was_brought_back_is_not_moved_again_by_the_same_move() {
    let agreed = Entry::Consented { to: ROLLBACK.to_owned(), by: "alice".to_owned(), at: at() };
    let shop = async || written(begun_on(&["db-1"], Phase::Clone).await, "web-1", agreed.clone()).await;
    insta::assert_snapshot!(refused(shop().await, "stop MOVE -n shop --vm web-1", 1).await, @r#"
    error: virtual machine web-1 was brought back; this move does not move it again
      hint: another move can: kubectl vmmove plan web-1 --to prod -n shop
    "#);
}
