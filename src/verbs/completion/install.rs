//! The two programs that kubectl and oc call to complete a plugin (kubectl `pkg/cmd/plugin/plugin_completion.go`).
//!
//! They start the plugin by its name, so that they outlive its upgrades. krew links only the plugin itself, which is why this exists.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::model::failure::Failure;

/// What tells our program from somebody else's of the same name.
const MARK: &str = "kubectl-vmmove __complete";
const SHELL: &str = include_str!("../../../completions/kubectl_complete-vmmove");
const WINDOWS: &str = include_str!("../../../completions/kubectl_complete-vmmove.cmd");
const ELSEWHERE: &str = "name a folder of PATH that you may write to with --dir";
const NAMES: [&str; 2] = ["kubectl_complete-vmmove", "oc_complete-vmmove"];

/// What was done.
#[derive(Debug)]
pub struct Installed {
    /// One line per program.
    pub lines: String,
    /// What the user still has to do.
    pub remark: Option<String>,
}

/// Writes both programs into `folder`, or next to the plugin, which was started as `program`. Doing it again changes nothing; a foreign file
/// is not written over, and then neither program is written.
///
/// # Errors
/// No folder, no right to write there, or a foreign file in the place.
pub fn install(program: &str, folder: Option<&Path>, path: &str) -> Result<Installed, Failure> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => beside(program, path)?,
    };
    let text = if cfg!(windows) { WINDOWS } else { SHELL };
    let files = NAMES.map(|name| folder.join(file_name(name)));
    let stale = files.iter().map(|file| is_stale(file, text)).collect::<Result<Vec<bool>, _>>()?;
    let mut lines = String::new();
    for (file, stale) in files.iter().zip(stale) {
        if stale {
            write(file, text)?;
        }
        let _ = writeln!(lines, "{} {}", file.display(), if stale { "written" } else { "unchanged" });
    }
    let same = |entry: &Path| entry == folder || entry.canonicalize().is_ok_and(|entry| folder.canonicalize().is_ok_and(|folder| entry == folder));
    let on_path = std::env::split_paths(path).any(|entry| same(&entry));
    let remark = (!on_path).then(|| format!("{} is not in PATH, so kubectl and oc will not find them there", folder.display()));
    Ok(Installed { lines, remark })
}

fn file_name(name: &str) -> String {
    format!("{name}{}", if cfg!(windows) { ".cmd" } else { "" })
}

/// The folder the plugin was started from: as typed with a path, or where PATH has it.
fn beside(program: &str, path: &str) -> Result<PathBuf, Failure> {
    let typed = Path::new(program);
    let with_folder = typed.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned);
    let searched = || std::env::split_paths(path).find(|folder| folder.join(typed).is_file());
    with_folder.or_else(searched).ok_or_else(|| Failure::error("cannot tell where the plugin is installed").hint("name a folder of PATH with --dir"))
}

/// Whether a file has to be written.
fn is_stale(file: &Path, text: &str) -> Result<bool, Failure> {
    match std::fs::read(file) {
        Ok(there) if there == text.as_bytes() => Ok(false),
        Ok(there) if String::from_utf8_lossy(&there).contains(MARK) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Ok(_) => Err(Failure::error(format!("{} is there already and is not ours; it was left alone", file.display()))
            .hint("move it away, or name another folder of PATH with --dir")),
        Err(error) => Err(Failure::error(format!("cannot read {}: {error}", file.display())).hint(ELSEWHERE)),
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::error(format!("cannot write {}: {error}", file.display())).hint(ELSEWHERE);
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
        for done in ["written", "unchanged"] {
            let installed = install(program.to_str().unwrap(), None, folder.path().to_str().unwrap()).unwrap();
            assert!(installed.lines.lines().count() == 2 && installed.lines.lines().all(|line| line.ends_with(done)), "{}", installed.lines);
            assert_eq!(installed.remark, None);
        }
    }

    #[test]
    fn a_program_of_an_older_version_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file_name(NAMES[0])), format!("#!/bin/sh\n# as it was once\n{MARK}\n")).unwrap();
        let installed = install("kubectl-vmmove", Some(folder.path()), "").unwrap();
        assert!(installed.lines.lines().all(|line| line.ends_with("written")), "{}", installed.lines);
    }

    #[test]
    fn a_folder_that_is_not_in_path_is_remarked_and_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (bin, other) = (folder.path().join("bin"), folder.path().join("other"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(&other).unwrap();
        let remark = |path: &Path| install("kubectl-vmmove", Some(&bin), path.to_str().unwrap()).unwrap().remark;
        assert!(remark(&other).unwrap().contains("is not in PATH"));
        assert_eq!(remark(&other.join("../bin/")), None, "the same folder by another name");
        assert!(bin.join(file_name(NAMES[0])).is_file());
    }

    #[test]
    fn where_nothing_can_be_written_a_hint_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let mut places = vec![folder.path().join("none"), folder.path().join("file")];
        if cfg!(target_os = "linux") {
            places.push("/proc".into()); // Not even for the administrator.
        }
        for place in places {
            let failure = install("kubectl-vmmove", Some(&place), "").unwrap_err();
            assert!(failure.message.starts_with("cannot ") && failure.hints == [ELSEWHERE], "{}", failure.message);
        }
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
        let foreign = folder.path().join(file_name(NAMES[1]));
        std::fs::write(&foreign, "mine").unwrap();
        let failure = install("kubectl-vmmove", Some(folder.path()), "").unwrap_err();
        assert!(failure.message.ends_with("is there already and is not ours; it was left alone"));
        assert_eq!(std::fs::read_to_string(foreign).unwrap(), "mine");
        assert!(!folder.path().join(file_name(NAMES[0])).exists(), "nothing is done by halves");
    }

    #[test]
    fn a_plugin_found_over_path_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubectl-vmmove"), "").unwrap();
        assert_eq!(beside("kubectl-vmmove", folder.path().to_str().unwrap()).unwrap(), folder.path());
        assert!(beside("kubectl-vmmove", "").is_err());
    }
}
