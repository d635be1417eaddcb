//! Clusters to begin with: the sandbox's scenarios, and small ones of our own.

use jiff::Timestamp;
use vmmove::sandbox::reading::{self, Reading};
use vmmove::sandbox::scenario;
use vmmove::sandbox::scenarios::Scenario;
use vmmove::sandbox::world::World;
use vmmove::sandbox::write::User;

/// A running machine with two disks of its own.
const MACHINE: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: prod}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: root, namespace: shop}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: db-1, namespace: shop}
spec:
  runStrategy: Always
  template:
    metadata: {labels: {app: db}, annotations: {sandbox/writes: WROTE}}
    spec:
      domain:
        devices:
          disks: [{name: root, disk: {bus: virtio}}, {name: data, disk: {bus: virtio}}]
          interfaces: [{name: default, masquerade: {}, macAddress: \"02:00:00:00:00:01\"}]
        resources: {requests: {memory: 64Mi}}
      networks: [{name: default, pod: {}}]
      volumes: [{name: root, persistentVolumeClaim: {claimName: root}}, {name: data, persistentVolumeClaim: {claimName: data}}]
";

/// What each guest of it writes on its disks when it comes up, before where it did so.
pub const WROTE: &str = "the guest wrote in";

/// A cluster at rest, at a time.
pub fn world(seed: u64, name: &str, now: Timestamp) -> World {
    scenario::play(seed, now, read(name)).unwrap()
}

/// Who types commands there, if it is not an administrator.
pub fn user(name: &str) -> Option<User> {
    read(name).header.user()
}

fn read(name: &str) -> Reading {
    let text = Scenario::named(name).map_or_else(|| MACHINE.replace("WROTE", WROTE), |scenario| scenario.text.to_owned());
    reading::read(&text).unwrap()
}
