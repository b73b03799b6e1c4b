//! The Helm chart: rendered, compared with snapshots, fed with bad values.

use crate::{
    cargo,
    run::{Failure, run},
    servers,
};

/// The main package of the helm that `tests/chart/go.mod` pins.
pub(crate) const HELM_PACKAGE: &str = "helm.sh/helm/v4/cmd/helm";

/// Runs the chart's tests.
pub(crate) fn chart() -> Result<(), Failure> {
    let helm = servers::helm()?;
    run(cargo::workspace("test")
        .args(["--test", "chart"])
        .env("HELM_BIN", helm))
}
