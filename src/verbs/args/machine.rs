//! Names of virtual machines as people type them: `db-1`, `vm/db-1`, `virtualmachine.kubevirt.io/db-1`, `'db-*'`.

use std::str::FromStr;

use globset::{Glob, GlobMatcher};

use crate::model::kind::VM;

/// One or several virtual machines, by name or by pattern.
#[derive(Clone, Debug)]
pub struct MachineName {
    /// The name or pattern without the kind before it.
    pub text: String,
    pattern: Option<GlobMatcher>,
}

impl MachineName {
    /// The pattern, where the text is one and not a plain name.
    pub fn pattern(&self) -> Option<&GlobMatcher> {
        self.pattern.as_ref()
    }
}

impl FromStr for MachineName {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let text = match typed.split_once('/') {
            Some((kind, name)) if is_machine(kind) => name,
            Some((kind, _)) => return Err(format!("{kind} is not a kind that can be moved; name virtual machines, as in vm/NAME")),
            None => typed,
        };
        if text.is_empty() || text.contains('/') {
            return Err("a name is needed, as in NAME or vm/NAME".to_owned());
        }
        let is_pattern = text.contains(['*', '?', '[', '{']);
        let pattern = is_pattern.then(|| Glob::new(text).map(|glob| glob.compile_matcher())).transpose().map_err(|error| error.kind().to_string())?;
        Ok(Self { text: text.to_owned(), pattern })
    }
}

/// The names that kubectl takes for the kind: short, singular and plural, each also with the group.
fn is_machine(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    ["vm", "vms", "virtualmachine", VM.plural].contains(&kind.as_str()) || kind == VM.singular() || kind == VM.resource()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_can_be_named_as_kubectl_names_objects() {
        for typed in ["db-1", "vm/db-1", "vms/db-1", "VirtualMachine/db-1", "virtualmachine.kubevirt.io/db-1", "virtualmachines.kubevirt.io/db-1"] {
            let name: MachineName = typed.parse().unwrap();
            assert_eq!((name.text.as_str(), name.pattern().is_none()), ("db-1", true), "{typed}");
        }
        for wrong in ["", "vm/", "pod/db-1", "vm/db-1/x", "db-[1"] {
            assert!(wrong.parse::<MachineName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_is_told_from_a_name() {
        let name: MachineName = "vm/db-*".parse().unwrap();
        assert!(name.pattern().unwrap().is_match("db-12"));
        assert!(!name.pattern().unwrap().is_match("web-1"));
    }
}
