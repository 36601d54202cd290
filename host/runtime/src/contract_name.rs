//! Names of interfaces of the contract and their versions: `tune:plugin/trainable@0.1.0`.

/// The contract that this host speaks: major and minor version.
pub const CONTRACT_VERSION: &str = "0.1";

/// Interface and version of a name in our package.
pub(crate) fn contract_name(name: &str) -> Option<(&str, Option<&str>)> {
    let rest = name.strip_prefix("tune:plugin/")?;
    Some(match rest.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (rest, None),
    })
}

/// Major and minor version.
pub(crate) fn track(version: &str) -> &str {
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    match (dots.next(), dots.next()) {
        (Some(_), Some(second)) => version.get(..second).unwrap_or(version),
        _ => version,
    }
}

pub(crate) fn is_our_track(version: &str) -> bool {
    track(version) == CONTRACT_VERSION && !version.contains('-')
}

/// The interface in a name: `a:b/trial@1.0.0` is `trial`.
pub(crate) fn leaf(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    name.rsplit_once('/').map_or(name, |(_, leaf)| leaf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_belong_to_tracks() {
        for (version, ours) in [
            ("0.1.0", true),
            ("0.1.99", true),
            ("0.1.0-rc", false),
            ("0.2.0", false),
            ("0.10.0", false),
            ("1.1.0", false),
            ("0.1", true),
            ("", false),
        ] {
            assert_eq!(is_our_track(version), ours, "{version}");
        }
    }
}
