//! What a lock says of a place, for a message: without what may be a secret. Another tool, or a hand, may have put one there.

/// Returns a text with every URL in it without query, fragment and login: a signed URL has its signature in the query.
pub(crate) fn shown(text: &str) -> String {
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_and_nothing_else() {
        for (text, expected) in [
            ("https://h.example/a/b-1.whl?X=s3cret#y", "https://h.example/a/b-1.whl"),
            ("https://me:s3cret@h.example?s3cret", "https://h.example"),
            (
                "a[x] @ git+https://s3cret@h.example/a@main#s3cret ; os_name == 'nt'",
                "a[x] @ git+https://h.example/a@main ; os_name == 'nt'",
            ),
            ("a>=1,!=1.5; python_version < '3.9'", "a>=1,!=1.5; python_version < '3.9'"),
            ("./a dir/what?", "./a dir/what?"),
            ("https://a.example/x, https://b.example/y?s3cret", "https://a.example/x, https://b.example/y"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
