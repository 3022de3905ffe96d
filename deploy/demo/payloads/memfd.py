"""Run a program that never touches a disk."""

import os

descriptor = os.memfd_create("kworker", 0)  # not close-on-exec: the child executes its copy
with open("/usr/bin/uname", "rb") as original:
    os.write(descriptor, original.read())
os.waitpid(os.posix_spawn(f"/proc/self/fd/{descriptor}", ["[kworker/0:1]"], {}), 0)
os.close(descriptor)
