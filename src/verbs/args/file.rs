//! What stands in a file given with `-f`: a document, or names of virtual machines.

use super::machine::MachineName;
use crate::model::failure::Failure;

/// The content of a file given with `-f`.
#[derive(Clone, Debug)]
pub enum Content {
    /// YAML or JSON, of a kind that its reader finds out.
    Document(String),
    /// One name per line.
    Names(Vec<MachineName>),
}

/// Tells documents from lists of names: the first line that is neither empty nor a comment decides.
///
/// # Errors
/// A line that is no name, with its number; `file` is what the message calls the file.
pub fn read(file: &str, text: String) -> Result<Content, Failure> {
    let lines = || text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let Some((_, first)) = lines().next() else { return Err(Failure::error(format!("{file} names no virtual machine"))) };
    if ["apiVersion:", "kind:", "---", "{"].iter().any(|start| first.starts_with(start)) {
        return Ok(Content::Document(text));
    }
    let name = |(number, line): (usize, &str)| {
        let name = line.split('#').next().unwrap_or_default().trim();
        name.parse().map_err(|error| Failure::error(format!("{file}, line {}: {error}", number + 1)))
    };
    lines().map(name).collect::<Result<_, _>>().map(Content::Names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_from_lists_of_names() {
        for document in ["apiVersion: vmmove.io/v1alpha1\n", "# mine\n\nkind: MoveList\n", "---\na: b\n", "{\"kind\": \"List\"}"] {
            assert!(matches!(read("f", document.to_owned()), Ok(Content::Document(_))), "{document}");
        }
        let Ok(Content::Names(names)) = read("f", "# weekend\ndb-1\n vm/web-1  # the shop\n\n'".replace('\'', "")) else { panic!("names") };
        assert_eq!(names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>(), ["db-1", "web-1"]);
    }

    #[test]
    fn a_wrong_line_is_named_with_its_number() {
        assert_eq!(
            read("list.txt", "db-1\npod/x\n".to_owned()).unwrap_err().message,
            "list.txt, line 2: pod is not a kind that can be moved; name virtual machines, as in vm/NAME"
        );
        assert_eq!(read("-", "# nothing\n".to_owned()).unwrap_err().message, "- names no virtual machine");
    }
}
