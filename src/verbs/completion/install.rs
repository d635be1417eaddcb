//! The two programs that kubectl and oc call to complete a plugin (kubectl `pkg/cmd/plugin/plugin_completion.go`).
//!
//! They start the plugin by its name, so that they outlive its upgrades. krew links only the plugin itself, which is why this exists.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::model::failure::Failure;

/// What tells our program from somebody else's of the same name.
const MARK: &str = "kubectl-vmmove __complete";
const SHELL: &str = include_str!("../../../completions/kubectl_complete-vmmove");
const WINDOWS: &str = include_str!("../../../completions/kubectl_complete-vmmove.cmd");
const NAMES: [&str; 2] = ["kubectl_complete-vmmove", "oc_complete-vmmove"];

/// What was done.
#[derive(Debug)]
pub struct Installed {
    /// One line per program.
    pub lines: String,
    /// What the user still has to do.
    pub remark: Option<String>,
}

/// Writes both programs into `folder`, or next to the plugin, which was started as `program`. Doing it again changes nothing.
///
/// # Errors
/// No folder, no right to write there, or a foreign file in the place.
pub fn install(program: &str, folder: Option<&Path>, path: &str) -> Result<Installed, Failure> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => beside(program, path)?,
    };
    let (text, extension) = if cfg!(windows) { (WINDOWS, ".cmd") } else { (SHELL, "") };
    let files = NAMES.map(|name| folder.join(format!("{name}{extension}")));
    files.iter().try_for_each(|file| write(file, text))?;
    let lines = files.map(|file| format!("{} written\n", file.display())).concat();
    let on_path = std::env::split_paths(path).any(|entry| entry == folder);
    let remark = (!on_path).then(|| format!("{} is not in PATH, so kubectl and oc will not find them there", folder.display()));
    Ok(Installed { lines, remark })
}

/// The folder the plugin was started from: as typed with a path, or where PATH has it.
fn beside(program: &str, path: &str) -> Result<PathBuf, Failure> {
    let typed = Path::new(program);
    let with_folder = typed.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned);
    let searched = || std::env::split_paths(path).find(|folder| folder.join(typed).is_file());
    with_folder.or_else(searched).ok_or_else(|| Failure::error("cannot tell where the plugin is installed").hint("name a folder of PATH with --dir"))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::error(format!("cannot write {}: {error}", file.display())).hint("name a folder of PATH that you may write to with --dir")
    };
    match std::fs::read(file) {
        Ok(there) if !String::from_utf8_lossy(&there).contains(MARK) => {
            return Err(Failure::error(format!("{} is there already and is not ours; it was left alone", file.display())));
        }
        Ok(there) if there == text.as_bytes() => return Ok(()),
        _ => {}
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    executable(new.path()).map_err(failed)?;
    new.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(unix)]
fn executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_are_written_next_to_the_plugin_and_again_without_harm() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("kubectl-vmmove");
        for _ in 0..2 {
            let installed = install(program.to_str().unwrap(), None, folder.path().to_str().unwrap()).unwrap();
            assert_eq!(installed.lines.lines().count(), 2);
            assert_eq!(installed.remark, None);
        }
        let elsewhere = install("kubectl-vmmove", Some(folder.path()), "").unwrap();
        assert!(elsewhere.remark.unwrap().contains("is not in PATH"));
    }

    #[cfg(unix)]
    #[test]
    fn the_programs_can_be_executed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        install("kubectl-vmmove", Some(folder.path()), "").unwrap();
        for name in NAMES {
            assert_eq!(folder.path().join(name).metadata().unwrap().permissions().mode() & 0o777, 0o755);
        }
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(if cfg!(windows) { "oc_complete-vmmove.cmd" } else { "oc_complete-vmmove" }), "mine").unwrap();
        let failure = install("kubectl-vmmove", Some(folder.path()), "").unwrap_err();
        assert!(failure.message.ends_with("is there already and is not ours; it was left alone"));
    }

    #[test]
    fn a_plugin_found_over_path_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubectl-vmmove"), "").unwrap();
        assert_eq!(beside("kubectl-vmmove", folder.path().to_str().unwrap()).unwrap(), folder.path());
        assert!(beside("kubectl-vmmove", "").is_err());
    }
}
