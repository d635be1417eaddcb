//! The command line of every program.

use std::process::Command;

use anyhow::Result;
use nix::sys::signal::Signal;

use super::Options;
use super::build::{Binaries, modules};
use super::layout::Layout;
use super::process::Program;
use super::ready::Ready;

/// The kubeconfig of the lab itself, which KWOK and the CSI programs use too.
pub const ADMIN: &str = "admin";

/// The service accounts as which KubeVirt's and CDI's programs run, with the rights that their operators would give them.
pub const ACCOUNTS: &[(&str, &str)] =
    &[("kubevirt", "kubevirt-apiserver"), ("kubevirt", "kubevirt-controller"), ("cdi", "cdi-apiserver"), ("cdi", "cdi-sa")];

/// Formats each string with what is in scope.
macro_rules! flags {
    ($($flag:literal),* $(,)?) => { vec![$(format!($flag)),*] };
}

/// What the command lines are made from.
pub struct Programs<'a> {
    pub layout: &'a Layout,
    pub binaries: &'a Binaries,
    pub options: &'a Options,
}

impl Programs<'_> {
    pub fn etcd(&self) -> Result<Program> {
        let data = self.layout.dir.join("etcd").display().to_string();
        let (port, peer) = (self.layout.ports.etcd, self.layout.ports.etcd_peer);
        let flags = flags![
            "--data-dir={data}",
            "--listen-client-urls=http://127.0.0.1:{port}",
            "--advertise-client-urls=http://127.0.0.1:{port}",
            "--listen-peer-urls=http://127.0.0.1:{peer}",
            "--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            "--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ];
        let ready = Ready::Says(format!("http://127.0.0.1:{port}/health"), "true");
        Ok(Program { farewell: Signal::SIGTERM, ..self.program("etcd", flags, ready)? })
    }

    pub fn apiserver(&self) -> Result<Program> {
        let pki = |file: &str| self.layout.pki(file);
        let (etcd, port) = (self.layout.ports.etcd, self.layout.ports.apiserver);
        let (cert, key) = (pki("apiserver.crt"), pki("apiserver.key"));
        let (ca, sa_pub, sa_key) = (pki("ca.crt"), pki("sa.pub"), pki("sa.key"));
        let (front_ca, front) = (pki("front-proxy-ca.crt"), pki("front-proxy-client"));
        let flags = flags![
            "--etcd-servers=http://127.0.0.1:{etcd}",
            "--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--tls-cert-file={cert}",
            "--tls-private-key-file={key}",
            "--client-ca-file={ca}",
            "--service-account-key-file={sa_pub}",
            "--service-account-signing-key-file={sa_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--requestheader-client-ca-file={front_ca}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--proxy-client-cert-file={front}.crt",
            "--proxy-client-key-file={front}.key",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--allow-privileged=true",
            "--enable-aggregator-routing=false",
        ];
        let program = self.program("kube-apiserver", flags, Ready::Says(format!("{}/readyz", self.layout.server()), "ok"))?;
        // Memory is there, processors are few: collecting garbage as often as usual takes a fifth of its time.
        Ok(Program { env: vec![("GOGC", "300".into())], ..program })
    }

    pub fn controller_manager(&self) -> Result<Program> {
        let name = "kube-controller-manager";
        let (ca, sa_key) = (self.layout.pki("ca"), self.layout.pki("sa.key"));
        let resync = self.options.resync.as_millis();
        let mut flags = self.kubernetes_flags(name, self.layout.ports.controller_manager);
        flags.extend(flags![
            "--service-account-private-key-file={sa_key}",
            "--root-ca-file={ca}.crt",
            "--cluster-signing-cert-file={ca}.crt",
            "--cluster-signing-key-file={ca}.key",
            "--use-service-account-credentials=true",
            "--pvclaimbinder-sync-period={resync}ms",
            "--controllers=*,-nodeipam,-route,-cloud-node-lifecycle",
        ]);
        let port = self.layout.ports.controller_manager;
        self.program(name, flags, Ready::Says(format!("https://127.0.0.1:{port}/healthz"), "ok"))
    }

    pub fn scheduler(&self) -> Result<Program> {
        let (name, port) = ("kube-scheduler", self.layout.ports.scheduler);
        let mut flags = self.kubernetes_flags(name, port);
        // Without backing off it looks at CDI's importer at each write to its claim, CDI writes what it says into the claim, and the two keep
        // the volume controller for minutes from writing there who is to provision it.
        flags.extend(flags!["--feature-gates=SchedulerPopFromBackoffQ=false"]);
        self.program(name, flags, Ready::Says(format!("https://127.0.0.1:{port}/healthz"), "ok"))
    }

    pub fn csi_driver(&self, name: &'static str, driver: &str) -> Result<Program> {
        let (data, socket) = (self.layout.csi(driver).display().to_string(), self.layout.socket(driver));
        let endpoint = socket.display();
        let flags = flags!["--endpoint=unix://{endpoint}", "--data-dir={data}", "--driver-name={driver}", "--node-id=node1",];
        let program = self.program("lab-csi", flags, Ready::File(socket))?;
        Ok(Program { name, farewell: Signal::SIGTERM, ..program })
    }

    pub fn csi_provisioner(&self, name: &'static str, driver: &str) -> Result<Program> {
        let mut flags = self.sidecar_flags(driver);
        flags.extend(flags!["--feature-gates=Topology=false", "--retry-interval-start=200ms", "--worker-threads=10"]);
        let program = self.program("csi-provisioner", flags, Ready::Running)?;
        Ok(Program { name, env: vec![("NODE_NAME", "node1".into())], ..program })
    }

    /// csi-resizer or csi-snapshotter.
    pub fn csi_sidecar(&self, name: &'static str, driver: &str) -> Result<Program> {
        self.program(name, self.sidecar_flags(driver), Ready::Running)
    }

    pub fn snapshot_controller(&self) -> Result<Program> {
        let kubeconfig = self.kubeconfig(ADMIN);
        let flags = flags!["--kubeconfig={kubeconfig}", "--leader-election=false"];
        self.program("snapshot-controller", flags, Ready::Running)
    }

    pub fn cdi_apiserver(&self) -> Result<Program> {
        let (kubeconfig, pair) = (self.kubeconfig("cdi-apiserver"), self.layout.pki("cdi-api"));
        let port = self.layout.ports.cdi_api;
        let flags = flags!["--kubeconfig={kubeconfig}", "--listen=127.0.0.1:{port}", "--cert={pair}.crt", "--key={pair}.key", "-v=1",];
        self.program("cdi-apiserver", flags, Ready::Says(format!("https://127.0.0.1:{port}/healthz"), ""))
    }

    pub fn cdi_controller(&self) -> Result<Program> {
        let (kubeconfig, token) = (self.kubeconfig("cdi-sa"), self.layout.pki("id_rsa"));
        let (server, client) = (self.layout.pki("upload-server-ca"), self.layout.pki("upload-client-ca"));
        let flags = flags![
            "--kubeconfig={kubeconfig}",
            "--metrics=0",
            "--token-key={token}",
            "--upload-server-ca-cert={server}.crt",
            "--upload-server-ca-key={server}.key",
            "--upload-client-ca-cert={client}.crt",
            "--upload-client-ca-key={client}.key",
            "-v=1",
        ];
        self.program("cdi-controller", flags, Ready::Running)
    }

    pub fn virt_api(&self) -> Result<Program> {
        let (kubeconfig, pair) = (self.kubeconfig("kubevirt-apiserver"), self.layout.pki("virt-api"));
        let port = self.layout.ports.virt_api;
        let flags = flags![
            "--kubeconfig={kubeconfig}",
            "--listen=127.0.0.1",
            "--port={port}",
            "--tls-cert-file={pair}.crt",
            "--tls-key-file={pair}.key",
            "--handler-cert-file={pair}.crt",
            "--handler-key-file={pair}.key",
            "-v=2",
        ];
        let health = format!("https://127.0.0.1:{port}/apis/subresources.kubevirt.io/v1/healthz");
        let program = self.program("virt-api", flags, Ready::Says(health, ""))?;
        Ok(Program { env: pod("virt-api"), ..program })
    }

    /// virt-controller reads the exporter's authority from a fixed folder below `/etc`, and dies at the first export
    /// without it. So it gets an `/etc` of its own, in a mount namespace, where that is allowed: it needs no privileges.
    pub fn virt_controller(&self) -> Result<Program> {
        let (kubeconfig, pair) = (self.kubeconfig("kubevirt-controller"), self.layout.pki("virt-api"));
        let (port, etc) = (self.layout.ports.virt_controller, self.layout.dir.join("etc").display().to_string());
        let flags = flags![
            "--kubeconfig={kubeconfig}",
            "--listen=127.0.0.1",
            "--port={port}",
            "--prom-cert-file={pair}.crt",
            "--prom-key-file={pair}.key",
            "--launcher-image=launcher",
            "--exporter-image=exporter",
            "-v=2",
        ];
        let leads = Ready::Says(format!("https://127.0.0.1:{port}/leader"), "true");
        let mut program = self.program("virt-controller", flags, leads)?;
        if can_mount(&etc) {
            // Entering a user namespace clears the parent-death signal: set it again behind it.
            let script = format!("{BIND_ETC} && exec setpriv --pdeathsig KILL -- \"$@\"");
            let wrapped = UNSHARE.map(String::from).into_iter().chain([script, etc]);
            program.command.splice(0..0, wrapped);
        }
        Ok(Program { env: pod("virt-controller"), ..program })
    }

    pub fn kwok(&self) -> Result<Program> {
        let (kubeconfig, port) = (self.kubeconfig(ADMIN), self.layout.ports.kwok);
        let stages = modules().join("stages.yaml").display().to_string();
        let flags = flags![
            "--kubeconfig={kubeconfig}",
            "--config={stages}",
            "--manage-all-nodes=true",
            "--node-ip=127.0.0.1",
            "--cidr=10.88.0.0/16",
            "--node-lease-duration-seconds=40",
            "--server-address=127.0.0.1:{port}",
        ];
        self.program("kwok", flags, Ready::Says(format!("http://127.0.0.1:{port}/healthz"), ""))
    }

    fn program(&self, name: &'static str, flags: Vec<String>, ready: Ready) -> Result<Program> {
        let command = [vec![self.binaries.path(name)?], flags].concat();
        Ok(Program { name, command, env: Vec::new(), ready, farewell: Signal::SIGKILL })
    }

    fn kubernetes_flags(&self, name: &str, port: u16) -> Vec<String> {
        let (kubeconfig, pair) = (self.kubeconfig(name), self.layout.pki(name));
        let (qps, burst) = (self.options.qps, 2 * self.options.qps);
        flags![
            "--kubeconfig={kubeconfig}",
            "--authentication-kubeconfig={kubeconfig}",
            "--authorization-kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--tls-cert-file={pair}.crt",
            "--tls-private-key-file={pair}.key",
            "--kube-api-qps={qps}",
            "--kube-api-burst={burst}",
        ]
    }

    fn sidecar_flags(&self, driver: &str) -> Vec<String> {
        let (kubeconfig, socket) = (self.kubeconfig(ADMIN), self.layout.socket(driver));
        let socket = socket.display();
        // Their own 5 requests a second let the events of a fault come minutes late when many trials run.
        let (qps, burst) = (self.options.qps, 2 * self.options.qps);
        flags!["--csi-address=unix://{socket}", "--kubeconfig={kubeconfig}", "--kube-api-qps={qps}", "--kube-api-burst={burst}"]
    }

    fn kubeconfig(&self, who: &str) -> String {
        self.layout.kubeconfig(who).display().to_string()
    }
}

/// A shell with mounts of its own; a script and its arguments follow.
const UNSHARE: [&str; 6] = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
const BIND_ETC: &str = "mount --bind \"$0\" /etc";

/// Some containers and distributions refuse user namespaces. Everything but exports works without.
fn can_mount(etc: &str) -> bool {
    let [unshare, rest @ ..] = UNSHARE;
    Command::new(unshare).args(rest).args([BIND_ETC, etc]).output().is_ok_and(|done| done.status.success())
}

/// What KubeVirt's programs would know of the pod they run in.
fn pod(name: &str) -> Vec<(&'static str, String)> {
    vec![("POD_NAMESPACE", "kubevirt".into()), ("POD_NAME", name.into()), ("NODE_NAME", "node1".into())]
}
