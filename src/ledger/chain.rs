//! One group's journal as a chain of ConfigMaps: what the next write looks like, and whose writes a ConfigMap shows. Pure.

use std::io;

use sha2::{Digest, Sha256};

use super::{ANNOTATION_CLOSED, ANNOTATION_GROUP, ANNOTATION_HOLDER, LABEL_LEDGER, object_name, pack};
use crate::model::journal::Holder;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{LABEL_MOVE, MoveId};

/// A part that is larger than this is closed, in bytes. The server takes 1 MiB (kubernetes/kubernetes
/// `pkg/apis/core/validation/validation.go`, MaxSecretSize), and one append is small.
const FULL: usize = 512 << 10;
/// So much is packed anew with each append, in bytes before packing; what is older stays as it is.
const REPACKED: usize = 64 << 10;

/// The end of one group's journal, as far as this process knows it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    namespace: String,
    id: MoveId,
    group: String,
    number: usize,
    /// The last part as the server has it; none when it has to be created.
    stored: Option<Manifest>,
    /// Packed entries of the last part that are not packed again.
    sealed: Vec<u8>,
    /// Entries of the last part after those, as lines.
    open: Vec<u8>,
    /// What earlier appends sent without learning what came of it.
    unconfirmed: Vec<String>,
}

/// A write that was not sent yet.
pub(super) struct Draft {
    pub manifest: Manifest,
    sealed: Vec<u8>,
    open: Vec<u8>,
}

/// Whose hand a ConfigMap shows.
#[derive(Debug, PartialEq)]
pub(super) enum Hand {
    /// The draft took effect.
    Landed,
    /// All is as before the draft; it can be sent (again).
    Before,
    /// An earlier append of ours, which was given up, took effect after all.
    Earlier,
    /// Somebody else wrote.
    Other(Holder),
    /// What was there is gone.
    Deleted,
}

impl Chain {
    pub(super) fn new(namespace: &str, id: &MoveId, group: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            id: id.clone(),
            group: group.to_owned(),
            number: 0,
            stored: None,
            sealed: Vec::new(),
            open: Vec::new(),
            unconfirmed: Vec::new(),
        }
    }

    /// The name of the ConfigMap that the next append writes.
    pub(super) fn name(&self) -> String {
        let hash = Sha256::digest(self.group.as_bytes());
        let short = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{}-{short:016x}-{}", object_name(&self.id), self.number)
    }

    /// Whether the server has the last part already.
    pub(super) fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// Goes on from a part that was read.
    pub(super) fn adopt(&mut self, found: Manifest) -> io::Result<()> {
        (self.sealed, self.open) = (pack::binary(&found, "entries")?, Vec::new());
        self.unconfirmed.clear();
        self.go_on_from(found);
        Ok(())
    }

    /// The write that appends these lines.
    pub(super) fn draft(&self, holder: &Holder, lines: &[u8]) -> io::Result<Draft> {
        let open = [self.open.as_slice(), lines].concat();
        let packed = [self.sealed.as_slice(), &pack::pack(&open)?].concat();
        let mut manifest = self.stored.clone().unwrap_or_else(|| self.fresh());
        manifest.set("/binaryData/entries", pack::encode(&packed).into());
        manifest.set_annotation(ANNOTATION_HOLDER, &serde_json::json!(holder).to_string());
        if packed.len() > FULL {
            manifest.set_annotation(ANNOTATION_CLOSED, "true");
        }
        let (sealed, open) = if open.len() > REPACKED { (packed, Vec::new()) } else { (self.sealed.clone(), open) };
        Ok(Draft { manifest, sealed, open })
    }

    /// The draft took effect and stands in the cluster like this.
    pub(super) fn keep(&mut self, draft: Draft, stored: Manifest) {
        (self.sealed, self.open) = (draft.sealed, draft.open);
        self.unconfirmed.clear();
        self.go_on_from(stored);
    }

    /// Only others' fields changed: the next write is based on this.
    pub(super) fn rebase(&mut self, found: Option<Manifest>) {
        self.stored = found;
    }

    /// The draft is given up, but may take effect yet.
    pub(super) fn give_up(&mut self, draft: &Draft) {
        self.unconfirmed.push(entries_of(&draft.manifest).to_owned());
    }

    /// Tells whose hand a look at the part shows.
    pub(super) fn judge(&self, found: Option<&Manifest>, draft: &Draft) -> Hand {
        let Some(found) = found else { return if self.is_stored() { Hand::Deleted } else { Hand::Before } };
        let mine = holder_of(&draft.manifest);
        let holder = holder_of(found);
        if holder.number == mine.number && entries_of(found) == entries_of(&draft.manifest) {
            return Hand::Landed;
        }
        if self.stored.as_ref().is_some_and(|stored| holder_of(stored).number == holder.number && entries_of(stored) == entries_of(found)) {
            return Hand::Before;
        }
        if holder.number == mine.number && self.unconfirmed.iter().any(|sent| sent == entries_of(found)) {
            return Hand::Earlier;
        }
        Hand::Other(holder)
    }

    fn fresh(&self) -> Manifest {
        let mut manifest = Manifest::new(kind::CONFIG_MAP, &self.namespace, &self.name());
        manifest.set_label(LABEL_MOVE, &self.id.0);
        manifest.set_label(LABEL_LEDGER, "journal");
        manifest.set_annotation(ANNOTATION_GROUP, &self.group);
        manifest
    }

    fn go_on_from(&mut self, stored: Manifest) {
        if is_closed(&stored) {
            self.number += 1;
            (self.stored, self.sealed, self.open) = (None, Vec::new(), Vec::new());
        } else {
            self.stored = Some(stored);
        }
    }
}

/// Whether another part follows.
pub(super) fn is_closed(part: &Manifest) -> bool {
    part.annotation(ANNOTATION_CLOSED).is_some()
}

/// Who wrote a part last; number 0 when that cannot be read.
pub(super) fn holder_of(part: &Manifest) -> Holder {
    part.annotation(ANNOTATION_HOLDER).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn entries_of(part: &Manifest) -> &str {
    part.text("/binaryData/entries").unwrap_or_default()
}
