//! Whole moves on the sandbox, in virtual time: first undisturbed, then with misfortune at every point.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::large_futures)]

mod stage;

use stage::{Stage, play};
use vmmove::sandbox::catalog::{CLAIM, VM};

/// A running machine with two disks of its own.
const MACHINE: &str = "
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
    metadata: {labels: {app: db}}
    spec:
      domain:
        devices:
          disks: [{name: root, disk: {bus: virtio}}, {name: data, disk: {bus: virtio}}]
          interfaces: [{name: default, masquerade: {}, macAddress: \"02:00:00:00:00:01\"}]
        resources: {requests: {memory: 64Mi}}
      networks: [{name: default, pod: {}}]
      volumes: [{name: root, persistentVolumeClaim: {claimName: root}}, {name: data, persistentVolumeClaim: {claimName: data}}]
";

async fn running(stage: &Stage) {
    stage.namespaces(&["shop", "prod"]);
    stage.make(MACHINE);
    stage.machine_is("shop", "db-1", "Running").await;
    stage.write("shop", "data", "orders");
    stage.write("shop", "root", "system");
}

#[test]
fn a_running_machine_moves_by_each_strategy_and_leaves_nothing_after_cleanup() {
    for flags in ["", "--volumes move"] {
        play(async |stage| {
            running(&stage).await;
            let seen = stage.does(&format!("run db-1 -n shop --to prod {flags} --yes")).await;
            assert!(seen.stdout.contains("1 moved"), "{}", seen.stdout);
            stage.machine_is("prod", "db-1", "Running").await;
            stage.machine_is("shop", "db-1", "Stopped").await;
            assert_eq!((stage.read("prod", "data"), stage.read("prod", "root")), ("orders".to_owned(), "system".to_owned()));
            assert_eq!(stage.instances().len(), 1);
            let name = seen.stdout.split_whitespace().nth(1).unwrap().to_owned();
            stage.does(&format!("cleanup {name} -n shop --yes")).await;
            assert!(stage.get(&VM, "shop", "db-1").is_none() && stage.get(&CLAIM, "shop", "data").is_none());
        });
    }
}
