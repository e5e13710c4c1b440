//! How deep each project lies below what the maintainer requires: the order of decisions in a big problem.
//!
//! Where a project is decided after all that need it, what they ask of it is known by then, and hardly a choice has to be
//! taken back. To know who needs whom, the best candidate of every project is looked at, and of what it needs in turn,
//! without choosing anything. The order changes no answer that PubGrub can prove; it decides which of several answers is
//! found, so it is made of facts that are all known, or the missing ones are asked for first.

use pinfold_packaging::{ExtraName, PackageName, Version};
use pubgrub::Map;
use version_ranges::Ranges;

use crate::Question;
use crate::candidates::{Best, Permits, Projects};
use crate::prepared::Demand;

/// How deep each project lies; the roots are at 1.
pub(crate) type Depths = Map<PackageName, u32>;

/// What is needed by whom, as far as it is known.
#[derive(Default)]
struct Graph {
    /// Projects and their extras, in the order in which they were met.
    nodes: Vec<(PackageName, Option<ExtraName>)>,
    positions: Map<(PackageName, Option<ExtraName>), usize>,
    /// Per node, what it needs.
    edges: Vec<Vec<usize>>,
    /// Which versions of a project are looked for: those that the first who needs it asks for.
    ranges: Map<PackageName, Ranges<Version>>,
}

/// Returns the depths, or what has to be known first.
pub(crate) fn depths(projects: &Projects<'_>, permits: &Permits) -> Result<Depths, Vec<Question>> {
    let mut graph = Graph::default();
    for (_, demand) in &projects.prepared.roots {
        let range = graph.ranges.entry(demand.name.clone()).or_insert_with(Ranges::full);
        *range = range.intersection(&demand.range);
        graph.meet(demand);
    }
    let mut missing = Vec::new();
    let mut position = 0;
    while position < graph.nodes.len() {
        missing.extend(graph.explore(position, projects, permits));
        position += 1;
    }
    if missing.is_empty() { Ok(graph.depths()) } else { Err(missing) }
}

impl Graph {
    /// Looks at what the best candidate of a node needs; returns what has to be known for that.
    fn explore(&mut self, position: usize, projects: &Projects<'_>, permits: &Permits) -> Option<Question> {
        let (name, extra) = self.nodes[position].clone();
        let Some(project) = projects.find(&name) else {
            return extra.is_none().then_some(Question::Page(name));
        };
        let range = self.ranges.get(&name)?;
        let version = match project.best(range, permits) {
            Best::Known(version) => version,
            Best::Missing { position } if extra.is_none() => return project.question(position),
            // What is refused is refused where it is chosen.
            Best::Missing { .. } | Best::Nothing | Best::Refused(_) => return None,
        };
        let demands = projects.demands(&name, version, extra.as_ref()).ok()?;
        for demand in demands.iter() {
            let met = self.meet(demand);
            self.edges[position].extend(met);
        }
        None
    }

    /// Notes what a demand reaches; returns where that is noted.
    fn meet(&mut self, demand: &Demand) -> Vec<usize> {
        if !self.ranges.contains_key(&demand.name) {
            self.ranges.insert(demand.name.clone(), demand.range.clone());
        }
        let extras = demand.extras.iter().map(|extra| Some(extra.clone()));
        let nodes = std::iter::once(None).chain(extras).map(|extra| (demand.name.clone(), extra));
        nodes.map(|node| self.position(node)).collect()
    }

    fn position(&mut self, node: (PackageName, Option<ExtraName>)) -> usize {
        if let Some(position) = self.positions.get(&node) {
            return *position;
        }
        let position = self.nodes.len();
        self.positions.insert(node.clone(), position);
        self.nodes.push(node);
        self.edges.push(Vec::new());
        position
    }

    /// The longest way to each project that does not go in circles.
    fn depths(&self) -> Depths {
        let order = self.order();
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, node)| places[*node] = place);
        let mut depths = vec![1_u32; order.len()];
        for node in &order {
            for next in &self.edges[*node] {
                if places[*next] > places[*node] {
                    depths[*next] = depths[*next].max(depths[*node] + 1);
                }
            }
        }
        let mut deepest = Depths::default();
        for ((name, _), depth) in self.nodes.iter().zip(depths) {
            let own = deepest.entry(name.clone()).or_default();
            *own = depth.max(*own);
        }
        deepest
    }

    /// Every node before what it needs, but for circles.
    fn order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut seen = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut stack = vec![(start, 0)];
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            while let Some((node, next)) = stack.pop() {
                match self.edges[node].get(next) {
                    Some(child) => {
                        stack.push((node, next + 1));
                        if !std::mem::replace(&mut seen[*child], true) {
                            stack.push((*child, 0));
                        }
                    }
                    None => order.push(node),
                }
            }
        }
        order.reverse();
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `a -> b c` line by line; returns every project with its depth, sorted.
    fn depths_of(text: &str) -> String {
        let mut graph = Graph::default();
        let demand = |name: &str| Demand {
            name: name.parse().unwrap(),
            extras: std::collections::BTreeSet::new(),
            range: Ranges::full(),
            specifiers: Vec::new(),
            url: None,
            cuts: std::collections::BTreeSet::new(),
        };
        for line in text.lines() {
            let (name, needs) = line.split_once(" -> ").unwrap();
            let from = graph.meet(&demand(name))[0];
            for need in needs.split(' ') {
                let met = graph.meet(&demand(need));
                graph.edges[from].extend(met);
            }
        }
        let depths = graph.depths();
        let mut sorted: Vec<String> = depths.iter().map(|(name, depth)| format!("{name} {depth}")).collect();
        sorted.sort();
        sorted.join(", ")
    }

    #[test]
    fn the_longest_way_counts() {
        assert_eq!(depths_of("a -> b d\nb -> c\nc -> d"), "a 1, b 2, c 3, d 4");
        assert_eq!(depths_of("d -> e\na -> b d\nb -> c\nc -> d"), "a 1, b 2, c 3, d 4, e 5");
    }

    #[test]
    fn a_circle_is_left_where_it_closes() {
        assert_eq!(depths_of("a -> b\nb -> c\nc -> a d\nd -> d"), "a 1, b 2, c 3, d 4");
    }
}
