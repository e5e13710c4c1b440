//! What is printed reads back as what was read: versions, specifiers, requirements, markers and file names, made from their
//! parts and spelled in every way that the specifications allow. And what is read means what its parts mean: each is held
//! against a second, plain reading of the specification that is written here.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its input fails")]

mod round_trips {
    pub(crate) mod files;
    pub(crate) mod markers;
    pub(crate) mod requirements;
    pub(crate) mod versions;
}
