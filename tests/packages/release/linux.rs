//! What every Linux package holds, whatever its format: the program, its completion for kubectl and oc, and man pages.

use anyhow::Result;

use super::archive::{File, gz};
use super::{NAME, man};

/// kubectl and oc find completion by these names.
const COMPLETIONS: [(&str, &[u8]); 2] = [
    ("kubectl_complete-vmmove", include_bytes!("../../../completions/kubectl_complete-vmmove")),
    ("oc_complete-vmmove", include_bytes!("../../../completions/oc_complete-vmmove")),
];

/// The files, by their paths below the root.
pub fn files<'a>(version: &str, program: &'a [u8]) -> Result<Vec<File<'a>>> {
    let mut files = vec![File::program(format!("usr/bin/{NAME}"), program)];
    files.extend(COMPLETIONS.map(|(name, text)| File::program(format!("usr/bin/{name}"), text)));
    for page in man::pages(version)? {
        files.push(File::text(format!("usr/share/man/man1/{}.gz", page.name), gz(&page.text)?));
    }
    Ok(files)
}

/// The version in the words of package managers, where `-` stands before a package's own number and `~` before what is yet to be released.
pub fn version(version: &str) -> String {
    version.replace('-', "~")
}
