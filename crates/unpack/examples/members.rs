//! Says of archives what is in them: each comes in as its length (four bytes, the lowest first) and its bytes, and one line of
//! JSON goes out. `tests/differential/archives` holds it against Python's `zipfile`.

use std::io::{self, BufWriter, Cursor, Read, Write};

use pinfold_unpack::{Extractor, Member, Scheme, WheelMember, read_layout};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), BufWriter::new(io::stdout().lock()));
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut archive = vec![0; u32::from_le_bytes(length) as usize];
        input.read_exact(&mut archive)?;
        writeln!(output, "{}", members(&archive))?;
    }
    output.flush()
}

/// Returns the digest of each member by path, none where its data is refused; or why the archive is refused.
fn members(archive: &[u8]) -> Value {
    let layout = match read_layout(&mut Cursor::new(archive)) {
        Ok(layout) => layout,
        Err(error) => return json!({ "error": error.to_string(), "code": error.refusal_code() }),
    };
    let directories: Vec<String> = layout.directories.iter().map(|path| format!("{path}/")).collect();
    let files = layout.members.iter().map(|member| (member.path.to_string(), json!(digest(member, archive))));
    json!({ "directories": directories, "files": files.collect::<serde_json::Map<_, _>>() })
}

/// Returns the SHA-256 of a member's bytes.
fn digest(member: &Member, archive: &[u8]) -> Option<String> {
    let destination = member.path.clone();
    let wheel_member =
        WheelMember { member: member.clone(), digest: None, scheme: Scheme::Root, destination, hazard: None };
    let mut packed = archive.get(usize::try_from(member.data_start).ok()?..)?;
    let sha256 = Extractor::new().write(&wheel_member, &mut packed, &mut io::sink()).ok()?;
    Some(sha256.to_string())
}
