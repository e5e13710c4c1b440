//! Every way in which a manifest can be wrong, and what is said about it.

use crate::Manifest;

fn check(text: &str, report: &str) {
    let error = Manifest::parse_toml(text, "pinfold.toml").unwrap_err();
    assert_eq!(error.report(), report);
}

#[test]
fn text_that_is_no_toml() {
    check(
        "[project
name = 1",
        "unclosed table, expected `]`
 --> pinfold.toml:1:9
  |
1 | [project
  |         ^",
    );
    check(
        r#"[project]
name = "a
x = 1"#,
        r#"invalid basic string, expected `"`
 --> pinfold.toml:2:10
  |
2 | name = "a
  |          ^"#,
    );
    check(
        r#"[project]
name = "a"
name = "b""#,
        r#"duplicate key
 --> pinfold.toml:3:1
  |
3 | name = "b"
  | ^^^^"#,
    );
    check(
        "[project]\nname = \"a\u{7}\"",
        r#"invalid basic string, expected non-double-quote visible characters, `\`
 --> pinfold.toml:2:10
  |
2 | name = "a�"
  |          ^"#,
    );
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest() {
    check(
        r#"[project]
name = "a"
targts = []
zzz = 1"#,
        "unknown key `targts` in [project]
 --> pinfold.toml:3:1
  |
3 | targts = []
  | ^^^^^^
  = help: the nearest known key is `targets`
          known here: `name`, `requires-python`, `requirements`, `dependencies`, `constraints`, `overrides`, `exclude`, `exclude-newer`, `targets`, `prerelease`, `resolution`, `build`, `no-binary`",
    );
    check(
        "targets = []",
        "unknown key `targets` in the manifest
 --> pinfold.toml:1:1
  |
1 | targets = []
  | ^^^^^^^
  = help: the nearest known key is `targets` of [project]
          known here: `project`, `groups`, `extras`, `index`, `accept`",
    );
    check(
        "[projct]",
        "unknown key `projct` in the manifest
 --> pinfold.toml:1:2
  |
1 | [projct]
  |  ^^^^^^
  = help: the nearest known key is `project`
          known here: `project`, `groups`, `extras`, `index`, `accept`",
    );
    check(
        r#"[[index]]
name = "a"
file_hosts = []"#,
        "unknown key `file_hosts` in [[index]]
 --> pinfold.toml:3:1
  |
3 | file_hosts = []
  | ^^^^^^^^^^
  = help: the nearest known key is `file-hosts`
          known here: `name`, `url`, `from`, `default`, `packages`, `file-hosts`, `insecure`, `upload-time`",
    );
}

#[test]
fn overrides_that_do_not_only_replace_versions() {
    check(
        r#"[project]
overrides = ["a[x]==1.0"]"#,
        "an override replaces the versions that others accept, so it cannot ask for extras; require them yourself
 --> pinfold.toml:2:14
  |
2 | overrides = [\"a[x]==1.0\"]
  |              ^^^^^^^^^^^",
    );
    check(
        r#"[project]
overrides = ["a<2; sys_platform == 'win32' or platform_release >= '5'"]"#,
        "an override cannot depend on the kernel's release or version: no target knows it, and where the override did not hold the lock would be wrong
 --> pinfold.toml:2:14
  |
2 | overrides = [\"a<2; sys_platform == 'win32' or platform_release >= '5'\"]
  |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    );
}

#[test]
fn a_value_of_another_type() {
    check(
        "[project]
name = [1]",
        "`name` must be a string, not an array
 --> pinfold.toml:2:8
  |
2 | name = [1]
  |        ^^^",
    );
    check(
        r#"[project]
dependencies = "torch""#,
        r#"`dependencies` must be an array of strings, not a string
 --> pinfold.toml:2:16
  |
2 | dependencies = "torch"
  |                ^^^^^^^"#,
    );
    check(
        r#"[project]
dependencies = ["torch", 1]"#,
        r#"`dependencies` holds a number where a string belongs
 --> pinfold.toml:2:26
  |
2 | dependencies = ["torch", 1]
  |                          ^"#,
    );
    check(
        "index = 3",
        "`index` must be an array of tables, not a number
 --> pinfold.toml:1:9
  |
1 | index = 3
  |         ^",
    );
    check(
        "project = 3",
        "`[project]` must be a table, not a number
 --> pinfold.toml:1:11
  |
1 | project = 3
  |           ^",
    );
}

#[test]
fn a_requirement_that_cannot_be_parsed() {
    check(
        r#"[project]
dependencies = ["ok", "torch==2.1.0.foo"]"#,
        r#"`2.1.0.foo` is no version
 --> pinfold.toml:2:29
  |
2 | dependencies = ["ok", "torch==2.1.0.foo"]
  |                             ^^^^^^^^^^^"#,
    );
    check(
        "[project]
dependencies = [
  'tórch',
]",
        r#"`\u{f3}` does not belong into a requirement
 --> pinfold.toml:3:5
  |
3 |   'tórch',
  |     ^"#,
    );
    check(
        r#"[project]
dependencies = ["to\u0072ch = 2"]"#,
        r#"it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`
 --> pinfold.toml:2:17
  |
2 | dependencies = ["to\u0072ch = 2"]
  |                 ^^^^^^^^^^^^^^^^"#,
    );
    check(
        r#"[project]
dependencies = ["torch ; python_version > 'abc"]"#,
        r#"this quote is not closed
 --> pinfold.toml:2:43
  |
2 | dependencies = ["torch ; python_version > 'abc"]
  |                                           ^"#,
    );
    check(
        r#"[project]
constraints = ["a[b]<2"]"#,
        r#"a constraint only narrows versions, so it cannot ask for extras
 --> pinfold.toml:2:16
  |
2 | constraints = ["a[b]<2"]
  |                ^^^^^^^^"#,
    );
}

#[test]
fn values_of_the_project() {
    check(
        r#"[project]
name = "-a""#,
        r#"`-a` is no name: it must begin and end with a letter or digit
 --> pinfold.toml:2:8
  |
2 | name = "-a"
  |        ^^^^"#,
    );
    check(
        r#"[project]
requires-python = ">=3.10,<abc""#,
        r#"`<abc` is no version specifier: `abc` is no version
 --> pinfold.toml:2:19
  |
2 | requires-python = ">=3.10,<abc"
  |                   ^^^^^^^^^^^^^"#,
    );
    check(
        r#"[project]
targets = ["linux-x86_64", "darwin-arm64"]"#,
        r#"`darwin-arm64` is no target, `macos-aarch64` is; known are linux-x86_64, linux-aarch64, windows-x86_64, windows-aarch64, macos-aarch64, macos-x86_64
 --> pinfold.toml:2:28
  |
2 | targets = ["linux-x86_64", "darwin-arm64"]
  |                            ^^^^^^^^^^^^^^"#,
    );
    check(
        "[project]
targets = []",
        "`targets` is empty
 --> pinfold.toml:2:11
  |
2 | targets = []
  |           ^^",
    );
    check(
        r#"[project]
targets = ["linux-x86_64", "linux-x86_64-glibc2.28"]"#,
        r#"`linux-x86_64` is written twice
 --> pinfold.toml:2:28
  |
2 | targets = ["linux-x86_64", "linux-x86_64-glibc2.28"]
  |                            ^^^^^^^^^^^^^^^^^^^^^^^^"#,
    );
    check(
        r#"[project]
prerelease = "if_necessary""#,
        r#"`if_necessary` is none of `allow`, `explicit`, `if-necessary`, `never`
 --> pinfold.toml:2:14
  |
2 | prerelease = "if_necessary"
  |              ^^^^^^^^^^^^^^"#,
    );
    check(
        r#"[project]
exclude-newer = "2024-08-20""#,
        r#"`2024-08-20` is neither a time such as `2024-08-20T00:00:00Z` nor a span such as `7 days`
 --> pinfold.toml:2:17
  |
2 | exclude-newer = "2024-08-20"
  |                 ^^^^^^^^^^^^"#,
    );
    check(
        "[project]
exclude-newer = 2024-08-20",
        "`2024-08-20` is neither a time such as `2024-08-20T00:00:00Z` nor a span such as `7 days`
 --> pinfold.toml:2:17
  |
2 | exclude-newer = 2024-08-20
  |                 ^^^^^^^^^^",
    );
    check(
        r#"[project]
exclude-newer = "5000000 days""#,
        r#"`5000000 days` is longer than 18262 days (50 years), and nothing was uploaded so long ago
 --> pinfold.toml:2:17
  |
2 | exclude-newer = "5000000 days"
  |                 ^^^^^^^^^^^^^^"#,
    );
    check(
        "[project]
exclude-newer = 0024-08-20T00:00:00Z",
        "`0024-08-20T00:00:00Z` is a time before 1970, when nothing had been uploaded
 --> pinfold.toml:2:17
  |
2 | exclude-newer = 0024-08-20T00:00:00Z
  |                 ^^^^^^^^^^^^^^^^^^^^",
    );
    check(
        "[project]
exclude-newer = 7",
        "`exclude-newer` must be a time or a span, not a number
 --> pinfold.toml:2:17
  |
2 | exclude-newer = 7
  |                 ^",
    );
    check(
        r#"[project]
build = ["*", "a"]"#,
        r#"`*` allows every package; write it alone, or leave it out
 --> pinfold.toml:2:10
  |
2 | build = ["*", "a"]
  |          ^^^"#,
    );
    check(
        r#"[project]
exclude = ["a-b", "A_b"]"#,
        r#"`A_b` is written twice
 --> pinfold.toml:2:19
  |
2 | exclude = ["a-b", "A_b"]
  |                   ^^^^^"#,
    );
}

#[test]
fn indexes_that_cannot_be_asked() {
    check(
        r#"[[index]]
name = "a"
url = "ftp://a.example/simple""#,
        r#"scheme `ftp` is not allowed; use https, http or file
 --> pinfold.toml:3:7
  |
3 | url = "ftp://a.example/simple"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^"#,
    );
    check(
        r#"[[index]]
name = "a"
url = "http://a.example/simple""#,
        "the index `a` is asked without TLS, so anyone on the way can answer for it; use https
 --> pinfold.toml:1:1
  |
1 | [[index]]
  | ^^^^^^^^^",
    );
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple"
from = "pip""#,
        r#"`url` and `from` exclude each other
 --> pinfold.toml:4:8
  |
4 | from = "pip"
  |        ^^^^^"#,
    );
    check(
        r#"[[index]]
name = "a""#,
        "[[index]] has no `url`
 --> pinfold.toml:1:1
  |
1 | [[index]]
  | ^^^^^^^^^",
    );
    check(
        r#"[[index]]
name = "a"
from = "conda""#,
        r#"`conda` is not known here; write `pip`
 --> pinfold.toml:3:8
  |
3 | from = "conda"
  |        ^^^^^^^"#,
    );
    check(
        r#"[[index]]
url = "https://a.example/simple""#,
        "[[index]] has no `name`
 --> pinfold.toml:1:1
  |
1 | [[index]]
  | ^^^^^^^^^",
    );
    check(
        r#"[[index]]
name = "a b"
url = "https://a.example/simple""#,
        r#"`a b` is no name for an index; use letters, digits, `-` and `_`, and begin with a letter
 --> pinfold.toml:2:8
  |
2 | name = "a b"
  |        ^^^^^"#,
    );
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple"
file-hosts = ["files.example/x"]"#,
        r#"each host is written out, such as `files.example` or `files.example:8443`; it has no `*`, no path and nothing else
 --> pinfold.toml:4:15
  |
4 | file-hosts = ["files.example/x"]
  |               ^^^^^^^^^^^^^^^^^"#,
    );
}

#[test]
fn a_password_is_neither_taken_nor_shown() {
    check(
        r#"[[index]]
name = "a"
url = "https://me:secret@a.example/simple""#,
        r#"a URL must not carry a user name or password; put them into netrc or PINFOLD_INDEX_<NAME>_TOKEN
 --> pinfold.toml:3:7
  |
3 | url = "https://*********@a.example/simple"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"#,
    );
}

#[test]
fn a_query_of_an_index_is_neither_dropped_nor_shown() {
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple/?token=x7""#,
        r##"the URL of an index has no query: pages are asked for below its path, and nothing from `?` on would be sent; a login belongs into netrc or PINFOLD_INDEX_<NAME>_TOKEN
 --> pinfold.toml:3:7
  |
3 | url = "https://a.example/simple/?********"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"##,
    );
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple/?x7#y8""#,
        r##"the URL of an index has no query: pages are asked for below its path, and nothing from `?` on would be sent; a login belongs into netrc or PINFOLD_INDEX_<NAME>_TOKEN
 --> pinfold.toml:3:7
  |
3 | url = "https://a.example/simple/?**#**"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"##,
    );
    check(
        r##"[[index]]
name = "a"
url = "https://a.example/simple/#token=x7""##,
        r##"the URL of an index has no fragment: nothing from `#` on would be sent
 --> pinfold.toml:3:7
  |
3 | url = "https://a.example/simple/#********"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"##,
    );
}

/// IX02, IX03: a package must come from exactly one index.
#[test]
fn the_moment_of_a_lock_stands_for_an_upload_time_only_where_packages_are_routed() {
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple"
default = true
[[index]]
name = "b"
url = "https://b.example/simple"
upload-time = "first-seen""#,
        "the index `b` has `upload-time = \"first-seen\"` and lists no `packages`; list them, and let another be the default
 --> pinfold.toml:5:1
  |
5 | [[index]]
  | ^^^^^^^^^",
    );
    check(
        r#"[[index]]
name = "b"
url = "https://b.example/simple"
packages = ["x"]
upload-time = "now""#,
        "`now` is not known here; write `first-seen`
 --> pinfold.toml:5:15
  |
5 | upload-time = \"now\"
  |               ^^^^^",
    );
}

#[test]
fn indexes_that_contradict_each_other() {
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple"
default = true
[[index]]
name = "b"
url = "https://b.example/simple"
default = true"#,
        "the indexes `a` and `b` are both the default; a package must come from exactly one
 --> pinfold.toml:5:1
  |
5 | [[index]]
  | ^^^^^^^^^",
    );
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple"
[[index]]
name = "b"
url = "https://b.example/simple"
default = true"#,
        "nothing would come from the index `a`: it is not the default and lists no packages
 --> pinfold.toml:1:1
  |
1 | [[index]]
  | ^^^^^^^^^",
    );
    check(
        r#"[[index]]
name = "a"
url = "https://a.example/simple"
packages=['x']
[[index]]
name = "b"
url = "https://b.example/simple"
default = true
packages = ["X"]"#,
        "`x` is listed by the indexes `a` and `b`; a package must come from exactly one
 --> pinfold.toml:5:1
  |
5 | [[index]]
  | ^^^^^^^^^",
    );
}

#[test]
fn findings_are_accepted_for_exact_bytes_with_a_reason() {
    check(
        r#"[[accept]]
code = "executable-pth""#,
        "[[accept]] has no `reason`
 --> pinfold.toml:1:1
  |
1 | [[accept]]
  | ^^^^^^^^^^",
    );
    check(
        r#"[[accept]]
code = "Executable pth"
reason = 'x'"#,
        r#"`Executable pth` is no code of a finding; codes are lower-case words joined by `-`
 --> pinfold.toml:2:8
  |
2 | code = "Executable pth"
  |        ^^^^^^^^^^^^^^^^"#,
    );
    check(
        r#"[[accept]]
code = "a"
reason = 'x'
package = 'x'
sha256 = '12'"#,
        "a SHA-256 digest has 64 hexadecimal digits, this has 2
 --> pinfold.toml:5:10
  |
5 | sha256 = '12'
  |          ^^^^",
    );
    check(
        r#"[[accept]]
code = "a"
reason = 'x'
package = 'x'
sha256 = '12'
path = '../x'"#,
        "`../x` has a segment `..`
 --> pinfold.toml:6:8
  |
6 | path = '../x'
  |        ^^^^^^",
    );
    check(
        r#"[[accept]]
code = "a"
reason = ' '"#,
        "`reason` is empty
 --> pinfold.toml:3:10
  |
3 | reason = ' '
  |          ^^^",
    );
}

#[test]
fn groups_that_lead_nowhere() {
    check(
        r#"[groups]
a = [{include-group = "b"}]
b = [{include-group = "A"}]"#,
        r#"the group includes itself: `a` → `b` → `a`
 --> pinfold.toml:3:23
  |
3 | b = [{include-group = "A"}]
  |                       ^^^"#,
    );
    check(
        r#"[groups]
dev = [{include-group = "tests"}]
test = []"#,
        r#"there is no group `tests`
 --> pinfold.toml:2:25
  |
2 | dev = [{include-group = "tests"}]
  |                         ^^^^^^^
  = help: the nearest that exists is `test`"#,
    );
    check(
        "[groups]
a-b = []
A_B = []",
        "`A_B` is written twice
 --> pinfold.toml:3:1
  |
3 | A_B = []
  | ^^^",
    );
    check(
        "[groups]
a = [1]",
        "`a` holds a number where a requirement or `{ include-group = … }` belongs
 --> pinfold.toml:2:6
  |
2 | a = [1]
  |      ^",
    );
    check(
        r#"[groups]
a = [{include = "b"}]"#,
        r#"unknown key `include` in an include
 --> pinfold.toml:2:7
  |
2 | a = [{include = "b"}]
  |       ^^^^^^^
  = help: the nearest known key is `include-group`
          known here: `include-group`"#,
    );
    check(
        r#"[groups]
a = "b""#,
        r#"`a` must be an array, not a string
 --> pinfold.toml:2:5
  |
2 | a = "b"
  |     ^^^"#,
    );
    check(
        r#"[extras]
a = [{include-group = "b"}]"#,
        r#"`a` holds an include where a requirement belongs
 --> pinfold.toml:2:23
  |
2 | a = [{include-group = "b"}]
  |                       ^^^"#,
    );
}

#[test]
fn extras_that_lead_nowhere() {
    check(
        r#"[project]
name = 'App'
[extras]
a = ["app[b]"]
b = ["app[a]"]"#,
        r#"the extra includes itself: `a` → `b` → `a`
 --> pinfold.toml:5:6
  |
5 | b = ["app[a]"]
  |      ^^^^^^^^"#,
    );
    check(
        r#"[project]
name = 'App'
[extras]
a = ["app[b]>=1"]
b = ["x"]"#,
        r#"the application's own extras are those of this manifest, without versions or URL
 --> pinfold.toml:4:6
  |
4 | a = ["app[b]>=1"]
  |      ^^^^^^^^^^^"#,
    );
    check(
        r#"[project]
name = 'App'
[extras]
a = ["app[bb]"]
b = ["x"]"#,
        r#"there is no extra `bb`
 --> pinfold.toml:4:6
  |
4 | a = ["app[bb]"]
  |      ^^^^^^^^^
  = help: the nearest that exists is `b`"#,
    );
}

/// An index would give another project of that name (dependency confusion).
#[test]
fn the_application_does_not_require_its_own_name() {
    check(
        r#"[project]
name = "My_App"
dependencies = ["a", "my-app>=1"]"#,
        r#"`my-app` is the application's own name; an index would give another project of that name
 --> pinfold.toml:3:22
  |
3 | dependencies = ["a", "my-app>=1"]
  |                      ^^^^^^^^^^^
  = help: leave it out; or, if the project of the index is meant, give the application another `name`"#,
    );
    check(
        r#"[project]
name = "app"
[groups]
dev = ["app"]"#,
        r#"`app` is the application's own name; an index would give another project of that name
 --> pinfold.toml:4:8
  |
4 | dev = ["app"]
  |        ^^^^^
  = help: leave it out; or, if the project of the index is meant, give the application another `name`"#,
    );
    let read = |text: &str| Manifest::parse_toml(text, "pinfold.toml").map(drop);
    // Where it is said which files it is, nobody is asked.
    assert_eq!(read("[project]\nname = 'app'\ndependencies = ['app @ ./src']"), Ok(()));
    assert_eq!(read("[project]\nname = 'app'\ndependencies = ['app-more']\nconstraints = ['app<2']"), Ok(()));
    assert_eq!(read("[project]\ndependencies = ['app']"), Ok(()));
}

/// As a literal host, `*` would serve no file, and look as if it allowed every one.
#[test]
fn a_file_host_is_no_pattern() {
    for host in ["*", "*.example", "https://files.example/x", "/srv", ""] {
        let text = format!("[[index]]\nname = 'a'\nurl = 'https://a.example'\nfile-hosts = ['b.example', '{host}']");
        check(
            &text,
            &format!(
                "each host is written out, such as `files.example` or `files.example:8443`; it has no `*`, no path and nothing else
 --> pinfold.toml:4:28
  |
4 | file-hosts = ['b.example', '{host}']
  |                            {}",
                "^".repeat(host.len() + 2)
            ),
        );
    }
}
