"""What a cgroup that appears is: a container, part of one, a directory of containers, or an engine's own process.

In: its id, path, and which container the kernel took it to be part of. Out: the container's cgroup and a role. Why not
the kernel's word alone: it judges by the name of one directory (a Podman pod looks like a container to it); the whole
path says more. Next: ``pipeline`` and ``live``, which tell the kernel.
"""

from __future__ import annotations

from driftline.identify.cgroups import Role, parse


class Arrivals:
    """Knows the paths of living containers. Forget one with ``gone``, or its memory stays."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self._roots = roots
        self._by_path: dict[str, int] = {}  # container's path → its cgroup; a path may be used again
        self._paths: dict[int, str] = {}

    def place(self, cgroup: int, subject: int, path: str) -> tuple[int, Role]:
        """Return the cgroup of the container that ``cgroup`` is or belongs to (itself for other roles), and its role.

        ``subject``: the kernel's answer, used for a nested cgroup whose container's path was never seen.
        """
        name = parse(path, self._roots)
        role = name.role if name else Role.CONTAINER
        if role is Role.NESTED and name:
            return self._by_path.get(name.path, subject), role
        if role is Role.CONTAINER:
            self._by_path[path] = cgroup
            self._paths[cgroup] = path
        return cgroup, role

    def path(self, cgroup: int) -> str:
        """Return a container's path, "" if it is none."""
        return self._paths.get(cgroup, "")

    def gone(self, cgroup: int) -> None:
        """Forget a container; another that has its path by now stays."""
        path = self._paths.pop(cgroup, "")
        if self._by_path.get(path) == cgroup:
            del self._by_path[path]
