//! What happens by itself: controllers hear of changes and look, each thing at its time and in its order.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::store::{Change, Key};
use super::subject::concerns;
use super::world::World;

/// How soon a controller hears of a change: at least this, and up to twice as much.
const HEARING: Duration = Duration::from_millis(2);

impl World {
    /// Lets time go on to this moment and does all that is due by then. Says when the next thing is due.
    pub fn advance(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.now = self.now.max(now);
        self.spread();
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (index, key) = entry.remove();
            self.queued.remove(&(index, key.clone()));
            if let Some(again) = (self.controllers[index].reconcile)(self, &key) {
                self.ask(index, key, self.now + again.max(HEARING));
            }
            self.spread();
        }
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    /// Lets so much time pass, doing everything in its order.
    pub fn let_pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.advance(self.now).filter(|due| *due <= end) {
            self.now = due;
        }
        self.advance(end);
    }

    /// What has changed until now is no news: no controller looks at it.
    pub(super) fn overlook(&mut self) {
        self.heard = self.store.version();
    }

    /// Tells the controllers what has changed since they last heard.
    fn spread(&mut self) {
        let fresh: Vec<Arc<Change>> = match self.store.since(self.heard) {
            Ok(all) => all.cloned().collect(),
            // Who has not heard for too long looks at everything there is, as informers do.
            Err(_) => self.store.everything(),
        };
        self.heard = self.store.version();
        for change in fresh {
            for index in 0..self.controllers.len() {
                for watch in self.controllers[index].watches.iter().filter(|watch| concerns(watch.0, change.key.resource)) {
                    for key in (watch.1)(self, &change) {
                        let micros = u64::try_from(HEARING.as_micros()).unwrap_or_default();
                        let late = Duration::from_micros(micros + self.chance() % micros);
                        self.ask(index, key, self.now + late);
                    }
                }
            }
        }
    }

    /// Has the controller of this name look at a key after a time, unless it does so earlier anyway.
    pub fn look(&mut self, controller: &str, key: Key, after: Duration) {
        if let Some(index) = self.controllers.iter().position(|other| other.name == controller) {
            self.ask(index, key, self.now + after);
        }
    }

    /// Has a controller look at a key at a time, unless it does so earlier anyway.
    fn ask(&mut self, index: usize, key: Key, due: Timestamp) {
        let entry = (index, key);
        if let Some(at) = self.queued.get(&entry).copied() {
            if at.0 <= due {
                return;
            }
            self.queue.remove(&at);
        }
        self.asked += 1;
        self.queued.insert(entry.clone(), (due, self.asked));
        self.queue.insert((due, self.asked), entry);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::sandbox::behaviour::SUBJECTS;
    use crate::sandbox::catalog::CONFIG_MAP;

    #[test]
    fn controllers_that_have_not_heard_for_too_long_look_at_everything() {
        let mut world = World::new(1, Timestamp::UNIX_EPOCH, SUBJECTS);
        world.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})).unwrap();
        let gone = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left", "namespace": "shop", "ownerReferences": gone}});
        world.create(map).unwrap();
        world.store.compact(world.store.version());
        world.let_pass(Duration::from_secs(1));
        assert_eq!(world.get(&CONFIG_MAP, "shop", "left"), None);
    }
}
