"""The outputs file: every mistake is told with its line, no secret is."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.errors import SettingsError
from driftline_collector.outputs import build
from driftline_collector.outputs.config import OUTPUTS, SyslogOutput, address
from driftline_collector.outputs.configfile import CONFIG_BYTES, read_outputs
from driftline_collector.outputs.httpclient import Endpoint
from driftline_collector.outputs.tls import Tls

ROOT = Path(__file__).resolve().parents[4]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "outputs.yaml"
    path.write_text(text)
    return path


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_outputs(written(tmp_path, text))
    return str(caught.value.args[0])


def test_the_example_that_is_shipped_is_right() -> None:
    found = read_outputs(ROOT / "deploy/outputs.yaml")
    assert {output.type for output in found.outputs} == {"file", "syslog", "webhook", "falco", "otlp"}


def test_a_small_file(tmp_path: Path) -> None:
    found = read_outputs(written(tmp_path, "outputs:\n  - name: a\n    type: syslog\n    to: udp://localhost\n"))
    assert isinstance(found.outputs[0], SyslogOutput)
    assert found.outputs[0].size() == 2048


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no `outputs:`"),
        ("outputs: []\n", "line 1: the file: no output"),
        ("outputs:\n  - name: a\n    type: carrier-pigeon\n", "line 2: outputs[1]: Input tag 'carrier-pigeon'"),
        ("outputs:\n  - type: file\n    path: /a\n", "line 2: outputs[1].name: Field required"),
        ("outputs:\n  - name: A b\n    type: file\n    path: /a\n", "line 2: outputs[1].name: String should match"),
        ("outputs:\n  - name: a\n    type: file\n    path: a\n", "line 4: outputs[1].path: write the whole path"),
        (
            "outputs:\n  - name: a\n    type: file\n    path: /a\n    pth: /b\n",
            "line 5: outputs[1].pth: there is no such setting",
        ),
        ("outputs:\n  - name: a\n    type: syslog\n    to: http://x\n", "line 4: outputs[1].to: write udp://HOST"),
        ("outputs:\n  - name: a\n    type: syslog\n    to: udp://x:99999\n", "line 4: outputs[1].to: Port out of"),
        (
            "outputs:\n  - name: a\n    type: falco\n    url: https://me:pw-1@host/\n",
            "line 4: outputs[1].url: a URL with a password",
        ),
        ("outputs:\n  - name: a\n    type: falco\n    url: file:///etc/passwd\n", "not a URL of http or https"),
        ("outputs:\n  - name: a\n    type: falco\n", "line 2: outputs[1]: give url, or url_file"),
        (
            "outputs:\n  - name: a\n    type: otlp\n    url: http://h\n    tls: {cert_file: /a}\n",
            "line 5: outputs[1].tls: cert_file and key_file belong together",
        ),
        ("outputs:\n  - {name: a, type: file, path: /a, kinds: [exce]}\n", "no kind of deviation is called 'exce'"),
        (
            "outputs:\n  - {name: a, type: file, path: /a}\n  - {name: a, type: file, path: /b}\n",
            "two outputs have the name 'a'",
        ),
        (
            "outputs:\n  - {name: a, type: file, path: /a}\n  - {name: b, type: file, path: /a}\n",
            "two outputs have the path '/a'",
        ),
        ("outputs: &x\n  - *x\n", "anchors and tags are not allowed"),
        ("outputs:\n  - name: [\n", "not YAML"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    message = complaint(tmp_path, text)
    assert message.startswith(str(tmp_path))
    assert said in message
    assert "pw-1" not in message


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = complaint(tmp_path, "outputs:\n  - {name: a, type: file, path: a, keep: -1}\n  - {type: file}\n")
    assert len(message.splitlines()) == 4


def test_too_many_and_too_large(tmp_path: Path) -> None:
    many = "outputs:\n" + "".join(f"  - {{name: a{n}, type: file, path: /a{n}}}\n" for n in range(OUTPUTS + 1))
    assert f"at most {OUTPUTS} items" in complaint(tmp_path, many)
    assert "larger than" in complaint(tmp_path, "#" * (CONFIG_BYTES + 1))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="none cannot be read: No such file"):
        read_outputs(tmp_path / "none")


def test_files_an_output_names_must_be_there(tmp_path: Path) -> None:
    tail = f"    url: https://h/\n    headers_file: {tmp_path}/none\n"
    output = read_outputs(written(tmp_path, f"outputs:\n  - name: a\n    type: falco\n{tail}")).outputs[0]
    with pytest.raises(SettingsError, match=r"output a: .*none cannot be read"):
        build.check(output)


def test_a_check_makes_no_file(tmp_path: Path) -> None:
    text = f"outputs:\n  - {{name: a, type: file, path: {tmp_path}/out}}\n"
    build.check(read_outputs(written(tmp_path, text)).outputs[0])
    assert not (tmp_path / "out").exists()


def test_headers_and_urls_from_files_are_read_and_never_shown(tmp_path: Path) -> None:
    headers, url = tmp_path / "headers", tmp_path / "url"
    headers.write_text("# token of the SIEM\nAuthorization: Bearer s3cr3t\n\nX-A:b c \n")
    url.write_text("https://hooks.example/T0/s3cr3t\n")
    endpoint = Endpoint("", str(url), str(headers), Tls(), 1.0, False)
    assert endpoint.read_headers() == {"Authorization": "Bearer s3cr3t", "X-A": "b c"}
    assert endpoint.read_url().path == "/T0/s3cr3t"
    headers.write_text("Authorization: ok\nAuthorization s3cr3t\n")
    url.write_text("hooks.example/s3cr3t")
    for read, said in ((endpoint.read_headers, "headers, line 2: no header"), (endpoint.read_url, "url holds no URL")):
        with pytest.raises(SettingsError) as caught:
            read()
        assert said in str(caught.value)
        assert "s3cr3t" not in str(caught.value)


def test_a_header_cannot_bring_a_second_one(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_bytes(b"A: b\x0bC: d\n")
    with pytest.raises(SettingsError, match="no header"):
        Endpoint("http://h", "", str(headers), Tls(), 1.0, False).read_headers()


@pytest.mark.parametrize(
    ("to", "where"),
    [
        ("udp://h", ("udp", "h", 514)),
        ("tcp://h:1", ("tcp", "h", 1)),
        ("tls://[::1]", ("tls", "::1", 6514)),
    ],
)
def test_addresses(to: str, where: tuple[str, str, int]) -> None:
    found = address(to)
    assert (found.scheme, found.host, found.port) == where


def test_unix_addresses() -> None:
    assert address("unix:/dev/log").path == address("unix:///dev/log").path == "/dev/log"


def test_plain_text_over_a_network_is_warned_of(tmp_path: Path) -> None:
    outputs = read_outputs(
        written(
            tmp_path,
            "outputs:\n"
            "  - {name: a, type: syslog, to: 'udp://siem.example'}\n"
            "  - {name: b, type: syslog, to: 'udp://127.0.0.1'}\n"
            "  - {name: c, type: falco, url: 'http://192.0.2.1:2801'}\n"
            "  - {name: d, type: otlp, url: 'http://localhost:4317'}\n"
            "  - {name: e, type: syslog, to: 'tls://siem.example'}\n",
        )
    )
    assert [warning.split()[1] for warning in build.warnings(outputs)] == ["a", "c"]
