//! Digests, in the three spellings that packaging uses.
//!
//! MD5 and SHA-1 are not computed anywhere: where a fake index must offer one, it is made up, because pinfold may not
//! look at it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinfold_artifact::Sha256;
use sha2::Digest as _;

/// Returns the SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256::from_bytes(sha2::Sha256::digest(bytes).into())
}

/// Returns the SHA-256 of bytes as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    sha256(bytes).to_string()
}

/// Returns the SHA-256 of bytes as a RECORD writes it: `sha256=` and unpadded URL-safe Base64.
pub fn sha256_record(bytes: &[u8]) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(sha256(bytes).as_bytes()))
}
