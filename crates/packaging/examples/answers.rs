//! Answers questions about versions, specifiers, requirements, markers, file names and tags: one JSON object a line comes in,
//! one JSON value a line goes out. `tests/differential/run` puts the same questions to the `packaging` library.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufWriter, Write};

use pinfold_packaging::{
    ExtraName, Marker, MarkerEnvironment, MarkerTruth, PackageName, PythonSpan, Requirement, SdistFilename, Specifiers,
    System, Target, Version, WheelFilename,
};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let question: Value = serde_json::from_str(&line?).map_err(io::Error::other)?;
        let answer = answer(&question).unwrap_or_else(|error| json!({ "error": error }));
        writeln!(output, "{answer}")?;
    }
    output.flush()
}

/// Returns the answer, or why there is none.
fn answer(question: &Value) -> Result<Value, String> {
    let text = |key: &str| question[key].as_str().unwrap_or_default();
    match text("ask") {
        "marker" => marker(text("text"), &question["environments"]),
        "name" => Ok(json!(read::<PackageName>(text("text"))?.as_str())),
        "order" => {
            let (left, right) = (read::<Version>(text("left"))?, read::<Version>(text("right"))?);
            Ok(json!(left.cmp(&right) as i8))
        }
        "requirement" => requirement(text("text")),
        "sdist" => {
            let filename = read(text("text"))?;
            let sdist = SdistFilename::parse(&filename, &read(text("project"))?).map_err(|error| error.to_string())?;
            Ok(json!({ "name": sdist.name.as_str(), "version": sdist.version.to_string() }))
        }
        "specifiers" => specifiers(text("text"), &question["versions"]),
        "tags" => {
            let system: System = read(text("system"))?;
            let target = Target::new(system, read(text("python"))?);
            Ok(json!(target.tags().iter().collect::<Vec<_>>()))
        }
        "version" => version(text("text")),
        "wheel" => wheel(text("text")),
        other => Err(format!("no such question: `{other}`")),
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn version(text: &str) -> Result<Value, String> {
    let version: Version = read(text)?;
    Ok(json!({
        "version": version.to_string(),
        "public": version.without_local().to_string(),
        "epoch": version.epoch(),
        "release": version.release(),
        "prerelease": version.is_prerelease(),
        "postrelease": version.is_postrelease(),
        "local": version.is_local(),
    }))
}

/// Says of each version whether it is contained, after asking both readings of the specifiers; nothing of what is no version.
fn specifiers(text: &str, versions: &Value) -> Result<Value, String> {
    let specifiers: Specifiers = read(text)?;
    let ranges = specifiers.ranges();
    let mut contained = Vec::new();
    for version in versions.as_array().into_iter().flatten() {
        let Ok(version) = read::<Version>(version.as_str().unwrap_or_default()) else {
            contained.push(Value::Null);
            continue;
        };
        let found = specifiers.contains(&version);
        if found != ranges.contains(&version) {
            return Err(format!("`{specifiers}` and its ranges disagree on {version}"));
        }
        contained.push(json!(found));
    }
    Ok(json!({ "specifiers": clauses(&specifiers), "contains": contained }))
}

fn clauses(specifiers: &Specifiers) -> BTreeSet<String> {
    specifiers.to_string().split(',').filter(|clause| !clause.is_empty()).map(str::to_owned).collect()
}

fn requirement(text: &str) -> Result<Value, String> {
    let requirement: Requirement = read(text)?;
    Ok(json!({
        "name": requirement.name.as_str(),
        "extras": requirement.extras.iter().map(ExtraName::as_str).collect::<Vec<_>>(),
        "specifiers": clauses(&requirement.specifiers),
        "url": requirement.url.as_ref().map(ToString::to_string),
        "marker": !requirement.marker.is_always(),
    }))
}

fn wheel(text: &str) -> Result<Value, String> {
    let wheel = WheelFilename::parse(&read(text)?).map_err(|error| error.to_string())?;
    let mut tags = BTreeSet::new();
    for python in wheel.python_tags() {
        for abi in wheel.abi_tags() {
            tags.extend(wheel.platform_tags().map(|platform| format!("{python}-{abi}-{platform}")));
        }
    }
    Ok(json!({
        "name": wheel.name.as_str(),
        "version": wheel.version.to_string(),
        "build": wheel.build.as_ref().map(ToString::to_string),
        "tags": tags,
    }))
}

/// Says of each environment whether the marker holds there.
fn marker(text: &str, environments: &Value) -> Result<Value, String> {
    let marker: Marker = read(text)?;
    let again: Marker = read(&marker.to_string()).map_err(|error| format!("`{marker}` is not read again: {error}"))?;
    if marker != again {
        return Err(format!("`{marker}` is read as something else"));
    }
    let mut truths = Vec::new();
    for given in environments.as_array().into_iter().flatten() {
        let extras = match given["extra"].as_str() {
            Some(extra) if !extra.is_empty() => BTreeSet::from([read::<ExtraName>(extra)?]),
            _ => BTreeSet::new(),
        };
        truths.push(match marker.evaluate(&environment(given)?, &extras) {
            MarkerTruth::False => false,
            MarkerTruth::True => true,
            MarkerTruth::Divided(_) => return Err("one interpreter is divided".to_owned()),
        });
    }
    Ok(json!(truths))
}

fn environment(given: &Value) -> Result<MarkerEnvironment, String> {
    let text = |key: &str| given[key].as_str().unwrap_or_default().to_owned();
    Ok(MarkerEnvironment {
        os_name: text("os_name"),
        sys_platform: text("sys_platform"),
        platform_machine: text("platform_machine"),
        platform_system: text("platform_system"),
        platform_python_implementation: text("platform_python_implementation"),
        implementation_name: text("implementation_name"),
        python_version: read(&text("python_version"))?,
        python_full_version: PythonSpan { at_least: read(&text("python_full_version"))?, below: None },
        platform_release: Some(text("platform_release")),
        platform_version: Some(text("platform_version")),
    })
}
