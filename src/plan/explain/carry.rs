//! Texts about what the tool does not carry, or not whole: C.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "C001",
        title: "TPM or EFI state outlives the guest",
        text: "A persistent TPM or persistent EFI variables live in a claim of their own that the machine's specification does not \
               name. A machine made without it gets an empty one: BitLocker asks for its recovery key, LUKS keys sealed in the TPM \
               are gone, boot entries are lost. This version does not carry that claim, so the machine stays.",
    },
    Text {
        topic: "C002",
        title: "a claim holds state of the guest beside its disks",
        text: "A claim labelled persistent-state-for, or named so by an older KubeVirt, belongs to this machine though its \
               specification does not ask for such state now. What is in it would be left behind.",
    },
    Text {
        topic: "C003",
        title: "changed blocks are tracked",
        text: "KubeVirt tracks which blocks the guest changes so that backups can be small. The tracking data is not carried: the \
               next backup would be wrong if it were believed. Switch tracking off and plan a full backup after the move.",
    },
    Text {
        topic: "C004",
        title: "what the guest runs with cannot be read",
        text: "The machine takes its size from an instance type or preference, and the revision that the guest runs with cannot be \
               read. With the current one in its place the guest could come up with other memory, CPUs or devices.",
    },
    Text {
        topic: "C010",
        title: "a disk is shareable",
        text: "A disk marked shareable may be written by several machines at once. They would have to be stopped and moved as one, \
               which this version does not do.",
    },
    Text {
        topic: "C011",
        title: "a memory dump is among the volumes",
        text: "The dump is a claim that was plugged in once and is of no use to the guest. It is not carried. Take it off the \
               machine; its claim stays in the source.",
    },
    Text {
        topic: "C012",
        title: "a volume is a file of a node",
        text: "A hostDisk is a file on one node. It does not move with the namespace, and two machines must never open it. Copy its \
               content to a claim first.",
    },
    Text {
        topic: "C013",
        title: "a volume is a throw-away layer over a claim",
        text: "An ephemeral volume writes to a layer that is lost at every stop, over a claim that other machines may use too. The \
               base is not carried yet.",
    },
    Text {
        topic: "C014",
        title: "a backup or dump has plugged in a volume",
        text: "A utility volume is plugged in for a backup or a memory dump that is under way. Wait until it is gone.",
    },
    Text {
        topic: "C015",
        title: "a volume is of an unknown sort",
        text: "This tool knows every volume source of the KubeVirt versions it was made with. This one is not among them, so whether \
               its content would survive the move is not known. What is not known is not moved.",
    },
    Text {
        topic: "C016",
        title: "a disk forgets what is written to it",
        text: "containerDisk and emptyDisk volumes keep what the guest writes only until it stops, whether it is moved or not. If the \
               root disk is one, the guest comes back as new.",
    },
    Text {
        topic: "C017",
        title: "an image comes from the source namespace's registry",
        text: "The image is in the cluster's own registry under the source namespace. Pods of the target may pull it only when their \
               service accounts have system:image-puller there.",
    },
    Text {
        topic: "C020",
        title: "a device comes from a resource claim",
        text: "Devices that are allocated by resource claims belong to a namespace; a bound claim cannot move.",
    },
    Text {
        topic: "C021",
        title: "a hook changes the guest's definition",
        text: "Hook sidecars run beside the guest and rewrite its definition before it starts; they may refer to ConfigMaps and \
               claims of the namespace. They are not carried yet.",
    },
    Text {
        topic: "C022",
        title: "a preset changes the machine",
        text: "A VirtualMachineInstancePreset of the source namespace matches the machine's labels and changes each of its instances. \
               In the target it is missing, so the guest would be another.",
    },
    Text {
        topic: "C023",
        title: "a device is unknown",
        text: "The machine has a device that this tool does not know. Whether it refers to something in the namespace, or can come up \
               in the target, is not known.",
    },
    Text {
        topic: "C024",
        title: "a part of the machine is unknown",
        text: "The machine has a field that this tool does not know. It is carried as it is; if it names something of the namespace, \
               see that it is in the target too.",
    },
    Text {
        topic: "C025",
        title: "rules speak of neighbouring pods",
        text: "Affinity and spreading rules look at pods of the machine's own namespace. Neighbours that stay behind no longer count, \
               so the guest may come up beside one that it was to keep away from.",
    },
    Text {
        topic: "C030",
        title: "a binding plugin's network is missing in the target",
        text: "The plugin of a network binding names a NetworkAttachmentDefinition, which is looked for in the machine's namespace. \
               Without it the guest's pod waits for ever.",
    },
    Text {
        topic: "C032",
        title: "a network leads into the source namespace",
        text: "The machine names its network as namespace/name with the source namespace. That works from the target only while \
               Multus does not isolate namespaces, which OpenShift does.",
    },
    Text {
        topic: "C033",
        title: "a network or binding is unknown",
        text: "The machine has a network, or a way of binding to it, that this tool does not know. Whether it works in the target is \
               not known.",
    },
    Text {
        topic: "C034",
        title: "two machines have one MAC address",
        text: "Another machine has the same MAC address already. A MAC pool allows one of them only, and on one network they would \
               disturb each other.",
    },
    Text {
        topic: "C035",
        title: "a MAC pool watches the addresses",
        text: "kubemacpool is in the cluster. Before 0.51 it refuses an address that another machine holds, and the source holds it \
               until cleanup. The dry run of the target's machine tells whether it does (D004).",
    },
    Text {
        topic: "C036",
        title: "the primary networks differ",
        text: "A namespace's primary user-defined network is fixed by a label at its creation. If the two namespaces differ in it, \
               or the networks behind it are not the same one, the guest gets other addresses and may not reach its peers.",
    },
    Text {
        topic: "C037",
        title: "addresses are kept for the guest",
        text: "An IPAMClaim keeps the guest's addresses on a network over its restarts. It is not carried, and a second one with the \
               same addresses would free them for others when the first is removed. The guest would come up with other addresses.",
    },
    Text {
        topic: "C040",
        title: "the guest is a service account",
        text: "A volume gives the guest the token of a service account of the source namespace. In the target it would be another \
               identity without its grants. Make the account and its grants there by hand.",
    },
    Text {
        topic: "C041",
        title: "a dependent belongs to its namespace alone",
        text: "Tokens of service accounts, pull secrets and serving certificates that the platform makes for a namespace are worth \
               nothing, or dangerous, in another. They are not copied.",
    },
    Text {
        topic: "C042",
        title: "a dependent is made by another controller",
        text: "A controller such as External Secrets, Sealed Secrets or cert-manager makes the object and renews it. The copy in the \
               target would be valid today and stale later.",
    },
    Text {
        topic: "C043",
        title: "a dependent does not exist",
        text: "The machine refers to an object that is not there. A guest that runs does not notice; one that starts does, here as in \
               the target.",
    },
    Text {
        topic: "C044",
        title: "a Service selects one run of the guest",
        text: "The Service's selector names a label that KubeVirt sets anew with each instance. In the target it would select nothing.",
    },
    Text {
        topic: "C045",
        title: "names are searched in the source namespace",
        text: "dnsConfig.searches of the machine names the source namespace's domain. Short names keep leading there; add the \
               target's domain if they should lead to the new neighbours.",
    },
    Text {
        topic: "C046",
        title: "addresses from outside lead to the guest",
        text: "An Ingress, a Route or an HTTPRoute leads to a Service that selects the guest. They are not carried: hosts, certificates \
               and gateways are often bound to a namespace, and two Routes cannot have one host at a time. Make one of the same name \
               in the target, then plan again; it leads to the Service of the same name, which the move brings.",
    },
    Text {
        topic: "C047",
        title: "policies bound the guest's traffic",
        text: "A NetworkPolicy, a MultiNetworkPolicy or an EgressFirewall of the source selects the guest's pod. It is not carried, for \
               it could cut off others in the target, and without it the guest would be open to more than before. Make one of the \
               same name in the target, then plan again.",
    },
    Text {
        topic: "C048",
        title: "a disruption budget counts the guest",
        text: "A PodDisruptionBudget that somebody made selects the guest's pod. (KubeVirt's own, which the instance owns, are made \
               again.) It is not carried. Make one of the same name in the target, then plan again.",
    },
    Text {
        topic: "C049",
        title: "monitors and rights that know the guest",
        text: "A ServiceMonitor or PodMonitor selects the guest or its Service, or a Role gives rights on the machine by its name. The \
               guest runs without them, but nobody would notice that it is no longer watched, or could use it.",
    },
    Text {
        topic: "C050",
        title: "what points at the guest differs in the target",
        text: "The target has an object of the same kind and name as one that points at the guest in the source, with another \
               specification. It may be meant so: the move goes on.",
    },
    Text {
        topic: "C051",
        title: "a Service has ports of the nodes",
        text: "A port of the nodes belongs to one Service in the whole cluster, and the source's Service has it until it is removed. \
               The copy gets others.",
    },
    Text {
        topic: "C052",
        title: "a Service asks for an address",
        text: "loadBalancerIP, MetalLB's annotations and externalIPs ask for an address by its number. While the source's Service holds \
               it, the copy waits for it, or both answer to it.",
    },
    Text {
        topic: "C053",
        title: "a disk's template names what is not copied",
        text: "The template of a DataVolume says where its content was imported from, and with which Secret or certificates. As long as \
               the disk is there nobody imports it again, so these are not copied.",
    },
    Text {
        topic: "C054",
        title: "the guest reads where it is",
        text: "A downwardAPI volume tells the guest labels, annotations, name and namespace of its pod. The namespace will be the \
               target's.",
    },
    Text {
        topic: "C055",
        title: "policies of the cluster are not for the target",
        text: "An EgressIP, an AdminNetworkPolicy or a BaselineAdminNetworkPolicy picks the source namespace by its labels and the \
               guest in it, but not the target namespace. The guest would be seen from another address, or be bounded by other rules.",
    },
    Text {
        topic: "C056",
        title: "something elsewhere names the namespace that the guest leaves",
        text: "Somewhere in the cluster an object names the guest's namespace, and would not find the guest in the target: a network policy that \
               lets it through by its namespace, a Service that is another name for one of its Services, a route across namespaces, a golden image \
               made of its disk, a monitor, a backup schedule, a policy for migrations. The move does not touch what is elsewhere. Let it name the \
               target too before the move, and take the source out of it after cleanup.",
    },
];
