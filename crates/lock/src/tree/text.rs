//! A tree as lines for people.

use std::collections::BTreeSet;
use std::fmt::Write;

use pinfold_packaging::PackageName;

use super::{Tree, TreeNode};
use crate::Asker;

/// Deeper than that nobody reads; the lines would only grow.
const DEEPEST: usize = 100;

impl Tree {
    /// Returns the whole tree as text, down to `depth` levels below the roots. What a package needs is written once, where it
    /// first occurs; later occurrences say `(above)`.
    pub fn to_text(&self, depth: Option<usize>) -> String {
        let depth = depth.unwrap_or(DEEPEST).min(DEEPEST);
        let mut text = String::new();
        let mut written = BTreeSet::new();
        // An own stack: a lock may be deeper than the machine's. Each has the lines that run past it on the left.
        let mut waiting: Vec<(usize, String, &str, &PackageName)> =
            self.roots.iter().rev().map(|root| (0, String::new(), "", root)).collect();
        while let Some((level, before, branch, name)) = waiting.pop() {
            let node = self.nodes.get(name);
            let needs = node.map(|node| &node.needs).filter(|needs| !needs.is_empty());
            let opened = level < depth && written.insert(name);
            let above = if needs.is_some() && level < depth && !opened { " (above)" } else { "" };
            let noted = node.map(|node| self.notes(node, level)).unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{before}{branch}{}{noted}{above}", self.shown(name));
            let Some(needs) = needs.filter(|_| opened) else { continue };
            let before = before
                + if level == 0 {
                    ""
                } else if branch == LAST {
                    "    "
                } else {
                    "│   "
                };
            for (position, need) in needs.iter().rev().enumerate() {
                let branch = if position == 0 { LAST } else { "├── " };
                waiting.push((level + 1, before.clone(), branch, need));
            }
        }
        text
    }

    /// Returns what there is to say about a package: where it applies if not everywhere, and for a root who asks for it if not
    /// the application.
    fn notes(&self, node: &TreeNode, level: usize) -> String {
        let mut notes: Vec<String> = Vec::new();
        if node.applies.len() < self.target_count {
            notes.push(node.applies.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        }
        if self.is_inverted {
            notes.extend(node.asked.iter().map(|(by, text)| format!("{by}: {text}")));
        }
        let askers: BTreeSet<&Asker> = node.asked.iter().map(|(by, _)| by).collect();
        if !self.is_inverted && level == 0 && !askers.is_empty() && !askers.contains(&Asker::Application) {
            notes.push(askers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        }
        if notes.is_empty() { String::new() } else { format!(" [{}]", notes.join("; ")) }
    }
}

const LAST: &str = "└── ";
