"""Alert rules and dashboard: Prometheus reads them, and every query in them is one it can parse."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from rig.prometheus import DEPLOY, asked, promtool, queries


def test_alert_rules_are_right() -> None:
    assert "rules found" in promtool("check", "rules", str(DEPLOY / "alerts.yaml"))


def test_queries_of_the_dashboard_parse(tmp_path: Path) -> None:
    """As recording rules, with Grafana's variables filled in."""
    rules = [
        {"record": f"q{number}", "expr": query.replace("$__rate_interval", "5m").replace("$instance", "x")}
        for number, query in enumerate(queries())
        if not query.startswith("label_values")
    ]
    assert len(rules) > 20
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "q", "rules": rules}]}))
    promtool("check", "rules", str(path))


def test_the_dashboard_is_one() -> None:
    board = json.loads((DEPLOY / "dashboard.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len(board["panels"])


def test_the_search_finds_what_queries_ask_for() -> None:
    query = (
        'histogram_quantile(0.9, sum by (a, le) (rate(m_seconds_bucket{b="x"}[5m]))) / sum(increase(n_total[1m])) > 5'
    )
    assert asked(query) == ({"m_seconds_bucket", "n_total"}, {"a", "le", "b"})
    assert asked("label_values(driftline_agent_info, instance)")[0] == {"driftline_agent_info"}
