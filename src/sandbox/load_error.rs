//! What can be wrong with a scenario or a dump, and where.

use std::fmt;

use thiserror::Error;

/// More objects than this are a slip in some `count`.
pub const MOST: usize = 1_000_000;

/// Where in a file something stands; both count from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    pub document: usize,
    /// In a list, or in a repeated group.
    pub item: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "document {}", self.document)?;
        self.item.map_or(Ok(()), |item| write!(f, ", item {item}"))
    }
}

/// A kind that the sandbox does not serve: where it stands first, and how often it does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown {
    pub kind: String,
    pub api_version: String,
    pub first: Place,
    pub count: usize,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: kind \"{}\" of version \"{}\" is not served here", self.first, self.kind, self.api_version)?;
        if self.count > 1 { write!(f, " ({} of them)", self.count) } else { Ok(()) }
    }
}

/// Why a scenario cannot be played.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LoadError {
    #[error("{}it is no YAML: {why}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Yaml { line: Option<u64>, why: String },
    #[error("{place}: it is no object")]
    NoObject { place: Place },
    #[error("{place}: {kind} has no name")]
    NoName { place: Place, kind: String },
    #[error("{place}: {kind} \"{name}\" is there a second time")]
    Twice { place: Place, kind: String, name: String },
    #[error("{place}: {kind}: {why}")]
    Ours { place: Place, kind: String, why: String },
    #[error("{}", .0.iter().map(Unknown::to_string).collect::<Vec<_>>().join("\n"))]
    UnknownKinds(Vec<Unknown>),
    #[error("there are more than {MOST} objects in it")]
    TooMany,
    #[error("{place}: {kind} \"{name}\" cannot be made: {why}")]
    Refused { place: Place, kind: String, name: String, why: String },
    /// A dump without objects that others in it cannot do without: kind and name of each, and what needs it.
    #[error("{}", lacks(.0))]
    Incomplete(Vec<Lack>),
}

/// Something that is not in a dump, and what in it needs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lack {
    pub missing: String,
    /// The plural under which kubectl gets it.
    pub plural: String,
    pub of: String,
}

fn lacks(all: &[Lack]) -> String {
    let told: Vec<String> = all.iter().take(3).map(|lack| format!("{} of {}", lack.missing, lack.of)).collect();
    let rest = if all.len() > 3 { format!(", and {} more", all.len() - 3) } else { String::new() };
    format!("it lacks what its objects cannot be without: {}{rest}", told.join(", "))
}
