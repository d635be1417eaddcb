//! Man pages of the same words as `--help`: one for the program, and one for each of its commands.

use std::io::{self, Write};

use anyhow::Result;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use vmmove::verbs::args::help;

use super::NAME;

/// A page and the name of its file.
pub struct Page {
    pub name: String,
    pub text: Vec<u8>,
}

/// All pages.
pub fn pages(version: &str) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    add(&mut pages, NAME, &help::command("kubectl vmmove"), version)?;
    Ok(pages)
}

fn add(pages: &mut Vec<Page>, name: &str, command: &Command, version: &str) -> Result<()> {
    pages.push(Page { name: format!("{name}.1"), text: page(name, command.clone(), version)? });
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        add(pages, &format!("{name}-{}", inner.get_name()), inner, version)?;
    }
    Ok(())
}

fn page(name: &str, mut command: Command, version: &str) -> io::Result<Vec<u8>> {
    let usage = command.render_usage().to_string();
    let preface = command.get_before_help().map(ToString::to_string).unwrap_or_default();
    let (description, examples) = preface.split_once("\n\nExamples:\n").unwrap_or((&preface, ""));
    let has_commands = command.has_subcommands();
    let command = command
        .subcommand_help_heading("COMMANDS")
        .display_name(name.to_owned())
        .override_usage(usage.replacen("Usage: ", "", 1))
        .long_about(description.to_owned());
    let man = Man::new(command).title(name.to_uppercase()).source(format!("{NAME} {version}")).manual("kubectl plugins");

    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    write_rest(name, examples, &mut text)?;
    Ok(text)
}

/// What clap knows nothing of: the examples, as they are written, and where the flags of all commands are.
fn write_rest(name: &str, examples: &str, text: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::new();
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    let other = if name == NAME { "kubectl(1)".into() } else { format!("{NAME}(1), for the flags that all commands have") };
    roff.text([roman(other)]);
    roff.to_writer(text)
}
