//! The ledger in a file, for whoever may not write ConfigMaps: one JSON document per line, safe on disk before it counts.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Header, Kept, Opened, damaged};
use crate::engine::clock::{Clock, Rng, tail};
use crate::engine::{self, StepError};
use crate::model::failure::Failure;
use crate::model::journal::Entry;
use crate::model::names::MoveId;
use crate::plan::document::Plan;

/// A journal in a file that this process carries on. The file is locked as long as this lives.
pub struct FileLedger {
    path: PathBuf,
    header: Header,
    end: Mutex<End>,
}

/// The open file, and where its last whole line ends, in bytes.
struct End {
    file: File,
    at: u64,
}

/// What comes first of all, whatever version wrote it.
#[derive(Deserialize)]
struct Head {
    header: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct First {
    header: Header,
    plan: Plan,
    /// Commands that restore each source without this tool.
    restore: Vec<String>,
}

/// One append: whole or not there.
#[derive(Serialize, Deserialize)]
struct Line {
    group: String,
    entries: Vec<Entry>,
}

impl FileLedger {
    /// Writes a new move down in a file that must not be there yet.
    pub fn begin(
        path: &Path,
        plan: &Plan,
        author: &str,
        rng: &dyn Rng,
        clock: &dyn Clock,
        restore: impl Fn(&MoveId) -> Vec<String>,
    ) -> Result<(MoveId, Self), Failure> {
        let failed = |error: io::Error| {
            let failure = Failure::error(format!("the ledger {} could not be begun, so nothing was touched: {error}", path.display()));
            if error.kind() == io::ErrorKind::AlreadyExists {
                return failure.hint("every move has a ledger of its own: name another file, or go on with the move in this one");
            }
            failure
        };
        let id = MoveId::mint(&plan.spec.source.namespace, &plan.spec.target.namespace, &tail(rng));
        let header = Header::new(id.clone(), plan, author, &clock.now().to_string(), 1);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(failed)?;
        lock(&file, path)?;
        let mut end = End { file, at: 0 };
        let first = First { restore: restore(&id), header: header.clone(), plan: plan.clone() };
        end.append(&first).map_err(failed)?;
        sync_directory(path).map_err(failed)?;
        Ok((id, Self { path: path.to_owned(), header, end: Mutex::new(end) }))
    }

    /// Opens the move in a file to go on with it. A last line that was cut off by a crash never counted, and is removed.
    pub fn open(path: &Path) -> Result<(Opened, Self), Failure> {
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| unreadable(path, &error))?;
        lock(&file, path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
        let (opened, at) = parse(path, &bytes)?;
        file.set_len(at).map_err(|error| unreadable(path, &error))?;
        let ledger = Self { path: path.to_owned(), header: opened.header.clone(), end: Mutex::new(End { file, at }) };
        Ok((opened, ledger))
    }

    pub fn header(&self) -> &Header {
        &self.header
    }
}

/// Reads the move in a file without going on with it, also while somebody else does.
pub fn read(path: &Path) -> Result<Opened, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    parse(path, &bytes).map(|(opened, _)| opened)
}

impl engine::Ledger for FileLedger {
    async fn append(&self, group: &str, entries: &[Entry]) -> Result<(), StepError> {
        let line = Line { group: group.to_owned(), entries: entries.to_vec() };
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.append(&line).map_err(|error| {
            let path = self.path.display();
            StepError::permanent(format!("the journal of move {} could not be written to {path}: {error}", self.header.move_id))
        })
    }
}

impl End {
    /// Writes one line and waits until it is on disk. What a failed write left behind is overwritten by the next.
    fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file.set_len(self.at)?;
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.write_all(&bytes)?;
        self.file.sync_all()?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// Reads all whole lines; says where the last of them ends.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Opened, u64), Failure> {
    let what = path.display().to_string();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().ok_or_else(|| damaged(&what, "it has no header"))?;
    let wrong = |number: usize, error: serde_json::Error| damaged(&what, &format!("line {number}: {error}"));
    let Head { header } = serde_json::from_slice(first).map_err(|error| wrong(1, error))?;
    // Whether this version may read it comes before everything else that may be new to it.
    let header = Header::read(&header.to_string(), &what)?;
    let First { plan, .. } = serde_json::from_slice(first).map_err(|error| wrong(1, error))?;
    let mut journal: BTreeMap<String, Vec<Entry>> = header.groups().map(|group| (group.to_owned(), Vec::new())).collect();
    for (number, line) in lines.enumerate() {
        let line: Line = serde_json::from_slice(line).map_err(|error| wrong(number + 2, error))?;
        journal.entry(line.group).or_default().extend(line.entries);
    }
    Ok((Opened { header, plan, journal, kept: Kept::default() }, whole as u64))
}

fn lock(file: &File, path: &Path) -> Result<(), Failure> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Failure::error(format!("the ledger {} is in use by another process", path.display()))
            .hint("one process carries a move; wait for it, or stop it first"),
        TryLockError::Error(error) => {
            Failure::error(format!("the ledger {} cannot be locked: {error}", path.display())).hint("name a file on a file system that knows locks")
        }
    })
}

/// Makes the new file's name itself safe on disk, where the system can.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::error(format!("the ledger {} cannot be opened: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::{clock, dice, document, restore, started};
    use super::*;
    use crate::engine::Ledger;
    use crate::plan::fixtures;

    #[tokio::test]
    async fn a_line_that_a_crash_cut_off_never_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let plan = document(fixtures::plan());
        let begin = || FileLedger::begin(&path, &plan, "alice", &dice(), &*clock(), restore);
        let (id, ledger) = begin().unwrap();
        ledger.append("db-1", &[started("a")]).await.unwrap();
        assert!(FileLedger::open(&path).err().unwrap().message.ends_with("is in use by another process"));
        assert!(begin().is_err(), "a ledger is not overwritten");
        drop(ledger);
        let torn = [std::fs::read(&path).unwrap(), b"{\"group\":\"db-1\",\"ent".to_vec()].concat();
        std::fs::write(&path, torn).unwrap();

        let (opened, ledger) = FileLedger::open(&path).unwrap();
        assert_eq!((&opened.header.move_id, &opened.plan), (&id, &plan));
        ledger.append("db-1", &[started("b")]).await.unwrap();
        assert_eq!(read(&path).unwrap().journal["db-1"], [started("a"), started("b")]);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        drop(ledger);

        let text = std::fs::read_to_string(&path).unwrap().replacen("\"group\"", "\"grope\"", 1);
        std::fs::write(&path, text).unwrap();
        assert!(read(&path).unwrap_err().message.contains("line 2"));
    }
}
