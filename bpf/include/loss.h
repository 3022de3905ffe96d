/* SPDX-License-Identifier: GPL-2.0-only */
/* Hooks and counters by name. Numbers are never reused; agent/driftline/probe/counters.py reads the names from here. */
#ifndef DRIFTLINE_LOSS_H
#define DRIFTLINE_LOSS_H

enum hook {
    HOOK_EXEC = 0,
    HOOK_OPEN = 1,
    HOOK_LOAD = 2,
    HOOK_CONNECT = 3,
    HOOK_UNIX_CONNECT = 4,
    HOOK_FORK = 5,
    HOOK_CGROUP = 6,
    HOOK_DNS = 7,
    HOOK_COUNT = 8,
};

enum counter {
    /* not losses */
    COUNT_SENT = 0,          /* records put into a ring */
    COUNT_KNOWN = 1,         /* stopped by the verdict cache */
    COUNT_RUNTIME_SETUP = 2, /* the container runtime's own start-up inside the container's cgroup */
    /* losses: the event did not reach user space */
    LOSS_RING_FULL = 8,
    LOSS_BUCKET_EMPTY = 9, /* held back: the container used up its rate; per container in the subjects map */
    LOSS_READ_FAULT = 10,  /* kernel memory could not be read */
    LOSS_SCRATCH = 11,     /* no scratch buffer, or in use by a program this one preempted */
    /* losses: the event arrived, but a part of it is missing */
    LOSS_PATH_TRUNCATED = 16,
    LOSS_ENV_TRUNCATED = 17,
    /* losses: a table is full, later events miss context */
    LOSS_CGROUPS_FULL = 20, /* a container cannot be traced: nothing of it is seen */
    LOSS_PROCESSES_FULL = 21,
    COUNTERS = 32,
};

#endif
