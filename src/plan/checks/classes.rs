//! Whether disks can be on the classes they are to be on in the target.

use std::collections::BTreeSet;

use super::Check;
use super::disks::{Disk, disks, each_disk};
use super::machines::nearest;
use crate::model::disk::Claim;
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::Inventory;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::plan::request::{MoveRequest, Volumes};

pub const CHECKS: &[Check] = &[
    Check { code: "S016", title: "the target has every class", run: |seen, ask| each_disk(seen, ask, class_missing) },
    Check { code: "S017", title: "the target has every driver", run: |seen, ask| each_disk(seen, ask, driver_missing) },
    Check { code: "S018", title: "classes that bind on first use", run: |seen, ask| each_disk(seen, ask, binds_late) },
    Check { code: "S019", title: "choices for one disk name disks of the machines", run: stray_claims },
    Check { code: "S020", title: "choices of class name classes of the disks", run: stray_classes },
];

/// The class a disk gets in the target: the one for this claim, else the one its own is mapped to, else the one for all, else its own.
pub fn target_class<'a>(ask: &'a MoveRequest, claim: Claim<'a>) -> Option<&'a str> {
    let own = claim.class();
    let mapped = own.and_then(|class| ask.class_map.get(class));
    ask.claim_classes.get(claim.0.name()).or(mapped).or(ask.storage_class.as_ref()).map(String::as_str).or(own)
}

/// The class of a volume that binds only when a pod uses it (`WaitForFirstConsumer`).
pub fn binds_on_first_use(class: &Manifest) -> bool {
    class.text("/volumeBindingMode") == Some("WaitForFirstConsumer")
}

fn class_missing(disk: &Disk, ask: &MoveRequest) -> Option<Finding> {
    let target = disk.machine.seen.target.as_ref()?;
    let claim = disk.claim()?;
    let class = target_class(ask, claim)?;
    let classes = &target.cluster.objects;
    if !classes.is_listed(kind::STORAGE_CLASS) || classes.get(kind::STORAGE_CLASS, class).is_some() {
        return None;
    }
    let only_handed_over = ask.options.volumes == Volumes::Move && claim.class() == Some(class);
    let severity = if only_handed_over { Severity::Warning } else { Severity::Blocking };
    let finding = Finding::new(severity, "S016", disk.reference(), format!("there is no storage class {class} in the target"));
    Some(match nearest(class, classes.all(kind::STORAGE_CLASS).map(Manifest::name)) {
        Some(near) => finding.hint(format!("choose another with --storage-class or --map-storage-class; did you mean \"{near}\"?")),
        None => finding.hint("choose another with --storage-class or --map-storage-class"),
    })
}

/// A driver need not register itself, so its absence is no proof (kubernetes/api `storage/v1` CSIDriver).
fn driver_missing(disk: &Disk, ask: &MoveRequest) -> Option<Finding> {
    let objects = &disk.machine.seen.target.as_ref()?.cluster.objects;
    let class = target_class(ask, disk.claim()?)?;
    let driver = objects.get(kind::STORAGE_CLASS, class)?.text("/provisioner").filter(|driver| !driver.starts_with("kubernetes.io/"))?;
    (objects.is_listed(kind::CSI_DRIVER) && objects.get(kind::CSI_DRIVER, driver).is_none()).then(|| {
        Finding::warning("S017", disk.reference(), format!("driver {driver} of class {class} is not registered in the target"))
            .hint("make sure that the driver is installed: otherwise the target's disks wait for ever")
    })
}

fn binds_late(disk: &Disk, ask: &MoveRequest) -> Option<Finding> {
    let class = target_class(ask, disk.claim()?)?;
    let object = disk.machine.seen.target.as_ref()?.cluster.objects.get(kind::STORAGE_CLASS, class)?;
    binds_on_first_use(object).then(|| {
        Finding::info(
            "S018",
            disk.reference(),
            format!(
                "class {class} binds a claim when it is first used (WaitForFirstConsumer); a copy is bound at once, on any node that suits the class"
            ),
        )
    })
}

fn stray_claims(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let known: BTreeSet<&str> = disks(seen, ask).map(|disk| disk.name).collect();
    let strategies = ask.claim_strategies.keys().map(|claim| ("the choice of a strategy", claim));
    let classes = ask.claim_classes.keys().map(|claim| ("the choice of a storage class", claim));
    let stray = strategies.chain(classes).filter(|(_, claim)| !known.contains(claim.as_str()));
    stray
        .map(|(choice, claim)| {
            let finding = Finding::blocking(
                "S019",
                seen.source.reference(kind::CLAIM, claim),
                format!("{choice} speaks of \"{claim}\", which is no disk of the chosen machines"),
            );
            match nearest(claim, known.iter().copied()) {
                Some(near) => finding.hint(format!("did you mean \"{near}\"?")),
                None => finding,
            }
        })
        .collect()
}

fn stray_classes(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let known: BTreeSet<&str> = disks(seen, ask).filter_map(|disk| disk.claim()?.class()).collect();
    let stray = ask.class_map.keys().filter(|class| !known.contains(class.as_str()));
    stray
        .map(|class| {
            let object = seen.source.reference(kind::STORAGE_CLASS, class);
            Finding::warning("S020", object, format!("--map-storage-class speaks of \"{class}\", which no disk is on"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{World, ask, claim, class, codes, vm, volume};

    fn plain() -> World {
        let disk = claim("data", 20);
        World::new().source(vm("db-1", &["data"])).cluster(volume(&disk)).source(disk)
    }

    fn of(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
        CHECKS.iter().flat_map(|check| (check.run)(seen, ask)).collect()
    }

    fn severities(world: World, ask: &MoveRequest) -> Vec<(String, Severity)> {
        of(&world.seen(), ask).into_iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn the_target_must_have_the_class_and_should_have_the_driver() {
        let to = |class: &str| MoveRequest { storage_class: Some(class.to_owned()), ..ask(&["db-1"]) };
        let found = of(&plain().seen(), &to("fas"));
        assert_eq!(codes(&found), ["S016"]);
        assert!(found[0].hint.as_deref().is_some_and(|hint| hint.contains("\"fast\"")));
        let mut other = class("other");
        other.set("/provisioner", "nobody.example.org".into());
        other.set("/volumeBindingMode", "WaitForFirstConsumer".into());
        assert_eq!(severities(plain().cluster(other), &to("other")), [("S017".to_owned(), Severity::Warning), ("S018".to_owned(), Severity::Info)]);
    }

    #[test]
    fn the_closest_choice_of_a_class_wins() {
        let text = str::to_owned;
        let mut wish = MoveRequest { storage_class: Some(text("all")), class_map: [(text("fast"), text("mapped"))].into(), ..ask(&[]) };
        wish.claim_classes.insert(text("log"), text("cheap"));
        let (data, log, mut slow) = (claim("data", 20), claim("log", 20), claim("slow", 20));
        slow.set("/spec/storageClassName", "slow".into());
        let of = |wish: &MoveRequest, claim: &Manifest| target_class(wish, Claim(claim)).map(str::to_owned);
        assert_eq!([&log, &data, &slow].map(|claim| of(&wish, claim).unwrap_or_default()), ["cheap", "mapped", "all"]);
        assert_eq!(of(&ask(&[]), &data).as_deref(), Some("fast"));
    }

    #[test]
    fn choices_that_fit_nothing_are_told() {
        let mut stray = ask(&["db-1"]);
        stray.claim_strategies.insert("dta".to_owned(), crate::plan::request::Strategy::Rebind);
        stray.claim_classes.insert("lgo".to_owned(), "fast".to_owned());
        stray.class_map.insert("slow".to_owned(), "fast".to_owned());
        let blocking = || ("S019".to_owned(), Severity::Blocking);
        assert_eq!(severities(plain(), &stray), [blocking(), blocking(), ("S020".to_owned(), Severity::Warning)]);
    }
}
