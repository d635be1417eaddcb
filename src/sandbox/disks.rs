//! What is written on the volumes: each has a content, clones begin with their origin's.

use std::collections::BTreeMap;

/// Contents by the handle of the volume. Most volumes are empty, and a content is a mark or two: what a test wrote, not gigabytes.
#[derive(Debug, Default)]
pub struct Disks(BTreeMap<String, Vec<u8>>);

impl Disks {
    /// Makes a volume, empty or with what another holds. A volume that is there keeps what it has.
    pub fn make(&mut self, handle: &str, from: Option<&str>) {
        let content = from.and_then(|from| self.0.get(from)).cloned().unwrap_or_default();
        self.0.entry(handle.to_owned()).or_insert(content);
    }

    /// Destroys a volume and what is on it.
    pub fn destroy(&mut self, handle: &str) {
        self.0.remove(handle);
    }

    /// What is on a volume; `None` when there is no such volume.
    pub fn read(&self, handle: &str) -> Option<&[u8]> {
        self.0.get(handle).map(Vec::as_slice)
    }

    /// Writes on a volume, over what was there. False when there is no such volume.
    pub fn write(&mut self, handle: &str, content: &[u8]) -> bool {
        let Some(place) = self.0.get_mut(handle) else { return false };
        content.clone_into(place);
        true
    }

    /// The handles of all volumes.
    pub fn handles(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
