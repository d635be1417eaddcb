//! What a person sees at a real terminal: colours, the live display, questions, Ctrl-C, a window that changes its size.

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
