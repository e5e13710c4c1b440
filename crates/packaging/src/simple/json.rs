//! The JSON page (PEP 691). Texts are borrowed from the bytes; what is not needed is not kept.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::file::{Gather, Listed};
use super::{PAGE_DEPTH, PageError, ProjectStatus, SimplePage, check_api_version};
use crate::PackageName;
use crate::version::shown;

pub(super) fn read(bytes: &[u8], project: &PackageName, gather: Gather<'_>) -> Result<SimplePage, PageError> {
    let mut files = Files { gather, refused: None };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = deserializer.deserialize_map(PageVisitor(&mut files)).and_then(|page| deserializer.end().map(|()| page));
    let page = match (files.refused, read) {
        (Some(refused), _) => return Err(refused),
        (None, Ok(page)) => page,
        (None, Err(_)) if is_deep(bytes) => return Err(PageError::TooDeep),
        (None, Err(error)) => {
            return Err(PageError::Malformed { reason: pinfold_artifact::shown(&error.to_string(), 300) });
        }
    };
    let meta = page.meta.unwrap_or_default();
    check_api_version(meta.api_version.as_ref().map_or("", |text| &text.0))?;
    if let Some(name) = &page.name
        && name.0.parse::<PackageName>().ok().as_ref() != Some(project)
    {
        return Err(PageError::ForeignProject { found: shown(&name.0), project: project.clone() });
    }
    let status = page.project_status.unwrap_or_default();
    let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.0.to_string());
    let status = ProjectStatus::new(text(&status.status).as_deref(), text(&status.reason).as_deref());
    Ok(files.gather.finish(status, meta.last_serial.and_then(|serial| serial.0)))
}

/// Returns true if the bytes open more brackets in brackets than any page.
fn is_deep(bytes: &[u8]) -> bool {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > PAGE_DEPTH {
            return true;
        }
    }
    false
}

/// What a page says beside its files, which go to the gatherer as they are read.
#[derive(Default)]
struct Page<'a> {
    meta: Option<Meta<'a>>,
    name: Option<Text<'a>>,
    project_status: Option<Status<'a>>,
}

struct PageVisitor<'g, 'p>(&'g mut Files<'p>);

impl<'de> Visitor<'de> for PageVisitor<'_, '_> {
    type Value = Page<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project's page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut page = Page::default();
        let mut listed = false;
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "files" if listed => return Err(A::Error::duplicate_field("files")),
                "files" => {
                    map.next_value_seed(&mut *self.0)?;
                    listed = true;
                }
                "meta" => page.meta = map.next_value()?,
                "name" => page.name = map.next_value()?,
                "project-status" => page.project_status = map.next_value()?,
                _ => {
                    // Passed over without being read; that alone would go to any depth.
                    let value: &RawValue = map.next_value()?;
                    if is_deep(value.get().as_bytes()) {
                        return Err(A::Error::custom("nested too deeply"));
                    }
                }
            }
        }
        if listed { Ok(page) } else { Err(A::Error::missing_field("files")) }
    }
}

/// Reads the list of files into the gatherer. What the gatherer refuses is kept here, as serde's errors are only text.
struct Files<'p> {
    gather: Gather<'p>,
    refused: Option<PageError>,
}

impl<'de> DeserializeSeed<'de> for &mut Files<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Files<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(file) = list.next_element::<File<'_>>()? {
            if let Err(refused) = self.gather.add(&file.listed()) {
                self.refused = Some(refused);
                return Err(A::Error::custom("the page is refused"));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize, Default)]
struct Meta<'a> {
    #[serde(borrow, rename = "api-version")]
    api_version: Option<Text<'a>>,
    #[serde(rename = "_last-serial")]
    last_serial: Option<Serial>,
}

#[derive(Deserialize, Default)]
struct Status<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File<'a> {
    #[serde(borrow)]
    filename: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    size: Option<u64>,
    #[serde(borrow)]
    hashes: Option<Hashes<'a>>,
    #[serde(borrow)]
    upload_time: Option<Text<'a>>,
    #[serde(borrow)]
    requires_python: Option<Text<'a>>,
    #[serde(borrow)]
    yanked: Option<Flag<'a>>,
    /// PEP 714's name.
    #[serde(borrow)]
    core_metadata: Option<Flag<'a>>,
    /// PEP 658's name.
    #[serde(borrow)]
    dist_info_metadata: Option<Flag<'a>>,
}

impl<'a> File<'a> {
    fn listed(self) -> Listed<'a> {
        let core_metadata = match self.core_metadata.or(self.dist_info_metadata) {
            None | Some(Flag::No) => None,
            Some(Flag::Hashes(hashes)) => Some(hashes.sha256.map(|text| text.0)),
            Some(Flag::Text(_) | Flag::Yes) => Some(None),
        };
        let yanked = match self.yanked {
            None | Some(Flag::No) => None,
            Some(Flag::Text(reason)) => Some(reason),
            Some(Flag::Hashes(_) | Flag::Yes) => Some(Cow::Borrowed("")),
        };
        Listed {
            filename: self.filename.0,
            url: self.url.0,
            size_bytes: self.size,
            sha256: self.hashes.and_then(|hashes| hashes.sha256).map(|text| text.0),
            upload_time: self.upload_time.map(|text| text.0),
            requires_python: self.requires_python.map(|text| text.0),
            yanked,
            core_metadata,
        }
    }
}

/// Of the digests only this one; a weaker one is not even looked at.
#[derive(Deserialize)]
struct Hashes<'a> {
    #[serde(borrow)]
    sha256: Option<Text<'a>>,
}

/// A text that is borrowed where it has no escapes; serde would copy a `Cow` inside an `Option`.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A serial number; some indexes write it as a string.
struct Serial(Option<u64>);

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SerialVisitor;
        impl Visitor<'_> for SerialVisitor {
            type Value = Serial;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a serial number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Serial, E> {
                Ok(Serial(Some(number)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Serial, E> {
                Ok(Serial(text.parse().ok()))
            }
        }
        deserializer.deserialize_any(SerialVisitor)
    }
}

/// `false`, `true`, a text, or digests: `yanked` and `core-metadata`.
enum Flag<'a> {
    Hashes(Hashes<'a>),
    No,
    Text(Cow<'a, str>),
    Yes,
}

impl<'de: 'a, 'a> Deserialize<'de> for Flag<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl<'de> Visitor<'de> for FlagVisitor {
            type Value = Flag<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean, a string or digests")
            }

            fn visit_bool<E: Error>(self, yes: bool) -> Result<Self::Value, E> {
                Ok(if yes { Flag::Yes } else { Flag::No })
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Flag::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Flag::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut hashes = Hashes { sha256: None };
                while let Some(Text(name)) = map.next_key()? {
                    if name == "sha256" {
                        hashes.sha256 = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Flag::Hashes(hashes))
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}
