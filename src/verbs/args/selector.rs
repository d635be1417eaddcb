//! Label selectors: `app=db`, `app!=db`, `tier in (a,b)`, `tier notin (a)`, `tier`, `!tier`, joined by commas.
//!
//! Source of the grammar: kubernetes/apimachinery `pkg/labels/selector.go`; `>` and `<` are left out, as kubectl's help does.

use std::collections::BTreeMap;
use std::str::FromStr;

/// A selector: every requirement must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Test {
    In(Vec<String>),
    /// Also holds when the key is absent, as in Kubernetes.
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Selector {
    /// Whether labels satisfy every requirement.
    pub fn matches(&self, labels: &BTreeMap<&str, &str>) -> bool {
        self.0.iter().all(|Requirement { key, test }| {
            let value = labels.get(key.as_str()).copied();
            match test {
                Test::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.iter().any(|one| one == value)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
            }
        })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = split(text);
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(requirement).collect::<Result<_, _>>().map(Self)
    }
}

/// Cuts at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .collect()
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let (key, test) = if let Some((key, value)) = part.split_once("!=") {
        (key, Test::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (key, Test::In(vec![value.trim().to_owned()]))
    } else if let Some(set) = part.strip_suffix(')') {
        let (head, values) = set.split_once('(').ok_or_else(|| malformed(part))?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => (key, Test::In(values)),
            [key, "notin"] => (key, Test::NotIn(values)),
            _ => return Err(malformed(part)),
        }
    } else if let Some(key) = part.strip_prefix('!') {
        (key, Test::Absent)
    } else {
        (part, Test::Exists)
    };
    let key = key.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if key.is_empty() || !key.chars().all(fits) {
        return Err(malformed(part));
    }
    Ok(Requirement { key: key.to_owned(), test })
}

fn malformed(part: &str) -> String {
    format!("{part:?} is no label requirement; write app=db, app!=db, 'tier in (a,b)', tier or '!tier'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(selector: &str) -> Vec<&'static str> {
        let machines = [("db", &[("app", "db"), ("tier", "a")][..]), ("web", &[("app", "web"), ("tier", "b")]), ("bare", &[])];
        let selector: Selector = selector.parse().unwrap();
        machines.iter().filter(|(_, labels)| selector.matches(&labels.iter().copied().collect())).map(|(name, _)| *name).collect()
    }

    #[test]
    fn labels_are_matched_as_kubernetes_matches_them() {
        for (selector, expected) in [
            ("app=db", &["db"][..]),
            ("app == db", &["db"]),
            ("app!=db", &["web", "bare"]),
            ("app in (db, web),tier notin (b)", &["db"]),
            ("tier notin (a)", &["web", "bare"]),
            ("tier", &["db", "web"]),
            ("!tier", &["bare"]),
            ("", &["db", "web", "bare"]),
        ] {
            assert_eq!(chosen(selector), expected, "{selector:?}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["=db", "app in db)", "app within (a)", "a b"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
