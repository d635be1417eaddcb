//! Writing manifests to a folder: readable by their owner alone, because Secrets are among them, and never over somebody else's files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::future::try_join_all;

use super::save;
use crate::cluster::{Cluster, Reason};
use crate::model::failure::Failure;
use crate::model::inventory::Inventory;
use crate::model::manifest::Manifest;
use crate::model::names::ObjectRef;
use crate::output::yaml;
use crate::plan::export::{belongings, clean, file_name};

/// What an export did.
#[derive(Debug, Default)]
pub struct Exported {
    pub written: usize,
    /// What the user may not read.
    pub left_out: Vec<ObjectRef>,
}

/// Reads the manifests of these machines and what belongs to them, and writes each into its own file.
///
/// # Errors
/// The server does not answer; the folder holds files of these names that are not an export of this namespace; the disk is full.
pub async fn export(cluster: &Cluster, seen: &Inventory, machines: &[String], folder: &Path) -> Result<Exported, Failure> {
    let mark = format!("# Exported by kubectl-vmmove from namespace {} of cluster {}\n", seen.source.namespace, seen.source.cluster.id);
    let objects = belongings(seen, machines);
    let taken: Vec<PathBuf> = objects.iter().map(|object| folder.join(file_name(object))).filter(|path| is_foreign(path, &mark)).collect();
    if let Some(first) = taken.first() {
        return Err(Failure::error(format!("{} exists and is no export of namespace {}", first.display(), seen.source.namespace))
            .hint("nothing was written: export to another folder, or move the file away"));
    }
    let read = try_join_all(objects.iter().map(async |object| read(cluster, object).await.map(|found| (object, found)))).await?;
    let failed = |error: io::Error| Failure::error(format!("cannot make folder {}: {error}", folder.display()));
    make_folder(folder).map_err(failed)?;
    let mut done = Exported::default();
    for (object, found) in read {
        match found {
            None => done.left_out.push(object.clone()),
            Some(manifest) => {
                save::private(&folder.join(file_name(object)), &(mark.clone() + &yaml::write(&clean(&manifest))?))?;
                done.written += 1;
            }
        }
    }
    Ok(done)
}

/// The object; `None` where the user may not read it or it has gone meanwhile.
async fn read(cluster: &Cluster, object: &ObjectRef) -> Result<Option<Manifest>, Failure> {
    match cluster.get(object).await {
        Err(error) if error.reason == Reason::Forbidden => Ok(None),
        other => Ok(other?),
    }
}

/// Whether something is there that this tool did not write for this namespace.
fn is_foreign(path: &Path, mark: &str) -> bool {
    match fs::read_to_string(path) {
        Ok(text) => !text.starts_with(mark),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}
