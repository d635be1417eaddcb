//! Failures as lines on standard error, in kubectl's words. The one place where a failure becomes text.

use std::fmt::Write;

use super::escape;
use crate::model::failure::{Failure, FailureKind};

/// Beginnings of messages that kubectl prints without `error: ` in front
/// (kubernetes/kubectl `pkg/cmd/util/helpers.go`, StandardErrorMessage).
const COMPLETE: [&str; 5] =
    ["error: ", "Error from server", "Error in configuration: ", "The connection to the server", "Unable to connect to the server"];

/// The lines for standard error; none for a closed pipe. `command` is the command as typed up to its verb,
/// `kubectl vmmove clone`, for the pointer to its help.
pub fn render(failure: &Failure, command: &str) -> String {
    if failure.kind == FailureKind::BrokenPipe {
        return String::new();
    }
    let message = escape::paragraph(&failure.message);
    let mut text = if is_complete(&message) { message } else { format!("error: {message}") };
    text.push('\n');
    for hint in &failure.hints {
        text.push_str(&indented("hint: ", hint));
    }
    if failure.kind == FailureKind::Usage {
        let _ = writeln!(text, "See '{command} --help' for usage.");
    }
    text
}

/// A warning, as kubectl shows those of servers.
pub fn warning(message: &str) -> String {
    format!("Warning: {}\n", escape::terminal(message))
}

/// What a defect of ours says, on a terminal that may be in raw mode. `place` is file and line; the defect's own message may hold what must not be
/// shown, so `detail` is for whoever asked for a backtrace.
pub fn defect(prefix: &str, place: Option<&str>, detail: Option<&str>, on_terminal: bool) -> String {
    let show_cursor = if on_terminal { "\u{1b}[?25h\r" } else { "" };
    let place = place.map_or_else(String::new, |place| format!(" ({place})"));
    let detail = detail.map_or_else(String::new, |detail| format!("{detail}\r\n"));
    format!(
        "{show_cursor}error: {prefix} has a defect and stopped{place}\r\n  \
         hint: what a move had begun is written down: see it with '{prefix} status' and go on with '{prefix} resume MOVE'\r\n{detail}"
    )
}

/// A hint below what it belongs to; its further lines are indented as far as the first.
pub fn indented(mark: &str, hint: &str) -> String {
    let mut text = String::new();
    for (number, line) in hint.lines().enumerate() {
        let lead = if number == 0 { mark.to_owned() } else { " ".repeat(mark.len()) };
        let _ = writeln!(text, "  {lead}{}", escape::terminal(line));
    }
    text
}

fn is_complete(message: &str) -> bool {
    COMPLETE.iter().any(|start| message.starts_with(start)) || message.starts_with("The ") && message.contains(" is invalid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(failure: Failure) -> String {
        render(&failure, "kubectl vmmove clone")
    }

    #[test]
    fn a_defect_says_what_to_type_and_keeps_its_own_words_to_itself() {
        let said = defect("kubectl vmmove", Some("src/plan/decide.rs:7"), None, true);
        assert!(said.starts_with("\u{1b}[?25h\rerror: kubectl vmmove has a defect and stopped (src/plan/decide.rs:7)\r\n"), "{said}");
        assert!(said.contains("'kubectl vmmove status'") && said.ends_with("'kubectl vmmove resume MOVE'\r\n"), "{said}");
        assert!(defect("oc vmmove", None, Some("sesame"), false).starts_with("error: oc vmmove has a defect and stopped\r\n"));
    }

    #[test]
    fn the_servers_words_stay_and_ours_get_a_mark() {
        let server = "Error from server (NotFound): virtualmachines.kubevirt.io \"db-1\" not found";
        assert_eq!(shown(Failure::error(server)), format!("{server}\n"));
        let refused = "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?";
        assert_eq!(shown(Failure::error(refused)), format!("{refused}\n"));
        let invalid = "The VirtualMachine \"db-1\" is invalid: spec.template: Required value";
        assert_eq!(shown(Failure::error(invalid)), format!("{invalid}\n"));
        assert_eq!(shown(Failure::error("The plan is old")), "error: The plan is old\n");
    }

    #[test]
    fn hints_stand_below_and_usage_points_to_help() {
        let failure = Failure::new(FailureKind::Blocked, "2 blocking findings; nothing was touched").hint("see them with:\nkubectl vmmove plan db-1");
        insta::assert_snapshot!(shown(failure), @r#"
        error: 2 blocking findings; nothing was touched
          hint: see them with:
                kubectl vmmove plan db-1
        "#);
        insta::assert_snapshot!(shown(Failure::usage("unknown flag: --x")), @r#"
        error: unknown flag: --x
        See 'kubectl vmmove clone --help' for usage.
        "#);
    }

    #[test]
    fn a_closed_pipe_says_nothing() {
        assert_eq!(shown(Failure::new(FailureKind::BrokenPipe, "closed")), "");
    }
}
