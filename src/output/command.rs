//! Commands for the user to type next. Each is complete: it names the namespace, and the context or kubeconfig if those were given.

/// What stands around a command: the program as it was called before it, the connection's flags behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandPrefix {
    /// `kubectl vmmove` or `oc vmmove`.
    pub program: String,
    /// ` -n shop --context lab`, each value quoted for a shell where it must be; with its leading space.
    pub flags: String,
}

impl CommandPrefix {
    /// `kubectl vmmove cleanup shop-to-prod-7k2fq -n shop`.
    pub fn typed(&self, command: &str) -> String {
        format!("{} {command}{}", self.program, self.flags)
    }
}
