//! Odd surroundings: no home, a dumb terminal or one without size, streams that lead nowhere, bytes that are no text. There is an answer, and never a
//! panic.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

use crate::desk::Desk;
use crate::serving::Serving;
use crate::tty::Tty;

const NO_TEXT: &[u8] = b"\xff\xfe";

/// The binary with these words in an empty environment that leads to the desk's cluster.
fn command(desk: &Desk, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-vmmove"));
    command.args(line.split_whitespace()).env_clear().env("KUBECONFIG", desk.path("config")).current_dir(desk.path("")).stdin(Stdio::null());
    command
}

/// Runs it to its end, which is no panic and no signal; what it printed to standard error, and its code.
fn ends(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!stderr.contains("defect") && !stderr.contains("panicked"), "{stderr}");
    (status.code().unwrap(), stderr)
}

#[test]
fn without_a_home() {
    let desk = Desk::new();
    assert_eq!(ends(&mut command(&desk, "assess -n shop")).0, 0);
    let (code, stderr) = ends(command(&desk, "assess -n shop").env_remove("KUBECONFIG"));
    assert!(code == 1 && stderr.starts_with("error: Missing or incomplete configuration info"), "{stderr}");
    for home in ["/dev/null/home", "/proc/home"] {
        let (code, stderr) = ends(command(&desk, "sandbox start --background").env("HOME", home));
        assert!(code == 1 && stderr.starts_with("error: ") && stderr.contains(home), "{stderr}");
        assert_eq!(ends(command(&desk, "assess -n shop").env("HOME", home)).0, 0);
    }
}

#[test]
fn bytes_that_are_no_text() {
    let desk = Desk::new();
    for line in ["", "assess -n", "assess", "plan --to prod -n shop", "assess -o"] {
        let (code, stderr) = ends(command(&desk, line).arg(OsStr::from_bytes(NO_TEXT)));
        assert!(code == 1 && stderr.starts_with("error: "), "{line}: {stderr}");
    }
    for name in ["TERM", "NO_COLOR", "HOME", "HTTPS_PROXY", "VMMOVE_ANYTHING", "PATH"] {
        assert_eq!(ends(command(&desk, "version --client").env(name, OsStr::from_bytes(NO_TEXT))), (0, String::new()), "{name}");
    }
    let (code, stderr) = ends(command(&desk, "assess -n shop").env("KUBECONFIG", OsStr::from_bytes(NO_TEXT)));
    assert!(code == 1 && stderr.starts_with("error: "), "{stderr}");
}

#[test]
fn streams_that_lead_nowhere() {
    let desk = Desk::new();
    let gone = || Stdio::from(std::io::pipe().unwrap().1);
    for line in ["assess -n shop", "plan db-1 -n shop --to prod", "assess nobody -n shop", "frobnicate", "explain C046"] {
        let usual = command(&desk, line).output().unwrap().status.code();
        assert_eq!(command(&desk, line).stderr(gone()).output().unwrap().status.code(), usual, "{line}");
        command(&desk, line).stdout(gone()).stderr(gone()).status().unwrap().code().unwrap();
        let closed = |streams: &str| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("exec \"$0\" {line} {streams}")).arg(env!("CARGO_BIN_EXE_kubectl-vmmove"));
            shell.env_clear().env("KUBECONFIG", desk.path("config")).current_dir(desk.path(""));
            shell.status().unwrap().code()
        };
        assert_eq!(closed("2>&-"), usual, "{line}");
        closed(">&- 2>&- <&-").unwrap();
    }
}

/// A move on a terminal; what was printed.
fn moved(flags: &str, (columns, rows): (u16, u16), environment: &[(&str, &str)]) -> Tty {
    let sandbox = Serving::start("--speed 20");
    let kubeconfig = ("KUBECONFIG", sandbox.kubeconfig.to_str().unwrap());
    let mut tty = Tty::start(&format!("run --all -n shop --to prod --yes {flags}"), columns, rows, &[&[kubeconfig], environment].concat());
    assert_eq!(tty.ends(), 0, "{}", tty.screen());
    assert!(tty.all.contains(" moved, 0 failed"), "{}", tty.all);
    tty
}

#[test]
fn a_dumb_terminal_gets_no_escape_sequences() {
    let tty = moved("", (80, 24), &[("TERM", "dumb")]);
    assert!(!tty.all.contains('\u{1b}'), "{}", tty.all);
}

#[test]
fn who_hears_the_screen_gets_lines_that_stay() {
    let tty = moved("--plain", (80, 24), &[("NO_COLOR", "1")]);
    assert!(!tty.all.contains('\u{1b}') && !tty.all.trim_end_matches("\r\n").contains("\r\r"), "{}", tty.all);
    assert!(tty.all.contains("virtualmachine.kubevirt.io/db-1 stopped"), "{}", tty.all);
}

#[test]
fn a_terminal_without_size_is_no_trouble() {
    for size in [(0, 0), (1, 1), (40, 2)] {
        moved("", size, &[]);
    }
}
