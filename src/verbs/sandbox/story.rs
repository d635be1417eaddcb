//! Which scenario is meant, and what is wrong with it.

use std::io::Read;

use crate::model::failure::Failure;
use crate::sandbox::catalog;
use crate::sandbox::load_error::{LoadError, Unknown};
use crate::sandbox::reading::{self, Reading};
use crate::sandbox::scenarios::{ALL, Scenario};
use crate::verbs::Context;

/// A scenario that was named, or read from a file.
pub struct Story {
    /// As typed.
    pub name: String,
    /// What it is about, of those that come along.
    pub about: Option<&'static str>,
    pub reading: Reading,
}

/// Reads the scenario that is called so. Where `skip` says so, kinds that are not served are left out, with a warning for each.
///
/// # Errors
/// There is none of the name, or what is wrong with the file.
pub fn story(cx: &mut Context, name: &str, skip: bool) -> Result<Story, Failure> {
    let own = Scenario::named(name);
    let text = own.map_or_else(|| text(cx, name), |own| Ok(own.text.to_owned()))?;
    let mut reading = reading::read(&text).map_err(|error| wrong(cx, name, &error))?;
    let unknown = std::mem::take(&mut reading.unknown);
    let story = Story { name: name.to_owned(), about: own.map(|own| own.about), reading };
    if unknown.is_empty() {
        return Ok(story);
    }
    if !skip {
        return Err(wrong(cx, name, &LoadError::UnknownKinds(unknown)));
    }
    for kind in unknown {
        let words = format!("left out {} of kind \"{}\" ({}), which the sandbox does not serve", kind.count, kind.kind, kind.api_version);
        cx.io.remark(&crate::output::error::warning(&words));
    }
    Ok(story)
}

fn text(cx: &mut Context, name: &str) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| Failure::error(format!("cannot read {name}: {error}"));
    if name == "-" {
        let mut text = String::new();
        return cx.io.stdin.read_to_string(&mut text).map(|_| text).map_err(unreadable);
    }
    match std::fs::read_to_string(name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !name.contains(['/', '\\', '.']) => Err(unknown(cx, name)),
        read => read.map_err(unreadable),
    }
}

/// There is no scenario of that name.
pub fn unknown(cx: &Context, name: &str) -> Failure {
    let near = ALL.iter().map(|own| (strsim::jaro_winkler(own.name, name), own.name)).max_by(|one, other| one.0.total_cmp(&other.0));
    let failure = Failure::error(format!("there is neither a scenario nor a file {name:?}"));
    let failure = match near {
        Some((score, near)) if score > 0.8 => failure.hint(format!("did you mean {near:?}?")),
        _ => failure,
    };
    failure.hint(format!("list the scenarios with '{} sandbox scenarios'", cx.prefix))
}

/// Says what is wrong with a scenario, and what to do.
pub fn wrong(cx: &Context, name: &str, error: &LoadError) -> Failure {
    let failure = Failure::error(error.to_string().lines().map(|line| format!("{name}: {line}")).collect::<Vec<_>>().join("\n"));
    match error {
        LoadError::UnknownKinds(kinds) => {
            let failure = kinds.iter().filter_map(near).fold(failure, |failure, near| failure.hint(format!("did you mean kind: {near}?")));
            failure.hint("take them out, or leave them out with --skip-unknown")
        }
        LoadError::Incomplete(lacks) => {
            let mut kinds: Vec<&str> = lacks.iter().map(|lack| lack.plural.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            failure.hint(format!("take the dump again with these kinds too: kubectl get {} -A -o yaml", kinds.join(",")))
        }
        LoadError::Yaml { .. } | LoadError::NoObject { .. } | LoadError::Ours { .. } => {
            failure.hint(format!("see what a scenario looks like with '{} sandbox scenarios plain'", cx.prefix))
        }
        LoadError::NoName { .. } | LoadError::Twice { .. } | LoadError::TooMany | LoadError::Refused { .. } => failure,
    }
}

/// The kind that somebody probably meant.
fn near(unknown: &Unknown) -> Option<String> {
    let score = |kind: &catalog::Resource| strsim::jaro_winkler(&kind.kind.to_lowercase(), &unknown.kind.to_lowercase());
    let (score, best) = catalog::ALL.iter().map(|kind| (score(kind), *kind)).max_by(|one, other| one.0.total_cmp(&other.0))?;
    (score > 0.93).then(|| format!("{}, apiVersion: {}", best.kind, best.api_version()))
}
