//! Wrong command lines, in the words that kubectl has for them (its flag library, spf13/pflag and spf13/cobra).

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::model::failure::Failure;

/// To kubectl's flag library these are any text; what is wrong with it is told later, in words that do not name the flag.
const TEXTS: [&str; 3] = ["--output", "--request-timeout", "--sort-by"];

/// What is wrong with a command line; `prefix` is what the caller calls the program.
pub fn failure(error: &clap::Error, prefix: &str) -> Failure {
    let context = Context(error);
    let failure = Failure::usage(message(&context, prefix));
    match context.suggestion() {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure,
    }
}

fn message(context: &Context, prefix: &str) -> String {
    let argument = context.first(ContextKind::InvalidArg);
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let value = context.first(ContextKind::InvalidValue);
    match context.0.kind() {
        ErrorKind::InvalidSubcommand => format!("unknown command \"{}\" for \"{prefix}\"", context.first(ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => unknown(flag),
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: {flag}"),
        ErrorKind::InvalidValue => {
            format!("invalid argument \"{value}\" for {}: must be one of {}", said(flag), context.all(ContextKind::ValidValue).join(", "))
        }
        ErrorKind::ValueValidation => {
            let cause = context.0.source().map(ToString::to_string).unwrap_or_default();
            if TEXTS.contains(&flag) {
                return cause;
            }
            format!("invalid argument \"{value}\" for {}: {cause}", said(flag))
        }
        ErrorKind::ArgumentConflict => {
            let others: Vec<String> = context.all(ContextKind::PriorArg).iter().map(|other| said(other)).collect();
            format!("{} cannot be used together with {}", said(flag), others.join(", "))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<String> = context.all(ContextKind::InvalidArg).iter().map(|argument| said(argument)).collect();
            format!("required: {}", missing.join(", "))
        }
        ErrorKind::MissingSubcommand => format!("a command is needed after \"{prefix}\""),
        _ => rendered(context.0),
    }
}

fn unknown(flag: &str) -> String {
    match flag.strip_prefix('-') {
        Some(long) if long.starts_with('-') => format!("unknown flag: {flag}"),
        Some(short) if !short.is_empty() => {
            format!("unknown shorthand flag: '{}' in {flag}", &short[..short.chars().next().map_or(0, char::len_utf8)])
        }
        _ => format!("unknown argument \"{flag}\""),
    }
}

/// A flag or a positional argument in a sentence: `"--volumes" flag`, `VM`.
fn said(argument: &str) -> String {
    let name = argument.split([' ', '=']).next().unwrap_or_default();
    if name.starts_with('-') {
        return format!("\"{name}\" flag");
    }
    let bare = argument.trim_end_matches("...");
    bare.strip_prefix('<').and_then(|bare| bare.strip_suffix('>')).unwrap_or(bare).to_owned()
}

/// The library's own words, first line only.
fn rendered(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

struct Context<'a>(&'a clap::Error);

impl Context<'_> {
    fn all(&self, kind: ContextKind) -> Vec<String> {
        match self.0.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
            _ => Vec::new(),
        }
    }

    fn first(&self, kind: ContextKind) -> String {
        self.all(kind).into_iter().next().unwrap_or_default()
    }

    /// The nearest; the library gives the best one last.
    fn suggestion(&self) -> Option<String> {
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg].into_iter().flat_map(|kind| self.all(kind)).last()
    }
}
