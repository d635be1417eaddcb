//! Plain kubectl commands that give a source back its life, for the day the tool is not at hand. They stand in the ledger.

use crate::model::kind;
use crate::model::manifest::escape;
use crate::model::names::ANNOTATION_FENCE;
use crate::plan::document::PlanSpec;
use crate::plan::request::Strategy;
use crate::plan::rewrite::fence::halted;

/// One or more commands per machine: stop the target, hand moved volumes back, lift the fence.
pub fn restore_commands(plan: &PlanSpec) -> Vec<String> {
    let (source, target) = (&plan.source.namespace, &plan.target.namespace);
    let mut commands = Vec::new();
    for machine in &plan.machines {
        let field = machine.power.field.pointer();
        commands.push(format!("# virtual machine {}: first make sure that the target cannot run", machine.name));
        let stop = serde_json::json!([{"op": "add", "path": field, "value": halted(machine.power.field)}]);
        commands.push(format!("kubectl patch {} {} -n {target} --type json -p '{stop}'", kind::VM.resource(), machine.target));
        for disk in machine.disks.iter().filter(|disk| disk.strategy == Strategy::Rebind) {
            let back = serde_json::json!([{"op": "replace", "path": "/spec/claimRef", "value": {
                "kind": kind::CLAIM.kind, "apiVersion": "v1", "namespace": source, "name": disk.claim, "uid": disk.claim_uid}}]);
            commands.push(format!("kubectl patch pv {} --type json -p '{back}'", disk.persistent_volume.as_deref().unwrap_or_default()));
            commands.push(format!("kubectl annotate pvc {} -n {source} vmmove.io/touch=by-hand --overwrite", disk.claim));
        }
        let lift = serde_json::json!([
            {"op": "remove", "path": format!("/metadata/annotations/{}", escape(ANNOTATION_FENCE))},
            {"op": "remove", "path": "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"},
            {"op": "replace", "path": field, "value": machine.power.value},
        ]);
        commands
            .push("# then lift the fence; a node affinity that the machine had before stands in the journal and must be put back by hand".to_owned());
        commands.push(format!("kubectl patch {} {} -n {source} --type json -p '{lift}'", kind::VM.resource(), machine.name));
        if machine.power.running && machine.power.value == "Manual" {
            commands.push("# it was running, and with run strategy Manual it starts only when told to".to_owned());
            commands.push(format!("virtctl start {} -n {source}", machine.name));
        }
    }
    commands
}
