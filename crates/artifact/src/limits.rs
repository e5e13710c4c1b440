//! Every bound on what comes from outside, in one place, each with the attack it stops.

/// The bounds that pinfold puts on outside input. They are far above what real projects need.
#[derive(Debug, Clone, Copy)]
pub struct Limits;

impl Limits {
    /// Bytes of an artifact's file name.
    pub const FILENAME_BYTES: usize = Self::SEGMENT_BYTES;
    /// Bytes of a segment of a member's path: on every common file system one is at most so long.
    pub const SEGMENT_BYTES: usize = 255;
    /// Bytes of a member's path: longer paths cannot be created everywhere.
    pub const PATH_BYTES: usize = 1024;
    /// Segments of a member's path: stops directory bombs.
    pub const PATH_SEGMENTS: usize = 64;

    /// Decompressed bytes of an index page: stops endless data and compression bombs.
    pub const PAGE_BYTES: u64 = 128 << 20;
    /// Files on one index page.
    pub const PAGE_FILES: usize = 200_000;
    /// Bytes of a METADATA file: stops endless data.
    pub const METADATA_BYTES: u64 = 16 << 20;
    /// `Requires-Dist` lines of one METADATA file: stops resolver blow-up.
    pub const METADATA_REQUIREMENTS: usize = 10_000;
    /// Bytes of an artifact whose size the index does not tell: stops endless data while locking.
    pub const UNKNOWN_SIZE_BYTES: u64 = 8 << 30;
    /// Bytes that may be read at the end of a wheel to find its METADATA: stops a lying central directory.
    pub const WHEEL_TAIL_BYTES: u64 = 64 << 20;

    /// Bytes of one requirement: stops marker blow-up.
    pub const REQUIREMENT_BYTES: usize = 4 << 10;
    /// Nested parentheses of a marker: stops stack overflow.
    pub const MARKER_DEPTH: usize = 32;
    /// Comparisons in one marker: stops marker blow-up.
    pub const MARKER_CLAUSES: usize = 64;
    /// Comparisons in one marker on free text: each multiplies the decision diagram.
    pub const MARKER_TEXT_CLAUSES: usize = 12;
    /// Nodes that the decision diagram of one marker may have, by estimate: stops marker blow-up. Real ones have tens.
    pub const MARKER_NODES: usize = 8_192;
    /// The same for all markers of one METADATA file together.
    pub const METADATA_MARKER_NODES: usize = 262_144;
    /// Digits in a row inside a version: larger numbers overflow 64 bits.
    pub const VERSION_DIGITS: usize = 15;
    /// Bytes of a version.
    pub const VERSION_BYTES: usize = 256;
    /// Clauses of one specifier set.
    pub const SPECIFIER_CLAUSES: usize = 64;

    /// Bytes of a manifest or requirements file.
    pub const MANIFEST_BYTES: u64 = 4 << 20;
    /// Bytes of a lock file: stops a gigantic lock.
    pub const LOCK_BYTES: u64 = 64 << 20;
    /// Packages in a lock file.
    pub const LOCK_PACKAGES: usize = 50_000;
    /// Bytes of one marker of a lock file: an entry that many extras or groups share names them all.
    pub const LOCK_MARKER_BYTES: usize = 64 << 10;
    /// Comparisons in one marker of a lock file; evaluating takes time in proportion to them.
    pub const LOCK_MARKER_CLAUSES: usize = 1_000;

    /// Members of one archive: stops a bomb of empty files.
    pub const ARCHIVE_MEMBERS: usize = 200_000;
    /// Unpacked bytes of one archive: stops a compression bomb.
    pub const ARCHIVE_UNPACKED_BYTES: u64 = 64 << 30;
    /// Unpacked bytes per packed byte of an archive as a whole: deflate reaches 1032 at most, real wheels stay below 50.
    pub const ARCHIVE_RATIO: u64 = 400;
    /// Below this many unpacked bytes the ratio is not looked at: small files of zeros are no bomb.
    pub const ARCHIVE_RATIO_FLOOR_BYTES: u64 = 64 << 20;
    /// Bytes of a RECORD, WHEEL or entry-points file.
    pub const DIST_INFO_FILE_BYTES: u64 = 64 << 20;

    /// Bytes of all files of a source tree: stops a directory or commit that would fill the disk.
    pub const SOURCE_TREE_BYTES: u64 = 2 << 30;
    /// Bytes that a repository may take on the disk while one commit of it is fetched.
    pub const REPOSITORY_BYTES: u64 = 8 << 30;
    /// Milliseconds that fetching from a repository may take.
    pub const REPOSITORY_MS: u64 = 15 * 60 * 1000;
    /// Bytes of the list of a repository's references, or of a commit's files.
    pub const REPOSITORY_LIST_BYTES: usize = 128 << 20;

    /// Redirects followed for one request.
    pub const REDIRECTS: usize = 5;
    /// Attempts for one request, the first included.
    pub const ATTEMPTS: u32 = 4;
    /// Milliseconds without a byte after which a transfer is given up: stops slow retrieval.
    pub const STALL_MS: u64 = 30_000;
    /// Milliseconds for a connection.
    pub const CONNECT_MS: u64 = 20_000;
    /// Bytes per second below which a transfer misses its total deadline: stops slow retrieval.
    pub const SLOWEST_BYTES_PER_SECOND: u64 = 4 << 10;
    /// Milliseconds that any transfer may take before its rate counts.
    pub const DEADLINE_FLOOR_MS: u64 = 120_000;

    /// Versions of one project that a resolution considers before it gives up.
    pub const CANDIDATES: usize = 5_000;
    /// Decisions and backtracks of one resolution: stops resolver blow-up.
    pub const SOLVER_STEPS: usize = 200_000;
    /// Calls of the pure resolver for one target, each with more facts.
    pub const RESOLVE_ROUNDS: usize = 2_000;
    /// Lines of an explanation.
    pub const EXPLANATION_LINES: usize = 200;
}
