//! Pages that need no cluster: help, versions, explanations.

use crate::terminal;

#[test]
fn the_first_page_lists_the_commands_and_the_global_flags() {
    terminal().run("").golden("help");
}

#[test]
fn each_command_has_a_page_of_its_own() {
    for line in ["assess", "plan", "run", "rollback", "sandbox", "sandbox start", "sandbox scenarios", "completion"] {
        terminal().run(&format!("{line} --help")).golden(&format!("help-{}", line.replace(' ', "-")));
    }
}

#[test]
fn oc_users_read_about_oc() {
    terminal().called("oc vmmove").run("version --help").golden("help-version-oc");
}

#[test]
fn the_client_knows_its_version_without_a_server() {
    terminal().hiding(env!("CARGO_PKG_VERSION"), "VERSION").run("version --client").golden("version-client");
}

#[test]
fn a_strategy_is_explained() {
    terminal().run("explain rebind").golden("explain-rebind");
}

#[test]
fn a_field_is_explained_as_kubectl_would() {
    terminal().run("explain MovePlan.spec.machines.power").golden("explain-field");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let seen = terminal().with_closed_stdout().run("explain");
    assert_eq!((seen.code, seen.text.contains("error")), (0, false));
}
