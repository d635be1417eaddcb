//! Texts about the target: namespaces and names (T), networks (N).

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "T001",
        title: "source and target are the same",
        text: "Both ends are the same namespace of the same cluster. Name another with --to.",
    },
    Text {
        topic: "T002",
        title: "the target namespace does not exist",
        text: "Make it first, or let the move make it as its first step with --create-namespace; going back removes it again if it is \
               empty. Labels for Pod Security, quotas and user-defined networks are yours to set.",
    },
    Text {
        topic: "T003",
        title: "a namespace is being deleted",
        text: "A namespace in deletion takes no new objects, and everything in it goes. Nothing can be moved into it; what is in it \
               can be saved only until its objects are gone.",
    },
    Text {
        topic: "T004",
        title: "the target namespace cannot be seen",
        text: "You may not read the namespace object, so whether it exists, and whether it is being deleted, shows only when the \
               server answers the dry runs.",
    },
    Text {
        topic: "T005",
        title: "the virtual machine's name is taken",
        text: "A virtual machine of the name is in the target already. It is never overwritten. If a move of yours made it, go on \
               with that move; else choose another name with --rename.",
    },
    Text {
        topic: "T006",
        title: "an instance of the name is in the target",
        text: "A VirtualMachineInstance of the name runs in the target without a virtual machine. The new machine could not start \
               beside it.",
    },
    Text {
        topic: "T007",
        title: "a claim's name is taken",
        text: "Disks keep the names of their claims, and a claim of the name is in the target already. It is never overwritten or \
               adopted, whatever it holds: a machine that boots from somebody else's disk is worse than one that does not move.",
    },
    Text {
        topic: "T008",
        title: "a DataVolume's name is taken",
        text: "A DataVolume of a disk's name is in the target already. CDI would fill or claim the disk by it, and a virtual machine \
               adopts any DataVolume that has the name of its template. Remove it first.",
    },
    Text {
        topic: "T009",
        title: "two machines would get one name",
        text: "By --rename, two of the chosen machines would have the same name in the target.",
    },
    Text {
        topic: "T010",
        title: "a name is not valid",
        text: "Names of virtual machines become labels and host names: at most 63 lower-case letters, digits and '-', beginning and \
               ending with a letter or digit.",
    },
    Text {
        topic: "T011",
        title: "a rename names no chosen machine",
        text: "--rename OLD=NEW names a machine that was not chosen. It is refused rather than ignored, because a mistyped name would \
               let the machine arrive under its old one.",
    },
    Text {
        topic: "T012",
        title: "a dependent exists with other content",
        text: "An object that the machines refer to (a Secret, a ConfigMap, a Service, an instance type) is in the target under the \
               same name with other content. It is not overwritten, since others may use it, and the machine would not be the same \
               with it. Identical content would be used as it is. Make the two equal, or rename one.",
    },
    Text {
        topic: "N001",
        title: "a network is missing in the target",
        text: "The machine is on a secondary network whose NetworkAttachmentDefinition is not in the target namespace. The machine \
               could be made, but its pod would wait for ever. Make the attachment there, or map it to another with --map-network. On \
               OpenShift attachments of other namespaces than 'default' are out of reach.",
    },
    Text {
        topic: "N002",
        title: "networks of the target cannot be seen",
        text: "You may not list NetworkAttachmentDefinitions in the target, so whether the guest would come up cannot be known.",
    },
    Text {
        topic: "N003",
        title: "a map of networks names none of the machines'",
        text: "--map-network A=B names a network that no chosen machine is on. It is refused rather than ignored, because a mistyped \
               name would leave the guest on the old network.",
    },
    Text {
        topic: "N012",
        title: "a network of the name is configured otherwise",
        text: "The target has a NetworkAttachmentDefinition of the same name whose configuration differs: perhaps another VLAN or \
               subnet. The guest comes up, but may not reach what it reached before. The name of the attachment's own namespace \
               inside the configuration is not counted as a difference.",
    },
];
