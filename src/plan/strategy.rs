//! How each disk travels, and why: the first strategy whose conditions hold, with the reason why each before it did not.

use super::checks::classes::binds_on_first_use;
use super::checks::disks::Disk;
use super::checks::storage::secret_in;
use super::document::Rejected;
use super::request::{MoveRequest, Strategy, Volumes};
use crate::model::disk::{Claim, Volume};
use crate::model::inventory::{Inventory, Look, Place};
use crate::model::kind;
use crate::model::manifest::Manifest;

/// Everything a strategy's conditions look at.
pub struct Candidate<'a> {
    pub seen: &'a Inventory,
    pub target: &'a Place,
    pub claim: Claim<'a>,
    /// The volume of the claim, where the user may see it.
    pub volume: Option<&'a Manifest>,
    /// The class of the target.
    pub class: Option<&'a str>,
}

/// What was decided for one disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chosen {
    pub strategy: Strategy,
    pub why: String,
    pub rejected: Vec<Rejected>,
}

impl Strategy {
    /// Whether the source keeps its disk.
    pub fn copies(self) -> bool {
        self != Self::Rebind
    }

    /// Why it can be used here, or why it cannot.
    fn judge(self, disk: &Candidate) -> Result<String, String> {
        match self {
            Self::CloneRebind => clone_rebind(disk),
            Self::Rebind => rebind(disk),
            Self::CdiClone => cdi_clone(disk),
        }
    }
}

/// The strategy for a disk. `Err` says for each that was possible in principle why it is not here.
pub fn choose(disk: &Disk, candidate: &Candidate, ask: &MoveRequest) -> Result<Chosen, Vec<Rejected>> {
    let forced = ask.claim_strategies.get(disk.name).copied().or(ask.strategy);
    let order: &[Strategy] = match (&forced, ask.options.volumes) {
        (Some(strategy), _) => std::slice::from_ref(strategy),
        (None, Volumes::Move) => &[Strategy::Rebind],
        (None, Volumes::Copy) => &[Strategy::CloneRebind, Strategy::CdiClone],
    };
    let mut rejected = Vec::new();
    for strategy in order {
        match strategy.judge(candidate) {
            Ok(why) => {
                let why = if forced.is_some() { format!("you chose it; {why}") } else { why };
                return Ok(Chosen { strategy: *strategy, why, rejected });
            }
            Err(why) => rejected.push(Rejected { strategy: *strategy, why }),
        }
    }
    Err(rejected)
}

fn class_name<'a>(disk: &Candidate<'a>) -> &'a str {
    disk.claim.class().unwrap_or("(none)")
}

/// What both strategies need that hand a volume from claim to claim.
fn may_change_hands(disk: &Candidate) -> Result<(), String> {
    if disk.class != disk.claim.class() {
        return Err(format!("the class changes from {} to {}, so bytes must be copied", class_name(disk), disk.class.unwrap_or("(none)")));
    }
    if !disk.target.cluster.may_patch_volumes {
        return Err("you may not patch persistentvolumes".to_owned());
    }
    let Some(volume) = disk.volume else {
        let why = match disk.seen.source.cluster.objects.look(kind::VOLUME) {
            Some(Look::Forbidden(_)) | None => "you may not list persistentvolumes",
            _ => "its volume was not found",
        };
        return Err(why.to_owned());
    };
    if let Some(secret) = secret_in(volume, &disk.seen.source.namespace) {
        return Err(format!("its volume needs Secret {secret} of namespace {}", disk.seen.source.namespace));
    }
    Ok(())
}

fn clone_rebind(disk: &Candidate) -> Result<String, String> {
    may_change_hands(disk)?;
    let Some(driver) = disk.volume.map(Volume).and_then(Volume::driver) else {
        return Err("its volume is not a CSI driver's, so it cannot be cloned".to_owned());
    };
    let cluster = &disk.seen.source.cluster.objects;
    let class = disk.claim.class().unwrap_or_default();
    match cluster.get(kind::STORAGE_CLASS, class) {
        None if matches!(cluster.look(kind::STORAGE_CLASS), Some(Look::Forbidden(_))) => {
            return Err(format!("you may not list storageclasses, so it is unknown when clones of class {class} bind"));
        }
        None => return Err(format!("class {class} was not found, so it is unknown when its clones bind")),
        Some(found) if binds_on_first_use(found) => {
            return Err(format!("class {class} binds on first use, so a clone beside the source would wait for a pod"));
        }
        Some(found) if found.text("/provisioner") != Some(driver) => {
            return Err(format!("its volume is of driver {driver}, which class {class} does not use"));
        }
        Some(_) => {}
    }
    // CDI's own knowledge of what drivers can: StorageProfile.status.cloneStrategy (containerized-data-importer pkg/storagecapabilities).
    match cluster.get(kind::STORAGE_PROFILE, class).and_then(|profile| profile.text("/status/cloneStrategy")) {
        Some(other @ ("snapshot" | "copy")) => Err(format!("the storage profile of class {class} says '{other}', so its driver may not clone")),
        _ => Ok(format!("class {class} clones; you may patch volumes")),
    }
}

fn rebind(disk: &Candidate) -> Result<String, String> {
    may_change_hands(disk)?;
    Ok("the volume itself changes hands; you may patch volumes".to_owned())
}

fn cdi_clone(disk: &Candidate) -> Result<String, String> {
    if !disk.target.objects.is_listed(kind::DATA_VOLUME) {
        return Err("CDI is not installed, or you may not list its DataVolumes".to_owned());
    }
    let rights = &disk.seen.source.rights;
    let may = rights.incomplete || rights.allow("create", kind::DATA_VOLUME.group, "datavolumes/source") || rights.allow("create", "", "pods");
    if !may {
        return Err(format!("you may not create datavolumes/source in namespace {}", disk.seen.source.namespace));
    }
    let class = class_name(disk);
    if disk.class != disk.claim.class() {
        return Ok(format!("class changes {class} -> {}, so bytes must be copied", disk.class.unwrap_or("(none)")));
    }
    let late = disk.seen.source.cluster.objects.get(kind::STORAGE_CLASS, class).is_some_and(binds_on_first_use);
    Ok(if late {
        format!("class {class} binds on first use; CDI's clone binds at once")
    } else if disk.target.cluster.may_patch_volumes {
        "CDI clones it across namespaces".to_owned()
    } else {
        "you may not patch volumes, so CDI clones it".to_owned()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::model::names::End;
    use crate::plan::decide::plan;
    use crate::plan::fixtures::{World, ask, claim, class, object, vm, volume};

    /// How the one disk of db-1 travels, or what S030 says.
    fn told(world: World, ask: &MoveRequest) -> Result<(Strategy, String, Vec<String>), String> {
        let planned = plan(&world.source(vm("db-1", &["data"])).source(claim("data", 20)).seen(), ask);
        match planned.plan.spec.machines[0].disks.first() {
            Some(disk) => {
                let rejected = disk.rejected.iter().map(|no| format!("{}: {}", no.strategy.name(), no.why)).collect();
                Ok((disk.strategy, disk.why.clone(), rejected))
            }
            None => Err(planned.findings.into_iter().find(|finding| finding.code == "S030").unwrap().message),
        }
    }

    fn chosen(world: World) -> (Strategy, Vec<String>) {
        told(world, &ask(&["db-1"])).map(|(strategy, _, rejected)| (strategy, rejected)).unwrap()
    }

    fn plain() -> World {
        World::new().cluster(volume(&claim("data", 20)))
    }

    fn changed(change: impl FnOnce(&mut Manifest)) -> World {
        let mut volume = volume(&claim("data", 20));
        change(&mut volume);
        World::new().cluster(volume)
    }

    #[test]
    fn a_clone_that_is_handed_over_comes_first_and_each_reason_against_it_is_told() {
        assert_eq!(chosen(plain()), (Strategy::CloneRebind, vec![]));
        let mut late = class("fast");
        late.set("/volumeBindingMode", "WaitForFirstConsumer".into());
        let mut foreign = class("fast");
        foreign.set("/provisioner", "other.example.org".into());
        let profile = object(kind::STORAGE_PROFILE, "fast", json!({"status": {"cloneStrategy": "snapshot"}}));
        let secret = json!({"namespace": "shop", "name": "key"});
        for (world, why) in [
            (plain().known(|cluster| cluster.may_patch_volumes = false), "you may not patch persistentvolumes"),
            (World::new().look(End::Source, kind::VOLUME, Look::Forbidden("no".into())), "you may not list persistentvolumes"),
            (World::new(), "its volume was not found"),
            (changed(|volume| volume.set("/spec/csi/nodeStageSecretRef", secret.clone())), "its volume needs Secret key of namespace shop"),
            (changed(|volume| drop(volume.remove("/spec/csi"))), "its volume is not a CSI driver's, so it cannot be cloned"),
            (plain().cluster(late), "class fast binds on first use, so a clone beside the source would wait for a pod"),
            (plain().cluster(foreign), "its volume is of driver csi.example.org, which class fast does not use"),
            (plain().cluster(profile), "the storage profile of class fast says 'snapshot', so its driver may not clone"),
        ] {
            assert_eq!(chosen(world), (Strategy::CdiClone, vec![format!("CloneRebind: {why}")]));
        }
    }

    #[test]
    fn another_class_needs_bytes_to_be_copied() {
        let to_slow = MoveRequest { storage_class: Some("slow".to_owned()), ..ask(&["db-1"]) };
        let (strategy, why, _) = told(plain().cluster(class("slow")), &to_slow).unwrap();
        assert_eq!((strategy, why.as_str()), (Strategy::CdiClone, "class changes fast -> slow, so bytes must be copied"));
    }

    #[test]
    fn a_volume_that_is_tied_to_a_secret_of_the_source_changes_hands_in_no_way() {
        let tied = || changed(|volume| volume.set("/spec/csi/nodePublishSecretRef", json!({"namespace": "shop", "name": "key"})));
        let mut moved = ask(&["db-1"]);
        moved.options.volumes = Volumes::Move;
        let said = told(tied(), &moved).unwrap_err();
        assert_eq!(said, "no strategy can carry this disk (Rebind: its volume needs Secret key of namespace shop)");
        assert_eq!(told(plain(), &moved).unwrap().0, Strategy::Rebind);
        let without_cdi = tied().look(End::Target, kind::DATA_VOLUME, Look::Missing);
        let said = told(without_cdi, &ask(&["db-1"])).unwrap_err();
        assert!(said.ends_with("; CdiClone: CDI is not installed, or you may not list its DataVolumes)"), "{said}");
    }

    #[test]
    fn who_may_not_clone_by_cdi_is_told_so() {
        let mut seen = plain().source(vm("db-1", &["data"])).source(claim("data", 20)).seen();
        seen.source.rights.rules.clear();
        let forced = MoveRequest { strategy: Some(Strategy::CdiClone), ..ask(&["db-1"]) };
        let planned = plan(&seen, &forced);
        let said = planned.findings.iter().find(|finding| finding.code == "S030").unwrap();
        assert!(said.message.contains("CdiClone: you may not create datavolumes/source in namespace shop"), "{}", said.message);
        assert_eq!(told(plain(), &forced).unwrap().1, "you chose it; CDI clones it across namespaces");
    }
}
