//! The receipt of an install: what was read is written and read again as the same.

use pinfold_install::{Receipt, ReceiptFiles};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::target::Target;

/// The targets of this room.
pub(crate) const TARGETS: &[Target] = &[Target { name: "receipt", body: receipt }];

fn receipt(data: &[u8]) {
    read_again::<Receipt>(data);
    if let Some(list) = read_again::<ReceiptFiles>(data) {
        for path in list.files.iter().map(|file| &file.path).chain(list.links.iter().map(|link| &link.path)) {
            assert!(!path.as_str().starts_with('/') && path.segments().all(|segment| segment != ".."), "{path}");
        }
    }
}

fn read_again<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(data).ok()?;
    let text = serde_json::to_string(&value).expect("what was read can be written");
    let again: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(again, value);
    Some(value)
}
