//! What is written on the volumes: each has a content, clones begin with their origin's.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What there is, by the handle of the volume or snapshot.
#[derive(Clone, Debug, Default)]
pub struct Disks {
    /// Most volumes are empty, and a content is a mark or two: what a test wrote, not gigabytes.
    contents: BTreeMap<String, Vec<u8>>,
    /// What drivers are busy with, and since when.
    begun: BTreeMap<String, Timestamp>,
}

impl Disks {
    /// Makes a volume, empty or with what another holds. A volume that is there keeps what it has.
    pub fn make(&mut self, handle: &str, from: Option<&str>) {
        let content = from.and_then(|from| self.contents.get(from)).cloned().unwrap_or_default();
        self.contents.entry(handle.to_owned()).or_insert(content);
        self.begun.remove(handle);
    }

    /// Destroys a volume and what is on it.
    pub fn destroy(&mut self, handle: &str) {
        self.contents.remove(handle);
    }

    /// Since when a driver is busy with this, if it is.
    pub fn begun(&self, work: &str) -> Option<Timestamp> {
        self.begun.get(work).copied()
    }

    /// A driver is busy with this from now on, if it was not.
    pub fn begin(&mut self, work: &str, now: Timestamp) {
        self.begun.entry(work.to_owned()).or_insert(now);
    }

    /// The driver is no longer busy with this.
    pub fn end(&mut self, work: &str) {
        self.begun.remove(work);
    }

    /// What is on a volume; `None` when there is no such volume.
    pub fn read(&self, handle: &str) -> Option<&[u8]> {
        self.contents.get(handle).map(Vec::as_slice)
    }

    /// Writes on a volume, over what was there. False when there is no such volume.
    pub fn write(&mut self, handle: &str, content: &[u8]) -> bool {
        let Some(place) = self.contents.get_mut(handle) else { return false };
        content.clone_into(place);
        true
    }

    /// The handles of all volumes.
    pub fn handles(&self) -> impl Iterator<Item = &str> {
        self.contents.keys().map(String::as_str)
    }
}
