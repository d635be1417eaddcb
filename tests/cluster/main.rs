//! Tests against a real control plane: `cargo test --test cluster [filter]`.
//!
//! One lab serves all trials. It starts with the first of them and is stopped after the last, also when trials fail and on
//! Ctrl-C. A trial takes namespaces of its own; one that stops components or puts faults into a driver runs alone.
#![allow(clippy::print_stderr, reason = "a test program tells its user where the logs are")]

mod busy;
mod classes;
mod cleanups;
mod conformance;
mod control_plane;
mod crashes;
mod crowd;
mod elsewhere;
#[path = "../endings/mod.rs"]
mod endings;
mod failures;
mod intruders;
#[allow(dead_code, reason = "the lab offers more than today's trials use")]
mod lab;
mod machines;
mod moves;
mod pods;
mod pointers;
mod power;
#[path = "../conformance/real.rs"]
mod real;
mod references;
mod residue;
mod rights;
mod rivals;
#[path = "../conformance/runner/mod.rs"]
mod runner;
mod scene;
#[path = "../conformance/shapes.rs"]
mod shapes;
mod somebody;
mod stopping;
mod teardown;
mod tool;
mod tour;
mod weather;
mod words;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use lab::{Lab, Options};
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use runner::{Book, CHECKS};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OnceCell, Semaphore, watch};

/// One test of the table.
struct Row {
    name: &'static str,
    share: u32,
    run: for<'a> fn(&'a Lab) -> LocalBoxFuture<'a, Result<()>>,
}

macro_rules! row {
    ($share:ident, $file:ident::$name:ident) => {
        Row { name: concat!(stringify!($file), "/", stringify!($name)), share: $share, run: |lab| Box::pin($file::$name(lab)) }
    };
}

/// A trial that leaves everybody else's objects alone.
macro_rules! shared {
    ($($path:tt)+) => { row!(OF_A_TRIAL, $($path)+) };
}

/// A trial that stops, pauses or spoils what others need.
macro_rules! alone {
    ($($path:tt)+) => { row!(ALL, $($path)+) };
}

const TRIALS: &[Row] = &[
    shared!(control_plane::starts),
    // It waits for a minute and needs nothing meanwhile.
    shared!(rivals::a_dead_mover_is_waited_out),
    shared!(control_plane::a_volume_clone_carries_the_bytes),
    shared!(control_plane::a_data_volume_carries_the_bytes_across_namespaces),
    shared!(control_plane::a_snapshot_keeps_the_bytes_of_its_time),
    shared!(control_plane::a_claim_waits_for_its_first_consumer),
    shared!(control_plane::an_export_does_not_end_its_controller),
    shared!(control_plane::the_storage_driver_keeps_to_the_rules),
    shared!(control_plane::a_stranger_is_forbidden),
    shared!(conformance::the_sandbox_knows_the_fields_of_the_server),
    shared!(control_plane::the_proxy_counts_and_cuts),
    shared!(control_plane::the_proxy_streams_until_it_hangs_up),
    shared!(pods::a_pod_uses_its_own_account),
    shared!(moves::a_machine_moves_by_clone),
    shared!(moves::a_machine_moves_with_its_volumes),
    shared!(moves::a_machine_moves_by_cdi),
    shared!(moves::a_copied_machine_comes_back_untouched),
    shared!(moves::a_moved_machine_comes_back_with_its_writes),
    shared!(moves::a_machine_comes_back_from_every_phase),
    shared!(moves::cleanup_removes_only_the_source),
    shared!(tour::the_move_of_the_readme_is_what_happens),
    shared!(tour::a_move_is_rehearsed),
    shared!(words::errors_are_those_of_kubectl),
    shared!(tour::a_dump_of_a_cluster_is_a_scenario),
    shared!(crowd::disks_that_bind_on_first_use_are_cloned_at_once),
    shared!(crowd::twenty_machines_move_at_once),
    shared!(crowd::verify_is_not_fooled),
    shared!(rights::a_tenant_is_told_which_volumes_stay),
    shared!(rights::a_tenant_moves_by_cdi_and_cleans_nothing),
    shared!(rights::each_right_left_out_is_named),
    shared!(rights::the_printed_roles_are_enough),
    shared!(rights::the_printed_roles_are_enough_to_go_back),
    shared!(rights::who_may_not_clone_is_told_by_the_plan),
    shared!(power::a_fenced_machine_gets_no_guest),
    shared!(pointers::what_points_at_a_machine_is_not_left_behind_in_silence),
    shared!(references::a_guest_keeps_what_nobody_pinned),
    shared!(references::a_machine_takes_along_what_it_refers_to),
    shared!(references::disks_of_golden_images_are_not_made_anew),
    shared!(power::machines_get_their_power_back),
    shared!(power::machines_keep_their_power),
    shared!(references::what_is_in_the_way_is_refused),
    shared!(busy::what_others_decide_about_is_refused),
    shared!(busy::what_is_under_way_is_refused),
    shared!(busy::a_pod_that_comes_late_is_waited_for),
    shared!(busy::a_disk_that_is_attached_is_waited_for),
    shared!(classes::disks_go_to_another_driver_and_back),
    shared!(classes::kept_volumes_are_left_and_named_by_cleanup),
    shared!(classes::kept_volumes_of_copies_go_with_a_rollback),
    shared!(classes::kept_volumes_of_half_done_copies_go_with_a_rollback),
    shared!(failures::a_machine_that_fails_is_kept_for_a_look),
    shared!(failures::a_machine_that_fails_is_put_back),
    shared!(failures::what_had_moved_before_stays),
    shared!(failures::the_others_go_on),
    shared!(failures::a_started_machine_is_never_put_back),
    shared!(failures::a_machine_that_is_down_too_long_is_put_back),
    shared!(failures::a_guest_that_does_not_come_up_is_put_back),
    shared!(stopping::a_guest_that_takes_too_long_is_left_alone),
    shared!(stopping::its_power_is_cut_when_that_was_asked_for),
    shared!(stopping::a_guest_on_a_silent_node_is_not_touched),
    shared!(stopping::a_guest_whose_node_falls_silent_is_left_alone),
    shared!(crashes::a_killed_move_is_resumed),
    shared!(crashes::a_killed_move_is_rolled_back),
    shared!(crashes::owners_are_set_by_whoever_goes_on),
    shared!(crashes::a_lost_answer_changes_nothing),
    shared!(cleanups::a_killed_cleanup_is_finished),
    shared!(elsewhere::a_move_is_paused_and_gone_on_with),
    shared!(elsewhere::a_move_is_called_back_from_who_carries_it),
    shared!(elsewhere::a_move_is_written_down_in_a_file),
    shared!(elsewhere::a_source_is_restored_by_hand),
    shared!(elsewhere::a_slow_server_is_borne),
    shared!(intruders::what_is_foreign_blocks_the_plan),
    shared!(intruders::what_is_foreign_is_left_by_a_rollback),
    shared!(intruders::a_move_goes_on_when_what_is_foreign_is_gone),
    shared!(intruders::a_start_before_the_fence_ends_the_move),
    shared!(intruders::a_start_under_the_fence_gets_no_guest),
    shared!(intruders::a_stale_copy_is_not_used),
    shared!(rivals::a_second_mover_is_refused),
    shared!(rivals::of_two_fences_the_first_holds),
    shared!(rivals::a_mover_that_slept_does_nothing_more),
    alone!(control_plane::components_come_back),
    alone!(control_plane::a_driver_fails_on_demand),
    alone!(weather::a_refused_clone_is_told_at_once),
    alone!(weather::a_slow_resync_is_not_waited_for),
    alone!(weather::the_api_server_restarts),
    alone!(weather::the_controller_manager_is_away),
    alone!(weather::the_driver_heals),
    alone!(weather::the_webhooks_are_down),
];

/// The shares of the lab that are taken: by a trial that must not meet another,
const ALL: u32 = 20;
/// by one that moves machines, for which a small computer is soon too slow,
const OF_A_TRIAL: u32 = 5;
/// and by a case, which mostly waits.
const OF_A_CASE: u32 = 2;

/// The exit code of a program that a Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// What the trials share.
struct Stage {
    lab: OnceCell<Result<Lab, String>>,
    /// What the lab can do at a time; first come, first served.
    room: Semaphore,
    interrupted: watch::Receiver<bool>,
}

impl Stage {
    async fn play(&self, share: u32, act: impl AsyncFnOnce(&Lab) -> Result<()>) -> Result<(), Failed> {
        let mut interrupted = self.interrupted.clone();
        tokio::select! {
            done = self.run(share, act) => done,
            _ = interrupted.wait_for(|asked| *asked) => Err("interrupted".into()),
        }
    }

    async fn run(&self, share: u32, act: impl AsyncFnOnce(&Lab) -> Result<()>) -> Result<(), Failed> {
        let _room = self.room.acquire_many(share).await;
        let start = async || Lab::start(Options::default()).await.map_err(|error| format!("{error:#}"));
        let lab = self.lab.get_or_init(start).await.as_ref()?;
        let done = AssertUnwindSafe(act(lab)).catch_unwind().await;
        // The next trial shall find everything, also when this one panicked.
        let restored = if share == ALL { lab.restore().await.context("cannot give back what the trial took away") } else { Ok(()) };
        let done = done.unwrap_or_else(|panic| resume_unwind(panic));
        done.and(restored).map_err(|error| format!("{error:#}").into())
    }
}

fn main() -> Result<ExitCode> {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(10);
    let runtime = Runtime::new()?;
    if runtime.block_on(teardown::ends_as_asked())? {
        return Ok(ExitCode::SUCCESS);
    }
    let (interrupt, interrupted) = watch::channel(false);
    runtime.spawn(async move {
        lab::interrupted().await;
        // Trials that are over do not listen any more.
        let _ = interrupt.send(true);
        std::future::pending::<()>().await;
    });
    let stage = Arc::new(Stage { lab: OnceCell::new(), room: Semaphore::new(ALL as usize), interrupted });
    let book = Arc::new(conformance::book()?);
    let conclusion = perform(&args, &stage, &book, runtime.handle());
    let interrupted = *stage.interrupted.borrow();
    if let Some(Ok(lab)) = stage.lab.get() {
        lab.stop();
        if conclusion.has_failed() && !interrupted {
            eprintln!("logs and volumes are kept in {}", lab.keep().display());
        }
    }
    Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { conclusion.exit_code() })
}

fn perform(args: &Arguments, stage: &Arc<Stage>, book: &Arc<Book>, runtime: &Handle) -> Conclusion {
    let trials = TRIALS.iter().map(|row| {
        let (stage, runtime) = (stage.clone(), runtime.clone());
        Trial::test(row.name, move || runtime.block_on(stage.play(row.share, row.run)))
    });
    let checks = CHECKS.iter().map(|(name, check)| Trial::test(*name, || check().map_err(|error| format!("{error:#}").into())));
    let alone = runtime.clone();
    let teardown = Trial::test("teardown/nothing_outlives_its_laboratory", move || {
        alone.block_on(teardown::nothing_outlives_its_laboratory()).map_err(|error| format!("{error:#}").into())
    });
    let cases = book.cases.iter().enumerate().map(|(number, case)| {
        let (stage, book, case, runtime) = (stage.clone(), book.clone(), case.clone(), runtime.clone());
        let (title, tag) = (format!("conformance/{}", case.title()), format!("case-{number}"));
        Trial::test(title, move || runtime.block_on(stage.play(OF_A_CASE, async |lab| conformance::holds(lab, &book, &case, &tag).await)))
    });
    libtest_mimic::run(args, trials.chain(checks).chain([teardown]).chain(cases).collect())
}
