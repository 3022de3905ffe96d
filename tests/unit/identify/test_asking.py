"""When engines are asked, and when a container goes on without a name: walked through with the test's own clock."""

from dataclasses import replace

import pytest

from driftline.errors import EngineError
from driftline.identify.asking import LATE_SECONDS, Asking
from driftline.identify.engines import ANSWER_SECONDS, Answer, EngineAbsent
from driftline.nouns import Subject

DIGEST = "sha256:" + "ab" * 32
LABELS = (("io.kubernetes.container.name", "app"), ("io.kubernetes.pod.name", "web-0"))


class Clock:
    """Seconds, moved by the test and by slow engines."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Lab:
    """An engine whose behaviour a test sets."""

    def __init__(self, name: str, clock: Clock, takes: float = 0.0) -> None:
        self.name = name
        self.known: dict[str, Answer] = {}
        self.error: EngineError | None = None
        self.asked: list[float] = []
        self.closed = False
        self._clock = clock
        self._takes = takes

    def look_up(self, container_id: str, seconds: float) -> Answer | None:
        self.asked.append(self._clock.now)
        self._clock.now += min(self._takes, seconds)
        if self.error:
            raise self.error
        return self.known.get(container_id)

    def close(self) -> None:
        self.closed = True


def run_until(work: Asking, clock: Clock, end: float) -> list[tuple[float, Subject]]:
    """Step whenever something is due, until ``end``."""
    finished = []
    while (due := work.next_due()) is not None and due <= end:
        clock.now = max(clock.now, due)
        finished += [(round(clock.now, 3), subject) for subject in work.step()]
    clock.now = max(clock.now, end)
    return finished


@pytest.fixture
def clock() -> Clock:
    return Clock()


SUBJECT = Subject(5, "/default/web", engine="containerd", container_id="web", started_ns=9)
ANSWER = Answer("containerd", "web", "shop:1", DIGEST)
NAMED = replace(SUBJECT, name="web", image="shop:1", image_digest=DIGEST)


def test_a_known_container_is_named_at_the_first_question(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    engine.known["web"] = ANSWER
    work = Asking([engine], 3.0, clock)
    work.add(SUBJECT)
    assert work.step() == [NAMED]
    assert len(work) == 0
    assert work.next_due() is None


def test_the_kubelets_labels_name_pod_and_workload(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    engine.known["web"] = replace(ANSWER, labels=LABELS)
    work = Asking([engine], 3.0, clock)
    work.add(SUBJECT)
    (subject,) = work.step()
    assert (subject.name, subject.pod, subject.workload, subject.labels) == ("app", "web-0", "web", LABELS)


def test_an_engine_that_learns_of_it_a_little_later_is_asked_again(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    work = Asking([engine], 3.0, clock)
    work.add(SUBJECT)
    assert run_until(work, clock, 100.05) == []
    engine.known["web"] = ANSWER
    ((at, subject),) = run_until(work, clock, 103.0)
    assert subject == NAMED
    assert at < 100.2


def test_unnamed_at_the_deadline_then_named_when_the_engine_answers(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    work = Asking([engine], 3.0, clock)
    work.add(SUBJECT)
    assert run_until(work, clock, 110.0) == [(103.0, SUBJECT)]
    engine.known["web"] = ANSWER
    assert [subject for _, subject in run_until(work, clock, 200.0)] == [NAMED]
    assert len(work) == 0


def test_late_questions_end(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    work = Asking([engine], 3.0, clock)
    work.add(SUBJECT)
    run_until(work, clock, 110.0 + LATE_SECONDS)
    assert len(work) == 0
    assert len(engine.asked) < 60


def test_an_absent_engine_makes_nobody_wait(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    engine.error = EngineAbsent("no socket")
    work = Asking([engine], 3.0, clock)
    work.add(SUBJECT)
    assert work.step() == [SUBJECT]
    engine.error = None
    engine.known["web"] = ANSWER
    assert [subject for _, subject in run_until(work, clock, 105.0)] == [NAMED]
    assert work.failures == 0


def test_a_hung_engine_delays_nobody_beyond_the_deadline(clock: Clock) -> None:
    engine = Lab("containerd", clock, takes=60.0)
    engine.error = EngineError("deadline exceeded")
    work = Asking([engine], 3.0, clock)
    for cgroup in range(50):
        work.add(replace(SUBJECT, cgroup=cgroup))
    finished = run_until(work, clock, 110.0)
    assert sorted(subject.cgroup for _, subject in finished) == list(range(50))
    assert max(at for at, _ in finished) <= 103.0 + ANSWER_SECONDS
    assert work.failures < 10
    assert "deadline exceeded" in work.last_error


def test_one_failing_engine_does_not_hide_another(clock: Clock) -> None:
    broken, good = Lab("containerd", clock), Lab("docker", clock)
    broken.error = EngineError("broken")
    good.known["web"] = replace(ANSWER, engine="docker")
    work = Asking([broken, good], 3.0, clock)
    work.add(replace(SUBJECT, engine=""))
    assert work.step() == [replace(NAMED, engine="docker")]


def test_only_the_engine_the_path_names_is_asked(clock: Clock) -> None:
    containerd, docker = Lab("containerd", clock), Lab("docker", clock)
    work = Asking([docker, containerd], 3.0, clock)
    work.add(SUBJECT)
    work.step()
    assert (len(containerd.asked), len(docker.asked)) == (1, 0)


def test_crio_is_also_found_in_podmans_storage(clock: Clock) -> None:
    crio, podman = Lab("cri-o", clock), Lab("podman", clock)
    crio.error = EngineAbsent("no socket")
    podman.known["web"] = replace(ANSWER, engine="podman")
    work = Asking([crio, podman], 3.0, clock)
    work.add(replace(SUBJECT, engine="cri-o"))
    assert work.step() == [replace(NAMED, engine="cri-o")]


def test_a_container_that_is_gone_is_asked_about_until_its_deadline_only(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    work = Asking([engine], 3.0, clock)
    work.add(SUBJECT)
    work.step()
    work.gone(SUBJECT.cgroup)
    assert run_until(work, clock, 200.0) == [(103.0, SUBJECT)]
    assert len(work) == 0
    work.add(SUBJECT)
    run_until(work, clock, 204.0)
    assert len(work) == 1
    work.gone(SUBJECT.cgroup)
    assert len(work) == 0


def test_closing_closes_the_engines(clock: Clock) -> None:
    engine = Lab("containerd", clock)
    Asking([engine], 3.0, clock).close()
    assert engine.closed
