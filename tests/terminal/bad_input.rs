//! What goes wrong before anything was begun. Each row of [`ROWS`] is one thing that administrators meet; most of them with `run --yes`,
//! which would move a machine if it could. Whatever it is, it is told in one sentence with a hint, has its documented exit code, and
//! nothing is changed in the cluster: the server of the test has seen no write.
//!
//! What the sentences are is in `golden/bad-input-NAME.snap`.

use vmmove::sandbox::catalog::{NAMESPACE, VM};

use crate::desk::{Desk, Stdout};
use crate::server::Api;
use crate::terminal;

/// One thing that can go wrong.
struct Row {
    /// What it is; the golden file is called so.
    name: &'static str,
    /// The desk at which the command is typed.
    desk: fn() -> Desk,
    typed: &'static str,
    stdout: Stdout,
    code: u8,
}

const fn row(name: &'static str, code: u8, typed: &'static str, desk: fn() -> Desk) -> Row {
    Row { name, desk, typed, stdout: Stdout::Read, code }
}

const MOVE: &str = "run db-1 -n shop --to prod --yes";
const CARRY_OUT: &str = "run -f plan.yaml --yes";
/// An address that nobody listens at.
const NOBODY: &str = "http://127.0.0.1:1";
const PLAN: &str = "plan --all -n shop --to prod";

const ROWS: &[Row] = &[
    row("kubeconfig-missing", 1, "run db-1 -n shop --to prod --yes --kubeconfig not/here", Desk::new),
    row("kubeconfig-nowhere", 1, MOVE, || {
        let mut desk = Desk::new();
        desk.without_environment();
        desk
    }),
    row("kubeconfig-malformed", 1, MOVE, || given(|desk| desk.write("config", "apiVersion: v1\nusers: [{name: me, user: {token: hunter2}}\n"))),
    row("context-unknown", 1, "--context nowhere run db-1 -n shop --to prod --yes", Desk::new),
    row("server-unreachable", 1, MOVE, || given(|desk| desk.write_kubeconfig(NOBODY))),
    row("token-expired", 1, MOVE, || given(|desk| desk.api.expire_token())),
    row("certificate-untrusted", 1, MOVE, || Desk::at(Api::start_tls())),
    row("kubevirt-not-installed", 4, MOVE, || Desk::at(Api::of("bare"))),
    row("list-forbidden", 4, MOVE, || given(|desk| desk.api.forbid_list(&VM, "shop", "virtualmachines.kubevirt.io is forbidden"))),
    row("verb-forbidden", 4, "run web-1 -n shop --to prod --yes", || Desk::at(Api::of("no-rights"))),
    row("machine-unknown", 4, "run bd-1 -n shop --to prod --yes", Desk::new),
    row("file-missing", 1, CARRY_OUT, Desk::new),
    row("plan-malformed", 1, CARRY_OUT, || given(|desk| desk.plan_with("spec:", "spec: ["))),
    row("plan-field-unknown", 1, CARRY_OUT, || given(|desk| desk.plan_with("parallel: 4", "paralel: 4"))),
    row("plan-edited", 4, CARRY_OUT, || given(|desk| desk.plan_with("parallel: 4", "parallel: 5"))),
    row("plan-of-another-cluster", 4, CARRY_OUT, || {
        given(|desk| {
            desk.plan();
            desk.api.make_anew(&NAMESPACE, "", "kube-system");
        })
    }),
    row("plan-of-another-machine", 4, CARRY_OUT, || {
        given(|desk| {
            desk.plan();
            desk.api.make_anew(&VM, "shop", "old-7");
        })
    }),
    row("flags-beside-a-plan", 1, "run -f plan.yaml --volumes move --yes", || given(Desk::plan)),
    #[cfg(target_os = "linux")]
    row("disk-full", 1, "plan --all -n shop --to prod --save /dev/full", Desk::new),
    #[cfg(target_os = "linux")]
    Row { stdout: Stdout::Full, ..row("disk-full-of-output", 1, PLAN, Desk::new) },
    Row { stdout: Stdout::Closed, ..row("stdout-closed", 0, PLAN, Desk::new) },
    row("no-terminal-for-the-question", 1, "run db-1 -n shop --to prod", Desk::new),
];

fn given(what: impl Fn(&Desk)) -> Desk {
    let desk = Desk::new();
    what(&desk);
    desk
}

#[test]
fn each_is_told_in_a_sentence_with_a_hint_and_nothing_is_changed() {
    for Row { name, desk, typed, stdout, code } in ROWS {
        let desk = desk();
        let seen = desk.types_into(typed, *stdout);
        let told = seen.stderr.lines().filter(|line| is_error(line)).count();
        let hinted = seen.stderr.lines().filter(|line| line.starts_with("  hint: ")).count();
        // A reader that has gone away has seen enough, and nobody else is told.
        let expected = if *stdout == Stdout::Closed { seen.stderr.is_empty() } else { told == 1 && hinted > 0 };
        assert!(seen.code == *code && expected, "{name}: {}", seen.text);
        assert!(desk.api.writes().is_empty(), "{name}: {:?}", desk.api.writes());
        assert!(!seen.text.contains("hunter2"), "{name}: {}", seen.text);
        seen.golden(&format!("bad-input-{name}"));
    }
}

/// The beginnings that kubectl gives its errors.
fn is_error(line: &str) -> bool {
    let beginnings = ["error: ", "Error from server", "Error in configuration: ", "The connection to the server", "Unable to connect to the server"];
    beginnings.iter().any(|start| line.starts_with(start))
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_leaves_the_plan_that_was_there() {
    let desk = Desk::new();
    desk.plan();
    let before = desk.read("plan.yaml");
    // No file may grow: what a disk without room comes to, for whoever writes a new file beside the old one.
    let mut shell = std::process::Command::new("/bin/sh");
    let line = format!("{PLAN} --save plan.yaml");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_kubectl-vmmove")]).args(line.split_whitespace());
    let seen = desk.runs(shell, &line, Stdout::Read);
    assert!(seen.code == 1 && seen.stderr.starts_with("error: cannot write plan.yaml: "), "{}", seen.text);
    assert_eq!(desk.read("plan.yaml"), before);
    assert_eq!(std::fs::read_dir(desk.path("")).unwrap().count(), 2, "nothing is left beside kubeconfig and plan");
}

#[test]
fn wrong_lines_are_answered_in_kubectls_words() {
    for (line, name) in [
        ("clne", "usage-unknown-command"),
        ("version --clint", "usage-unknown-flag"),
        ("explain -o json", "usage-missing-argument"),
        ("version -o xml", "usage-wrong-value"),
        ("explain MovePlna", "explain-unknown"),
    ] {
        terminal().run(line).golden(name);
    }
}
