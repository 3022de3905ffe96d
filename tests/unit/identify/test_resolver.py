"""The thread that names containers: it wakes the main loop, bounds its work and never dies quietly."""

import threading
from collections.abc import Callable

import pytest

from driftline.errors import DriftlineError
from driftline.identify import resolver
from driftline.identify.engines import Answer
from driftline.identify.resolver import Resolver
from driftline.nouns import Loss, Subject

ROOTS = ("default", "kubepods")
DIGEST = "sha256:" + "ab" * 32


class Lab:
    """An engine that answers through ``reply``."""

    name = "containerd"

    def __init__(self, reply: Callable[[str], Answer | None]) -> None:
        self._reply = reply

    def look_up(self, container_id: str, seconds: float) -> Answer | None:
        return self._reply(container_id)

    def close(self) -> None:
        pass


class Main:
    """A main loop: takes subjects when it is woken."""

    def __init__(self, reply: Callable[[str], Answer | None], seconds: float = 30.0) -> None:
        self.woken = threading.Event()
        self.resolver = Resolver([Lab(reply)], seconds, ROOTS, self.woken.set)

    def take(self) -> list[Subject]:
        assert self.woken.wait(60)
        self.woken.clear()
        return self.resolver.take()


def answer(container_id: str) -> Answer:
    return Answer("containerd", container_id, "shop:1", DIGEST)


def test_a_request_is_answered_and_wakes_the_main_loop() -> None:
    main = Main(answer)
    main.resolver.start()
    main.resolver.request(5, "/default/web", 77, True)
    assert main.take() == [
        Subject(
            5,
            "/default/web",
            engine="containerd",
            container_id="web",
            name="web",
            image="shop:1",
            image_digest=DIGEST,
            started_ns=77,
            attached_late=True,
        )
    ]
    assert main.resolver.take() == []
    assert main.resolver.stop()


def test_an_unknown_container_comes_unnamed() -> None:
    main = Main(lambda container_id: None, 0.1)
    main.resolver.start()
    main.resolver.request(5, "/default/web", 77, False)
    (subject,) = main.take()
    assert not subject.image_known
    assert subject.container_id == "web"
    assert main.resolver.stop()


def test_what_no_engine_can_know_is_delivered_at_once() -> None:
    main = Main(answer)
    main.resolver.request(5, "/kubepods/burstable", 0, False)  # the thread does not even run
    assert main.take() == [Subject(5, "/kubepods/burstable")]
    assert main.resolver.losses() == []


def test_beyond_the_bound_a_container_comes_unnamed_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MAX_REQUESTS", 1)
    main = Main(answer)
    main.resolver.request(5, "/default/a", 0, False)
    main.resolver.request(6, "/default/b", 0, False)
    assert [subject.container_id for subject in main.take()] == ["b"]
    assert main.resolver.losses() == [Loss("identify", "requests_full", 1)]
    assert main.resolver.losses() == []
    main.resolver.start()
    assert [subject.container_id for subject in main.take()] == ["a"]
    assert main.resolver.stop()


def test_a_hung_engine_holds_up_neither_requests_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "STOP_SECONDS", 0.05)
    hung, let_go = threading.Event(), threading.Event()

    def hang(container_id: str) -> None:
        hung.set()
        let_go.wait(60)

    main = Main(hang)
    main.resolver.start()
    main.resolver.request(5, "/default/web", 0, False)
    assert hung.wait(60)
    main.resolver.request(6, "/default/other", 0, False)
    main.resolver.gone(6)
    assert main.resolver.take() == []
    assert not main.resolver.stop()
    let_go.set()
    monkeypatch.setattr(resolver, "STOP_SECONDS", 10)
    assert main.resolver.stop()


def test_a_dead_thread_is_told_to_the_main_loop() -> None:
    def fail(container_id: str) -> Answer | None:
        raise RuntimeError("a bug")

    main = Main(fail)
    main.resolver.start()
    main.resolver.request(5, "/default/web", 0, False)
    with pytest.raises(DriftlineError, match="a bug"):
        main.take()
    assert main.resolver.stop()
