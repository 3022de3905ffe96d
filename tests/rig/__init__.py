"""Real containers for tests and the demo: runc, a private containerd, images made here, and what they leave behind.

In: directories, argv, package names. Out: running containers with a known cgroup id, removed again whatever happens.
"""
