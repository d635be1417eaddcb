//! There is a man page for every command, with all its flags, and groff finds nothing wrong in any.

use std::collections::BTreeMap;
use std::process::Command;

use clap::CommandFactory as _;
use vmmove::verbs::Cli;

use crate::packed;
use crate::release::man;

#[test]
fn every_command_has_a_page_with_its_flags() {
    let pages: BTreeMap<_, _> = man::pages("1.2.3").unwrap().into_iter().map(|page| (page.name, String::from_utf8(page.text).unwrap())).collect();
    assert!(pages["kubectl-vmmove.1"].contains("kubectl\\-vmmove\\-rollback(1)"));
    for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let page = &pages[&format!("kubectl-vmmove-{}.1", verb.get_name())];
        assert!(page.contains("kubectl-vmmove 1.2.3") && page.contains(&format!("kubectl vmmove {}", verb.get_name())), "{page}");
        for flag in verb.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))), "{} has no --{flag}", verb.get_name());
        }
    }
}

#[test]
fn groff_has_nothing_to_say() {
    if !packed::has("groff") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for page in man::pages("1.2.3").unwrap() {
        let file = folder.path().join(&page.name);
        std::fs::write(&file, &page.text).unwrap();
        let said = packed::run(Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(file));
        assert_eq!(said, "", "{}", page.name);
    }
}
