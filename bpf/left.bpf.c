/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's process was moved out of its container's cgroup: cgroup_attach_task.
 *
 * Why: whatever it does from then on no hook attributes to the container. Nothing an ordinary workload does; a
 * privileged one may write its pid into the root's cgroup.procs to get out of sight. Entering a container needs no
 * record: the process has no state yet and gets it at its first exec.
 */
int on_cgroup_attach_task(struct bpf_raw_tracepoint_args *ctx)
{
    struct cgroup *destination = ARGUMENT(struct cgroup *, 0);
    struct task_struct *task = ARGUMENT(struct task_struct *, 2);
    struct cgroup_root *root = READ(destination, root);
    if (READ(root, hierarchy_id) != 0)
        return 0;
    u32 pid = READ(task, tgid), zero = 0;
    struct process *process = find_process(pid, leader_start(task));
    if (!process)
        return 0;
    u64 to = cgroup_number(destination);
    struct traced_cgroup *traced = traced_cgroups.lookup(&to);
    if (traced && traced->subject == process->subject)
        return 0;
    struct cgroup_scratch *scratch = cgroup_scratch.lookup(&zero);
    if (!scratch) {
        count(HOOK_CGROUP, LOSS_SCRATCH);
        return 0;
    }
    struct record_header *header = &scratch->record.header;
    __builtin_memset(header, 0, sizeof(*header));
    const struct cred *cred = READ(task, cred);
    header->exec_id = process->exec_id;
    header->start_ns = process->start;
    header->pid = header->tid = pid;
    header->uid = READ(cred, uid.val);
    header->gid = READ(cred, gid.val);
    header->euid = READ(cred, euid.val);
    header->flags = process->flags;
    bpf_probe_read_kernel_str(header->comm, COMM_BYTES, (const void *)AT(task, comm));
    send_cgroup(ctx, scratch, RECORD_CGROUP_LEFT, process->subject, to, process->subject, ARGUMENT(const char *, 1));
    return 0;
}
