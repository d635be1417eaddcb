//! What a person sees at a real terminal: colours, the live display, questions, Ctrl-C, a window that changes its size.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::tty::Tty;

#[test]
fn the_demo_shows_a_live_display_and_leaves_the_terminal_as_it_was() {
    let mut tty = Tty::start("sandbox demo", 110, 40, &[]);
    tty.shows("stopping, waiting for the guest to shut down");
    assert_eq!(tty.ends(), 0);
    assert!(tty.screen().contains("Try it yourself"), "{}", tty.screen());
    assert!(tty.has_cursor());
    assert!(tty.all.contains("\u{1b}[31mKilled"), "no colours");
}

#[test]
fn a_narrow_window_cuts_lines_and_never_wraps_what_moves() {
    let mut tty = Tty::start("sandbox demo", 110, 40, &[]);
    tty.shows("stopping, waiting for the guest to shut down");
    tty.resize(40, 20);
    // Each line of the display ends with its time, at the right edge.
    tty.until("a line of 40 columns", |screen| {
        screen.lines().any(|line| line.starts_with("db-1") && line.ends_with('s') && line.chars().count() == 40)
    });
    assert_eq!(tty.ends(), 0);
}

#[test]
fn who_wants_no_colours_gets_none() {
    let mut tty = Tty::start("sandbox demo", 100, 30, &[("NO_COLOR", "1")]);
    assert_eq!(tty.ends(), 0);
    let colour = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert!(!colour.is_match(&tty.all), "{}", tty.all);
}

/// A sandbox behind a socket, and terminals whose commands go there.
struct Cluster {
    server: std::process::Child,
    kubeconfig: String,
}

impl Cluster {
    fn of(scenario: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-vmmove"));
        command.args(["sandbox", "start", "--scenario", scenario]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let kubeconfig = line.trim().strip_prefix("export KUBECONFIG=").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { server, kubeconfig }
    }

    fn types(&self, line: &str, columns: u16, rows: u16) -> Tty {
        Tty::start(line, columns, rows, &[("KUBECONFIG", &self.kubeconfig)])
    }

    /// The name of the only move there is.
    fn begun(&self) -> String {
        let mut tty = self.types("status -n shop --no-headers", 120, 20);
        assert_eq!(tty.ends(), 0, "{}", tty.screen());
        tty.screen().split_whitespace().next().unwrap().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // As a person would, so that it takes its files away.
        let pid = nix::unistd::Pid::from_raw(self.server.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.server.wait().unwrap();
    }
}

#[test]
fn a_move_is_asked_for_once_and_shown_while_it_goes_on() {
    let cluster = Cluster::of("plain");
    let mut tty = cluster.types("run web-1 -n shop --to prod", 100, 30);
    tty.shows("Move 1 virtual machine from shop to prod?");
    tty.types("y\r");
    tty.shows("stopping, waiting for the guest to shut down");
    assert_eq!(tty.ends(), 0);
    let screen = tty.screen();
    assert!(screen.contains("1 moved, 0 failed, 0 skipped.") && !screen.contains("stopping, waiting"), "{screen}");
    assert!(tty.has_cursor());
}

#[test]
fn who_says_no_has_changed_nothing() {
    let cluster = Cluster::of("plain");
    let mut tty = cluster.types("run web-1 -n shop --to prod", 100, 30);
    tty.shows("Move 1 virtual machine from shop to prod?");
    tty.types("n\r");
    assert_ne!(tty.ends(), 0, "{}", tty.screen());
    let mut tty = cluster.types("status -n shop", 100, 30);
    assert_eq!(tty.ends(), 0);
    assert!(tty.screen().contains("No resources found in shop namespace."), "{}", tty.screen());
}

#[test]
fn ctrl_c_stops_at_a_safe_point_and_says_how_to_go_on() {
    let cluster = Cluster::of("plain");
    let mut tty = cluster.types("run db-1 -n shop --to prod --yes", 100, 30);
    tty.shows("stopping, waiting for the guest to shut down");
    tty.types("\u{3}");
    assert_eq!(tty.ends(), 130, "{}", tty.screen());
    assert!(tty.screen().contains(&format!("resume {}", cluster.begun())), "{}", tty.screen());
    assert!(tty.has_cursor());
    let mut tty = cluster.types(&format!("resume {} -n shop --yes", cluster.begun()), 100, 30);
    assert_eq!(tty.ends(), 0, "{}", tty.screen());
    assert!(tty.screen().contains("1 moved, 0 failed, 0 skipped."), "{}", tty.screen());
}

#[test]
fn ctrl_c_at_the_question_is_no() {
    let cluster = Cluster::of("plain");
    let mut tty = cluster.types("run web-1 -n shop --to prod", 100, 30);
    tty.shows("Move 1 virtual machine from shop to prod?");
    tty.types("\u{3}");
    assert_ne!(tty.ends(), 0, "{}", tty.screen());
    assert!(tty.has_cursor());
    let mut tty = cluster.types("status -n shop", 100, 30);
    assert_eq!(tty.ends(), 0);
    assert!(tty.screen().contains("No resources found"), "{}", tty.screen());
}

#[test]
fn machines_are_picked_with_the_arrow_keys() {
    let cluster = Cluster::of("plain");
    let mut tty = cluster.types("select -n shop --to prod", 100, 30);
    tty.shows("web-1");
    tty.types(" \u{1b}[B ");
    tty.types("\r");
    assert_eq!(tty.ends(), 0, "{}", tty.screen());
    let screen = tty.screen();
    assert!(screen.contains("- name: db-1") && screen.contains("- name: old-7") && !screen.contains("- name: web-1"), "{screen}");
}

#[test]
fn a_move_is_watched_from_another_terminal() {
    let cluster = Cluster::of("plain");
    let mut mover = cluster.types("run db-1 -n shop --to prod --yes", 100, 30);
    mover.shows("stopping, waiting for the guest to shut down");
    let mut watcher = cluster.types(&format!("status {} -n shop -w", cluster.begun()), 120, 30);
    watcher.shows("the guest to shut down");
    watcher.shows("Done");
    assert_eq!((mover.ends(), watcher.ends()), (0, 0), "{}", watcher.screen());
}

#[test]
fn a_cleanup_shows_what_it_deletes_and_asks() {
    let cluster = Cluster::of("plain");
    assert_eq!(cluster.types("run old-7 -n shop --to prod --yes", 100, 30).ends(), 0);
    let mut tty = cluster.types(&format!("cleanup {} -n shop", cluster.begun()), 100, 30);
    tty.shows("Delete these from namespace shop?");
    assert!(tty.screen().contains("virtualmachine.kubevirt.io/old-7"), "{}", tty.screen());
    tty.types("y\r");
    assert_eq!(tty.ends(), 0, "{}", tty.screen());
    assert!(tty.screen().contains("1 cleaned up"), "{}", tty.screen());
}
