//! Commands for the user to type next. Each is complete: it names the namespace, and the context or kubeconfig if those were given.

use crate::model::names::MoveId;

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

    /// Completes the commands that a text quotes by their verb alone, as floors write them that know neither how the program was called nor
    /// how it reached the cluster: `'kubectl vmmove rollback'` gets the name of the move and the flags. A text that means another move names it.
    pub fn completed(&self, text: &str, id: &MoveId) -> String {
        let complete =
            |text: String, verb: &&str| text.replace(&format!("'kubectl vmmove {verb}'"), &format!("'{}'", self.typed(&format!("{verb} {id}"))));
        ["status", "resume", "rollback", "pause", "cleanup"].iter().fold(text.to_owned(), complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_named_by_its_verb_becomes_one_to_type() {
        let commands = CommandPrefix { program: "oc vmmove".to_owned(), flags: " -n shop --context lab".to_owned() };
        let said = commands.completed("look at it, then go back with 'kubectl vmmove rollback', or plan again", &MoveId("shop-to-prod-x".to_owned()));
        assert_eq!(said, "look at it, then go back with 'oc vmmove rollback shop-to-prod-x -n shop --context lab', or plan again");
        let other = "wait for that move, or look at it with 'kubectl vmmove status other-move -n shop'";
        assert_eq!(commands.completed(other, &MoveId("shop-to-prod-x".to_owned())), other);
    }
}
