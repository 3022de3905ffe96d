/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread ended: sched_process_exit. The last of its group takes the process's state with it. Not limited to traced
 * cgroups: a process may have moved out, and a look-up that finds nothing costs no more than the check would.
 */
int on_sched_process_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = ARGUMENT(struct task_struct *, 0);
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    if (!processes.lookup(&pid))
        return 0;
    struct signal_struct *signal = READ(task, signal);
    if (signal && READ(signal, live.counter) == 0)
        processes.delete(&pid);
    return 0;
}
