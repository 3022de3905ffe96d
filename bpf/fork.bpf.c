/* SPDX-License-Identifier: GPL-2.0-only */
/* A process was born: sched_process_fork. The child inherits what we know of its parent, so that an exec's "by" and the
 * descent from the container's init survive the parent's exit. Why here: clone's exit runs after the child may have
 * executed. Threads (same tgid) are the same process.
 */
int on_sched_process_fork(struct bpf_raw_tracepoint_args *ctx)
{
    u64 cgroup;
    if (!current_traced(&cgroup))
        return 0;
    struct task_struct *parent = ARGUMENT(struct task_struct *, 0);
    struct task_struct *child = ARGUMENT(struct task_struct *, 1);
    u32 parent_pid = READ(parent, tgid), child_pid = READ(child, tgid);
    if (parent_pid == child_pid)
        return 0;
    struct process *process = find_process(parent_pid, leader_start(parent));
    if (!process)
        return 0; /* the container runtime before its first exec: its children are the runtime's too */
    struct process state = *process;
    state.start = READ(child, start_boottime);
    state.flags &= ~FLAG_IS_INIT;
    if (processes.update(&child_pid, &state))
        count(HOOK_FORK, LOSS_PROCESSES_FULL);
    return 0;
}
