//! At which requests of a move a misfortune strikes. Those that come to the same are struck once.

use std::collections::BTreeSet;

use serde_json::Value;
use vmmove::sandbox::fault::Seen;
use vmmove::sandbox::store::text;

use crate::fates::{At, MACHINES};
use crate::tales::Tale;

/// The numbers of the requests; all of a kind only when everything is to be tried.
pub fn of(tale: &Tale, at: At, everything: bool) -> Vec<usize> {
    let log = &tale.log;
    let writes = |point: usize| log.get(point).is_some_and(|asked| asked.request.writes);
    let all = 0..log.len();
    match at {
        At::Writes => all.filter(|point| writes(*point)).collect(),
        At::Changes => all.filter(|point| writes(*point) && log[*point].request.verb != "create").collect(),
        At::Requests => all.filter(|point| everything || writes(*point) || writes(point + 1) || (*point > 0 && writes(point - 1))).collect(),
        At::Kinds => {
            let mut known = BTreeSet::new();
            let key = |point: &usize| {
                let request = &log[*point].request;
                (request.verb.clone(), request.plural.clone(), request.namespace.clone(), request.name.clone())
            };
            all.filter(|point| writes(*point) && known.insert(key(point))).collect()
        }
        At::States => {
            // Who dies between two looks at the same cluster leaves the same behind.
            let mut known = BTreeSet::new();
            all.filter(|point| known.insert(log[*point].version)).collect()
        }
    }
}

/// Whether it strikes when the move has had its last look at what shows it in the target, or at any guest: nobody can notice any more.
pub fn is_after_the_last_look(tale: &Tale, point: usize, shown_by: &[&str]) -> bool {
    let is_over = |kinds: &[&str]| tale.log.iter().rposition(|asked| looks(&asked.request, kinds)).is_none_or(|last| point > last);
    is_over(shown_by) || is_over(&["virtualmachineinstances"])
}

/// A look at an object of the target, of one of these kinds.
fn looks(request: &Seen, kinds: &[&str]) -> bool {
    request.verb == "get" && request.namespace == "prod" && kinds.contains(&request.plural.as_str())
}

/// What belongs to machines of which the move has had its last look when it strikes: their names and those of their disks. What somebody does to
/// them from then on is not looked for, also when the move goes on for others.
pub fn looked_at_for_the_last_time(tale: &Tale, point: usize, shown_by: &[&str]) -> Vec<String> {
    let names = |vm: &Value| {
        let volumes = vm.pointer("/spec/template/spec/volumes").and_then(Value::as_array).cloned().unwrap_or_default();
        let claim = |volume: &Value| ["/persistentVolumeClaim/claimName", "/dataVolume/name"].map(|at| text(volume, at).to_owned());
        let disks = volumes.iter().flat_map(claim).filter(|name| !name.is_empty());
        disks.chain([text(vm, "/metadata/name").to_owned()]).collect::<Vec<_>>()
    };
    let is_over = |names: &Vec<String>| {
        [shown_by, MACHINES].iter().any(|kinds| {
            let last = tale.log.iter().rposition(|asked| looks(&asked.request, kinds) && names.contains(&asked.request.name));
            last.is_some_and(|last| point > last)
        })
    };
    tale.originals.iter().map(names).filter(is_over).flatten().collect()
}
