//! Which index a project belongs to: exactly one, whatever the others offer (dependency confusion).

use std::collections::BTreeMap;

use pinfold_packaging::PackageName;

use crate::{IndexEntry, UploadTime};

/// A total map from project to index.
#[derive(Debug, Clone)]
pub struct Routes {
    indexes: Vec<IndexEntry>,
    /// Positions in `indexes`.
    routed: BTreeMap<PackageName, usize>,
    /// A position in `indexes`.
    default: usize,
}

/// Why indexes give no total map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Two indexes claim to be the default.
    #[error("the indexes `{first}` and `{second}` are both the default; a package must come from exactly one")]
    DefaultTwice {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// An index without TLS on another machine.
    #[error("the index `{name}` is asked without TLS, so anyone on the way can answer for it; use https")]
    Exposed {
        /// The index.
        name: String,
    },
    /// An index whose files are taken to be as old as the lock, for packages that nobody listed.
    #[error(
        "the index `{name}` has `upload-time = \"first-seen\"` and lists no `packages`; list them, and let another be the default"
    )]
    FirstSeenUnrouted {
        /// The index.
        name: String,
    },
    /// Two indexes have one name.
    #[error("two indexes have the name `{name}`")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// No index takes the packages that none lists.
    #[error(
        "no index is the default; write `default = true` into the one that serves the packages that no index lists"
    )]
    NoDefault,
    /// No index at all.
    #[error("no index is given, and none is built in")]
    NoIndex,
    /// Two indexes list one package.
    #[error("`{package}` is listed by the indexes `{first}` and `{second}`; a package must come from exactly one")]
    RoutedTwice {
        /// The package.
        package: PackageName,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// An index that nothing comes from.
    #[error("nothing would come from the index `{name}`: it is not the default and lists no packages")]
    Unused {
        /// The index.
        name: String,
    },
}

impl Routes {
    /// Makes the map. A lone index that lists no packages is the default.
    ///
    /// # Errors
    /// [`RouteError`] unless every project belongs to exactly one index.
    pub fn new(indexes: &[IndexEntry]) -> Result<Self, RouteError> {
        check(indexes)?;
        let lone = indexes.len() == 1 && indexes[0].packages.is_empty();
        let default = indexes.iter().position(|index| index.default || lone);
        let routed = indexes
            .iter()
            .enumerate()
            .flat_map(|(position, index)| index.packages.iter().map(move |name| (name.clone(), position)))
            .collect();
        let default = default.ok_or(if indexes.is_empty() { RouteError::NoIndex } else { RouteError::NoDefault })?;
        Ok(Self { indexes: indexes.to_vec(), routed, default })
    }

    /// Returns the one index that a project belongs to.
    pub fn index_of(&self, name: &PackageName) -> &IndexEntry {
        &self.indexes[self.routed.get(name).copied().unwrap_or(self.default)]
    }

    /// Returns true if the maintainer wrote down which index a project belongs to.
    pub fn is_routed(&self, name: &PackageName) -> bool {
        self.routed.contains_key(name)
    }

    /// Returns the index that serves the projects that none lists.
    pub fn default_index(&self) -> &IndexEntry {
        &self.indexes[self.default]
    }

    /// Returns every index.
    pub fn indexes(&self) -> &[IndexEntry] {
        &self.indexes
    }
}

impl RouteError {
    /// Returns the index that alone is to blame.
    pub(crate) fn blames(&self) -> Option<&String> {
        match self {
            Self::Exposed { name } | Self::FirstSeenUnrouted { name } | Self::Unused { name } => Some(name),
            _ => None,
        }
    }
}

/// Checks what is wrong even if more indexes are added.
pub(crate) fn check(indexes: &[IndexEntry]) -> Result<(), RouteError> {
    let mut owners: BTreeMap<&PackageName, &IndexEntry> = BTreeMap::new();
    let mut names: BTreeMap<String, &IndexEntry> = BTreeMap::new();
    let mut default: Option<&IndexEntry> = None;
    for index in indexes {
        if names.insert(index.name.to_ascii_lowercase(), index).is_some() {
            return Err(RouteError::NameTwice { name: index.name.clone() });
        }
        if index.is_exposed() {
            return Err(RouteError::Exposed { name: index.name.clone() });
        }
        if index.upload_time == UploadTime::FirstSeen && (index.default || index.packages.is_empty()) {
            return Err(RouteError::FirstSeenUnrouted { name: index.name.clone() });
        }
        if let (true, Some(first)) = (index.default, default) {
            return Err(RouteError::DefaultTwice { first: first.name.clone(), second: index.name.clone() });
        }
        default = default.or(index.default.then_some(index));
        for package in &index.packages {
            if let Some(first) = owners.insert(package, index) {
                return Err(RouteError::RoutedTwice {
                    package: package.clone(),
                    first: first.name.clone(),
                    second: index.name.clone(),
                });
            }
        }
        if indexes.len() > 1 && !index.default && index.packages.is_empty() {
            return Err(RouteError::Unused { name: index.name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::IndexLocation;

    fn index(name: &str, packages: &[&str], default: bool) -> IndexEntry {
        let location = IndexLocation::Url(format!("https://{}.example/simple/", name.to_lowercase()).parse().unwrap());
        let packages = packages.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<PackageName>>();
        IndexEntry { packages, default, ..IndexEntry::default_at(name.to_owned(), location) }
    }

    #[test]
    fn a_package_belongs_to_one_index() {
        let routes =
            Routes::new(&[index("main", &[], true), index("torch", &["torch", "Torch_Vision"], false)]).unwrap();
        for (package, expected) in
            [("torch", "torch"), ("torch-vision", "torch"), ("numpy", "main"), ("torchtriton", "main")]
        {
            assert_eq!(routes.index_of(&package.parse().unwrap()).name, expected, "{package}");
        }
        assert_eq!(routes.default_index().name, "main");
        assert!(routes.is_routed(&"torch_vision".parse().unwrap()) && !routes.is_routed(&"numpy".parse().unwrap()));
        let written = Routes::new(&[index("main", &["numpy"], true), index("torch", &["torch"], false)]).unwrap();
        assert!(written.is_routed(&"numpy".parse().unwrap()), "to the default index, by a decision");
        assert_eq!(Routes::new(&[index("only", &[], false)]).unwrap().default_index().name, "only");
    }

    #[test]
    fn anything_less_than_a_total_map_is_refused() {
        let check = |indexes: &[IndexEntry], expected: RouteError| {
            assert_eq!(Routes::new(indexes).unwrap_err(), expected);
        };
        let (a, b) = ("a".to_owned(), "b".to_owned());
        check(&[], RouteError::NoIndex);
        check(&[index("a", &["x"], false)], RouteError::NoDefault);
        check(
            &[index("a", &[], true), index("b", &[], true)],
            RouteError::DefaultTwice { first: a.clone(), second: b.clone() },
        );
        check(&[index("a", &[], true), index("b", &[], false)], RouteError::Unused { name: b.clone() });
        check(&[index("a", &[], true), index("A", &["x"], false)], RouteError::NameTwice { name: "A".to_owned() });
        check(
            &[index("a", &["x-y"], true), index("b", &["X_y"], false)],
            RouteError::RoutedTwice { package: "x-y".parse().unwrap(), first: a.clone(), second: b },
        );
        for (packages, default) in [(&[][..], false), (&[], true), (&["x"], true)] {
            let seen = IndexEntry { upload_time: UploadTime::FirstSeen, ..index("a", packages, default) };
            check(&[seen], RouteError::FirstSeenUnrouted { name: a.clone() });
        }
        let seen = IndexEntry { upload_time: UploadTime::FirstSeen, ..index("b", &["x"], false) };
        assert!(Routes::new(&[index("a", &[], true), seen]).is_ok());
        let mut plain = index("a", &[], true);
        plain.location = IndexLocation::Url("http://a.example/simple/".parse().unwrap());
        check(&[plain.clone()], RouteError::Exposed { name: a });
        plain.insecure = true;
        assert!(Routes::new(&[plain.clone()]).is_ok());
        plain.insecure = false;
        plain.location = IndexLocation::Url("http://127.0.0.1:8080/simple/".parse().unwrap());
        assert!(Routes::new(&[plain]).is_ok());
    }
}
