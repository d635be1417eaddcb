//! What a person sees at a real terminal: colours, the live display, questions, Ctrl-C, a window that changes its size.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::serving::Serving;
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

/// Types a command about a sandbox behind a socket.
fn typed(sandbox: &Serving, line: &str) -> Tty {
    Tty::start(line, 110, 30, &[("KUBECONFIG", sandbox.kubeconfig.to_str().unwrap())])
}

/// As [`typed`], and waits for the end.
fn done(sandbox: &Serving, line: &str) -> String {
    let mut tty = typed(sandbox, line);
    assert_eq!(tty.ends(), 0, "{}", tty.screen());
    tty.screen()
}

/// The name of the only move there is.
fn begun(sandbox: &Serving) -> String {
    done(sandbox, "status -n shop --no-headers").split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_move_is_asked_for_once_and_shown_while_it_goes_on() {
    let sandbox = Serving::start("");
    let mut tty = typed(&sandbox, "run web-1 -n shop --to prod");
    tty.shows("Move 1 virtual machine from shop to prod?");
    tty.types("y\r");
    tty.shows("stopping, waiting for the guest to shut down");
    assert_eq!(tty.ends(), 0);
    let screen = tty.screen();
    assert!(screen.contains("1 moved, 0 failed, 0 skipped.") && !screen.contains("stopping, waiting"), "{screen}");
    assert!(tty.has_cursor());
}

/// Answers the question before a move so that it does not begin.
fn declined(sandbox: &Serving, keys: &str) {
    let mut tty = typed(sandbox, "run web-1 -n shop --to prod");
    tty.shows("Move 1 virtual machine from shop to prod?");
    tty.types(keys);
    assert_ne!(tty.ends(), 0, "{}", tty.screen());
    assert!(tty.has_cursor());
    assert!(done(sandbox, "status -n shop").contains("No resources found in shop namespace."));
}

#[test]
fn who_says_no_has_changed_nothing() {
    let sandbox = Serving::start("");
    declined(&sandbox, "n\r");
}

/// Stops a move in the middle, and goes on with it.
fn stopped(stop: impl FnOnce(&mut Tty), code: u32) {
    let sandbox = Serving::start("");
    let mut tty = typed(&sandbox, "run db-1 -n shop --to prod --yes");
    tty.shows("stopping, waiting for the guest to shut down");
    stop(&mut tty);
    assert_eq!(tty.ends(), code, "{}", tty.screen());
    assert!(tty.screen().contains(&format!("resume {}", begun(&sandbox))), "{}", tty.screen());
    assert!(tty.has_cursor());
    let screen = done(&sandbox, &format!("resume {} -n shop --yes", begun(&sandbox)));
    assert!(screen.contains("1 moved, 0 failed, 0 skipped."), "{screen}");
}

#[test]
fn ctrl_c_stops_at_a_safe_point_and_says_how_to_go_on() {
    stopped(|tty| tty.types("\u{3}"), 130);
}

#[test]
fn sigterm_stops_as_ctrl_c_does() {
    stopped(|tty| tty.hears(Signal::SIGTERM), 143);
}

#[test]
fn sighup_stops_as_ctrl_c_does() {
    stopped(|tty| tty.hears(Signal::SIGHUP), 129);
}

#[test]
fn who_cannot_wait_presses_ctrl_c_again() {
    let sandbox = Serving::start("");
    let mut tty = typed(&sandbox, "run db-1 -n shop --to prod --yes");
    tty.shows("stopping, waiting for the guest to shut down");
    let name = begun(&sandbox);
    // From now on nothing is answered, so that the request in flight never ends.
    kill(Pid::from_raw(sandbox.child.id().try_into().unwrap()), Signal::SIGSTOP).unwrap();
    tty.types("\u{3}");
    tty.shows("(interrupt again to leave at once)");
    tty.types("\u{3}");
    assert_eq!(tty.ends(), 130, "{}", tty.screen());
    assert!(tty.screen().contains(&format!("resume {name} --take-over -n shop")), "{}", tty.screen());
    assert!(tty.has_cursor());
}

#[test]
fn ctrl_c_at_the_question_is_no() {
    let sandbox = Serving::start("");
    declined(&sandbox, "\u{3}");
}

#[test]
fn machines_are_picked_with_the_arrow_keys() {
    let sandbox = Serving::start("");
    let mut tty = typed(&sandbox, "select -n shop --to prod");
    tty.shows("web-1");
    tty.types(" \u{1b}[B ");
    tty.types("\r");
    assert_eq!(tty.ends(), 0, "{}", tty.screen());
    let screen = tty.screen();
    assert!(screen.contains("- name: db-1") && screen.contains("- name: old-7") && !screen.contains("- name: web-1"), "{screen}");
}

#[test]
fn a_move_is_watched_from_another_terminal() {
    // Its guest takes its time.
    let sandbox = Serving::start("--scenario demo");
    let mut mover = typed(&sandbox, "run db-1 -n shop --to prod --yes");
    mover.shows("stopping, waiting for the guest to shut down");
    let mut watcher = typed(&sandbox, &format!("status {} -n shop -w", begun(&sandbox)));
    watcher.shows("the guest to shut down");
    watcher.shows("Done");
    assert_eq!((mover.ends(), watcher.ends()), (0, 0), "{}", watcher.screen());
}

#[test]
fn a_cleanup_shows_what_it_deletes_and_asks() {
    let sandbox = Serving::start("");
    done(&sandbox, "run old-7 -n shop --to prod --yes");
    let mut tty = typed(&sandbox, &format!("cleanup {} -n shop", begun(&sandbox)));
    tty.shows("Delete these from namespace shop?");
    assert!(tty.screen().contains("virtualmachine.kubevirt.io/old-7"), "{}", tty.screen());
    tty.types("y\r");
    assert_eq!(tty.ends(), 0, "{}", tty.screen());
    assert!(tty.screen().contains("1 cleaned up"), "{}", tty.screen());
}
