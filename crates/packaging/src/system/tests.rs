//! Names and floors of systems.

use super::*;

fn check(text: &str, expected: Result<&str, &str>) {
    let system = text.parse::<System>();
    let shown = system.as_ref().map(ToString::to_string).map_err(ToString::to_string);
    assert_eq!(shown.as_deref().map_err(String::as_str), expected, "{text:?}");
    if let Ok(system) = system {
        assert_eq!(system.to_string().parse(), Ok(system));
        assert_eq!(serde_json::from_str::<System>(&serde_json::to_string(&system).unwrap()).unwrap(), system);
    }
}

#[test]
fn a_system_has_one_name() {
    for name in System::KNOWN {
        check(name, Ok(name));
    }
    check("linux-x86_64-glibc2.28", Ok("linux-x86_64"));
    check("linux-x86_64-glibc2.17", Ok("linux-x86_64-glibc2.17"));
    check("linux-aarch64-musl1.2", Ok("linux-aarch64-musl1.2"));
    check("linux-aarch64-musl", Ok("linux-aarch64-musl1.2"));
    check("macos-aarch64-13.0", Ok("macos-aarch64"));
    check("macos-aarch64-11.0", Ok("macos-aarch64-11.0"));
    check("macos-x86_64-10.9", Ok("macos-x86_64-10.9"));
}

#[test]
fn floors_that_no_wheel_can_name_are_refused() {
    let glibc = |floor, system, expected: &str| format!("`{floor}` is no floor of {system}; {expected}");
    for (text, floor, system, expected) in [
        ("linux-x86_64-glibc2.4", "glibc2.4", "linux-x86_64", "write `glibc2.5` or later, or `musl1.2`"),
        ("linux-aarch64-glibc2.16", "glibc2.16", "linux-aarch64", "write `glibc2.17` or later, or `musl1.2`"),
        ("linux-x86_64-glibc3.0", "glibc3.0", "linux-x86_64", "write `glibc2.5` or later, or `musl1.2`"),
        ("linux-x86_64-glibc2.100", "glibc2.100", "linux-x86_64", "its numbers end at 99"),
        ("linux-x86_64-glibc2", "glibc2", "linux-x86_64", "write `glibc2.28`, `musl1.2` or the like"),
        ("linux-x86_64-glibc2.017", "glibc2.017", "linux-x86_64", "write `glibc2.28`, `musl1.2` or the like"),
        ("linux-x86_64-glibc2.+17", "glibc2.+17", "linux-x86_64", "write `glibc2.28`, `musl1.2` or the like"),
        ("linux-x86_64-13.0", "13.0", "linux-x86_64", "write `glibc2.28`, `musl1.2` or the like"),
        ("linux-x86_64-musl2.0", "musl2.0", "linux-x86_64", "write `musl1.2` or the like"),
        ("macos-aarch64-10.9", "10.9", "macos-aarch64", "write `11.0` or later"),
        ("macos-x86_64-10.3", "10.3", "macos-x86_64", "macOS 10 had 10.4 to 10.16"),
        ("macos-x86_64-9.0", "9.0", "macos-x86_64", "write `10.9` or later"),
        ("macos-x86_64-glibc2.28", "glibc2.28", "macos-x86_64", "write `13.0` or the like"),
        ("windows-x86_64-10.0", "10.0", "windows-x86_64", "it has none"),
        ("windows-x86_64-", "", "windows-x86_64", "it has none"),
    ] {
        check(text, Err(&glibc(floor, system, expected)));
    }
}

#[test]
fn other_words_for_a_system_are_answered_with_ours() {
    for (text, expected) in [
        ("darwin-arm64", ", `macos-aarch64` is"),
        ("win_amd64", ""),
        ("windows-amd64", ", `windows-x86_64` is"),
        ("Linux-x86_64", ", `linux-x86_64` is"),
        ("linux", ", `linux-x86_64` is"),
        ("linux-armv7l", ", `linux-x86_64` is"),
        ("", ""),
        ("freebsd-x86_64", ""),
    ] {
        let known = "linux-x86_64, linux-aarch64, windows-x86_64, windows-aarch64, macos-aarch64, macos-x86_64";
        check(text, Err(&format!("`{text}` is no target{expected}; known are {known}")));
    }
}

#[test]
fn a_machine_serves_the_floors_below_its_own() {
    for (machine, target, expected) in [
        ("linux-x86_64-glibc2.35", "linux-x86_64", true),
        ("linux-x86_64", "linux-x86_64", true),
        ("linux-x86_64-glibc2.17", "linux-x86_64", false),
        ("linux-x86_64-musl1.2", "linux-x86_64-glibc2.5", false),
        ("linux-aarch64", "linux-x86_64", false),
        ("macos-aarch64-14.5", "macos-aarch64", true),
        ("macos-x86_64-10.15", "macos-x86_64-11.0", false),
        ("windows-x86_64", "windows-x86_64", true),
    ] {
        let serves = machine.parse::<System>().unwrap().serves(&target.parse().unwrap());
        assert_eq!(serves, expected, "{machine} {target}");
    }
}
