//! What is looked up by something else than its name, so that a huge cluster is not searched for each little thing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::at::At;
use super::catalog::{self, Resource};
use super::store::{Key, text};

/// A way to look objects up.
#[derive(Debug)]
pub struct Index {
    name: &'static str,
    /// Of all kinds when there is none.
    resource: Option<&'static Resource>,
    /// Under which words an object is found.
    words: fn(&Value) -> Vec<String>,
}

/// Everything by the identities of its owners.
pub static OWNED_BY: Index = Index { name: "owner", resource: None, words: owners };
/// Volumes that are for a claim, by its namespace and name.
pub static VOLUMES_FOR: Index = Index { name: "claim", resource: Some(&catalog::VOLUME), words: claim_of };
/// Volumes that are for nobody, by their class.
pub static FREE_VOLUMES: Index = Index { name: "class", resource: Some(&catalog::VOLUME), words: class_if_free };
/// Pods by the namespace and name of each claim they use.
pub static PODS_WITH: Index = Index { name: "claims", resource: Some(&catalog::POD), words: claims_of };
/// Pods that have not ended, by their node; those without one under nothing.
pub static PODS_ON: Index = Index { name: "node", resource: Some(&catalog::POD), words: node_of };
/// Claims by the namespace and name of the claim they are to be copied from.
pub static CLONES_OF: Index = Index { name: "origin", resource: Some(&catalog::CLAIM), words: origin };

/// Instances by the namespace and name of each claim that is plugged into them.
pub static PLUGGED_INTO: Index = Index { name: "plugged", resource: Some(&catalog::VMI), words: plugged };

/// Events by the name and by the identity of what they are about.
pub static EVENTS_ABOUT: Index = Index { name: "about", resource: Some(&catalog::EVENT), words: subject };

const ALL: [&Index; 8] = [&OWNED_BY, &VOLUMES_FOR, &FREE_VOLUMES, &PODS_WITH, &PODS_ON, &CLONES_OF, &PLUGGED_INTO, &EVENTS_ABOUT];

fn owners(object: &Value) -> Vec<String> {
    let owners = object.at("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    owners.map(|owner| text(owner, "/uid").to_owned()).collect()
}

fn claim_of(volume: &Value) -> Vec<String> {
    let claim = volume.at("/spec/claimRef");
    claim.map(|claim| place(text(claim, "/namespace"), text(claim, "/name"))).into_iter().collect()
}

fn class_if_free(volume: &Value) -> Vec<String> {
    let free = volume.at("/spec/claimRef").is_none();
    free.then(|| text(volume, "/spec/storageClassName").to_owned()).into_iter().collect()
}

fn claims_of(pod: &Value) -> Vec<String> {
    let volumes = pod.at("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let claims = volumes.filter_map(|volume| volume.at("/persistentVolumeClaim/claimName")?.as_str());
    claims.map(|claim| place(text(pod, "/metadata/namespace"), claim)).collect()
}

fn node_of(pod: &Value) -> Vec<String> {
    if matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") { Vec::new() } else { vec![text(pod, "/spec/nodeName").to_owned()] }
}

fn plugged(instance: &Value) -> Vec<String> {
    let volumes = instance.at("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let claim = |volume: &Value, source: &str, name: &str| {
        let source = volume.at(source).filter(|source| source.at("/hotpluggable") == Some(&Value::Bool(true)))?;
        Some(place(text(instance, "/metadata/namespace"), text(source, name)))
    };
    volumes.filter_map(|volume| claim(volume, "/persistentVolumeClaim", "/claimName").or_else(|| claim(volume, "/dataVolume", "/name"))).collect()
}

fn subject(event: &Value) -> Vec<String> {
    ["/involvedObject/name", "/involvedObject/uid"].map(|pointer| text(event, pointer).to_owned()).into()
}

fn origin(claim: &Value) -> Vec<String> {
    let source = claim.at("/spec/dataSource").filter(|source| text(source, "/kind") == "PersistentVolumeClaim");
    source.map(|source| place(text(claim, "/metadata/namespace"), text(source, "/name"))).into_iter().collect()
}

/// How indexes write down a namespace and a name.
pub fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// What is found under which words.
#[derive(Clone, Default)]
pub struct Indexes(BTreeMap<&'static str, BTreeMap<String, BTreeSet<Key>>>);

impl Indexes {
    /// An object was one thing and is another.
    pub fn changed(&mut self, key: &Key, before: Option<&Value>, after: Option<&Value>) {
        for index in ALL.iter().filter(|index| index.resource.is_none_or(|resource| resource == key.resource)) {
            let words = |object: Option<&Value>| object.map(index.words).unwrap_or_default();
            let (old, new) = (words(before), words(after));
            if old == new {
                continue;
            }
            let entries = self.0.entry(index.name).or_default();
            for word in old {
                if let Some(keys) = entries.get_mut(&word) {
                    keys.remove(key);
                    if keys.is_empty() {
                        entries.remove(&word);
                    }
                }
            }
            for word in new {
                entries.entry(word).or_default().insert(key.clone());
            }
        }
    }

    /// What is found under a word, in the order of kind, namespace and name.
    pub fn find(&self, index: &Index, word: &str) -> impl Iterator<Item = &Key> + use<'_> {
        self.0.get(index.name).and_then(|entries| entries.get(word)).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::catalog::{POD, VOLUME};

    #[test]
    fn an_object_is_found_under_its_new_words_and_no_longer_under_the_old_ones() {
        let mut indexes = Indexes::default();
        let key = Key::new(&VOLUME, "", "v");
        let free = json!({"spec": {"storageClassName": "fast"}});
        let taken = json!({"spec": {"storageClassName": "fast", "claimRef": {"namespace": "shop", "name": "db"}}});
        indexes.changed(&key, None, Some(&free));
        assert_eq!(indexes.find(&FREE_VOLUMES, "fast").count(), 1);
        indexes.changed(&key, Some(&free), Some(&taken));
        assert_eq!(indexes.find(&FREE_VOLUMES, "fast").count(), 0);
        assert_eq!(indexes.find(&VOLUMES_FOR, "shop/db").collect::<Vec<_>>(), [&key]);
        indexes.changed(&key, Some(&taken), None);
        assert_eq!(indexes.find(&VOLUMES_FOR, "shop/db").count(), 0);
    }

    #[test]
    fn pods_that_ended_are_on_no_node() {
        let mut indexes = Indexes::default();
        let key = Key::new(&POD, "shop", "p");
        let pod = |phase| json!({"metadata": {"namespace": "shop"}, "spec": {"nodeName": "n"}, "status": {"phase": phase}});
        indexes.changed(&key, None, Some(&pod("Running")));
        assert_eq!(indexes.find(&PODS_ON, "n").count(), 1);
        indexes.changed(&key, Some(&pod("Running")), Some(&pod("Succeeded")));
        assert_eq!(indexes.find(&PODS_ON, "n").count(), 0);
    }
}
