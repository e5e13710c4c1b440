//! The names in a directory, sorted, in memory that serves the next directory too.
//!
//! What is planned is sorted by name as well, so it is found by going along with them. To search for each name among what is
//! planned would be to look at memory all over, for tens of thousands of files.

use std::io;
use std::ops::Range;

use crate::disk::{Directory, Kind, Room};

/// What is in one directory after the other.
pub(super) struct Names {
    room: Room,
    text: Vec<u8>,
    /// Where each name is in the text, and what it is of.
    places: Vec<(Range<usize>, Kind)>,
}

impl Default for Names {
    fn default() -> Self {
        Self { room: Room::new(), text: Vec::new(), places: Vec::new() }
    }
}

impl Names {
    /// Lists a directory, which was opened for that and was not listed before. What was listed last is forgotten.
    pub(super) fn list(&mut self, directory: &Directory) -> io::Result<()> {
        let Self { room, text, places } = self;
        text.clear();
        places.clear();
        directory.list(room, &mut |name, kind| {
            let begin = text.len();
            text.extend_from_slice(name.as_encoded_bytes());
            places.push((begin..text.len(), kind));
        })?;
        places.sort_unstable_by(|(a, _), (b, _)| text[a.clone()].cmp(&text[b.clone()]));
        Ok(())
    }

    /// Returns the names with what they are of, sorted; of one that is no text, none.
    pub(super) fn all(&self) -> impl Iterator<Item = (Option<&str>, Kind)> {
        self.places.iter().map(|(place, kind)| (str::from_utf8(&self.text[place.clone()]).ok(), *kind))
    }
}
