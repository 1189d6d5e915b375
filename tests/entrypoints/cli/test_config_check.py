"""`catchment config check`: what it warns of besides quotas."""

from click.testing import CliRunner

from entrypoints.cli.main import main


def test_a_wide_network_of_proxies_is_a_warning() -> None:
    result = CliRunner().invoke(
        main,
        ["config", "check"],
        env={"CATCHMENT_TRUSTED_PROXIES": "10.0.0.0/8", "CATCHMENT_POSTS_URL": ""},
    )

    assert result.exit_code == 0
    assert "warning: CATCHMENT_TRUSTED_PROXIES names 10.0.0.0/8" in result.stderr
